//! What is wrong with a zone, and where: `example.zone:12: …`.

use std::fmt;

use crate::model::DnsName;

/// A mistake in a master file. The zone that it is in is not served from this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ZoneError {
    /// Where it is.
    pub place: Place,
    /// What it is and what to do about it.
    pub problem: String,
    /// The zone that the file would be, as far as it was read; `None` when that is no name.
    pub zone: Option<DnsName>,
}

/// Something odd that does not keep a zone from being served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneWarning {
    /// Where it is.
    pub place: Place,
    /// What it is and what is done about it.
    pub problem: String,
}

/// A line of a file in the zone folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path within the zone folder.
    pub file: String,
    /// The line, counted from one; zero stands for the file as a whole.
    pub line: u32,
}

// === impl ZoneError ===

impl ZoneError {
    pub(super) fn new(file: &str, line: u32, problem: impl Into<String>) -> Self {
        Self::at(Place::new(file, line), problem)
    }

    pub(super) fn at(place: Place, problem: impl Into<String>) -> Self {
        Self { place, problem: one_line(problem.into()), zone: None }
    }

    /// The same of a file that would be this zone (wire labels).
    pub(super) fn of_zone(self, origin: &[u8]) -> Self {
        Self { zone: DnsName::from_wire(origin).ok(), ..self }
    }
}

// === impl ZoneWarning ===

impl ZoneWarning {
    pub(super) fn new(place: Place, problem: String) -> Self {
        Self { place, problem: one_line(problem) }
    }
}

// === impl Place ===

impl Place {
    pub(super) fn new(file: &str, line: u32) -> Self {
        Self { file: one_line(file.to_owned()), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        Ok(())
    }
}

/// The text with its control characters as `\DDD` (RFC 1035 §5.1): what a zone file says must not
/// write lines of a log, or move about on the terminal that shows them.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if char.is_control() {
            let mut octets = [0; 4];
            for octet in char.encode_utf8(&mut octets).bytes() {
                line.push_str(&format!("\\{octet:03}"));
            }
        } else {
            line.push(char);
        }
    }
    line
}
