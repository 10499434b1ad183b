//! A duration in JSON: text with a unit, `"5s"`, `"100ms"`, `"1m30s"`.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use utoipa::ToSchema;

use crate::util::{format_duration, parse_duration};

/// A duration as text with a unit: `5s`, `100ms`, `1m30s`, `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(
    value_type = String,
    example = "1m30s",
    pattern = r"^(\d+(\.\d+)?\s*(h|m|s|ms|us|ns)\s*)+$"
)]
pub struct Period(pub Duration);

struct Reader;

// === impl Period ===

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

// === impl Reader ===

/// A number without a unit is refused with the two spellings it could have meant, because half of
/// the world means milliseconds by it and the other half seconds.
fn bare_number<E: Error>(number: impl fmt::Display) -> E {
    E::custom(format_args!(
        "is no duration; write it with its unit: \"{number}s\" or \"{number}ms\""
    ))
}

impl Visitor<'_> for Reader {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"5s\", \"100ms\" or \"1m30s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse_duration(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Duration, E> {
        Err(bare_number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Duration, E> {
        Err(E::custom("is no duration; write one such as \"5s\", \"100ms\" or \"1m30s\""))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Duration, E> {
        Err(bare_number(number))
    }
}
