//! A refusal as it is shown (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused; nothing of it took effect unless the code is `timeout` or
/// `store-unsure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:rollcall:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code: a stable word to tell refusals apart by.
    pub code: String,
    /// The meaning of the code; the same for each of its occurrences.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to do about it.
    pub detail: String,
    /// The JSON path of the fault, for example `checks[0].interval`; `$` for the whole body,
    /// `?name` for a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The refused value, shortened when long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The limit that it went over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The revision that this server is at, where another was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}
