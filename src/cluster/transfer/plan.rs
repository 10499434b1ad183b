//! Which operations put an export into the place of what is there, in which transactions. Pure.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::{
    cluster::layout::{Author, Layout, RowKey, TooLarge, Write},
    model::{InstanceKey, Policy, ServiceName},
    registry::{Edit, Guard, Loaded, Member, Registration},
};

/// What is there before.
#[derive(Debug, Default)]
pub(super) struct There(pub(super) HashSet<RowKey>);

/// What is done about one instance or service: in one transaction, or its parts would be seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step(pub(super) Vec<Write>);

/// A transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// What it does.
    pub(super) writes: Vec<Write>,
    /// How many steps that are.
    pub(super) steps: usize,
    octets: usize,
}

/// Packs steps into as few transactions as etcd lets.
pub(super) struct Batches<I: Iterator<Item = Step>>(std::iter::Peekable<I>);

/// Operations of one transaction: what etcd takes unless told otherwise (`--max-txn-ops`).
const BATCH_OPS_MAX: usize = 128;
/// Octets of one: two thirds of what etcd takes (`--max-request-bytes`); a step that is larger
/// goes by itself.
const BATCH_OCTETS_MAX: usize = 1 << 20;

// === impl There ===

impl There {
    /// How many instances there are, and how many policies.
    pub(super) fn counts(&self) -> (usize, usize) {
        let is_policy = |row: &&RowKey| matches!(row, RowKey::Policy(_));
        let policies = self.0.iter().filter(is_policy).count();
        let instances: HashSet<&InstanceKey> = self.0.iter().filter_map(key_of).collect();
        (instances.len(), policies)
    }

    /// What is to go because the export does not have it: nodes after what is on them.
    pub(super) fn beside(&self, loaded: &Loaded) -> Vec<RowKey> {
        let kept: HashSet<InstanceKey> = loaded.members.iter().map(Member::key).collect();
        let with_policy: HashSet<_> = loaded.policies.iter().map(|(service, _)| service).collect();
        let mut gone: HashSet<RowKey> = HashSet::new();
        for row in &self.0 {
            match row {
                RowKey::Policy(service) => {
                    if !with_policy.contains(service) {
                        gone.insert(row.clone());
                    }
                }
                RowKey::Opinion(..) => {} // gone with its server
                RowKey::Registration(key) | RowKey::Health(key) | RowKey::Drained(key) => {
                    if !kept.contains(key) {
                        gone.insert(RowKey::Registration(key.clone()));
                    }
                }
            }
        }
        let mut gone: Vec<RowKey> = gone.into_iter().collect();
        gone.sort_by_cached_key(|row| (key_of(row).is_some_and(is_node), row.to_string()));
        gone
    }
}

fn key_of(row: &RowKey) -> Option<&InstanceKey> {
    match row {
        RowKey::Registration(key) | RowKey::Health(key) | RowKey::Drained(key) => Some(key),
        RowKey::Opinion(..) | RowKey::Policy(_) => None,
    }
}

fn is_node(key: &InstanceKey) -> bool {
    key.service.is_nodes()
}

// === impl Step ===

impl Step {
    /// Registers an instance as it is in an export, in place of what is there.
    pub(super) fn put(
        layout: &Layout,
        member: &Member,
        there: &There,
        author: &Author<'_>,
    ) -> Result<Self, TooLarge> {
        let (key, guard) = (member.key(), Guard::None);
        let (health, drained) = (RowKey::Health(key.clone()), RowKey::Drained(key.clone()));
        let registration = Registration {
            instance: Arc::clone(&member.instance),
            registered: None,
            registered_at: member.registered_at,
            since: (member.since != member.registered_at).then_some(member.since),
            created: None,
            checks: Some(member.checks.clone()),
        };
        let to = Box::new(registration);
        let mut writes =
            vec![layout.encode(&Edit::Register { key: key.clone(), to, guard }, author)?];
        // It is of the registration before, and would mean nothing.
        if there.0.contains(&health) {
            writes.push(Write::Delete { key: layout.row(&health) });
        }
        if member.drained || there.0.contains(&drained) {
            let on = member.drained;
            writes.push(layout.encode(&Edit::Drain { key, on, guard }, author)?);
        }
        Ok(Self(writes))
    }

    /// Sets a policy.
    pub(super) fn set(
        layout: &Layout,
        service: &ServiceName,
        policy: Policy,
        author: &Author<'_>,
    ) -> Result<Self, TooLarge> {
        let edit = Edit::Policy { service: service.clone(), to: Some(policy) };
        Ok(Self(vec![layout.encode(&edit, author)?]))
    }

    /// Removes an instance with all its rows, or a policy.
    pub(super) fn remove(layout: &Layout, row: &RowKey) -> Self {
        Self(vec![match key_of(row) {
            Some(key) => Write::DeleteAll(layout.instance(key)),
            None => Write::Delete { key: layout.row(row) },
        }])
    }

    fn octets(&self) -> usize {
        self.0.iter().map(Write::octets).sum()
    }
}

// === impl Batches ===

impl<I: Iterator<Item = Step>> Batches<I> {
    pub(super) fn new(steps: impl IntoIterator<IntoIter = I>) -> Self {
        Self(steps.into_iter().peekable())
    }
}

impl<I: Iterator<Item = Step>> Iterator for Batches<I> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let fits = |batch: &Batch, step: &Step| {
            batch.steps == 0
                || batch.writes.len() + step.0.len() <= BATCH_OPS_MAX
                    && batch.octets + step.octets() <= BATCH_OCTETS_MAX
        };
        while let Some(step) = self.0.next_if(|step| fits(&batch, step)) {
            batch.steps += 1;
            batch.octets += step.octets();
            batch.writes.extend(step.0);
        }
        (batch.steps > 0).then_some(batch)
    }
}
