//! What is said of mistakes: all of them, each with the place it was made in.

use std::{fmt, ops::Range};

use super::secret::masked;

/// The configuration cannot be used. Its text is one paragraph a mistake, in the form of
/// compilers: message, place, the line, and a caret below what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<String>,
}

/// One of the mistakes, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mistake<'a> {
    /// What is wrong.
    pub message: &'a str,
    /// The file, the line and the column, both counted from 1; none of what is in no file.
    pub place: Option<(&'a str, u64, u64)>,
}

/// What stands before the place of a mistake.
const ARROW: &str = "--> ";

/// The text of a file, to show lines of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    /// The file's path as it was given.
    pub path: &'a str,
    pub text: &'a str,
}

// === impl ConfigError ===

impl ConfigError {
    /// All of these mistakes; there has to be one.
    pub(in crate::app) fn new(faults: Vec<String>) -> Self {
        assert!(!faults.is_empty(), "an error says what is wrong");
        Self { faults }
    }

    /// The mistakes, each with its place apart.
    pub fn mistakes(&self) -> impl Iterator<Item = Mistake<'_>> {
        self.faults.iter().map(|fault| Mistake::read(fault))
    }

    /// The mistakes, one text each.
    pub(in crate::app) fn into_faults(self) -> Vec<String> {
        self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index > 0 { "\n\n" } else { "" };
            write!(f, "{separator}error: {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

// === impl Mistake ===

impl<'a> Mistake<'a> {
    /// Reads what [`Text::fault`] has written.
    fn read(fault: &'a str) -> Self {
        let Some((message, shown)) = fault.split_once('\n') else {
            return Self { message: fault, place: None };
        };
        let place = shown.lines().next().and_then(|line| {
            let mut parts = line.trim_start().strip_prefix(ARROW)?.rsplitn(3, ':');
            let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((parts.next()?, line, column))
        });
        Self { message: if place.is_some() { message } else { fault }, place }
    }
}

// === impl Text ===

impl Text<'_> {
    /// A mistake at `span` of the file.
    pub(super) fn fault(&self, message: &str, span: &Range<usize>) -> String {
        let (line_start, start) = self.line_around(span.start);
        let rest = &self.text[line_start..];
        let line = rest.split('\n').next().unwrap_or(rest).trim_end_matches('\r');
        let number = self.text[..line_start].matches('\n').count() + 1;
        let before = &line[..(start - line_start).min(line.len())];
        let column = before.chars().count() + 1;
        // A place of several lines is marked up to the end of its first.
        let marked_end = span.end.clamp(start, line_start + line.len()).max(start);
        let marked = self.text[start..marked_end].chars().count().max(1);
        // A tab stays a tab, so that the caret stands below its character at any width of tabs.
        let indent: String = before.chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let gutter = " ".repeat(number.to_string().len());
        let carets = "^".repeat(marked);
        let (path, line) = (self.path, masked(line));
        format!(
            "{message}\n{gutter}{ARROW}{path}:{number}:{column}\n{gutter} |\n{number} | {line}\n\
             {gutter} | {indent}{carets}"
        )
    }

    /// The octet at which the line of `at` begins, and `at` itself brought back into the text.
    fn line_around(&self, at: usize) -> (usize, usize) {
        // The end of a file that ends with a line break is shown as the end of its last line.
        let end = self.text.trim_end_matches(['\n', '\r']).len();
        let mut at = at.min(end);
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        (self.text[..at].rfind('\n').map_or(0, |newline| newline + 1), at)
    }
}
