//! Classes of characters: with names, and between brackets.

use std::fmt::Write;

use regex::Regex;

use super::Rewriter;

const CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

// === impl Rewriter ===

impl Rewriter<'_> {
    /// `\d`, `\pL`, `\p{Greek}` and the like as they stand within brackets; nothing when what
    /// comes after the backslash at `at` is none of them.
    pub(super) fn named_class(&mut self, at: usize) -> Result<Option<String>, String> {
        let character = self.rest.peek().map(|(_, character)| *character);
        let class = match character {
            Some('d') => "0-9",
            Some('D') => "[^0-9]",
            Some('s') => r"\t\n\f\r ",
            Some('S') => r"[^\t\n\f\r ]",
            Some('w') => "0-9A-Za-z_",
            Some('W') => "[^0-9A-Za-z_]",
            Some(sign @ ('p' | 'P')) => return self.unicode_class(at, sign).map(Some),
            _ => return Ok(None),
        };
        self.rest.next();
        Ok(Some(class.to_owned()))
    }

    fn unicode_class(&mut self, at: usize, sign: char) -> Result<String, String> {
        let rest = &self.pattern[at + 2..];
        let invalid =
            |end: usize| format!("invalid character class range: `{}`", &self.pattern[at..end]);
        let (name, end) = match rest.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(length) => (&inner[..length], at + 3 + length + 1),
                None => return Err(invalid(self.pattern.len())),
            },
            None => match rest.chars().next() {
                Some(one) => (&rest[..one.len_utf8()], at + 2 + one.len_utf8()),
                None => return Err(invalid(self.pattern.len())),
            },
        };
        let negated = (sign == 'P') != name.starts_with('^');
        let name = name.trim_start_matches('^');
        let letter = if negated { 'P' } else { 'p' };
        // Go takes categories by their short names and scripts by their long ones, as they are
        // written in Unicode; the engine here is not so strict.
        let class = match name {
            name if name.len() > 2 && name != "Any" => format!(r"\{letter}{{Script={name}}}"),
            _ => format!(r"\{letter}{{{name}}}"),
        };
        let well_formed = name.bytes().enumerate().all(|(at, octet)| match at {
            0 => octet.is_ascii_uppercase(),
            1 if name.len() == 2 => octet.is_ascii_lowercase(),
            _ => octet.is_ascii_alphabetic() || octet == b'_',
        });
        if !well_formed || !self.classes.contains(&class) && Regex::new(&class).is_err() {
            return Err(invalid(end));
        }
        self.classes.insert(class.clone());
        self.skip_to(end);
        Ok(class)
    }

    /// What stands between brackets; the opening one at `at` is behind.
    pub(super) fn class(&mut self, at: usize) -> Result<(), String> {
        let missing = format!("missing closing ]: `{}`", &self.pattern[at..]);
        self.written.push('[');
        if self.take('^') {
            self.written.push('^');
        }
        let mut first = true;
        loop {
            let Some((start, character)) = self.rest.next() else { return Err(missing) };
            match character {
                ']' if !first => break,
                '[' if self.pattern[start..].starts_with("[:") && self.posix(start)? => {}
                '\\' => match self.named_class(start)? {
                    Some(class) => self.written.push_str(&class),
                    None => {
                        let low = self.escaped_character(start)?;
                        self.range(start, low, &missing)?;
                    }
                },
                low => self.range(start, low, &missing)?,
            }
            first = false;
        }
        self.written.push(']');
        Ok(())
    }

    /// A character between brackets, or the range that begins with it.
    fn range(&mut self, start: usize, low: char, missing: &str) -> Result<(), String> {
        let mut high = low;
        let end = self.rest.peek().map_or(self.pattern.len(), |(end, _)| *end);
        let rest = &self.pattern[end..];
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            self.rest.next();
            high = match self.rest.next() {
                Some((at, '\\')) => self.escaped_character(at)?,
                Some((_, character)) => character,
                None => return Err(missing.to_owned()),
            };
        }
        if high < low {
            let end = self.rest.peek().map_or(self.pattern.len(), |(end, _)| *end);
            let shown = &self.pattern[start..end];
            return Err(format!("invalid character class range: `{shown}`"));
        }
        let (low, high) = (u32::from(low), u32::from(high));
        let _ = write!(self.written, r"\x{{{low:x}}}-\x{{{high:x}}}");
        Ok(())
    }

    /// `[:alpha:]` between brackets; false when it is no such class.
    fn posix(&mut self, start: usize) -> Result<bool, String> {
        let rest = &self.pattern[start..];
        let Some(length) = rest.find(":]") else { return Ok(false) };
        let (shown, name) = (&rest[..length + 2], rest[2..length.max(2)].trim_start_matches('^'));
        if !CLASSES.contains(&name) {
            return Err(format!("invalid character class range: `{shown}`"));
        }
        self.written.push_str(shown);
        self.skip_to(start + length + 2);
        Ok(true)
    }
}
