//! What the operator is told of the store: pinned on the board, with the time since when, and in
//! the log once, and then once in a while.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::{
    telemetry::{Board, Condition},
    util::Clock,
};

/// How often the log is told again of what goes on.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The board, as those pin on it that share the store; clones share it. Each condition says since
/// when it is there, however often its message changes.
#[derive(Debug, Clone)]
pub struct Pins {
    board: Board,
    clock: Clock,
    since: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Keeps what fails again and again from filling the log.
#[derive(Debug, Default)]
pub(super) struct Reminder(Option<Instant>);

// === impl Pins ===

impl Pins {
    pub(super) fn new(board: Board, clock: Clock) -> Self {
        Self { board, clock, since: Arc::default() }
    }

    /// Pins a note that does not make the server unready; says whether that is news.
    pub fn note(&self, name: &str, message: impl Into<String>) -> bool {
        self.board.note(name, self.dated(name, &message.into()))
    }

    /// The same of what is there for so long, if it is not pinned yet.
    pub(super) fn note_late(&self, name: &str, message: &str, ago: Duration) -> bool {
        let began = || self.clock.wall_text(ago);
        self.since.lock().entry(name.to_owned()).or_insert_with(began);
        self.note(name, message)
    }

    /// Pins a reason why the server is not ready.
    pub fn block(&self, name: &str, message: impl Into<String>) {
        self.board.block(name, self.dated(name, &message.into()));
    }

    /// Takes a condition off the board, if it is there.
    pub fn clear(&self, name: &str) {
        self.since.lock().remove(name);
        self.board.clear(name);
    }

    /// Everything on the board, by name.
    pub fn conditions(&self) -> Vec<(String, Condition)> {
        self.board.conditions()
    }

    /// Whether a condition is on the board.
    pub(super) fn has(&self, name: &str) -> bool {
        self.since.lock().contains_key(name)
    }

    /// Since when a condition is there (RFC 3339); now, if it is not.
    pub(super) fn since(&self, name: &str) -> String {
        self.since.lock().get(name).cloned().unwrap_or_else(|| self.now())
    }

    /// The time, for people (RFC 3339).
    pub(super) fn now(&self) -> String {
        self.clock.wall_text(Duration::ZERO)
    }

    /// The board itself, for conditions that say by themselves since when.
    pub(super) fn undated(&self) -> &Board {
        &self.board
    }

    fn dated(&self, name: &str, message: &str) -> String {
        let now = self.now();
        let mut since = self.since.lock();
        let since = since.entry(name.to_owned()).or_insert(now);
        format!("{message}; since {since}")
    }
}

// === impl Reminder ===

impl Reminder {
    /// Whether the log is to be told: the first time, and then once a minute.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|told| told.elapsed() >= TELL_AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }

    /// It is over; says whether it was told of.
    pub(super) fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::{Board, Clock, Pins, Reminder};

    #[test]
    fn a_condition_says_since_when_it_is_there_whatever_else_it_says() {
        let pins = Pins::new(Board::default(), Clock::system());
        assert!(pins.note("etcd", "one"));
        let since = pins.since("etcd");
        assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
        assert!(!pins.note("etcd", "one"), "that is no news");
        assert!(pins.note("etcd", "other"));
        let conditions = pins.conditions();
        assert_eq!(conditions[0].1.message, format!("other; since {since}"));
        pins.clear("etcd");
        assert!(pins.conditions().is_empty() && pins.since.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_is_told_once_a_minute() {
        let mut reminder = Reminder::default();
        let mut told = Vec::new();
        for second in 0..150 {
            if reminder.is_due() {
                told.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [0, 60, 120]);
        assert!(reminder.is_over() && !reminder.is_over() && reminder.is_due());
    }
}
