//! An expression as it is written.

use std::fmt;

/// An expression, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// `… and …`: two or more.
    All(Vec<Self>),
    /// `… or …`: two or more.
    Any(Vec<Self>),
    /// `not …`
    Not(Box<Self>),
    /// Without parts.
    Match(Match),
}

/// `Selector == value` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Where the value is.
    pub(super) selector: Selector,
    /// What it is held against.
    pub(super) operator: Operator,
    /// The other value; empty for `is empty`.
    pub(super) value: String,
}

/// `A.B["c-d"].e`, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector(pub(super) Vec<String>);

/// `contains` is `in` with its sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `in`, `contains`
    In,
    /// `not in`, `not contains`
    NotIn,
    /// `is empty`
    IsEmpty,
    /// `is not empty`
    IsNotEmpty,
    /// `matches`
    Matches,
    /// `not matches`
    NotMatches,
}

// === impl Operator ===

impl Operator {
    /// Whether it says the opposite of another one.
    pub(super) fn is_negated(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn | Self::IsNotEmpty | Self::NotMatches)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "Equal",
            Self::NotEqual => "Not Equal",
            Self::In => "In",
            Self::NotIn => "Not In",
            Self::IsEmpty => "Is Empty",
            Self::IsNotEmpty => "Is Not Empty",
            Self::Matches => "Matches",
            Self::NotMatches => "Not Matches",
        })
    }
}
