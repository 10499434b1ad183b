//! What the operator is told of the store: on the board, in the log, each thing once.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};
use tracing::{info, warn};

use crate::cluster::{common::Common, etcd::EtcdError, layout::Meta, meta, pins::Reminder};

/// The name of the condition that says that the store is out of reach.
pub(super) const REACH: &str = "etcd";
/// The name of the one that says that its data were restored.
const RESTORED: &str = "etcd history";
/// The name of the one that says that nothing is written.
const READ_ONLY: &str = "etcd schema";

/// How long it is told that another history was taken: long enough for an operator to see it, and
/// to ask those who have changed something since the backup.
const RESTORED_TOLD: Duration = Duration::from_secs(60 * 60);

/// Parts of causes that are remembered: those of more endpoints than anybody has.
const PARTS_MAX: usize = 200;

/// What is the matter when nothing can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It has not what is shown here.
    Astray,
    /// It refuses this server's user.
    Denied,
    /// It does not answer.
    Reach,
}

/// Tells of the store.
#[derive(Debug)]
pub(super) struct Notes {
    common: Common,
    /// That the store is out of reach.
    lost: Reminder,
    causes: Causes,
    /// When another history was taken, as long as that is told.
    restored: Option<Instant>,
}

/// What was said to be the cause since the store is out of reach.
#[derive(Debug, Default)]
struct Causes(BTreeSet<String>);

// === impl Trouble ===

impl Trouble {
    pub(super) fn of(error: &EtcdError) -> Self {
        match error {
            EtcdError::Denied { .. } => Self::Denied,
            EtcdError::Foreign { .. } => Self::Astray,
            _ => Self::Reach,
        }
    }

    /// In the log.
    fn headline(self) -> &'static str {
        match self {
            Self::Astray => "etcd has not the state that is shown",
            Self::Denied => "etcd refuses what this server asks for",
            Self::Reach => "etcd is out of reach",
        }
    }
}

// === impl Causes ===

impl Causes {
    /// Adds one; says whether it has a part that none before it had. In which order endpoints were
    /// asked, and all that is a number (ports, times), makes no other cause.
    fn add(&mut self, why: &str) -> bool {
        let mut is_news = false;
        for part in why.split([':', ';', ',', '(', ')']) {
            let part: String = part.chars().filter(|c| !matches!(c, '0'..='9' | '.')).collect();
            is_news |= self.0.len() < PARTS_MAX && self.0.insert(part.trim().to_owned());
        }
        is_news
    }
}

// === impl Notes ===

impl Notes {
    pub(super) fn new(common: Common) -> Self {
        Self { common, lost: Reminder::default(), causes: Causes::default(), restored: None }
    }

    /// Nothing is known yet, and nothing can be had.
    pub(super) fn waiting(&mut self, why: &str) {
        let is_due = self.is_due(why);
        let board = &self.common.board;
        board.block(REACH, format!("waiting for etcd, to read the shared state: {why}"));
        if is_due {
            let since = board.since(REACH);
            warn!(why, since, "waiting for etcd, to read the shared state; no port answers yet");
        }
        self.common.metrics.out_of_reach(Some(Instant::now()));
    }

    /// Whether the log is to be told of this cause: there was none like it, or it is time again.
    fn is_due(&mut self, why: &str) -> bool {
        let is_news = self.causes.add(why);
        self.lost.is_due() || is_news
    }

    pub(super) fn within_reach(&mut self) {
        if self.lost.is_over() {
            info!(since = self.common.board.since(REACH), "etcd is followed again");
        }
        self.causes = Causes::default();
        self.common.board.clear(REACH);
        self.common.metrics.out_of_reach(None);
    }

    /// The board has the newest cause; the log has each once, and then one in a while: what each
    /// endpoint says changes from attempt to attempt.
    pub(super) fn out_of_reach(&mut self, trouble: Trouble, why: &str) {
        let message =
            format!("{why}. Answers come from memory, health is checked, and changes are refused");
        // It is noticed late that nothing is heard any more.
        let began = match trouble {
            Trouble::Reach => self.common.heard.at(),
            Trouble::Astray | Trouble::Denied => Instant::now(),
        };
        self.common.board.note_late(REACH, &message, began.elapsed());
        if self.is_due(why) {
            warn!(why, since = self.common.board.since(REACH), "{}", trouble.headline());
        }
        self.common.metrics.out_of_reach(Some(began));
    }

    /// There was nothing in the store, and this server has begun a registry there.
    pub(super) fn begun(&self, endpoints: &[&str]) {
        let prefix = self.common.layout.all().from;
        warn!(
            endpoints = endpoints.join(", "),
            "there was no registry below `{prefix}` in etcd, so a new one is begun: DNS answers \
             with nothing until something is registered, or a backup is imported (`rollcall \
             import --replace`). If this is not the first start of all: is `store.prefix` what it \
             was, do `store.endpoints` lead to that etcd, and was it emptied? Servers that still \
             run keep what they know, as long as they are not restarted"
        );
    }

    /// The store has not the state that is shown; nothing may be written to it.
    pub(super) fn astray(&self, why: &str) {
        self.common.set_read_only(Some(why.into()));
        self.common.set_strayed(true);
    }

    /// The store has another history than before.
    pub(super) fn restored(&mut self, why: &str) {
        warn!(why, "the shared state is read anew");
        self.common.begin_history();
        let minutes = RESTORED_TOLD.as_secs() / 60;
        let message = format!(
            "{why}. What the backup has not is gone. All of it is read anew; this note goes after \
             {minutes} minutes"
        );
        self.common.board.clear(RESTORED); // of another time
        self.common.board.note(RESTORED, message);
        self.restored = Some(Instant::now());
    }

    /// Takes away what was told of for long enough; as long as something is heard.
    pub(super) fn tidy(&mut self) {
        if self.restored.is_some_and(|at| at.elapsed() >= RESTORED_TOLD) {
            self.restored = None;
            self.common.board.clear(RESTORED);
        }
    }

    /// What all servers have agreed on, and whether this one may write it.
    pub(super) fn agreed(&self, found: &Meta) {
        let Common { layout, board, .. } = &self.common;
        let refusal = meta::refusal(layout, found);
        match &refusal {
            Some(why) => {
                if board.note(READ_ONLY, why) {
                    warn!("{why}");
                }
            }
            None => board.clear(READ_ONLY),
        }
        self.common.set_read_only(refusal.map(Into::into));
        self.common.set_strayed(false);
    }
}

#[cfg(test)]
mod tests {
    use super::{EtcdError, Notes, RESTORED_TOLD, Trouble};
    use crate::{
        cluster::follow::testing::{client, common},
        registry::testing,
    };

    /// The log had the first cause and then one a minute, whatever it was.
    #[tokio::test(start_paused = true)]
    async fn another_cause_is_told_at_once_and_each_one_once() {
        let (log, mut lines) = testing::log();
        let _guard = tracing::subscriber::set_default(log);
        let (common, _metrics) = common(client("http://127.0.0.1:1"), "/rollcall/");
        let mut notes = Notes::new(common);
        let [refused, late] = ["http://a:1: connection refused", "http://b:1: no answer within 1s"];
        let expired = "http://b:1: its certificate expired 2026-01-01T00:00:00Z; here it is 2026";
        let mut told = |why: String| {
            notes.out_of_reach(Trouble::Reach, &why);
            let said = std::iter::from_fn(|| lines.try_recv().ok()).collect::<Vec<_>>();
            assert!(said.iter().all(|line| line.contains(&why)), "{said:?}");
            said.len()
        };
        for (why, lines) in [
            (format!("etcd is out of reach: {refused}; {late}"), 1),
            (format!("etcd is out of reach: {late}; {refused}"), 0),
            (format!("etcd is out of reach: {}; {refused}", late.replace("1s", "1.5s")), 0),
            (format!("etcd is out of reach: {refused}; {expired}-03-04T00:00:00Z"), 1),
            (format!("etcd is out of reach: {expired}-03-04T00:00:01Z; {refused}"), 0),
            (format!("etcd is out of reach: {refused}; {late}"), 0),
        ] {
            assert_eq!(told(why.clone()), lines, "{why}");
        }
        notes.within_reach();
        notes.out_of_reach(Trouble::Reach, refused);
        let told = std::iter::from_fn(|| lines.try_recv().ok()).filter(|it| it.contains(refused));
        assert_eq!(told.count(), 1, "it is another time");
    }

    /// It stayed until the next start.
    #[tokio::test(start_paused = true)]
    async fn another_history_is_told_of_for_an_hour() {
        let (common, _metrics) = common(client("http://127.0.0.1:1"), "/rollcall/");
        let mut notes = Notes::new(common.clone());
        notes.restored("etcd's revision went back");
        let told = common.board.conditions().remove(0).1.message;
        assert!(told.contains("goes after 60 minutes; since 20"), "{told}");
        tokio::time::advance(RESTORED_TOLD / 2).await;
        notes.tidy();
        assert_eq!(common.board.conditions().len(), 1);
        tokio::time::advance(RESTORED_TOLD / 2).await;
        notes.tidy();
        assert!(common.board.conditions().is_empty());
    }

    #[test]
    fn who_is_refused_is_not_told_that_etcd_is_out_of_reach() {
        let (endpoint, problem) = ("http://a:2379".to_owned(), "no".to_owned());
        let denied = EtcdError::Denied { endpoint: endpoint.clone(), problem: problem.clone() };
        let foreign = EtcdError::Foreign { endpoint, problem };
        let silent = EtcdError::Unreachable { attempts: Vec::new() };
        let told = [denied, foreign, silent].map(|error| Trouble::of(&error).headline());
        assert_eq!(told.map(|told| told.contains("out of reach")), [false, false, true]);
    }
}
