//! Values of several sections: how they are read, and how they are shown as TOML.

use std::{fmt, ops::RangeInclusive, path::Path, time::Duration};

use crate::{
    app::config::given::{Given, Refusal},
    util::format_duration,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

// === Readings ===

/// Puts what was read where it belongs.
pub(super) fn set<T>(target: &mut T, value: Result<T, Refusal>) -> Result<(), Refusal> {
    *target = value?;
    Ok(())
}

/// A duration that ends up in a record's TTL, which counts seconds (RFC 2181 §8).
pub(in crate::app::config) fn whole_seconds(
    given: &Given,
    range: RangeInclusive<u64>,
) -> Result<Duration, Refusal> {
    let (low, high) = range.into_inner();
    let duration = given.duration(Duration::from_secs(low)..=Duration::from_secs(high))?;
    if duration.subsec_nanos() > 0 {
        return Err(given.refuse("has a fraction of a second, which no TTL has"));
    }
    Ok(duration)
}

/// The same as a number of seconds.
pub(super) fn seconds(given: &Given, range: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let (low, high) = range.into_inner();
    let time = whole_seconds(given, low.into()..=high.into())?;
    Ok(u32::try_from(time.as_secs()).expect("it was just held to a limit that is one"))
}

// === Showings ===

/// A text.
pub(in crate::app::config) fn quote(text: &(impl ToString + ?Sized)) -> String {
    toml::Value::String(text.to_string()).to_string()
}

/// A path.
pub(super) fn path(path: &Path) -> String {
    quote(&path.display())
}

/// A time.
pub(super) fn duration(duration: Duration) -> String {
    quote(&format_duration(duration))
}

/// A time in seconds.
pub(super) fn seconds_shown(seconds: u32) -> String {
    duration(Duration::from_secs(seconds.into()))
}

/// A list of texts.
pub(in crate::app::config) fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(quote).collect();
    format!("[{}]", items.join(", "))
}
