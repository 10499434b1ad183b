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
    model::{InstanceKey, ServiceName},
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
    /// The key of the marker that says that a bulk is under way.
    bulk: String,
    /// The row of this server and its fence, if there is one: the first that is read when not all
    /// holds.
    fence: Option<(String, u64)>,
    /// What it changes, and reads then.
    steps: Vec<Step>,
    base: u64,
    /// Whether each step is good without the others.
    is_divisible: bool,
}

/// What has to hold of an instance, or of the policy of a service.
#[derive(Debug)]
pub(super) struct Condition {
    /// The instance, if it is about one.
    key: Option<InstanceKey>,
    guard: Guard,
    /// The row that the guard is about: of an instance its registration.
    row: String,
    /// Another row that must not have been written since the base: what was decided by it would be
    /// decided otherwise, and a transaction that a paused member of etcd takes late is not to undo
    /// what was written meanwhile.
    own: Option<String>,
    /// What is read to find out.
    pub(super) rows: KeyRange,
}

/// One change, with its price.
#[derive(Debug)]
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
    /// change of it is good without the others. So is what is written again as it is. Any other
    /// change is all or none.
    ///
    /// # Errors
    /// When a row is larger than it may be.
    pub(super) fn of(proposal: &Proposal, writer: Writer<'_>) -> Result<Self, Refused> {
        let conditions = || {
            let of = |edit| Condition::of(edit, writer);
            let kept = proposal.kept.iter().map(|key| Condition::kept(key, writer.layout));
            Self::Bulk(proposal.edits.iter().filter_map(of).chain(kept).collect())
        };
        // Where nothing becomes another, each condition is as good without the others.
        let is_divisible = proposal.as_owner || proposal.edits.iter().all(Edit::is_again);
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
            .map(|range| {
                let steps = steps.by_ref().take(range.len()).collect();
                Part { is_divisible, ..Part::of(steps, proposal.base, writer) }
            })
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
    fn of(steps: Vec<Step>, base: u64, writer: Writer<'_>) -> Self {
        let own = || writer.layout.key(&Key::Server(writer.author.server.into()));
        let fence = writer.fence.map(|held| (own(), held.revision));
        Self { bulk: writer.layout.key(&Key::Bulk), fence, steps, base, is_divisible: false }
    }

    /// The transaction.
    pub(super) fn txn(&self) -> Txn {
        let mut txn = Txn::default();
        if let Some((own, fence)) = &self.fence {
            let own = KeyRange::key(own.clone());
            txn.compare.push(Compare::create_revision(own.clone(), Relation::Equal, *fence));
            txn.otherwise.push(keys_only(own));
        }
        txn.compare.push(Compare::absent(self.bulk.clone()));
        txn.otherwise.push(keys_only(KeyRange::key(self.bulk.clone())));
        for Step { compare, op, condition, .. } in &self.steps {
            txn.compare.extend(compare.iter().cloned());
            txn.then.extend(op.clone());
            txn.otherwise.extend(condition.as_ref().map(|it| keys_only(it.rows.clone())));
        }
        txn
    }

    /// The same in two transactions, if each is good without the other.
    pub(super) fn halves(&mut self) -> Option<Self> {
        let half = self.steps.len() / 2;
        if !self.is_divisible || half == 0 {
            return None;
        }
        let (bulk, fence) = (self.bulk.clone(), self.fence.clone());
        let steps = self.steps.split_off(half);
        Some(Self { bulk, fence, steps, ..*self })
    }

    /// What of it needs no room in the store, as a transaction of its own, if it may be one.
    pub(super) fn deletions(&mut self) -> Option<Self> {
        let puts = |step: &Step| matches!(step.op, Some(Op::Put { .. }));
        if !self.is_divisible || self.steps.iter().all(puts) || !self.steps.iter().any(puts) {
            return None;
        }
        let (bulk, fence) = (self.bulk.clone(), self.fence.clone());
        let (own, steps) = std::mem::take(&mut self.steps).into_iter().partition(puts);
        self.steps = own;
        Some(Self { bulk, fence, steps, ..*self })
    }

    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.steps.iter().filter_map(|step| step.op.as_ref())
    }

    /// Whether it changes nothing, and only looks whether its conditions hold.
    pub(super) fn is_read_only(&self) -> bool {
        self.ops().next().is_none()
    }

    /// Whether it needs room in the store.
    pub(super) fn puts(&self) -> bool {
        self.ops().any(|op| matches!(op, Op::Put { .. }))
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
        if let Some((_, fence)) = self.fence {
            let own = listings.next().and_then(<[KeyValue]>::first);
            if own.is_none_or(|own| own.create_revision != fence) {
                return Err(Lost::Refused(Refused::NotOwner));
            }
        }
        let now = reply.header.revision;
        if listings.next().is_some_and(|bulk| !bulk.is_empty()) {
            return Err(Lost::Held(now));
        }
        let conditions = self.steps.iter().filter_map(|step| step.condition.as_ref());
        let (keys, at) = broken(conditions, listings, self.base, now);
        Err(Lost::Refused(Refused::Conflict { keys, at }))
    }

    /// Whether the transaction was taken although nobody has heard so, by what is there now; at
    /// which revision, if it was. `rows` are the rows that it puts, or those of what it deletes,
    /// one list for each of its changes. If it is not to be seen, it may still be taken later.
    pub(super) fn was_taken(&self, rows: &[Vec<KeyValue>], now: u64) -> Option<u64> {
        // Of each row that it puts: when it was written, and whether as this transaction does.
        let mut puts = Vec::new();
        for (op, rows) in self.ops().zip(rows) {
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
        Txn { then: self.ops().map(read).collect(), ..Txn::default() }
    }
}

/// The instances whose conditions do not hold of what was found, and from which revision on a
/// server knows so; zero when all hold.
pub(super) fn broken<'r>(
    conditions: impl IntoIterator<Item = &'r Condition>,
    found: impl Iterator<Item = &'r [KeyValue]>,
    base: u64,
    now: u64,
) -> (Vec<InstanceKey>, u64) {
    let (mut keys, mut at) = (Vec::new(), 0);
    for (condition, rows) in conditions.into_iter().zip(found) {
        if !condition.holds(rows, base) {
            keys.extend(condition.key.clone());
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
        let condition = Condition::of(edit, writer);
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
    fn of(edit: &Edit, writer: Writer<'_>) -> Option<Self> {
        let layout = writer.layout;
        let guard = match edit {
            Edit::Register { guard, .. }
            | Edit::Deregister { guard, .. }
            | Edit::Drain { guard, .. } => *guard,
            Edit::Health { .. } => Guard::PresentUnchanged,
            Edit::Policy { service, .. } => return Some(Self::of_policy(service, layout)),
            Edit::Opinion { .. } => Guard::None,
        };
        let own = match edit {
            Edit::Health { key, .. } => Some(layout.row(&RowKey::Health(key.clone()))),
            // A server by itself removes for what is known of the health of an instance.
            Edit::Deregister { key, .. } if writer.fence.is_some() => {
                Some(layout.row(&RowKey::Health(key.clone())))
            }
            Edit::Drain { key, .. } => Some(layout.row(&RowKey::Drained(key.clone()))),
            _ => None,
        };
        let key = edit.key().filter(|_| guard != Guard::None || own.is_some())?;
        Some(Self { guard, own, ..Self::kept(key, layout) })
    }

    fn of_policy(service: &ServiceName, layout: &Layout) -> Self {
        let row = layout.row(&RowKey::Policy(service.clone()));
        let rows = KeyRange::key(row.clone());
        Self { key: None, guard: Guard::Unchanged, row, own: None, rows }
    }

    fn kept(key: &InstanceKey, layout: &Layout) -> Self {
        Self {
            key: Some(key.clone()),
            guard: Guard::PresentUnchanged,
            row: layout.registration(key),
            own: None,
            rows: layout.instance(key).into(),
        }
    }

    /// What it has of a transaction: its key in each comparison, and twice where it is read.
    fn octets(&self, compares: usize) -> usize {
        (self.row.len() + OVERHEAD_OCTETS) * (compares + 2)
    }

    fn compare(&self, base: u64) -> Vec<Compare> {
        let row = || KeyRange::key(self.row.clone());
        let mut compare = Vec::with_capacity(3);
        if matches!(self.guard, Guard::Present | Guard::PresentUnchanged) {
            compare.push(Compare::present(self.row.clone()));
        }
        if matches!(self.guard, Guard::Unchanged | Guard::PresentUnchanged) {
            compare.push(Compare::unchanged_since(row(), base));
        }
        if let Some(own) = &self.own {
            compare.push(Compare::unchanged_since(KeyRange::key(own.clone()), base));
        }
        compare
    }

    /// The same of the rows that were found.
    fn holds(&self, rows: &[KeyValue], base: u64) -> bool {
        let find = |key: &str| rows.iter().find(|kv| kv.key == key.as_bytes());
        let row = find(&self.row);
        let is_old = |kv: &KeyValue| kv.mod_revision <= base;
        let holds = match self.guard {
            Guard::None => true,
            Guard::Present => row.is_some(),
            Guard::PresentUnchanged => row.is_some_and(is_old),
            Guard::Unchanged => row.is_none_or(is_old),
        };
        holds && self.own.as_ref().is_none_or(|own| find(own).is_none_or(is_old))
    }

    /// From which revision on a server knows that it does not hold: that of the row which says so,
    /// or, of a row that is gone, the store's own.
    fn known_at(&self, rows: &[KeyValue], now: u64) -> u64 {
        let is_there = rows.iter().any(|kv| kv.key == self.row.as_bytes());
        let newest = rows.iter().map(|kv| kv.mod_revision).max().unwrap_or(0);
        if is_there { newest } else { now }
    }
}

pub(super) fn keys_only(keys: KeyRange) -> Op {
    Op::Range(etcd::Range { keys_only: true, ..etcd::Range::of(keys) })
}
