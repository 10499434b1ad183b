//! What begins with a backslash.

use std::fmt::Write;

use super::{Before, Rewriter};

// === impl Rewriter ===

impl Rewriter<'_> {
    /// What begins with a backslash, outside of brackets.
    pub(super) fn escape(&mut self, at: usize) -> Result<(), String> {
        self.before = Before::Atom;
        match self.rest.peek().map(|(_, character)| *character) {
            Some('A') => self.written.push_str(r"\A"),
            Some('z') => self.written.push_str(r"\z"),
            Some('b') => self.written.push_str(r"(?-u:\b)"),
            Some('B') => self.written.push_str(r"(?-u:\B)"),
            Some('Q') => {
                let rest = &self.pattern[at + 2..];
                let length = rest.find(r"\E");
                rest[..length.unwrap_or(rest.len())].chars().for_each(|c| self.literal(c));
                self.skip_to(length.map_or(self.pattern.len(), |length| at + 2 + length + 2));
                return Ok(());
            }
            _ => {
                if let Some(class) = self.named_class(at)? {
                    let _ = write!(self.written, "[{class}]");
                } else {
                    let character = self.escaped_character(at)?;
                    self.literal(character);
                }
                return Ok(());
            }
        }
        self.rest.next();
        Ok(())
    }

    /// The one character that an escape means, the backslash at `at` being behind.
    pub(super) fn escaped_character(&mut self, at: usize) -> Result<char, String> {
        let Some((_, first)) = self.rest.next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        let code = match first {
            '0'..='7' => {
                let mut code = first.to_digit(8);
                let mut count = 1;
                while count < 3
                    && let Some(digit) = self.rest.peek().and_then(|(_, c)| c.to_digit(8))
                {
                    code = code.map(|code| code * 8 + digit);
                    count += 1;
                    self.rest.next();
                }
                code.filter(|_| first == '0' || count > 1)
            }
            'x' if self.take('{') => self.hexadecimal(),
            'x' => {
                let digits: String = self.rest.by_ref().take(2).map(|(_, c)| c).collect();
                hexadecimal(&digits).filter(|_| digits.len() == 2)
            }
            'a' => Some(0x07),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'v' => Some(0x0b),
            other if other.is_ascii_punctuation() || other == ' ' => Some(u32::from(other)),
            _ => None,
        };
        code.and_then(char::from_u32).ok_or_else(|| {
            let end = self.rest.peek().map_or(self.pattern.len(), |(end, _)| *end);
            format!("invalid escape sequence: `{}`", &self.pattern[at..end])
        })
    }

    /// Digits up to a closing brace; they are read no farther than they are a character.
    fn hexadecimal(&mut self) -> Option<u32> {
        let mut code = None;
        for (_, character) in self.rest.by_ref() {
            if character == '}' {
                return code;
            }
            let more = code.unwrap_or(0) * 16 + character.to_digit(16)?;
            code = Some(more).filter(|code| *code <= u32::from(char::MAX));
            code?;
        }
        None
    }
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok())?
}
