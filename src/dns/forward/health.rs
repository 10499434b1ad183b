//! Whether an upstream works, as its own replies show.
//!
//! Nothing is asked of an upstream that works but what clients ask. One that has failed twice in a
//! row, or was overtaken, may be down, or it may be slow with just those names: so it is asked a
//! small question, and only if it leaves that unanswered too, nobody waits for it until it answers
//! again.
//!
//! One that says SERVFAIL works. But it says so too when it asks in turn, has no reply in time, and
//! gives up before we do: so after a few of those in a row it is looked whether it was this server
//! that it asked.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{failure::Failure, loops, metrics::ForwardMetrics};
use crate::telemetry::Board;

/// Failures in a row after which an upstream is examined: one is a lost packet.
const FAILURES_MAX: u32 = 2;

/// SERVFAILs in a row after which an upstream may be suspected of a loop: single names fail often.
const SERVFAILS_MAX: u32 = 3;

/// The state of one upstream, told on every change: log, board, metrics.
#[derive(Debug)]
pub(super) struct Health {
    name: String,
    state: Mutex<State>,
    /// Whether an examination is under way: there is one at a time.
    is_examined: AtomicBool,
    suspicion: Mutex<Suspicion>,
    board: Board,
    metrics: ForwardMetrics,
    /// Cancelled when the upstream is configured no more.
    pub(super) retired: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// With so many failures since it answered.
    Up {
        failures: u32,
    },
    Down,
    Looping,
}

/// Whether an upstream that works may lead back to us.
#[derive(Debug, Default)]
struct Suspicion {
    /// SERVFAILs in a row.
    failures: u32,
    /// When that had it looked into last, by the clock.
    looked: Option<Duration>,
}

// === impl State ===

impl State {
    /// As good as new.
    const UP: Self = Self::Up { failures: 0 };
}

// === impl Health ===

impl Health {
    /// The upstream of that name, which works until it shows otherwise.
    pub(super) fn new(name: String, board: Board, metrics: ForwardMetrics) -> Self {
        metrics.set_up(&name, true);
        let (state, suspicion) = (Mutex::new(State::UP), Mutex::default());
        let (is_examined, retired) = (AtomicBool::new(false), CancellationToken::new());
        Self { name, state, is_examined, suspicion, board, metrics, retired }
    }

    /// Whether it may be asked.
    pub(super) fn is_up(&self) -> bool {
        matches!(*self.state.lock(), State::Up { .. })
    }

    /// Why it may not.
    pub(super) fn trouble(&self) -> Option<Failure> {
        match *self.state.lock() {
            State::Up { .. } => None,
            State::Down => Some(Failure::Down),
            State::Looping => Some(Failure::Loop),
        }
    }

    /// It has answered with something else than SERVFAIL, be it another error. One that leads back
    /// to us stays out: it is we who answered.
    pub(super) fn answered(&self) {
        self.suspicion.lock().failures = 0;
        self.works();
    }

    /// It has answered SERVFAIL at `now`, by the clock. Returns whether it is to be looked into now
    /// whether it leads back to us.
    pub(super) fn servfailed(&self, now: Duration) -> bool {
        self.works();
        let mut suspicion = self.suspicion.lock();
        suspicion.failures += 1;
        let is_over = |looked| now.saturating_sub(looked) >= loops::INTERVAL;
        let is_due = suspicion.failures >= SERVFAILS_MAX && suspicion.looked.is_none_or(is_over);
        if is_due {
            *suspicion = Suspicion { failures: 0, looked: Some(now) };
        }
        is_due && self.is_up()
    }

    fn works(&self) {
        let mut state = self.state.lock();
        match *state {
            State::Up { .. } => *state = State::UP,
            State::Down => self.come_back(&mut state),
            State::Looping => {}
        }
    }

    /// It has not, or another one was quicker. Returns whether it is to be examined now.
    pub(super) fn failed(&self) -> bool {
        let mut state = self.state.lock();
        let State::Up { failures } = &mut *state else { return false };
        *failures += 1;
        *failures >= FAILURES_MAX && !self.is_examined.swap(true, Relaxed)
    }

    /// It is examined, and has not answered. That counts unless it has answered somebody else
    /// meanwhile; returns whether the examination is to go on.
    pub(super) fn is_down(&self, why: &str) -> bool {
        let mut state = self.state.lock();
        match *state {
            State::Up { failures: FAILURES_MAX.. } => {
                *state = State::Down;
                warn!(upstream = self.name, why, "the upstream is down");
                self.tell(&format!("does not answer ({why}); others are asked if there are any"));
                true
            }
            State::Down => true,
            // One that leads back to us is looked into by itself.
            State::Up { .. } | State::Looping => false,
        }
    }

    /// Its examination has ended, and the next one may begin.
    pub(super) fn is_examined(&self) {
        self.is_examined.store(false, Relaxed);
    }

    /// It leads back to us.
    pub(super) fn loops(&self) {
        let mut state = self.state.lock();
        if *state == State::Looping {
            return;
        }
        *state = State::Looping;
        error!(upstream = self.name, "forwarding loop: the upstream asks this server in turn");
        self.tell("asks this server what it is asked: a loop; point it, or this server, elsewhere");
        self.metrics.looped(&self.name);
    }

    /// It has answered by itself what would have come back to us.
    pub(super) fn loops_no_more(&self) {
        self.come_back(&mut self.state.lock());
    }

    /// Leaves its place to another upstream of the same name.
    pub(super) fn supersede(&self) {
        self.retired.cancel();
        self.board.clear(&self.condition());
    }

    /// Forgets what was shown of it.
    pub(super) fn retire(&self) {
        self.retired.cancel();
        self.board.clear(&self.condition());
        self.metrics.retire(&self.name);
    }

    fn come_back(&self, state: &mut State) {
        *state = State::UP;
        // One that is asked no more is nobody's news, and the note may be its successor's.
        if self.retired.is_cancelled() {
            return;
        }
        info!(upstream = self.name, "the upstream is up again");
        self.board.clear(&self.condition());
        self.metrics.set_up(&self.name, true);
    }

    fn tell(&self, problem: &str) {
        if !self.retired.is_cancelled() {
            self.board.note(&self.condition(), format!("the upstream `{}` {problem}", self.name));
            self.metrics.set_up(&self.name, false);
        }
    }

    fn condition(&self) -> String {
        format!("upstream {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Failure, Health};
    use crate::{
        dns::forward::metrics::ForwardMetrics,
        telemetry::{Board, Metrics},
    };

    #[test]
    fn two_failures_in_a_row_have_an_upstream_examined_and_a_reply_brings_it_back() {
        let (board, metrics) = (Board::default(), Metrics::new());
        let health = Health::new("u".into(), board.clone(), ForwardMetrics::new(&metrics));
        assert!(!health.failed());
        health.answered();
        assert!(!health.failed(), "the count began again");
        assert!(health.failed(), "it is to be examined");
        assert!(!health.failed() && health.is_up(), "once, and it is asked meanwhile");
        health.answered();
        assert!(!health.failed() && !health.failed(), "one is under way");
        health.is_examined();
        assert!(health.failed(), "and now the next one");
        assert!(health.is_down("no reply within 2s"));
        assert_eq!(health.trouble(), Some(Failure::Down));
        assert_eq!(board.conditions().len(), 1);
        health.answered();
        assert!(health.is_up() && board.conditions().is_empty());
    }

    #[test]
    fn an_examination_does_not_overrule_who_has_answered_meanwhile() {
        let health =
            Health::new("u".into(), Board::default(), ForwardMetrics::new(&Metrics::new()));
        assert!(!health.failed() && health.failed());
        health.answered();
        assert!(!health.is_down("no reply within 2s") && health.is_up());
        assert!(!health.failed() && !health.is_down("no reply within 2s") && health.is_up());
        assert!(!health.failed() && health.is_down("no reply within 2s") && !health.is_up());
    }

    #[test]
    fn a_few_servfails_in_a_row_have_an_upstream_suspected_of_a_loop_and_not_too_often() {
        let health =
            Health::new("u".into(), Board::default(), ForwardMetrics::new(&Metrics::new()));
        let servfails = |second: u64| health.servfailed(Duration::from_secs(second));
        assert!(!servfails(1) && !servfails(1));
        health.answered();
        assert!(!servfails(2) && !servfails(2), "the count began again");
        assert!(servfails(2) && health.is_up(), "it is asked meanwhile");
        assert!((3..32).all(|second| !servfails(second)), "once in 30 s");
        assert!(servfails(32));
        health.loops();
        assert!((62..70).all(|second| !servfails(second)), "that it is one is known");
    }

    #[test]
    fn a_late_reply_brings_nothing_back_that_is_configured_no_more() {
        let (board, metrics) = (Board::default(), Metrics::new());
        let health = Health::new("u".into(), board.clone(), ForwardMetrics::new(&metrics));
        assert!(!health.failed() && health.failed());
        assert!(health.is_down("no reply within 2s"));
        health.retire();
        board.note("upstream u", "that of another one of this name".to_owned());
        health.answered();
        assert!(!metrics.encode().unwrap().contains("upstream=\"u\""));
        assert_eq!(board.conditions().len(), 1);
    }

    #[test]
    fn a_loop_ends_only_when_it_is_seen_to_have_ended() {
        let (board, metrics) = (Board::default(), Metrics::new());
        let health = Health::new("u".into(), board.clone(), ForwardMetrics::new(&metrics));
        health.loops();
        health.loops();
        health.answered();
        assert_eq!(health.trouble(), Some(Failure::Loop));
        assert!(board.conditions()[0].1.message.contains("a loop"));
        let text = metrics.encode().unwrap();
        assert!(text.contains("rollcall_forward_upstream_up{upstream=\"u\"} 0"), "{text}");
        assert!(text.contains("rollcall_forward_loops_total{upstream=\"u\"} 1"), "{text}");
        health.loops_no_more();
        assert!(health.is_up() && board.conditions().is_empty());
        health.retire();
        assert!(!metrics.encode().unwrap().contains("upstream=\"u\""));
    }
}
