//! A proposal as transactions of etcd. Pure.
//!
//! Conditions become comparisons. When they do not hold, the same transaction reads what they are
//! about, so that the refusal names those instances that were changed, and no others, as of the one
//! moment of the judgement.

use std::ops::Range;

use crate::{
    cluster::{
        common::Held,
        etcd::{self, Compare, KeyRange, KeyValue, Op, OpReply, Relation, Txn, TxnReply},
        layout::{Author, Key, Layout, RowKey, TooLarge, Write},
    },
    model::InstanceKey,
    registry::{Edit, Guard, Proposal, Refused},
};

/// Comparisons of a transaction, and operations of each branch: etcd's `--max-txn-ops`.
pub(super) const OPERATIONS_MAX: usize = 128;

/// Octets of a transaction: below etcd's `--max-request-bytes`, 1.5 MiB, with room for what is
/// around them. A registration at all its limits fits, alone.
pub(super) const OCTETS_MAX: usize = 1_500 << 10;

/// What gRPC and etcd add to an operation or a comparison, at the most.
pub(super) const OVERHEAD_OCTETS: usize = 40;

/// How a proposal is written.
#[derive(Debug)]
pub(super) enum Plan {
    /// In one transaction; or in several, each of which is good without the others.
    Parts(Vec<Part>),
    /// All or none, and too much for a transaction.
    Bulk(Vec<Condition>),
}

/// Why a transaction was not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// A bulk is under way, as of this revision of the store. When it is over, it may be.
    Held(u64),
    /// It will not be.
    Refused(Refused),
}

/// One transaction, and what its answer means.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) txn: Txn,
    /// The fence, if there is one: the first that is read when not all holds.
    fence: Option<u64>,
    /// What is read behind it.
    conditions: Vec<Condition>,
    base: u64,
}

/// What has to hold of an instance.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) key: InstanceKey,
    guard: Guard,
    /// Whether its health must not have been written since the base.
    of_health: bool,
    registration: String,
    health: String,
}

/// One change, with its price.
struct Step {
    compare: Vec<Compare>,
    /// `None` when it is only a condition.
    op: Option<Op>,
    condition: Option<Condition>,
    octets: usize,
}

/// Whose proposal it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) layout: &'a Layout,
    pub(super) author: Author<'a>,
    /// What shows that this server is alive, where the proposal depends on it.
    pub(super) fence: Option<Held>,
}

// === impl Plan ===

impl Plan {
    /// Plans a proposal. What is proposed as owner may be written in several transactions: each
    /// change of it is good without the others. Any other change is all or none.
    ///
    /// # Errors
    /// When a row is larger than it may be.
    pub(super) fn of(proposal: &Proposal, writer: Writer<'_>) -> Result<Self, Refused> {
        let conditions = || {
            let of = |edit| Condition::of(edit, writer.layout);
            let kept = proposal.kept.iter().map(|key| Condition::kept(key, writer.layout));
            Self::Bulk(proposal.edits.iter().filter_map(of).chain(kept).collect())
        };
        // Where nothing is written, each condition is as good without the others.
        let is_divisible = proposal.as_owner || proposal.edits.is_empty();
        if !is_divisible && proposal.edits.len() > OPERATIONS_MAX {
            return Ok(conditions());
        }
        let steps = proposal.edits.iter().map(|edit| Step::of(edit, proposal.base, writer));
        let kept = proposal.kept.iter().map(|key| Ok(Step::kept(key, proposal.base, writer)));
        let steps: Vec<Step> = steps
            .chain(kept)
            .collect::<Result<_, TooLarge>>()
            .map_err(|refusal| Refused::TooLarge(refusal.to_string()))?;
        let ranges = divided(&steps, writer.fence.is_some());
        if ranges.len() > 1 && !is_divisible {
            return Ok(conditions());
        }
        let mut steps = steps.into_iter();
        let parts = ranges
            .into_iter()
            .map(|range| Part::of(steps.by_ref().take(range.len()), proposal.base, writer))
            .collect();
        Ok(Self::Parts(parts))
    }
}

/// As few transactions as will do, in their order.
fn divided(steps: &[Step], is_fenced: bool) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // Whose state it is, and that no bulk is under way, are conditions of each.
    let fixed = 2 + usize::from(is_fenced);
    let (mut compares, mut octets) = (0, 0);
    for (index, step) in steps.iter().enumerate() {
        compares += step.compare.len();
        octets += step.octets;
        match ranges.last_mut() {
            Some(range)
                if compares <= OPERATIONS_MAX
                    && range.len() + fixed < OPERATIONS_MAX
                    && octets <= OCTETS_MAX =>
            {
                range.end = index + 1;
            }
            _ => {
                ranges.push(index..index + 1);
                (compares, octets) = (fixed + step.compare.len(), step.octets);
            }
        }
    }
    ranges
}

// === impl Part ===

impl Part {
    fn of(steps: impl Iterator<Item = Step>, base: u64, writer: Writer<'_>) -> Self {
        let fence = writer.fence.map(|held| held.revision);
        let mut part = Self { txn: Txn::default(), fence, conditions: Vec::new(), base };
        if let Some(fence) = fence {
            let own = KeyRange::key(writer.layout.key(&Key::Server(writer.author.server.into())));
            part.txn.compare.push(Compare::create_revision(own.clone(), Relation::Equal, fence));
            part.txn.otherwise.push(keys_only(own));
        }
        let bulk = writer.layout.key(&Key::Bulk);
        part.txn.compare.push(Compare::absent(bulk.clone()));
        part.txn.otherwise.push(keys_only(KeyRange::key(bulk)));
        for Step { compare, op, condition, .. } in steps {
            part.txn.compare.extend(compare);
            part.txn.then.extend(op);
            if let Some(condition) = condition {
                let rows = writer.layout.instance(&condition.key);
                part.txn.otherwise.push(keys_only(rows.into()));
                part.conditions.push(condition);
            }
        }
        part
    }

    /// Whether it changes nothing, and only looks whether its conditions hold.
    pub(super) fn is_read_only(&self) -> bool {
        self.txn.then.is_empty()
    }

    /// The revision on which it was decided.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// What the answer means: the revision at which the changes were made, or why they were not.
    /// The revision is that of the store, which may be one at which nothing of ours changed.
    pub(super) fn judge(&self, reply: &TxnReply) -> Result<u64, Lost> {
        if reply.succeeded {
            return Ok(reply.header.revision);
        }
        let mut listings = reply.replies.iter().map(|reply| match reply {
            OpReply::Range(listing) => listing.kvs.as_slice(),
            OpReply::Deleted(_) | OpReply::Put => &[],
        });
        if let Some(fence) = self.fence {
            let own = listings.next().and_then(<[KeyValue]>::first);
            if own.is_none_or(|own| own.create_revision != fence) {
                return Err(Lost::Refused(Refused::NotOwner));
            }
        }
        let now = reply.header.revision;
        if listings.next().is_some_and(|bulk| !bulk.is_empty()) {
            return Err(Lost::Held(now));
        }
        let (keys, at) = broken(&self.conditions, listings, self.base, now);
        Err(Lost::Refused(Refused::Conflict { keys, at }))
    }

    /// Whether the transaction was taken although nobody has heard so, by what is there now; at
    /// which revision, if it was. `rows` are the rows that it puts, or those of what it deletes,
    /// one list for each of its changes. If it is not to be seen, it may still be taken later.
    pub(super) fn was_taken(&self, rows: &[Vec<KeyValue>], now: u64) -> Option<u64> {
        // Of each row that it puts: when it was written, and whether as this transaction does.
        let mut puts = Vec::new();
        for (op, rows) in self.txn.then.iter().zip(rows) {
            if let Op::Put { value, .. } = op {
                let own = rows.first().filter(|kv| kv.mod_revision > self.base);
                puts.push(own.map(|kv| (kv.mod_revision, kv.value == *value)));
            }
        }
        // All or none: what was not written with the one that is there was written after it. One
        // row alone is no proof, for somebody else may have put the same.
        let is_of = |at: u64| {
            let fits = |(when, same): (u64, bool)| when > at || when == at && same;
            puts.iter().all(|put| put.is_some_and(fits))
        };
        let candidates = puts.iter().flatten().filter(|(_, same)| *same).map(|(at, _)| *at);
        if let Some(at) = candidates.into_iter().find(|at| is_of(*at)) {
            return Some(at);
        }
        let is_gone = puts.is_empty() && rows.iter().all(Vec::is_empty);
        is_gone.then_some(now)
    }

    /// What to read to find that out.
    pub(super) fn question(&self) -> Txn {
        let read = |op: &Op| match op {
            Op::Put { key, .. } => Op::Range(etcd::Range::of(KeyRange::key(key.clone()))),
            Op::Delete(keys) => keys_only(keys.clone()),
            Op::Range(range) => Op::Range(range.clone()),
        };
        Txn { then: self.txn.then.iter().map(read).collect(), ..Txn::default() }
    }
}

/// The instances whose conditions do not hold of what was found, and from which revision on a
/// server knows so.
pub(super) fn broken<'r>(
    conditions: &[Condition],
    found: impl Iterator<Item = &'r [KeyValue]>,
    base: u64,
    now: u64,
) -> (Vec<InstanceKey>, u64) {
    let (mut keys, mut at) = (Vec::new(), 0);
    for (condition, rows) in conditions.iter().zip(found) {
        if !condition.holds(rows, base) {
            keys.push(condition.key.clone());
            at = at.max(condition.known_at(rows, now));
        }
    }
    (keys, at)
}

// === impl Step ===

impl Step {
    fn of(edit: &Edit, base: u64, writer: Writer<'_>) -> Result<Self, TooLarge> {
        let Writer { layout, author, .. } = writer;
        let write = layout.encode(edit, &author)?;
        let mut octets = write.octets() + OVERHEAD_OCTETS;
        let op = match write {
            Write::Put { key, value } if matches!(edit, Edit::Opinion { .. }) => {
                let lease = writer.fence.map(|held| held.lease);
                Op::Put { key: key.into(), value: value.into(), lease }
            }
            Write::Put { key, value } => Op::put(key, value),
            Write::Delete { key } => Op::Delete(KeyRange::key(key)),
            Write::DeleteAll(keys) => Op::Delete(keys.into()),
        };
        let condition = Condition::of(edit, layout);
        let compare = condition.as_ref().map(|it| it.compare(base)).unwrap_or_default();
        octets += condition.as_ref().map_or(0, |it| it.octets(compare.len()));
        Ok(Self { compare, op: Some(op), condition, octets })
    }

    /// That an instance is as it was, and stays so.
    fn kept(key: &InstanceKey, base: u64, writer: Writer<'_>) -> Self {
        let condition = Condition::kept(key, writer.layout);
        let compare = condition.compare(base);
        let octets = condition.octets(compare.len());
        Self { compare, op: None, condition: Some(condition), octets }
    }
}

// === impl Condition ===

impl Condition {
    fn of(edit: &Edit, layout: &Layout) -> Option<Self> {
        let guard = match edit {
            Edit::Register { guard, .. }
            | Edit::Deregister { guard, .. }
            | Edit::Drain { guard, .. } => *guard,
            Edit::Health { .. } => Guard::PresentUnchanged,
            Edit::Opinion { .. } | Edit::Policy { .. } => Guard::None,
        };
        let key = edit.key().filter(|_| guard != Guard::None)?;
        let of_health = matches!(edit, Edit::Health { .. });
        Some(Self { guard, of_health, ..Self::kept(key, layout) })
    }

    fn kept(key: &InstanceKey, layout: &Layout) -> Self {
        Self {
            key: key.clone(),
            guard: Guard::PresentUnchanged,
            of_health: false,
            registration: layout.registration(key),
            health: layout.row(&RowKey::Health(key.clone())),
        }
    }

    /// What it has of a transaction: its key in each comparison, and twice where it is read.
    fn octets(&self, compares: usize) -> usize {
        (self.registration.len() + OVERHEAD_OCTETS) * (compares + 2)
    }

    fn compare(&self, base: u64) -> Vec<Compare> {
        let registration = || KeyRange::key(self.registration.clone());
        let mut compare = Vec::with_capacity(3);
        if matches!(self.guard, Guard::Present | Guard::PresentUnchanged) {
            compare.push(Compare::present(self.registration.clone()));
        }
        if matches!(self.guard, Guard::Unchanged | Guard::PresentUnchanged) {
            compare.push(Compare::unchanged_since(registration(), base));
        }
        if self.of_health {
            compare.push(Compare::unchanged_since(KeyRange::key(self.health.clone()), base));
        }
        compare
    }

    /// The same of the rows that were found.
    fn holds(&self, rows: &[KeyValue], base: u64) -> bool {
        let find = |key: &str| rows.iter().find(|kv| kv.key == key.as_bytes());
        let registration = find(&self.registration);
        let is_old = |kv: &KeyValue| kv.mod_revision <= base;
        let holds = match self.guard {
            Guard::None => true,
            Guard::Present => registration.is_some(),
            Guard::PresentUnchanged => registration.is_some_and(is_old),
            Guard::Unchanged => registration.is_none_or(is_old),
        };
        holds && (!self.of_health || find(&self.health).is_none_or(is_old))
    }

    /// From which revision on a server knows that it does not hold: that of the row which says so,
    /// or, of a row that is gone, the store's own.
    fn known_at(&self, rows: &[KeyValue], now: u64) -> u64 {
        let is_there = rows.iter().any(|kv| kv.key == self.registration.as_bytes());
        let newest = rows.iter().map(|kv| kv.mod_revision).max().unwrap_or(0);
        if is_there { newest } else { now }
    }
}

pub(super) fn keys_only(keys: KeyRange) -> Op {
    Op::Range(etcd::Range { keys_only: true, ..etcd::Range::of(keys) })
}
