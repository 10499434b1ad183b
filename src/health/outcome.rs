//! What one probe found, in words that an operator understands.

use super::probe::ProbeError;
use crate::model::{Status, limit};

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What it is worth; `None` when the probe could not be made for a cause on this server,
    /// which says nothing about the instance.
    pub status: Option<Status>,
    /// What was found: one line without control characters, within the limit.
    pub output: String,
}

// === impl Outcome ===

impl Outcome {
    /// The name of the result in metrics.
    pub(super) fn result_name(&self) -> &'static str {
        self.status.map_or("not_run", Status::as_str)
    }
}

/// A probe that came to its end says what it found, and what that is worth.
impl From<Result<(Status, String), ProbeError>> for Outcome {
    fn from(result: Result<(Status, String), ProbeError>) -> Self {
        let (status, output) = match result {
            Ok((status, output)) => (Some(status), output),
            Err(ProbeError::Failed(output)) => (Some(Status::Critical), output),
            Err(ProbeError::NotRun(cause)) => (None, format!("not checked: {cause}")),
        };
        Self { status, output: one_line(output) }
    }
}

/// Makes one blank of blanks, line breaks and control characters in a row, and cuts at a character
/// within the limit. A reply's body is a stranger's text, often a whole page, that ends up in
/// terminals and logs.
fn one_line(text: String) -> String {
    let mut line = if is_one_line(&text) {
        text // as nearly all are, thousands of times a second
    } else {
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    line.truncate(line.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX));
    line
}

/// Whether nothing is to be replaced, as far as that can be told at a glance.
fn is_one_line(text: &str) -> bool {
    text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic())
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains("  ")
}

#[cfg(test)]
mod tests {
    use super::{Outcome, ProbeError};
    use crate::model::{Status, limit::CHECK_OUTPUT_OCTETS_MAX};

    #[test]
    fn output_is_one_printable_line_within_the_limit() {
        let shown = |text: &str| Outcome::from(Ok((Status::Passing, text.to_owned()))).output;
        for text in ["a b", " a b", "a b ", "a  b", "a\tb", "\u{a0}a b"] {
            assert_eq!(&*shown(text), "a b", "{text:?}");
        }
        assert_eq!(&*shown("a\r\nb\u{1b}[2J\0\u{9b}c\n"), "a b [2J c");
        assert_eq!(&*shown("<html>\n\n  <p>down</p>\n</html>"), "<html> <p>down</p> </html>");
        assert_eq!(shown(&"x".repeat(2 * CHECK_OUTPUT_OCTETS_MAX)).len(), CHECK_OUTPUT_OCTETS_MAX);
        let cut = shown(&format!("{}€", "x".repeat(CHECK_OUTPUT_OCTETS_MAX - 1)));
        assert_eq!(cut.len(), CHECK_OUTPUT_OCTETS_MAX - 1, "no half character");
        assert!(shown(&"\u{9b}".repeat(CHECK_OUTPUT_OCTETS_MAX)).len() <= CHECK_OUTPUT_OCTETS_MAX);
    }

    #[test]
    fn our_own_trouble_is_no_verdict() {
        let outcome = Outcome::from(Err(ProbeError::NotRun("too many open files".into())));
        assert_eq!((outcome.status, outcome.result_name()), (None, "not_run"));
        assert_eq!(&*outcome.output, "not checked: too many open files");
        let failed = Outcome::from(Err(ProbeError::Failed("HTTP 503".into())));
        assert_eq!(failed.status, Some(Status::Critical));
    }
}
