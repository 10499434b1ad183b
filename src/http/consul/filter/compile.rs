//! An expression against the type of the rows: selectors become steps, values become what they are
//! compared with.

use regex::Regex;
use serde_json::Value;

use super::{
    super::{number, quote::quoted, texts::ConsulError},
    parser, pattern,
    rows::{Kind, Rows},
    tree::{Expression, Match, Operator, Selector},
};

/// Matches of one expression, each of which is asked of each row: as many as would name a hundred
/// instances one by one.
const MATCHES_MAX: usize = 128;

/// Patterns of one expression: each takes milliseconds to compile.
const PATTERNS_MAX: usize = 8;

/// An expression that is longer is read aside.
const DEAR_OCTETS: usize = 1 << 10;

/// A filter of one type of rows.
#[derive(Debug)]
pub(in crate::http) struct Filter(pub(super) Node);

/// A part of it.
#[derive(Debug)]
pub(super) enum Node {
    /// All of them hold.
    All(Vec<Node>),
    /// One of them holds.
    Any(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// A value passes a test, or does not where it is negated.
    Leaf { steps: Vec<Step>, test: Test, negated: bool },
}

/// From a value to one within it.
#[derive(Debug)]
pub(super) enum Step {
    /// A field of an object.
    Field(&'static str),
    /// Any member of an array.
    Each,
    /// The value at a key of a map, if it is there.
    Key(String),
}

/// What is asked of a value.
#[derive(Debug)]
pub(super) enum Test {
    /// An array or an object without members.
    IsEmpty,
    /// This number.
    Number(i64),
    /// This text.
    Text(String),
    /// This truth value.
    Truth(bool),
    /// Has it as a member of an array, or as a key of an object.
    Member(String),
    /// Has it as a part of a text.
    Part(String),
    /// Matches.
    Matches(Regex),
}

// === impl Filter ===

impl Filter {
    /// Reads an expression about `rows`.
    ///
    /// # Errors
    /// 500 that says what is wrong, as in Consul.
    pub(in crate::http) fn parse(text: &str, rows: Rows) -> Result<Self, ConsulError> {
        let node = parser::parse(text).and_then(|expression| {
            within_budget(&expression)?;
            node(expression, rows.kind())
        });
        node.map(Self).map_err(|fault| ConsulError::bad_filter(&fault))
    }

    /// Whether it takes more than a moment to read `text`: patterns are compiled.
    pub(in crate::http) fn is_dear(text: &str) -> bool {
        text.len() > DEAR_OCTETS || text.contains("matches")
    }

    /// Whether a row, as the API shows it, passes.
    pub(in crate::http) fn passes(&self, row: &Value) -> bool {
        self.0.holds(row)
    }
}

/// Each row is held against each match.
fn within_budget(expression: &Expression) -> Result<(), String> {
    let (matches, patterns) = count(expression);
    for (what, count, most) in
        [("matches", matches, MATCHES_MAX), ("regular expressions", patterns, PATTERNS_MAX)]
    {
        if count > most {
            return Err(format!("{count} {what} are above the limit of {most}"));
        }
    }
    Ok(())
}

/// How many matches it has, and how many of them compile a pattern.
fn count(expression: &Expression) -> (usize, usize) {
    match expression {
        Expression::All(parts) | Expression::Any(parts) => {
            let add = |(a, b), (c, d)| (a + c, b + d);
            parts.iter().map(count).fold((0, 0), add)
        }
        Expression::Not(inner) => count(inner),
        Expression::Match(found) => {
            let matches = matches!(found.operator, Operator::Matches | Operator::NotMatches);
            (1, usize::from(matches))
        }
    }
}

fn node(expression: Expression, row: Kind) -> Result<Node, String> {
    let nodes = |parts: Vec<Expression>| -> Result<Vec<Node>, String> {
        parts.into_iter().map(|part| node(part, row)).collect()
    };
    Ok(match expression {
        Expression::All(parts) => Node::All(nodes(parts)?),
        Expression::Any(parts) => Node::Any(nodes(parts)?),
        Expression::Not(inner) => Node::Not(Box::new(node(*inner, row)?)),
        Expression::Match(found) => leaf(found, row)?,
    })
}

fn leaf(found: Match, row: Kind) -> Result<Node, String> {
    let Match { selector, operator, value } = found;
    let (steps, kind) = resolve(&selector, row)?;
    let selector = || quoted(&selector.0.join("."));
    let invalid = || format!("Invalid match operator \"{operator}\" for selector {}", selector());
    let coerced = |function: &str, fault: &str| {
        let value = quoted(&value);
        let selector = selector();
        format!(
            "Failed to coerce value {value} for selector {selector}: strconv.{function}: parsing \
             {value}: {fault}"
        )
    };
    use Operator::{Equal, In, IsEmpty, IsNotEmpty, Matches, NotEqual, NotIn, NotMatches};
    let test = match (kind, operator) {
        (Kind::Text, Equal | NotEqual) => Test::Text(value),
        (Kind::Text, Matches | NotMatches) => Test::Matches(pattern::compile(&value)?),
        (Kind::Text, In | NotIn) => Test::Part(value),
        (Kind::Texts | Kind::TextMap | Kind::Map(_), In | NotIn) => Test::Member(value),
        (Kind::Number, Equal | NotEqual) => {
            Test::Number(number::integer(&value).map_err(|fault| coerced("ParseInt", fault))?)
        }
        (Kind::Truth, Equal | NotEqual) => {
            let truth = number::truth(&value);
            Test::Truth(truth.ok_or_else(|| coerced("ParseBool", "invalid syntax"))?)
        }
        (Kind::Texts | Kind::TextMap | Kind::Map(_) | Kind::List(_), IsEmpty | IsNotEmpty) => {
            Test::IsEmpty
        }
        _ => return Err(invalid()),
    };
    Ok(Node::Leaf { steps, test, negated: operator.is_negated() })
}

/// The way to what a selector names, and its type.
fn resolve(selector: &Selector, row: Kind) -> Result<(Vec<Step>, Kind), String> {
    let (mut steps, mut kind) = (Vec::new(), row);
    for (at, part) in selector.0.iter().enumerate() {
        if let Kind::List(fields) = kind {
            steps.push(Step::Each);
            kind = Kind::Fields(fields);
        }
        let next = match kind {
            Kind::Fields(fields) => fields.iter().find(|(name, _)| name == part).map(|field| {
                steps.push(Step::Field(field.0));
                field.1
            }),
            Kind::Map(fields) => {
                steps.push(Step::Key(part.clone()));
                Some(Kind::Fields(fields))
            }
            Kind::TextMap => {
                steps.push(Step::Key(part.clone()));
                Some(Kind::Text)
            }
            Kind::List(_) | Kind::Number | Kind::Text | Kind::Texts | Kind::Truth => None,
        };
        kind = next.ok_or_else(|| {
            let selector = quoted(&selector.0[..=at].join("."));
            format!("Selector {selector} is not valid")
        })?;
    }
    Ok((steps, kind))
}
