//! When somebody was last heard of, and a bell for having them say something.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::{
    sync::Notify,
    time::{Duration, Instant},
};

use super::Clock;

/// When somebody was last heard of. Clones share it.
#[derive(Debug, Clone)]
pub struct LastWord {
    clock: Clock,
    /// Milliseconds on the clock.
    at: Arc<AtomicU64>,
    asked: Arc<Notify>,
}

// === impl LastWord ===

impl LastWord {
    /// Heard of just now.
    pub fn new(clock: Clock) -> Self {
        let word = Self { clock, at: Arc::default(), asked: Arc::default() };
        word.touch();
        word
    }

    /// Something is heard now.
    pub fn touch(&self) {
        let now = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.fetch_max(now, Relaxed);
    }

    /// When something was heard, to the millisecond.
    pub fn at(&self) -> Instant {
        self.clock.instant(self.elapsed())
    }

    /// For how long nothing was heard.
    pub fn silence(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.at.load(Relaxed))
    }

    /// Wants to know whether there is still somebody: whoever waits in [`LastWord::asked`] finds
    /// out. Asking again before that is no more.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Waits until somebody has asked; of several who wait only one is told. Cancel safe.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, sleep, timeout};

    use super::LastWord;
    use crate::util::Clock;

    #[tokio::test(start_paused = true)]
    async fn it_knows_when_something_was_heard_and_rings_once_for_all_who_ask() {
        let word = LastWord::new(Clock::system());
        sleep(Duration::from_secs(3)).await;
        assert_eq!(word.silence(), Duration::from_secs(3));
        let before = word.at();
        word.clone().touch();
        assert_eq!(word.silence(), Duration::ZERO);
        assert_eq!(word.at() - before, Duration::from_secs(3));
        word.ask();
        word.ask();
        word.asked().await;
        assert!(timeout(Duration::from_secs(1), word.asked()).await.is_err());
    }
}
