//! Whether a row passes.

use std::borrow::Cow;

use serde_json::Value;

use super::compile::{Node, Step, Test};

// === impl Node ===

impl Node {
    /// Whether it holds of `row`.
    pub(super) fn holds(&self, row: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Not(inner) => !inner.holds(row),
            Self::Leaf { steps, test, negated } => leads(steps, row, test, *negated),
        }
    }
}

fn leads(steps: &[Step], value: &Value, test: &Test, negated: bool) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return test.passes(value) != negated;
    };
    match step {
        Step::Field(name) => leads(rest, value.get(name).unwrap_or(&Value::Null), test, negated),
        Step::Each => {
            let members = value.as_array().into_iter().flatten();
            members.into_iter().any(|member| leads(rest, member, test, negated))
        }
        Step::Key(key) => match value.get(key) {
            Some(value) => leads(rest, value, test, negated),
            // What is not there is unequal to all. That it also matches every pattern, negated or
            // not, is a mistake of go-bexpr that filters have come to live with.
            None => negated || matches!(test, Test::Matches(_)),
        },
    }
}

// === impl Test ===

impl Test {
    /// Whether `value`, or the zero of its type where it is left out, passes.
    fn passes(&self, value: &Value) -> bool {
        match self {
            Self::IsEmpty => match value {
                Value::Array(members) => members.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => true,
            },
            Self::Number(number) => value.as_i64().unwrap_or(0) == *number,
            Self::Text(text) => shown(value) == text.as_str(),
            Self::Truth(truth) => value.as_bool().unwrap_or(false) == *truth,
            Self::Member(name) => match value {
                Value::Array(members) => members.iter().any(|member| member.as_str() == Some(name)),
                Value::Object(members) => members.contains_key(name),
                _ => false,
            },
            Self::Part(part) => shown(value).contains(part),
            Self::Matches(pattern) => pattern.is_match(&shown(value)),
        }
    }
}

fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
