//! Query parameters: those that a route has, each refused by name when it has them not.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

use super::problem::Problem;
use crate::model::Invalid;

/// The parameters in their order, names and values decoded.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

// === impl Parameters ===

impl Parameters {
    /// Refuses parameters that are not among `known`.
    ///
    /// # Errors
    /// Names the first of them.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&&**name)) {
            None => Ok(self),
            Some((name, value)) => {
                let problem = match known {
                    [] => "is not known: this path takes no parameters".to_owned(),
                    known => format!("is not known; there are {}", known.join(", ")),
                };
                Err(Problem::unknown_parameter(name, value, &problem))
            }
        }
    }

    /// All values of a parameter.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The value of a parameter that is there once at most.
    ///
    /// # Errors
    /// When it is there again.
    pub(super) fn one<'p>(&'p self, name: &'p str) -> Result<Option<&'p str>, Problem> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(again) => Err(Problem::bad_query(Invalid::new(name, again, "is there twice"))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(pairs)| Self(pairs)).map_err(|error| {
            let query = parts.uri.query().unwrap_or("");
            Problem::bad_query(Invalid::new("", query, format!("cannot be read: {error}")))
        })
    }
}
