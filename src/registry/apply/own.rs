//! Commits to a store of this server's own.
//!
//! A commit is begun, runs while more is seen, and is settled. What was seen meanwhile has moved
//! the newest snapshot on from the one that the commit was drafted on; then its commands are
//! applied again on top of the newest. What is seen changes health, and removes instances: a
//! command that finds its instance gone has been carried out all the same. So whatever is in the
//! store becomes visible. Rows that may differ from what the store has by then are owed to it, and
//! go with the next commit.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Applier, Outcome, Reply, STORE_RETRY, reply};
use crate::{
    model::{InstanceKey, Revision, limit},
    registry::{
        Applied, Change, JournalError, RegistryError, Snapshot,
        draft::{Draft, Finished},
        handle::Request,
    },
};

/// A commit between its beginning and its end.
pub(in crate::registry) struct Commit {
    /// The snapshot that `finished` was drafted on.
    base: Arc<Snapshot>,
    finished: Finished,
    requests: Vec<Request>,
    outcomes: Vec<Outcome>,
    /// What the store is no longer owed when it takes the commit.
    paid: HashSet<InstanceKey>,
    /// Replies that only wait for the commit.
    confirmed: Vec<(Reply, Applied)>,
}

// === impl Applier ===

impl Applier {
    /// Drafts a commit of what is asked for and what is owed, and its rows. `None` when there is
    /// nothing for the store to do.
    pub(in crate::registry) fn begin(&mut self) -> Option<(Vec<Change>, Commit)> {
        let is_due = match self.retry_at {
            Some(at) => at <= self.clock.elapsed(),
            None => !self.owed.is_empty() || !self.unconfirmed.is_empty(),
        };
        if self.waiting.is_empty() && !is_due {
            return None;
        }
        let base = self.registry.snapshot();
        let requests = std::mem::take(&mut self.waiting);
        let (finished, outcomes) = self.draft(&base, &[], |draft| {
            requests.iter().map(|request| draft.apply(&request.command)).collect()
        });
        if finished.is_none() && !is_due {
            for (request, outcome) in requests.into_iter().zip(outcomes) {
                reply(request.reply, outcome);
            }
            return None;
        }
        let mut finished = finished.unwrap_or_else(|| Finished::unchanged(&base));
        let mut changes = std::mem::take(&mut finished.changes);
        let batch: BTreeSet<&InstanceKey> = finished.touched.iter().collect();
        for key in self.owed.iter().filter(|key| !batch.contains(key)) {
            changes.push(match finished.next.member(key) {
                Some(member) => Change::PutMember(member.clone()),
                None => Change::DeleteMember(key.clone()),
            });
        }
        let paid = std::mem::take(&mut self.owed);
        let confirmed = std::mem::take(&mut self.unconfirmed);
        self.retry_at = None;
        Some((changes, Commit { base, finished, requests, outcomes, paid, confirmed }))
    }

    /// Says that a commit takes long.
    pub(in crate::registry) fn commit_is_slow(&mut self) {
        self.announcer.commit_is_slow();
    }

    /// Takes the end of a commit: what was asked for is visible now, or refused.
    pub(in crate::registry) fn settle(&mut self, commit: Commit, result: Result<(), JournalError>) {
        self.announcer.stored(&result);
        let Commit { base, finished, requests, outcomes, paid, confirmed } = commit;
        for (waiting, applied) in confirmed {
            reply(waiting, Ok(applied));
        }
        if let Err(error) = result {
            self.owed.extend(paid);
            self.retry_at = Some(self.clock.elapsed() + STORE_RETRY);
            for (waiting, applied) in std::mem::take(&mut self.unconfirmed) {
                reply(waiting, Ok(applied)); // the answers follow what is seen, store or not
            }
            for request in requests {
                reply(request.reply, Err(RegistryError::NotDurable(error.clone())));
            }
        } else if Arc::ptr_eq(&base, &self.registry.snapshot()) {
            self.publish(&base, finished);
            for (request, outcome) in requests.into_iter().zip(outcomes) {
                reply(request.reply, outcome);
            }
        } else {
            self.apply_again(&finished, requests, outcomes);
        }
    }

    /// Applies the commands of a commit that the store has taken on top of the newest snapshot.
    fn apply_again(&mut self, stored: &Finished, requests: Vec<Request>, outcomes: Vec<Outcome>) {
        if requests.is_empty() {
            return;
        }
        let base = self.registry.snapshot();
        let options = *self.options.borrow();
        let mut draft = Draft::new(&base, &options, self.wall_time()).again(&stored.next);
        let again = requests.iter().zip(outcomes);
        // What was refused has no row in the store; what was not refused has been done, also when
        // its instance is gone by now.
        let apply = |(request, outcome): (&Request, Outcome)| {
            outcome.map(|first| draft.apply(&request.command).unwrap_or(first))
        };
        let outcomes: Vec<Outcome> = again.map(apply).collect();
        let mut finished = match draft.is_unchanged() {
            true => Finished::unchanged(&base),
            false => draft.finish(),
        };
        finished.next.revision = finished.next.revision.max(stored.next.revision);
        self.owed.extend(stored.touched.iter().chain(&finished.touched).cloned());
        self.publish(&base, finished);
        // The revision that is replied has to be durable, too.
        for (request, outcome) in requests.into_iter().zip(outcomes) {
            self.confirm(request.reply, outcome);
        }
    }

    /// Replies to a change that is visible when the store has taken it; at once when it does not
    /// take anything.
    pub(super) fn confirm(&mut self, waiting: Reply, outcome: Outcome) {
        let has_room = self.unconfirmed.len() < limit::WRITER_QUEUE_MAX;
        match outcome {
            Ok(applied)
                if applied.changed
                    && has_room
                    && self.retry_at.is_none()
                    && !waiting.is_closed() =>
            {
                self.unconfirmed.push((waiting, applied));
            }
            outcome => reply(waiting, outcome),
        }
    }
}

// === impl Commit ===

impl Commit {
    /// The newest revision that is in it.
    pub(in crate::registry) fn revision(&self) -> Revision {
        self.finished.next.revision
    }
}
