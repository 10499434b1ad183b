//! What a parser of a parsing expression grammar keeps: where it is, how far any attempt got and
//! what would have been right there. From the latter the refusal is made, so that it says as much
//! as the original's does.

use std::collections::BTreeSet;

/// The state of one parse.
#[derive(Debug)]
pub(super) struct Peg<'t> {
    text: &'t str,
    at: usize,
    farthest: usize,
    expected: BTreeSet<&'static str>,
    ends: bool,
    faults: Vec<String>,
}

// === impl Peg ===

impl<'t> Peg<'t> {
    /// At the beginning of `text`.
    pub(super) fn new(text: &'t str) -> Self {
        let expected = BTreeSet::new();
        Self { text, at: 0, farthest: 0, expected, ends: false, faults: Vec::new() }
    }

    /// Where it is, octets.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Back to where it was.
    pub(super) fn back(&mut self, at: usize) {
        self.at = at;
    }

    /// What was read since `from`.
    pub(super) fn since(&self, from: usize) -> &'t str {
        &self.text[from..self.at]
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Reads `word`; `quoted` is how it is shown.
    pub(super) fn word(&mut self, word: &str, quoted: &'static str) -> bool {
        let is = self.rest().starts_with(word);
        if is {
            self.at += word.len();
        } else {
            self.miss(quoted);
        }
        is
    }

    /// Reads one character that `is`; `class` is how such are shown.
    pub(super) fn one(&mut self, is: impl Fn(char) -> bool, class: &'static str) -> bool {
        match self.rest().chars().next().filter(|character| is(*character)) {
            Some(character) => {
                self.at += character.len_utf8();
                true
            }
            None => {
                self.miss(class);
                false
            }
        }
    }

    /// Reads as many characters as there are that `is`.
    pub(super) fn many(&mut self, is: impl Fn(char) -> bool, class: &'static str) {
        while self.one(&is, class) {}
    }

    /// Reads blanks, at least one.
    pub(super) fn blanks(&mut self) -> bool {
        const CLASS: &str = r"[ \t\r\n]";
        let is = |character| matches!(character, ' ' | '\t' | '\r' | '\n');
        let found = self.one(is, CLASS);
        if found {
            self.many(is, CLASS);
        }
        found
    }

    /// Whether this is the end.
    pub(super) fn end(&mut self) -> bool {
        let is = self.rest().is_empty();
        if !is && self.reaches() {
            self.ends = true;
        }
        is
    }

    /// A fault that no other way of reading the text makes good.
    pub(super) fn fault(&mut self, at: usize, rule: &str, fault: &str) {
        let fault = format!("{}: rule \"{rule}\": {fault}", self.place(at));
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// What is wrong with the text; nothing when it was `read` and no fault was found.
    pub(super) fn refusal(self, read: bool) -> Option<String> {
        if !self.faults.is_empty() {
            return Some(self.faults.join("\n"));
        }
        if read {
            return None;
        }
        let mut expected: Vec<&str> = self.expected.iter().copied().collect();
        if self.ends {
            expected.push("EOF");
        }
        let place = self.place(self.farthest);
        let list = match expected.split_last() {
            None => return Some(format!("{place}: no match found")),
            Some((only, [])) => (*only).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        };
        Some(format!("{place}: no match found, expected: {list}"))
    }

    fn miss(&mut self, what: &'static str) {
        if self.reaches() {
            self.expected.insert(what);
        }
    }

    /// Whether no attempt got farther. One that gets farther than all others makes their
    /// expectations void.
    fn reaches(&mut self) -> bool {
        if self.at > self.farthest {
            self.farthest = self.at;
            self.expected.clear();
            self.ends = false;
        }
        self.at == self.farthest
    }

    /// Line, column in characters and offset in octets.
    fn place(&self, at: usize) -> String {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        format!("{line}:{column} ({at})")
    }
}
