//! The one refusal of the model: which field, which value, what is wrong with it.

use std::fmt;

/// A value from outside that is not acceptable.
///
/// `field` is a path in the caller's own terms (`checks[1].interval`); doors prefix it with
/// [`Invalid::under`] as the value travels outward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// Path of the field, for example `tags[2]`.
    pub field: String,
    /// The refused value, shortened when long; empty when it is missing.
    pub value: String,
    /// What is wrong, with the limit where there is one: `is above the limit of 65535`.
    pub problem: String,
}

// === impl Invalid ===

impl Invalid {
    /// A refusal of `value` in `field`; `problem` reads on from the value.
    pub fn new(
        field: impl Into<String>,
        value: impl fmt::Display,
        problem: impl Into<String>,
    ) -> Self {
        const SHOWN_CHARS: usize = 80; // enough to recognise a value, short enough for one line
        let mut value = value.to_string();
        if let Some((cut, _)) = value.char_indices().nth(SHOWN_CHARS) {
            value.truncate(cut);
            value.push('…');
        }
        Self { field: field.into(), value, problem: problem.into() }
    }

    /// The same refusal seen from one level further out: `interval` under `checks[1]` becomes
    /// `checks[1].interval`.
    #[must_use]
    pub fn under(mut self, parent: impl fmt::Display) -> Self {
        let separator = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{parent}{separator}{}", self.field);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, problem } = self;
        // What is missing has no value to show.
        let value = if value.is_empty() { String::new() } else { format!("`{value}` ") };
        write!(f, "`{field}`: {value}{problem}")
    }
}

#[cfg(test)]
mod tests {
    use super::Invalid;

    #[test]
    fn a_path_grows_outward() {
        let inner = Invalid::new("interval", "5ms", "is below the limit of 100ms");
        assert_eq!(
            inner.under("checks[1]").to_string(),
            "`checks[1].interval`: `5ms` is below the limit of 100ms"
        );
        let missing = Invalid::new("ttl", "", "is needed by a check of type `ttl`");
        assert_eq!(missing.to_string(), "`ttl`: is needed by a check of type `ttl`");
        assert_eq!(Invalid::new("[2]", "x", "no").under("tags").field, "tags[2]");
    }

    #[test]
    fn a_long_value_is_shortened_at_a_character() {
        let shown = Invalid::new("f", "ü".repeat(500), "is too long").value;
        assert_eq!(shown.chars().count(), 81);
    }
}
