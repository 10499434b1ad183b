//! Writes a bulk: what is all or none, and more than one transaction takes.

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tracing::warn;

use super::{
    plan::{Condition, OPERATIONS_MAX, broken, keys_only},
    writer::{AT_ONCE, Free, refused, unsure},
};
use crate::{
    cluster::{
        common::Common,
        etcd::{
            Compare, EtcdError, KeyRange, KeyValue, Op, OpReply, Range, Relation, Txn, TxnReply,
        },
        layout::{Author, BulkId, Key, Marker, encode_parts},
    },
    model::InstanceKey,
    registry::{Proposal, Refused},
};

/// How long a bulk may take until it counts: ten times what a hundred thousand registrations take
/// on a slow disk. Others are held up so long at the most; a marker that is older is of nobody.
pub(super) const BULK_TIME: Duration = Duration::from_secs(25);

/// How long it may take to find out what became of it.
const SETTLING: Duration = Duration::from_secs(5);

/// Changes that are encoded in one go, so that the runtime has other things to do in between: some
/// milliseconds of work.
const ENCODED_MAX: usize = 2_048;

/// Octets of a bulk: what the largest request has, with what a row has beside it, several times
/// over; and an eighth of what an etcd has by default for all.
const BULK_OCTETS_MAX: usize = 256 << 20;

/// How soon something is tried again that had no answer.
const PAUSE: Duration = Duration::from_millis(200);

/// A bulk that is being written.
pub(super) struct Bulk<'a> {
    common: &'a Common,
    marker: Marker,
    /// The revision that made the marker: as long as it has it, nobody else writes.
    made: u64,
}

/// What became of a bulk in the end.
enum Settled {
    Counts(u64),
    /// Nothing of it, as of this revision.
    Gone(u64),
}

// === impl Bulk ===

impl<'a> Bulk<'a> {
    /// Writes a proposal; says from which revision on it counts.
    ///
    /// # Errors
    /// When a condition does not hold, when it is too large, when another bulk takes too long, and
    /// when the store does not take it.
    pub(super) async fn write(
        proposal: &Proposal,
        conditions: &[Condition],
        author: Author<'_>,
        free: &Free<'a>,
    ) -> Result<u64, Refused> {
        let common = &free.writer.common;
        let parts = encoded(proposal, author).await?;
        let marker = Marker {
            bulk: BulkId(fastrand::u64(1..)),
            counts: false,
            parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
            edits: u64::try_from(proposal.edits.len()).unwrap_or(u64::MAX),
            base: proposal.base,
            by: author.server.into(),
            at: author.at,
        };
        common.set_writing(Some(marker.bulk));
        let end = match Self::begin(marker, free).await {
            Ok(bulk) => bulk.carry_out(parts, conditions, free.writer.bulk_time).await,
            Err(refused) => Err(refused),
        };
        common.set_writing(None);
        end
    }

    /// Puts the marker, as soon as there is no other: from now on nobody else writes.
    pub(super) async fn begin(marker: Marker, free: &Free<'a>) -> Result<Self, Refused> {
        let common = &free.writer.common;
        let key = common.layout.key(&Key::Bulk);
        let own = KeyRange::key(key.clone());
        let txn = Txn {
            compare: vec![Compare::absent(key.clone())],
            // What others have left.
            then: vec![
                Op::Delete(common.layout.bulks().into()),
                Op::put(key.clone(), marker.encode()),
            ],
            otherwise: vec![Op::Range(Range::of(own))],
        };
        let mut at = 0;
        loop {
            free.wait(at).await?;
            let reply = match common.txn(txn.clone()).await {
                Ok(reply) => reply,
                // It shows the next time.
                Err(error @ EtcdError::Unsure { .. }) if Instant::now() < free.until => {
                    warn!(%error, "it is not known whether a bulk was begun; trying again");
                    sleep(PAUSE).await;
                    continue;
                }
                // A marker alone changes nothing; one that comes late is taken away.
                Err(error @ EtcdError::Unsure { .. }) => {
                    return Err(Refused::Unavailable(error.to_string()));
                }
                Err(error) => return Err(refused(&error)),
            };
            let made = match found(&reply) {
                _ if reply.succeeded => reply.header.revision,
                Some(kv) if is_of(common, kv, &marker) => kv.create_revision,
                _ => {
                    at = reply.header.revision;
                    free.pause().await?;
                    continue;
                }
            };
            return Ok(Self { common, marker, made });
        }
    }

    async fn carry_out(
        mut self,
        parts: Vec<Vec<u8>>,
        conditions: &[Condition],
        time: Duration,
    ) -> Result<u64, Refused> {
        let deadline = Instant::now() + time;
        let prepare = async {
            self.put_parts(parts).await?;
            self.check(conditions).await
        };
        let why = match timeout_at(deadline, prepare).await {
            Ok(Ok(())) => None,
            Ok(Err(refused)) => Some(refused),
            Err(_) => Some(Refused::Unavailable(late(time))),
        };
        let may_count = why.is_none();
        let why = match why {
            Some(why) => why,
            None => match timeout_at(deadline, self.count()).await {
                Ok(Ok(at)) => return Ok(at),
                Ok(Err(refused)) => refused,
                Err(_) => Refused::Unsure(unsure(&late(time))),
            },
        };
        match self.settle(may_count).await {
            Some(Settled::Counts(at)) => Ok(at),
            Some(Settled::Gone(at)) => Err(match why {
                Refused::Conflict { keys, .. } => Refused::Conflict { keys, at },
                Refused::Unsure(why) => Refused::Unavailable(why),
                why => why,
            }),
            None => Err(why),
        }
    }

    /// Writes the parts.
    pub(super) async fn put_parts(&self, parts: Vec<Vec<u8>>) -> Result<(), Refused> {
        let put = |(number, value)| async move {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let key = self.common.layout.key(&Key::Part(self.marker.bulk, number));
            let then = vec![Op::put(key, value)];
            let reply = self.ask(Txn { compare: vec![self.is_held()], then, ..Txn::default() });
            match reply.await?.succeeded {
                true => Ok(()),
                false => Err(Refused::Unavailable(given_up())),
            }
        };
        stream::iter(parts.into_iter().enumerate())
            .map(put)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Looks whether all conditions hold. They go on holding, because nobody else writes.
    pub(super) async fn check(&self, conditions: &[Condition]) -> Result<(), Refused> {
        let looks: Vec<_> = conditions.chunks(OPERATIONS_MAX).map(|some| self.look(some)).collect();
        let mut ends = stream::iter(looks).buffered(AT_ONCE);
        let (mut keys, mut at): (Vec<InstanceKey>, u64) = (Vec::new(), 0);
        while let Some(end) = ends.next().await {
            let (more, later): (Vec<InstanceKey>, u64) = end?;
            keys.extend(more);
            at = at.max(later);
        }
        if at == 0 { Ok(()) } else { Err(Refused::Conflict { keys, at }) }
    }

    /// The instances whose conditions do not hold, and since when that is known.
    async fn look(&self, conditions: &[Condition]) -> Result<(Vec<InstanceKey>, u64), Refused> {
        let then = conditions.iter().map(|it| keys_only(it.rows.clone())).collect();
        let reply = self.ask(Txn { then, ..Txn::default() }).await?;
        let found = reply.replies.iter().map(|reply| match reply {
            OpReply::Range(listing) => listing.kvs.as_slice(),
            OpReply::Deleted(_) | OpReply::Put => &[],
        });
        Ok(broken(conditions, found, self.marker.base, reply.header.revision))
    }

    /// Says that it counts.
    pub(super) async fn count(&mut self) -> Result<u64, Refused> {
        self.marker.counts = true;
        let key = self.common.layout.key(&Key::Bulk);
        let then = vec![Op::put(key, self.marker.encode())];
        let compare = vec![self.is_held(), self.is_as_made()];
        let reply = self.common.txn(Txn { compare, then, ..Txn::default() }).await;
        match reply {
            Ok(reply) if reply.succeeded => Ok(reply.header.revision),
            Ok(_) => Err(Refused::Unavailable(given_up())),
            Err(EtcdError::Unsure { endpoint, cause }) => {
                Err(Refused::Unsure(unsure(&format!("{endpoint}: {cause}"))))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Gives it up, unless it counts, which it may have been told to. `None` when that cannot be
    /// found out: if it does not count, the marker is taken away later.
    async fn settle(&self, may_count: bool) -> Option<Settled> {
        let key = self.common.layout.key(&Key::Bulk);
        let own = KeyRange::key(key);
        let parts = Op::Delete(self.common.layout.bulks().into());
        let txn = Txn {
            compare: vec![self.is_held(), self.is_as_made()],
            then: vec![Op::Delete(own.clone()), parts],
            otherwise: vec![Op::Range(Range::of(own))],
        };
        let settle = async {
            let reply = self.ask(txn).await.ok()?;
            let at = reply.header.revision;
            if reply.succeeded {
                return Some(Settled::Gone(at));
            }
            // One that does not count is a copy of the first request, which came late.
            if let Some(kv) = found(&reply).filter(|kv| counts(self.common, kv, &self.marker)) {
                return Some(Settled::Counts(kv.mod_revision));
            }
            // It was taken away, or is over already, of which the watch has told.
            self.common.followed().wait_for(|followed| *followed >= at).await.ok()?;
            let last = self.common.bulks().borrow().last;
            match last.filter(|over| over.bulk == self.marker.bulk) {
                Some(over) => Some(Settled::Counts(over.counted)),
                // The watch may have had a gap in which it counted, and was over.
                None if may_count => None,
                None => Some(Settled::Gone(at)),
            }
        };
        timeout_at(Instant::now() + SETTLING, settle).await.ok().flatten()
    }

    /// Carries out what makes no difference when it is done twice, until there is an answer.
    async fn ask(&self, txn: Txn) -> Result<TxnReply, Refused> {
        loop {
            match self.common.txn(txn.clone()).await {
                Err(
                    EtcdError::Unsure { .. }
                    | EtcdError::Unreachable { .. }
                    | EtcdError::NoLeader { .. },
                ) => sleep(PAUSE).await,
                answer => return answer.map_err(|error| refused(&error)),
            }
        }
    }

    /// That the marker is this bulk's.
    fn is_held(&self) -> Compare {
        let key = KeyRange::key(self.common.layout.key(&Key::Bulk));
        Compare::create_revision(key, Relation::Equal, self.made)
    }

    /// That it does not count yet.
    fn is_as_made(&self) -> Compare {
        let key = KeyRange::key(self.common.layout.key(&Key::Bulk));
        Compare::mod_revision(key, Relation::Equal, self.made)
    }
}

/// The parts of a proposal.
async fn encoded(proposal: &Proposal, author: Author<'_>) -> Result<Vec<Vec<u8>>, Refused> {
    let (mut parts, mut octets) = (Vec::new(), 0);
    for edits in proposal.edits.chunks(ENCODED_MAX) {
        let more = encode_parts(edits, &author);
        let more = more.map_err(|refusal| Refused::TooLarge(refusal.to_string()))?;
        octets += more.iter().map(Vec::len).sum::<usize>();
        if octets > BULK_OCTETS_MAX {
            let count = proposal.edits.len();
            return Err(Refused::TooLarge(format!(
                "{count} changes have more octets than what is written all or none may have, \
                 {BULK_OCTETS_MAX}"
            )));
        }
        parts.extend(more);
        tokio::task::yield_now().await;
    }
    Ok(parts)
}

/// The key that a transaction has found in place of what it expected.
fn found(reply: &TxnReply) -> Option<&KeyValue> {
    reply.replies.iter().find_map(|reply| match reply {
        OpReply::Range(listing) => listing.kvs.first(),
        OpReply::Deleted(_) | OpReply::Put => None,
    })
}

fn is_of(common: &Common, kv: &KeyValue, marker: &Marker) -> bool {
    let read = common.layout.decode_marker(&kv.value, kv.mod_revision);
    read.is_ok_and(|read| read.bulk == marker.bulk)
}

fn counts(common: &Common, kv: &KeyValue, marker: &Marker) -> bool {
    let read = common.layout.decode_marker(&kv.value, kv.mod_revision);
    read.is_ok_and(|read| read.bulk == marker.bulk && read.counts)
}

fn given_up() -> String {
    "another server has taken it away, because it took long or this server was taken for dead; \
     nothing was changed"
        .to_owned()
}

fn late(time: Duration) -> String {
    format!("etcd has not taken it within {} s", time.as_secs())
}
