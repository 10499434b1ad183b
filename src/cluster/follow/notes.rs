//! What the operator is told of the store: on the board, in the log, each thing once.

use std::collections::BTreeSet;

use tracing::{info, warn};

use crate::cluster::{common::Common, layout::Meta, meta, pins::Reminder};

/// The name of the condition that says that the store is out of reach.
const REACH: &str = "etcd";
/// The name of the one that says that its data were restored.
const RESTORED: &str = "etcd history";
/// The name of the one that says that nothing is written.
const READ_ONLY: &str = "etcd schema";
/// The name of the one that tells of what a later version has written.
const LATER: &str = "etcd later";

/// Names of a later version that are remembered, to tell of each once: more than a version adds.
const LATER_MAX: usize = 100;

/// Tells of the store.
#[derive(Debug)]
pub(super) struct Notes {
    common: Common,
    /// What a later version has, of which was told.
    later: BTreeSet<String>,
    /// That the store is out of reach.
    lost: Reminder,
}

// === impl Notes ===

impl Notes {
    pub(super) fn new(common: Common) -> Self {
        Self { common, later: BTreeSet::new(), lost: Reminder::default() }
    }

    /// Nothing is known yet, and nothing can be had.
    pub(super) fn waiting(&mut self, why: &str) {
        let board = &self.common.board;
        board.block(REACH, format!("waiting for etcd, to read the shared state: {why}"));
        if self.lost.is_due() {
            let since = board.since(REACH);
            warn!(why, since, "waiting for etcd, to read the shared state; no port answers yet");
        }
        self.common.metrics.out_of_reach(true);
    }

    pub(super) fn within_reach(&mut self) {
        if self.lost.is_over() {
            info!(since = self.common.board.since(REACH), "etcd is within reach again");
        }
        self.common.board.clear(REACH);
        self.common.metrics.out_of_reach(false);
    }

    /// The board has the newest cause; the log has the first, and then one in a while: what each
    /// endpoint says changes from attempt to attempt.
    pub(super) fn out_of_reach(&mut self, why: &str) {
        let message =
            format!("{why}. Answers come from memory, health is checked, and changes are refused");
        self.common.board.note(REACH, message);
        if self.lost.is_due() {
            warn!(why, since = self.common.board.since(REACH), "etcd is out of reach");
        }
        self.common.metrics.out_of_reach(true);
    }

    /// The store has not the state that is shown; nothing may be written to it.
    pub(super) fn astray(&self, why: &str) {
        self.common.set_read_only(Some(why.into()));
        self.common.set_strayed(true);
    }

    /// The store has another history than before.
    pub(super) fn restored(&self, why: &str) {
        warn!(why, "the shared state is read anew");
        self.common.begin_history();
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
        self.common.set_strayed(false);
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
