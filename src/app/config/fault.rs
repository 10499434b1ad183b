//! What is said of mistakes: all of them, each with the place it was made in.

use std::{fmt, ops::Range};

use super::secret::masked;

/// The configuration cannot be used. Its text is one paragraph a mistake, in the form of
/// compilers: message, place, the line, and a caret below what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

/// One of the mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// Where; nothing of what is in no file.
    pub place: Option<Place>,
    /// The flag or the variable that it lies in, if it is one.
    pub source: Option<String>,
    /// Place and line for people, below the message; empty if there is nothing to show.
    shown: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path as it was given.
    pub file: String,
    /// Where in the file; `None` of all of it.
    pub at: Option<Position>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1, as columns are.
    pub line: usize,
    /// In characters.
    pub column: usize,
}

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
    pub(in crate::app) fn new(mistakes: Vec<Mistake>) -> Self {
        assert!(!mistakes.is_empty(), "an error says what is wrong");
        Self { mistakes }
    }

    /// The mistakes.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The mistakes.
    pub(in crate::app) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { message, shown, .. }) in self.mistakes.iter().enumerate() {
            let separator = if index > 0 { "\n\n" } else { "" };
            write!(f, "{separator}error: {message}{shown}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

// === impl Mistake ===

impl Mistake {
    /// One that is in no file, but in what is named so: a flag or a variable.
    pub(super) fn by(message: &str, source: String) -> Self {
        let shown = format!("\n --> {source}");
        Self { shown, source: Some(source), ..Self::from(message.to_owned()) }
    }

    /// One of a whole file: `what` is the matter with it.
    pub(super) fn of_file(path: &str, what: &str) -> Self {
        let place = Place { file: path.to_owned(), at: None };
        Self { place: Some(place), ..Self::from(format!("`{path}` {what}")) }
    }

    /// One that lies in a variable of the environment.
    pub(super) fn by_variable(message: &str, name: &str) -> Self {
        Self::by(message, format!("environment variable {name}"))
    }
}

impl From<String> for Mistake {
    fn from(message: String) -> Self {
        Self { message, place: None, source: None, shown: String::new() }
    }
}

// === impl Text ===

impl Text<'_> {
    /// A mistake at `span` of the file.
    pub(super) fn mistake(&self, message: &str, span: &Range<usize>) -> Mistake {
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
        let shown = format!(
            "\n{gutter}--> {path}:{number}:{column}\n{gutter} |\n{number} | {line}\n\
             {gutter} | {indent}{carets}"
        );
        let place = Place { file: path.to_owned(), at: Some(Position { line: number, column }) };
        Mistake { message: message.to_owned(), place: Some(place), source: None, shown }
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
