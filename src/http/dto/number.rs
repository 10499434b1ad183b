//! Numbers from JSON with refusals that say what would be accepted.
//!
//! serde's own refusal of 70000 for a 16-bit field is `invalid value: integer 70000, expected
//! u16`, which speaks to Rust programmers; these speak of limits. A refusal begins with `is`, and
//! reads on from the value (see [`crate::http::json`]).

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// Reads a whole number from `MIN` to `MAX`, or `null` for one left out.
///
/// # Errors
/// When it is another value.
pub(super) fn whole<'de, D, const MIN: u16, const MAX: u16>(
    deserializer: D,
) -> Result<Option<u16>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Whole { min: MIN, max: MAX })
}

/// The whole number that `number` is, if it is one from 0 to 2³² − 1.
pub(super) fn whole_part(number: f64) -> Option<u64> {
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "just compared")]
    is_whole.then_some(number as u64)
}

struct Whole {
    min: u16,
    max: u16,
}

// === impl Whole ===

impl Whole {
    fn outside<E: Error>(&self) -> E {
        E::custom(format_args!("is outside the limits of {} to {}", self.min, self.max))
    }
}

impl Visitor<'_> for Whole {
    type Value = Option<u16>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        match u16::try_from(number) {
            Ok(number) if (self.min..=self.max).contains(&number) => Ok(Some(number)),
            _ => Err(self.outside()),
        }
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(self.outside()) // serde_json passes only negative numbers here
    }

    /// `10.0` and `1e1` are the integer 10 to JSON Schema, so to the contract, and some languages
    /// write every number so.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        match whole_part(number) {
            Some(whole) => self.visit_u64(whole),
            None if number.fract() == 0.0 => Err(self.outside()),
            None => {
                Err(E::custom(format_args!("is no whole number from {} to {}", self.min, self.max)))
            }
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
