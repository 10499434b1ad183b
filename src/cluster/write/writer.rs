//! Carries proposals out.

use std::{future::Future, pin::Pin};

use futures_util::{StreamExt, stream};
use tokio::time::{Duration, Instant, timeout, timeout_at};
use tracing::warn;

use super::{
    bulk::{BULK_TIME, Bulk},
    plan::{self, Lost, Part, Plan},
};
use crate::{
    cluster::{
        common::{Bulks, Common, Doubt, FULL, FULL_MESSAGE, Over},
        etcd::{Compare, EtcdError, KeyRange, Op, OpReply, Relation, Txn},
        layout::{Author, Key},
    },
    model::{InstanceKey, Timestamp},
    registry::{Proposal, Refused, ServerId, Share},
};

/// How long a proposal may take, with waiting for a bulk and with asking again what became of it:
/// longer than an election, and with the time in which it has to come back shorter than what a
/// client of ours waits.
const DEADLINE: Duration = Duration::from_secs(6);

/// What of it is left for a transaction that has waited for a bulk.
const AFTER_BULK: Duration = Duration::from_secs(2);

/// How soon it is looked again whether a bulk is over of which the watch says nothing.
const AGAIN: Duration = Duration::from_millis(200);

/// How long a revision may be on its way by the watch before it is taken for one at which nothing
/// of ours changed, so that the watch says nothing of it: a hundred times what it takes.
const ECHO: Duration = Duration::from_millis(200);

/// Transactions that are under way at once, where a proposal may be divided: enough to fill the
/// pauses of a disk, and no crowd.
pub(super) const AT_ONCE: usize = 4;

/// How long a change waits for a bulk to be over: as long as a hundred thousand rows take on a slow
/// disk, and shorter than what a client of ours waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Writes what the registry proposes.
#[derive(Debug)]
pub struct Writer {
    pub(super) common: Common,
    pub(super) me: ServerId,
    pub(super) deadline: Duration,
    pub(super) patience: Duration,
    pub(super) bulk_time: Duration,
}

/// When a proposal may be written: while no bulk is under way.
pub(super) struct Free<'w> {
    pub(super) writer: &'w Writer,
    /// The revision on which it was decided.
    pub(super) base: u64,
    /// How long to wait.
    pub(super) until: Instant,
}

// === impl Writer ===

impl Writer {
    /// Of the server of that name.
    pub fn new(common: Common, me: ServerId) -> Self {
        Self { common, me, deadline: DEADLINE, patience: PATIENCE, bulk_time: BULK_TIME }
    }

    async fn write(&self, proposal: &Proposal) -> Result<u64, Refused> {
        if let Some(why) = self.common.read_only() {
            return Err(Refused::Unavailable(why.to_string()));
        }
        let fence = match proposal.as_owner {
            true => Some(self.common.fence.get().ok_or(Refused::NotOwner)?),
            false => None,
        };
        let at = Timestamp(self.common.clock.wall_millis());
        let author = Author { server: &self.me, at };
        let writer = plan::Writer { layout: &self.common.layout, author, fence };
        let began = Instant::now();
        let free = Free { writer: self, base: proposal.base, until: began + self.patience };
        let parts = match Plan::of(proposal, writer)? {
            Plan::Parts(parts) => parts,
            Plan::Bulk(conditions) => {
                let end = Bulk::write(proposal, &conditions, author, &free).await;
                self.account(&end, true);
                return end;
            }
        };
        let carry_out = |part| self.carry_out(part, &free);
        let mut ends = stream::iter(parts).map(carry_out).buffer_unordered(AT_ONCE);
        let mut all = Ok(0);
        while let Some(end) = ends.next().await {
            all = merged(all, end);
            // Where the store does not answer, the parts that are left would wait one by one.
            if is_for_all(&all) {
                break;
            }
        }
        all
    }

    /// Carries out a transaction, when no bulk is under way. One that is more than this etcd takes
    /// is halved, if it may be, till what is left is too large by itself. Where etcd is full, what
    /// only deletes is taken all the same.
    async fn carry_out(&self, part: Part, free: &Free<'_>) -> Result<u64, Refused> {
        let (mut open, mut all) = (vec![part], Ok(0));
        while let Some(mut part) = open.pop() {
            let end = self.carry_out_since(Instant::now(), &part, free).await;
            if matches!(end, Err(Refused::TooLarge(_)))
                && let Some(half) = part.halves()
            {
                open.extend([half, part]);
                continue;
            }
            if matches!(end, Err(Refused::Full(_))) {
                open.extend(part.deletions());
            }
            self.account(&end, part.puts());
            all = merged(all, end);
            if is_for_all(&all) {
                break;
            }
        }
        all
    }

    async fn carry_out_since(
        &self,
        began: Instant,
        part: &Part,
        free: &Free<'_>,
    ) -> Result<u64, Refused> {
        let mut held_at = 0;
        loop {
            free.wait(held_at).await?;
            let deadline = (began + self.deadline).max(Instant::now() + AFTER_BULK);
            held_at = match self.attempt(part, deadline).await {
                Err(Lost::Held(at)) => at,
                Err(Lost::Refused(refused)) => return Err(refused),
                Ok(at) => return Ok(at),
            };
            free.pause().await?;
        }
    }

    async fn attempt(&self, part: &Part, deadline: Instant) -> Result<u64, Lost> {
        let end = loop {
            match self.common.txn_until(part.txn(), Some(deadline)).await {
                // An election is over soon, and nothing was done.
                Err(EtcdError::NoLeader { .. }) if Instant::now() + AGAIN < deadline => {
                    tokio::time::sleep(AGAIN).await;
                }
                end => break end,
            }
        };
        let end = match end {
            Ok(reply) => {
                let changed = reply.replies.iter().any(|reply| *reply != OpReply::Deleted(0));
                return match part.judge(&reply) {
                    Ok(_) if part.is_read_only() => Ok(part.base()),
                    Ok(at) if changed => Ok(at),
                    Ok(at) => Ok(self.shown(at, deadline).await),
                    Err(Lost::Refused(Refused::Conflict { keys, at }))
                        if at == reply.header.revision =>
                    {
                        let at = self.shown(at, deadline).await;
                        Err(Lost::Refused(Refused::Conflict { keys, at }))
                    }
                    Err(lost) => Err(lost),
                };
            }
            Err(EtcdError::Unsure { endpoint, cause }) => {
                self.find_out(part, format!("{endpoint}: {cause}"), deadline).await
            }
            Err(error) => Err(refused(&error)),
        };
        end.map_err(Lost::Refused)
    }

    /// A transaction may have been taken: looks whether it was. Who follows may do so at the member
    /// that has not answered, and is silent for long until that is noticed: it looks, too.
    async fn find_out(
        &self,
        part: &Part,
        cause: String,
        deadline: Instant,
    ) -> Result<u64, Refused> {
        self.common.doubt(Doubt::Silence);
        let look = async {
            loop {
                match self.common.txn(part.question()).await {
                    Ok(reply) => break reply,
                    // While there is time: an election is over soon.
                    Err(_) => tokio::time::sleep(ECHO).await,
                }
            }
        };
        let Ok(reply) = timeout_at(deadline, look).await else {
            return Err(Refused::Unsure(unsure(&cause)));
        };
        let now = reply.header.revision;
        let rows: Vec<_> = reply
            .replies
            .into_iter()
            .map(|reply| match reply {
                OpReply::Range(listing) => listing.kvs,
                OpReply::Deleted(_) | OpReply::Put => Vec::new(),
            })
            .collect();
        match part.was_taken(&rows, now) {
            Some(at) if at == now => Ok(self.shown(at, deadline).await),
            Some(at) => Ok(at),
            None => Err(Refused::Unsure(unsure(&cause))),
        }
    }

    /// A revision that the watch is sure to tell of, at which all is seen that is at `revision`.
    ///
    /// Where nothing of ours changed at a revision, the watch has nothing to say about it: other
    /// programs may use the same etcd. Then a row is written again as it is.
    async fn shown(&self, revision: u64, deadline: Instant) -> u64 {
        let mut followed = self.common.followed();
        let seen = followed.wait_for(|followed| *followed >= revision);
        if timeout(ECHO, seen).await.is_ok() {
            return revision;
        }
        let touched = async {
            let (key, row) = (self.common.layout.key(&Key::Meta), self.common.agreed()?.row);
            // Not by way of `common`, which might find another row, and put the old one again.
            let own = KeyRange::key(key.clone());
            let same = Compare::value(own, Relation::Equal, row.clone());
            let then = vec![Op::put(key, row)];
            let txn = Txn { compare: vec![same], then, ..Txn::default() };
            let reply = self.common.client.txn(txn).await.ok()?;
            reply.succeeded.then_some(reply.header.revision)
        };
        // Where even that fails, the watch says sooner or later how far it has come.
        timeout_at(deadline, touched).await.ok().flatten().unwrap_or(revision)
    }

    fn account(&self, end: &Result<u64, Refused>, puts: bool) {
        let Common { board, metrics, .. } = &self.common;
        let outcome = match end {
            Ok(_) => "written",
            Err(Refused::Conflict { .. }) => "conflict",
            Err(Refused::Busy(_)) => "busy",
            Err(Refused::NotOwner) => "not_owner",
            Err(Refused::Full(_)) => "full",
            Err(Refused::TooLarge(_)) => "too_large",
            Err(Refused::Unavailable(_)) => "unavailable",
            Err(Refused::Unsure(_)) => "unsure",
        };
        metrics.transacted(outcome);
        match end {
            // What only deletes is taken by a store that is full, too.
            Ok(_) if puts => {
                board.clear(FULL);
                self.common.taken();
            }
            Ok(_) => {}
            Err(Refused::Full(why)) => {
                if board.note(FULL, FULL_MESSAGE) {
                    warn!("{why}");
                }
            }
            Err(_) => {}
        }
        if let Err(Refused::Full(_) | Refused::Unavailable(_)) = end {
            self.common.refused_one();
        }
    }
}

// === impl Free ===

impl Free<'_> {
    /// Waits a moment, for a bulk of which nothing is known here but that it is there: its marker
    /// was written since, or cannot be read.
    ///
    /// # Errors
    /// With [`Refused::Busy`] when there is no time left.
    pub(super) async fn pause(&self) -> Result<(), Refused> {
        tokio::time::sleep(AGAIN).await;
        if Instant::now() < self.until {
            return Ok(());
        }
        Err(Refused::Busy(self.unknown()))
    }

    fn unknown(&self) -> String {
        let key = self.writer.common.layout.key(&Key::Bulk);
        format!("`{key}` of etcd is there, so a bulk is being written")
    }

    /// Waits until no bulk of others is under way, as of this revision of the store.
    ///
    /// # Errors
    /// With [`Refused::Busy`] when it takes too long. With a conflict that names nothing when what
    /// is proposed was decided on while a bulk came into its rows: their revisions are younger than
    /// what they say, so the conditions are to be put anew.
    pub(super) async fn wait(&self, at: u64) -> Result<(), Refused> {
        let (mut followed, mut bulks) = (self.writer.common.followed(), self.writer.common.bulks());
        let mut was_decided_within = false;
        let mut told = String::new();
        let free = async {
            // Neither ends as long as there is anybody to ask.
            drop(followed.wait_for(|followed| *followed >= at).await);
            let own = self.writer.common.writing();
            let is_free = |bulks: &Bulks| match &bulks.under_way {
                None => true,
                Some(bulk) if Some(bulk.marker.bulk) == own => true,
                Some(bulk) => {
                    was_decided_within |= bulk.marker.counts && bulk.at <= self.base;
                    told = format!(
                        "`{}` writes {} changes, which others wait for",
                        bulk.marker.by, bulk.marker.edits
                    );
                    false
                }
            };
            drop(bulks.wait_for(is_free).await);
        };
        if timeout_at(self.until, free).await.is_err() {
            let told = if told.is_empty() { self.unknown() } else { told };
            return Err(Refused::Busy(told));
        }
        let last = bulks.borrow().last;
        match last {
            Some(Over { counted, ended, .. })
                if self.base < ended && (was_decided_within || counted <= self.base) =>
            {
                Err(Refused::Conflict { keys: Vec::new(), at: ended })
            }
            _ => Ok(()),
        }
    }
}

impl Share for Writer {
    fn propose(
        &mut self,
        proposal: Proposal,
    ) -> Pin<Box<dyn Future<Output = Result<u64, Refused>> + Send + '_>> {
        Box::pin(async move { self.write(&proposal).await })
    }
}

/// Whether what is left would fare no better. A store that is full takes what only deletes.
fn is_for_all(end: &Result<u64, Refused>) -> bool {
    let Err(refused) = end else { return false };
    !matches!(refused, Refused::Conflict { .. } | Refused::Full(_) | Refused::TooLarge(_))
}

/// What became of two parts of a proposal. The graver one counts; of conflicts all.
fn merged(one: Result<u64, Refused>, other: Result<u64, Refused>) -> Result<u64, Refused> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(one.max(other)),
        (Err(Refused::Conflict { keys, at }), Ok(other))
        | (Ok(other), Err(Refused::Conflict { keys, at })) => {
            Err(Refused::Conflict { keys, at: at.max(other) })
        }
        (
            Err(Refused::Conflict { mut keys, at }),
            Err(Refused::Conflict { keys: more, at: later }),
        ) => {
            keys.extend::<Vec<InstanceKey>>(more);
            Err(Refused::Conflict { keys, at: at.max(later) })
        }
        (Err(Refused::Conflict { .. }), Err(graver)) | (Err(graver), _) | (Ok(_), Err(graver)) => {
            Err(graver)
        }
    }
}

/// What an error of the store means for who proposes.
pub(super) fn refused(error: &EtcdError) -> Refused {
    match error {
        EtcdError::NoSpace { .. } => Refused::Full(error.to_string()),
        EtcdError::TooLarge { .. } => Refused::TooLarge(error.to_string()),
        EtcdError::Unsure { .. } => Refused::Unsure(error.to_string()),
        _ => Refused::Unavailable(error.to_string()),
    }
}

pub(super) fn unsure(cause: &str) -> String {
    format!("etcd may have taken it, or may still: {cause}; the same request changes nothing twice")
}
