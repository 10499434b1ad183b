//! Single values as producers spell them: numbers as text, booleans as text, nothing as `""`.

use std::fmt::Display;

use serde::Serializer;
use smol_str::SmolStr;

use crate::{http::eureka::tree::Node, model::Invalid};

/// The text of a field that is there.
pub(super) fn text(node: &Node) -> Option<SmolStr> {
    Some(node.text().into())
}

/// The text in capitals, as Eureka keeps names of applications.
pub(super) fn capitals(node: &Node) -> Option<SmolStr> {
    Some(node.text().to_uppercase().into())
}

/// Whether it says `true`, in whatever case; everything else is `false` to Java.
pub(super) fn is_true(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("true")
}

/// A number as Java's `int` holds it; `None` when the field is empty.
///
/// # Errors
/// When it is no number, or does not fit.
pub(super) fn int(name: &str, node: &Node) -> Result<Option<i32>, Invalid> {
    const MIN: i64 = i32::MIN as i64;
    const MAX: i64 = i32::MAX as i64;
    whole::<i32, MIN, MAX>(name, node)
}

/// A number as Java's `long` holds it, milliseconds since the Unix epoch for example; `None` when
/// the field is empty.
///
/// # Errors
/// When it is no number, or does not fit.
pub(super) fn long(name: &str, node: &Node) -> Result<Option<i64>, Invalid> {
    whole::<i64, { i64::MIN }, { i64::MAX }>(name, node)
}

fn whole<T, const MIN: i64, const MAX: i64>(name: &str, node: &Node) -> Result<Option<T>, Invalid>
where
    T: TryFrom<i64>,
{
    let text = node.text().trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().or_else(|| truncated(text));
    let Some(number) = number else {
        return Err(Invalid::new(name, text, "is no whole number"));
    };
    T::try_from(number)
        .map(Some)
        .map_err(|_| Invalid::new(name, text, format!("is outside the limits of {MIN} to {MAX}")))
}

/// `3e1`, `30.0` and `30.5` are 30, as they are to Jackson: some languages write every number so.
fn truncated(text: &str) -> Option<i64> {
    /// Up to here a double holds each whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "just compared")]
    (number.abs() <= EXACT_MAX).then_some(number as i64)
}

/// Writes a number or a boolean as a string.
///
/// # Errors
/// What the serializer says.
pub(super) fn as_text<T: Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes a number that is there as a string.
///
/// # Errors
/// What the serializer says.
pub(super) fn as_text_option<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
