//! Instants as text (RFC 3339).

use crate::model::Timestamp;

/// The instant as RFC 3339 has it, in UTC, with milliseconds.
pub(in crate::http) fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    // Only a clock that is thousands of years off cannot be shown; it is shown as the last instant.
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{instant:.3}")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;
    use crate::model::Timestamp;

    #[test]
    fn an_instant_is_shown_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp(1_795_000_000_120)), "2026-11-18T11:06:40.120Z");
        assert!(rfc3339(Timestamp(u64::MAX)).starts_with("9999-12-30"));
    }
}
