//! Where a verb writes its result: standard output, or a buffer of a test.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::table::Rows;

/// The result's way out, and the form it is wanted in.
pub(super) struct Output {
    sink: Box<dyn Write>,
    /// Whether JSON is wanted.
    pub json: bool,
    /// Whether a person sees it: then tables are fitted to the width, and statuses coloured.
    pub terminal: bool,
}

// === impl Output ===

impl Output {
    /// Standard output.
    pub(super) fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self { sink: Box::new(stdout), json, terminal }
    }

    /// Somewhere else, without a person.
    #[cfg(test)]
    pub(super) fn to(sink: impl Write + 'static, json: bool) -> Self {
        Self { sink: Box::new(sink), json, terminal: false }
    }

    /// Writes one line, and lets it be seen now.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.sink, "{line}")?;
        self.sink.flush()
    }

    /// Writes a sentence, over several lines where the terminal is too narrow for it.
    pub(super) fn sentence(&mut self, text: &str) -> io::Result<()> {
        let width = self.width().unwrap_or(usize::MAX);
        for line in wrapped(text, width) {
            writeln!(self.sink, "{line}")?;
        }
        self.sink.flush()
    }

    /// How wide a line may be; there is no limit but on a terminal. What the user asks for in
    /// `COLUMNS` is stronger than the terminal's own width.
    pub(super) fn width(&self) -> Option<usize> {
        if !self.terminal {
            return None;
        }
        let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let own = || comfy_table::Table::new().width().map(usize::from);
        asked.filter(|columns| *columns > 0).or_else(own)
    }

    /// Writes a table without trailing blanks.
    pub(super) fn table(&mut self, rows: Rows) -> io::Result<()> {
        for line in rows.lines() {
            writeln!(self.sink, "{line}")?;
        }
        self.sink.flush()
    }

    /// Writes a value as indented JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.sink, value)?;
        self.line("")
    }
}

/// Text of somebody else without what would command the terminal (escapes, line breaks, and the
/// marks that turn the direction of writing): a check's output is whatever the checked says.
pub(super) fn printable(text: &str) -> String {
    let is_safe = |c: char| {
        let turns = matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        !turns && !c.is_control()
    };
    let text: String = text.chars().map(|c| if is_safe(c) { c } else { ' ' }).collect();
    text.trim().to_owned()
}

/// The same on one line with one blank between words: a page is no longer one in a table.
pub(super) fn words(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines of whole words, those behind the first indented.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always one");
        if last.is_empty() {
            last.push_str(word);
        } else if last.width() + 1 + word.width() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{printable, words, wrapped};

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(
            wrapped("web: ttl 5s, answer_limit 8", 14),
            ["web: ttl 5s,", "  answer_limit", "  8"]
        );
        assert_eq!(wrapped("web: ttl 5s", usize::MAX), ["web: ttl 5s"]);
    }

    #[test]
    fn a_page_becomes_one_line() {
        assert_eq!(words("HTTP 503:\r\n<p>\n\t  down\u{1b}[2J "), "HTTP 503: <p> down [2J");
    }

    #[test]
    fn a_checks_output_cannot_command_the_terminal() {
        assert_eq!(printable("\u{1b}[2Jok\r\nnext\u{202e}\n"), "[2Jok  next");
        assert_eq!(printable("größer\t5"), "größer 5");
    }
}
