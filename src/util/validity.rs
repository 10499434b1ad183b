//! How a span of time in which something is valid stands with the time of day.

/// Part of its lifetime that a certificate must have left; a tenth is far behind the time at which
/// all clients of authorities renew theirs, whether it lives for days or for years.
const LIFETIME_LEFT_DIVISOR: i64 = 10;

/// How a certificate stands with the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It is valid later.
    NotYet,
    /// All is well.
    Valid,
    /// It is valid, and not for long.
    Ending,
    /// It was valid.
    Over,
}

// === impl Validity ===

impl Validity {
    /// At a time of what is valid from one until another; all of them seconds since the Unix epoch.
    pub fn at(now: i64, not_before: i64, not_after: i64) -> Self {
        let left = not_after.saturating_sub(now);
        match () {
            () if now < not_before => Self::NotYet,
            () if left <= 0 => Self::Over,
            () if left < not_after.saturating_sub(not_before) / LIFETIME_LEFT_DIVISOR => {
                Self::Ending
            }
            () => Self::Valid,
        }
    }

    /// What is wrong with something that is valid between these times; nothing when all is well.
    pub fn problem(self, what: &str, (not_before, not_after): (i64, i64)) -> Option<String> {
        let (from, until) = (show_time(not_before), show_time(not_after));
        match self {
            Self::Valid => None,
            Self::NotYet => Some(format!("{what} is valid only from {from} on")),
            Self::Ending => Some(format!("{what} ends on {until}; renew it")),
            Self::Over => Some(format!("{what} has ended on {until}; renew it")),
        }
    }
}

/// A time, seconds since the Unix epoch, as people read it.
pub fn show_time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
