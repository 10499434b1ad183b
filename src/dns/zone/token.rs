//! The words of a master file (RFC 1035 §5.1): lines joined by parentheses, comments taken off,
//! quotes opened, every word with the line on which it stands.
//!
//! Escapes stay in the words, because `\.` in a name is not a dot and only the reader of names
//! knows where names are.

use super::name;

/// One entry: a record or a directive, over as many lines as its parentheses hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The line on which it begins, counted from one.
    pub line: u32,
    /// Whether it begins with a blank, so that it has the owner of the record before it.
    pub indented: bool,
    /// Its words; at least one.
    pub words: Vec<Word>,
}

/// A word, or the inside of quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// The octets, escapes still in place.
    pub text: Vec<u8>,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// The line on which it stands.
    pub line: u32,
}

/// A line that cannot be split into words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: u32,
    pub problem: String,
}

/// Splits a master file into entries.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    rest: &'t [u8],
    line: u32,
}

// === impl Word ===

impl Word {
    /// The octets with escapes resolved, as a character-string has them.
    ///
    /// # Errors
    /// With the problem, when an escape is none.
    pub(super) fn octets(&self) -> Result<Vec<u8>, String> {
        let mut octets = Vec::with_capacity(self.text.len());
        let mut rest = self.text.as_slice();
        while let Some((octet, _, tail)) = name::next_octet(rest)? {
            octets.push(octet);
            rest = tail;
        }
        Ok(octets)
    }

    /// Whether it is this keyword, in any case, and not quoted.
    pub(super) fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }
}

// === impl Lexer ===

impl<'t> Lexer<'t> {
    /// Begins at the first line; a byte order mark is skipped.
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { rest: text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text), line: 1 }
    }

    /// The next entry that has words.
    ///
    /// # Errors
    /// When a line cannot be split.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, Fault> {
        while !self.rest.is_empty() {
            let (line, indented) = (self.line, matches!(self.rest[0], b' ' | b'\t'));
            let words = self.words()?;
            if !words.is_empty() {
                return Ok(Some(Entry { line, indented, words }));
            }
        }
        Ok(None)
    }

    /// The words up to the end of the line, or of the lines that parentheses join.
    fn words(&mut self) -> Result<Vec<Word>, Fault> {
        let mut words = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        while let Some(&octet) = self.rest.first() {
            match octet {
                b'\n' => {
                    self.skip(1);
                    self.line += 1;
                    if open.is_empty() {
                        return Ok(words);
                    }
                }
                b' ' | b'\t' | b'\r' => self.skip(1),
                b';' => self.skip_comment(),
                b'(' => {
                    open.push(self.line);
                    self.skip(1);
                }
                b')' => {
                    open.pop().ok_or_else(|| self.fault("a `)` has no `(` before it"))?;
                    self.skip(1);
                }
                b'"' => words.push(self.quoted()?),
                _ => words.push(self.bare()?),
            }
        }
        match open.pop() {
            Some(line) => Err(Fault { line, problem: "this `(` is never closed".into() }),
            None => Ok(words),
        }
    }

    fn quoted(&mut self) -> Result<Word, Fault> {
        let mut text = Vec::new();
        self.take_quoted(&mut text)?;
        Ok(Word { text, quoted: true, line: self.line })
    }

    /// A word without quotes, but for those behind a `=`, as in `alpn="h2,h3"` (RFC 9460 §2.1).
    fn bare(&mut self) -> Result<Word, Fault> {
        let mut text = Vec::new();
        while let Some(&octet) = self.rest.first() {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'"' if text.last() == Some(&b'=') => self.take_quoted(&mut text)?,
                b'"' => return Err(self.fault("a quotation mark stands in the middle of a word")),
                _ => self.take_octet(&mut text)?,
            }
        }
        Ok(Word { text, quoted: false, line: self.line })
    }

    /// From quote to quote; on one line, because a missing quote would else be found far away.
    fn take_quoted(&mut self, text: &mut Vec<u8>) -> Result<(), Fault> {
        self.skip(1);
        loop {
            match self.rest.first() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(());
                }
                None | Some(b'\n') => {
                    return Err(self.fault("a quotation mark is not closed on its line"));
                }
                Some(_) => self.take_octet(text)?,
            }
        }
    }

    /// One octet, or a backslash and the octet behind it.
    fn take_octet(&mut self, text: &mut Vec<u8>) -> Result<(), Fault> {
        let taken = if self.rest[0] == b'\\' { 2 } else { 1 };
        let Some(octets) = self.rest.get(..taken).filter(|octets| octets.last() != Some(&b'\n'))
        else {
            return Err(self.fault("a backslash stands at the end of the line"));
        };
        if let Some(control) = octets.iter().find(|o| o.is_ascii_control() && **o != b'\t') {
            let problem = format!("has the control character {control:#04x}; write \\{control:03}");
            return Err(self.fault(&problem));
        }
        text.extend_from_slice(octets);
        self.skip(taken);
        Ok(())
    }

    fn skip_comment(&mut self) {
        let end = self.rest.iter().position(|octet| *octet == b'\n').unwrap_or(self.rest.len());
        self.skip(end);
    }

    fn skip(&mut self, octets: usize) {
        self.rest = &self.rest[octets..];
    }

    fn fault(&self, problem: &str) -> Fault {
        Fault { line: self.line, problem: problem.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::Lexer;

    /// Entries as `line:words|words`, with `>` for a blank start and `"` before what was quoted.
    fn split(text: &str) -> Result<Vec<String>, String> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut entries = Vec::new();
        while let Some(entry) =
            lexer.next_entry().map_err(|fault| format!("{}: {}", fault.line, fault.problem))?
        {
            let words = entry.words.iter().map(|word| {
                let text = String::from_utf8_lossy(&word.text);
                if word.quoted { format!("\"{text}") } else { text.into_owned() }
            });
            let indent = if entry.indented { ">" } else { "" };
            entries.push(format!("{}:{indent}{}", entry.line, words.collect::<Vec<_>>().join("|")));
        }
        Ok(entries)
    }

    #[test]
    fn lines_become_words() {
        for (text, expected) in [
            ("", vec![]),
            ("\n ; nothing\n\t\n", vec![]),
            ("a A 1.2.3.4", vec!["1:a|A|1.2.3.4"]),
            ("a 1\r\n  b 2;c\n", vec!["1:a|1", "2:>b|2"]),
            ("a (b ; x )\n c\n)d\ne", vec!["1:a|b|c|d", "4:e"]),
            ("a ((b)\n(c))", vec!["1:a|b|c"]),
            (r#"t "a b" "" "x\"y;(" z"#, vec![r#"1:t|"a b|"|"x\"y;(|z"#]),
            (r"a\ b c\;d \(", vec![r"1:a\ b|c\;d|\("]),
            (r#"s alpn="h2,h 3" x"#, vec!["1:s|alpn=h2,h 3|x"]),
            ("\u{feff}a b", vec!["1:a|b"]),
        ] {
            assert_eq!(split(text).as_deref(), Ok(&expected.map_to_strings()[..]), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_split_names_its_line() {
        for (text, expected) in [
            ("a\nb )", "2: a `)` has no `(`"),
            ("a\n\nb (\n c\n", "3: this `(` is never closed"),
            ("a\nt \"x\ny\"", "2: a quotation mark is not closed"),
            ("a b\"c\"", "1: a quotation mark stands in the middle"),
            ("a\nb\\\nc", "2: a backslash stands at the end"),
            ("a\0b", "1: has the control character 0x00; write \\000"),
        ] {
            let refused = split(text).unwrap_err();
            assert!(refused.starts_with(expected), "{text:?}: {refused}");
        }
    }

    trait MapToStrings {
        fn map_to_strings(self) -> Vec<String>;
    }

    impl MapToStrings for Vec<&str> {
        fn map_to_strings(self) -> Vec<String> {
            self.into_iter().map(str::to_owned).collect()
        }
    }
}
