//! What begins with a parenthesis.

use super::{Before, Rewriter};

// === impl Rewriter ===

impl Rewriter<'_> {
    /// `(`, `(?P<name>`, `(?flags)` or `(?flags:`; the parenthesis at `at` is behind.
    pub(super) fn group(&mut self, at: usize) -> Result<(), String> {
        self.before = Before::Nothing;
        if !self.take('?') {
            self.groups += 1;
            self.written.push('(');
            return Ok(());
        }
        let rest = &self.pattern[at + 2..];
        let angle = rest.strip_prefix('P').unwrap_or(rest);
        match angle.strip_prefix('<') {
            Some(name) if !name.starts_with(['=', '!']) => self.named(at, name),
            _ => self.flags(at),
        }
    }

    /// Names only serve replacement, of which there is none here: they are read and left out, so
    /// that all that Go takes for one is one. (1.8.7 knows them with a `P` only.)
    fn named(&mut self, at: usize, rest: &str) -> Result<(), String> {
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let start = self.pattern.len() - rest.len();
        let length = rest.find('>');
        match length.map(|length| &rest[..length]) {
            Some(name) if !name.is_empty() && name.chars().all(word) => {
                self.skip_to(start + name.len() + 1);
                self.groups += 1;
                self.written.push('(');
                Ok(())
            }
            _ => {
                let end = length.map_or(self.pattern.len(), |length| start + length + 1);
                Err(format!("invalid named capture: `{}`", &self.pattern[at..end]))
            }
        }
    }

    fn flags(&mut self, at: usize) -> Result<(), String> {
        let invalid = |shown: &str| format!("invalid or unsupported Perl syntax: `{shown}`");
        let start = self.written.len();
        self.written.push_str("(?");
        let (mut negated, mut flags) = (false, 0);
        for (place, character) in self.rest.by_ref() {
            self.written.push(character);
            match character {
                'i' | 'm' | 's' | 'U' => flags += 1,
                '-' if !negated => (negated, flags) = (true, 0),
                ':' if !negated || flags > 0 => {
                    self.groups += 1;
                    return Ok(());
                }
                ')' if flags > 0 => return Ok(()),
                ')' if !negated => {
                    self.written.truncate(start); // `(?)` says nothing
                    return Ok(());
                }
                other => return Err(invalid(&self.pattern[at..place + other.len_utf8()])),
            }
        }
        Err(invalid(&self.pattern[at..]))
    }
}
