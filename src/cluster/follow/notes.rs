//! What the operator is told of the store: on the board, in the log, each thing once.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};
use tracing::{info, warn};

use crate::cluster::{common::Common, layout::Meta, meta};

/// The name of the condition that says that the store is out of reach.
const REACH: &str = "etcd";
/// The name of the one that says that its data were restored.
const RESTORED: &str = "etcd history";
/// The name of the one that says that nothing is written.
const READ_ONLY: &str = "etcd schema";
/// The name of the one that tells of what a later version has written.
const LATER: &str = "etcd later";

/// How often the log is told of a store that stays out of reach.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Names of a later version that are remembered, to tell of each once: more than a version adds.
const LATER_MAX: usize = 100;

/// Tells of the store.
#[derive(Debug)]
pub(super) struct Notes {
    common: Common,
    /// What a later version has, of which was told.
    later: BTreeSet<String>,
    /// For what the start waits.
    waits: String,
    /// That the store is out of reach.
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    /// Since when, for people (RFC 3339).
    since: String,
    /// When the log was told last.
    told: Option<Instant>,
}

// === impl Notes ===

impl Notes {
    pub(super) fn new(common: Common) -> Self {
        Self { common, later: BTreeSet::new(), waits: String::new(), lost: None }
    }

    /// Nothing is known yet, and nothing can be had.
    pub(super) fn waiting(&mut self, why: &str) {
        let message = format!("waiting for etcd, to read the shared state: {why}");
        if message != self.waits {
            warn!("{message}");
        }
        self.common.board.block(REACH, &*message);
        self.waits = message;
    }

    pub(super) fn within_reach(&mut self) {
        if self.lost.take().is_some() {
            info!("etcd is within reach again");
        }
        self.common.board.clear(REACH);
    }

    /// The board has the newest cause; the log has the first, and then one in a while: what each
    /// endpoint says changes from attempt to attempt.
    pub(super) fn out_of_reach(&mut self, why: &str) {
        let lost = self.lost.get_or_insert_with(|| Lost { since: self.common.now(), told: None });
        let message = format!(
            "{why}; since {}. Answers come from memory, health is checked, and changes are refused",
            lost.since
        );
        self.common.board.note(REACH, message);
        if lost.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            warn!(why, since = lost.since, "etcd is out of reach");
            lost.told = Some(Instant::now());
        }
    }

    /// The store has another history than before.
    pub(super) fn restored(&self, why: &str) {
        warn!(why, "the shared state is read anew");
        self.common.board.note(RESTORED, format!("{why}. What the backup has not is gone"));
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
    }

    /// What a later version of Rollcall has written.
    pub(super) fn later(&mut self, names: Vec<String>) {
        let mut is_news = false;
        for name in names {
            is_news |= self.later.len() < LATER_MAX && self.later.insert(name);
        }
        if is_news {
            let names: Vec<&str> = self.later.iter().map(String::as_str).collect();
            let message = format!(
                "a later version of Rollcall has written what this one passes over: {}; upgrade \
                 this server too",
                names.join(", ")
            );
            info!("{message}");
            self.common.board.note(LATER, message);
        }
    }
}
