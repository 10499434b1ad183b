//! Durations as people write them: `100ms`, `5s`, `1m30s`, `24h`.
//!
//! One reading for the configuration, the API and the command line. A number without a unit is
//! refused, because half of the world would mean milliseconds by it.

use std::time::Duration;

use jiff::SignedDuration;

/// Text that is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no duration, which needs a unit; write a number and its unit, as in `100ms`, `5s`, \
     `1m30s` or `24h`"
)]
pub struct NoDuration;

/// Reads a duration; units are `h`, `m`, `s`, `ms`, `us` and `ns`, the larger before the smaller.
///
/// # Errors
/// When a unit is missing or unknown, or the duration is negative.
pub fn parse_duration(text: &str) -> Result<Duration, NoDuration> {
    // The same parser also takes ISO 8601 (`PT5S`), which nobody means here.
    if text.starts_with(['P', 'p', '-', '+']) {
        return Err(NoDuration);
    }
    let signed: SignedDuration = text.parse().map_err(|_| NoDuration)?;
    signed.try_into().map_err(|_| NoDuration)
}

/// Writes a duration so that [`parse_duration`] reads back the same one.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let nanos = u64::from(duration.subsec_nanos());
    let parts = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (nanos / 1_000_000, "ms"),
        (nanos / 1_000 % 1_000, "us"),
        (nanos % 1_000, "ns"),
    ];
    let text: String = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{format_duration, parse_duration};

    #[test]
    fn a_duration_has_units() {
        for (text, millis) in [
            ("100ms", 100),
            ("5s", 5_000),
            ("0s", 0),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("1.5s", 1_500),
            ("24h", 86_400_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "5x", "-5s", "+5s", "5s ago", "PT5S", "1d", "five seconds"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(format_duration(Duration::from_millis(90_250)), "1m30s250ms");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            seconds in 0_u64..1_000_000,
            nanos in 0_u32..1_000_000_000,
        ) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
