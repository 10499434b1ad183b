//! Time as an argument: one clock that tests can stop.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

/// Both times of day: the monotonic one, on which deadlines are kept, and the wall clock's, which
/// people read. Under tokio's paused time both stand still together.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Origin>);

#[derive(Debug)]
struct Origin {
    monotonic: Instant,
    wall: Option<Duration>,
}

// === impl Clock ===

impl Clock {
    /// The real clocks.
    pub fn system() -> Self {
        Self(Arc::new(Origin { monotonic: Instant::now(), wall: None }))
    }

    /// A wall clock that starts at `wall` since the epoch and runs with the monotonic one; for
    /// tests.
    pub fn starting_at(wall: Duration) -> Self {
        Self(Arc::new(Origin { monotonic: Instant::now(), wall: Some(wall) }))
    }

    /// The monotonic time since this clock was made.
    pub fn elapsed(&self) -> Duration {
        self.0.monotonic.elapsed()
    }

    /// The monotonic instant at which [`Clock::elapsed`] is `at`.
    pub fn instant(&self, at: Duration) -> Instant {
        self.0.monotonic + at
    }

    /// The wall clock's time, seconds since the Unix epoch modulo 2³².
    pub fn wall_seconds(&self) -> u32 {
        let seconds = self.wall_millis() / 1_000;
        u32::try_from(seconds & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    /// The wall clock's time so long ago, for people (RFC 3339).
    pub fn wall_text(&self, ago: Duration) -> String {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        let millis = i64::try_from(self.wall_millis().saturating_sub(ago)).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
    }

    /// The wall clock's time, milliseconds since the Unix epoch.
    pub fn wall_millis(&self) -> u64 {
        let since_epoch = match self.0.wall {
            Some(start) => start + self.elapsed(),
            // Before 1970 a clock is plainly unset; zero says so.
            #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
        };
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}
