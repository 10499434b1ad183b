//! Brings bulks to their end: the rows of those that count, and those that their writers left.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    plan::{OCTETS_MAX, OPERATIONS_MAX, OVERHEAD_OCTETS, keys_only},
    writer::{AT_ONCE, PATIENCE},
};
use crate::{
    cluster::{
        common::{Common, UnderWay},
        etcd::{Compare, EtcdError, KeyRange, MANY, Op, OpReply, Relation, Txn},
        layout::{Key, RowKey, TooLarge, Write},
        pins::Reminder,
    },
    registry::{Edit, ServerId},
};

/// How long a server that lives is given to bring its own bulk to its end, once it counts; and how
/// much longer each server waits than the one before it, by their names.
const LEFT: Duration = Duration::from_secs(10);

/// The name of the condition that says that changes wait for a bulk.
const BULK: &str = "etcd bulk";

/// How long a bulk is no news: as long as others wait for it before they are refused.
const NO_NEWS: Duration = PATIENCE;

/// How old a marker is that does not count and is of nobody: older than its writer waits.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// How soon it is looked again, or tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a server that stops goes on with what it has begun: others would do it later.
const LEAVE: Duration = Duration::from_secs(3);

/// The task that finishes bulks.
#[derive(Debug)]
pub struct Finisher {
    common: Common,
    me: ServerId,
    pub(super) left: Duration,
    pub(super) given_up: Duration,
    pub(super) no_news: Duration,
}

/// One row of a bulk.
pub(super) struct Row {
    key: Bytes,
    op: Op,
    octets: usize,
}

/// What became of a transaction of rows.
enum Fate {
    Written,
    /// Other rows than these are younger already.
    Younger(HashSet<Bytes>),
    /// The bulk is over.
    Over,
}

// === impl Finisher ===

impl Finisher {
    /// Of the server of that name.
    pub fn new(common: Common, me: ServerId) -> Self {
        Self { common, me, left: LEFT, given_up: GIVEN_UP, no_news: NO_NEWS }
    }

    /// Finishes bulks until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut bulks = self.common.bulks();
        let (mut since, mut failing): (Option<(u64, Instant)>, _) = (None, Reminder::default());
        let mut has_written_many = false;
        loop {
            let known = bulks.borrow_and_update().under_way.clone();
            let Some(bulk) = known else {
                self.common.board.clear(BULK);
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = bulks.changed() => if changed.is_err() { return },
                    () = self.common.client.release_buffers(), if has_written_many => {
                        has_written_many = false;
                    }
                }
                continue;
            };
            // Another value of the marker is another age.
            let since = match since {
                Some((at, since)) if at == bulk.at => since,
                _ => since.insert((bulk.at, Instant::now())).1,
            };
            self.tell(&bulk, since);
            if let Some(due) = self.due(&bulk, since)
                && due <= Instant::now()
            {
                // Also where that fails: another server may have written the rest.
                has_written_many |= bulk.marker.counts && bulk.edits.len() >= MANY;
                let finish = self.finish(&bulk);
                let finished = match stop.is_cancelled() {
                    false => stop.run_until_cancelled(finish).await,
                    true => timeout(LEAVE, finish).await.ok(),
                };
                match finished {
                    None if stop.is_cancelled() => self.take_leave(&bulk).await,
                    Some(Err(error)) if failing.is_due() => {
                        warn!(%error, "could not finish a bulk; trying again");
                    }
                    Some(Ok(())) => {
                        failing.is_over();
                    }
                    None | Some(Err(_)) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = bulks.changed() => if changed.is_err() { return },
                () = sleep_until(Instant::now() + PAUSE) => {}
            }
        }
    }

    /// Own changes that have begun to come into their rows.
    async fn take_leave(&self, bulk: &UnderWay) {
        if bulk.marker.by == self.me && timeout(LEAVE, self.finish(bulk)).await.is_err() {
            warn!("could not finish a bulk in time; another server does, or the next start");
        }
    }

    /// Says who holds up all others, if that takes long.
    fn tell(&self, bulk: &UnderWay, since: Instant) {
        let (by, edits) = (&*bulk.marker.by, bulk.marker.edits);
        let is_readable = !bulk.marker.counts || bulk.is_whole;
        if is_readable && since.elapsed() < self.no_news {
            return;
        }
        let why = match bulk.marker.counts {
            true if !is_readable => {
                "it was written by a later version, whose servers alone can finish it: start one, \
                 or upgrade this server"
                    .to_owned()
            }
            true => "they count, and come into their rows".to_owned(),
            false => format!("it is given up {} s after it was begun", self.given_up.as_secs()),
        };
        let message = format!(
            "`{by}` writes {edits} changes at once, and others are refused as busy until that is \
             over; {why}"
        );
        if self.common.board.note(BULK, &message) {
            warn!("{message}");
        }
    }

    /// When it is this server's turn; `None` as long as it is not.
    fn due(&self, bulk: &UnderWay, since: Instant) -> Option<Instant> {
        let (marker, is_mine) = (&bulk.marker, bulk.marker.by == self.me);
        if self.common.read_only().is_some()
            || self.common.writing() == Some(marker.bulk) && !marker.counts
        {
            return None;
        }
        if is_mine {
            return Some(since); // that does not count: it is of an earlier life
        }
        let roster = self.common.roster().borrow().clone();
        let rank = roster.servers.keys().take_while(|id| **id != self.me).count();
        let turn = self.left * u32::try_from(rank).unwrap_or(u32::MAX);
        let is_alive = roster.servers.contains_key(&marker.by) || roster.at < bulk.at;
        Some(
            since
                + turn
                + match (is_alive, marker.counts) {
                    (false, _) => Duration::ZERO,
                    (true, true) => self.left,
                    (true, false) => self.given_up,
                },
        )
    }

    /// Brings what counts into its rows, and takes away what does not.
    ///
    /// # Errors
    /// When the store does not take it; it can be repeated.
    pub(super) async fn finish(&self, bulk: &UnderWay) -> Result<(), EtcdError> {
        if bulk.marker.counts && !bulk.is_whole {
            // Who can read it has to.
            warn!("a bulk was written by a later version; one of its servers has to finish it");
            sleep(self.left).await;
            return Ok(());
        }
        if bulk.marker.counts {
            let batches = self.batches(bulk);
            let write = |rows| self.write(bulk.at, rows);
            stream::iter(batches)
                .map(write)
                .buffer_unordered(2 * AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
        self.close(bulk).await
    }

    /// Takes marker and parts away.
    async fn close(&self, bulk: &UnderWay) -> Result<(), EtcdError> {
        let layout = &self.common.layout;
        let own = KeyRange::key(layout.key(&Key::Bulk));
        let compare = vec![Compare::mod_revision(own.clone(), Relation::Equal, bulk.at)];
        let then = vec![Op::Delete(layout.bulks().into()), Op::Delete(own)];
        let reply = self.common.txn(Txn { compare, then, ..Txn::default() }).await?;
        let (by, edits) = (&*bulk.marker.by, bulk.marker.edits);
        if !reply.succeeded {
            return Ok(()); // somebody else has
        }
        if !bulk.marker.counts {
            warn!(by, edits, "took a bulk away that was left before it counted");
        } else if bulk.marker.by != self.me {
            info!(by, edits, "finished a bulk that was left");
        }
        Ok(())
    }

    /// The rows, as many to a transaction as it takes.
    pub(super) fn batches(&self, bulk: &UnderWay) -> impl Iterator<Item = Vec<Row>> {
        let mut rows = bulk.edits.iter().filter_map(|edit| self.row(edit, bulk)).peekable();
        std::iter::from_fn(move || {
            let (mut batch, mut octets) = (Vec::new(), 0);
            // The marker is a condition, too, and whose state it is.
            while batch.len() < OPERATIONS_MAX - 2
                && let Some(row) =
                    rows.next_if(|row| batch.is_empty() || octets + row.octets <= OCTETS_MAX)
            {
                octets += row.octets;
                batch.push(row);
            }
            (!batch.is_empty()).then_some(batch)
        })
    }

    fn row(&self, edit: &Edit, bulk: &UnderWay) -> Option<Row> {
        let layout = &self.common.layout;
        let key = Bytes::from(layout.row(&RowKey::changed_by(edit)));
        let write = match layout.encode_folded(edit.clone(), &bulk.marker, bulk.at) {
            Ok(write) => write,
            // It was looked at before it was written into a part.
            Err(TooLarge { key, octets, limit }) => {
                warn!(%key, octets, limit, "a row of a bulk is too large, and is left out");
                return None;
            }
        };
        // Its key is in a comparison, too, and where it is read.
        let octets = write.octets() + 2 * key.len() + 3 * OVERHEAD_OCTETS;
        let op = match write {
            Write::Put { key, value } => Op::put(key, value),
            Write::Delete { key } => Op::Delete(KeyRange::key(key)),
            Write::DeleteAll(keys) => Op::Delete(keys.into()),
        };
        Some(Row { key, op, octets })
    }

    /// Writes rows, but for those that are younger than the bulk.
    pub(super) async fn write(&self, at: u64, mut rows: Vec<Row>) -> Result<(), EtcdError> {
        while !rows.is_empty() {
            match self.attempt(at, &rows).await? {
                Fate::Written | Fate::Over => break,
                Fate::Younger(keys) => rows.retain(|row| !keys.contains(&row.key)),
            }
        }
        Ok(())
    }

    async fn attempt(&self, at: u64, rows: &[Row]) -> Result<Fate, EtcdError> {
        let marker = KeyRange::key(self.common.layout.key(&Key::Bulk));
        let own = |row: &Row| KeyRange::key(row.key.clone());
        let mut compare = vec![Compare::mod_revision(marker.clone(), Relation::Equal, at)];
        compare.extend(rows.iter().map(|row| Compare::unchanged_since(own(row), at)));
        let mut otherwise = vec![keys_only(marker)];
        otherwise.extend(rows.iter().map(|row| keys_only(own(row))));
        let then = rows.iter().map(|row| row.op.clone()).collect();
        let reply = self.common.txn(Txn { compare, then, otherwise }).await?;
        if reply.succeeded {
            return Ok(Fate::Written);
        }
        let mut found = reply.replies.iter().map(|reply| match reply {
            OpReply::Range(listing) => listing.kvs.first(),
            OpReply::Deleted(_) | OpReply::Put => None,
        });
        if found.next().flatten().is_none_or(|marker| marker.mod_revision != at) {
            return Ok(Fate::Over);
        }
        let younger = found.flatten().filter(|kv| kv.mod_revision > at);
        Ok(Fate::Younger(younger.map(|kv| Bytes::copy_from_slice(&kv.key)).collect()))
    }
}
