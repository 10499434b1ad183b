//! Drafts against a plain model, and snapshots against a rebuild from what the store would have.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use proptest::{collection::vec, prelude::*};

use super::{
    OPTIONS,
    steps::{any_step, take},
};
use crate::{
    model::{InstanceId, InstanceKey, Policy, Revision, Scope, ServiceName, Tag, Timestamp},
    registry::{
        Change, Loaded, Member, ServiceEntry, Snapshot,
        draft::{Draft, Finished},
        restore::restore,
    },
};

/// The rows that a store would hold.
#[derive(Debug, Default)]
struct Rows {
    members: BTreeMap<InstanceKey, Member>,
    policies: BTreeMap<ServiceName, Policy>,
}

impl Rows {
    fn take(&mut self, changes: &[Change]) {
        for change in changes {
            match change.clone() {
                Change::DeleteMember(key) => drop(self.members.remove(&key)),
                Change::DeletePolicy(name) => drop(self.policies.remove(&name)),
                Change::PutMember(member) => {
                    drop(self.members.insert(member.key(), Member::clone(&member)));
                }
                Change::PutPolicy(name, policy) => drop(self.policies.insert(name, policy)),
            }
        }
    }

    fn load(&self, revision: Revision) -> Loaded {
        let policies = self.policies.iter().map(|(name, policy)| (name.clone(), *policy)).collect();
        Loaded { revision, members: self.members.values().cloned().collect(), policies }
    }
}

/// Everything that a reader could see, in an order that can be compared.
fn picture(snapshot: &Snapshot) -> impl PartialEq + std::fmt::Debug + use<> {
    let service = |entry: &ServiceEntry| {
        let own = (entry.policy, entry.has_own_policy);
        let by_tag: Vec<_> = entry.tags().map(|(tag, some)| (tag.clone(), some.clone())).collect();
        (own, entry.members.clone(), entry.all.clone(), by_tag)
    };
    let services: BTreeMap<ServiceName, _> =
        snapshot.services.iter().map(|(name, entry)| (name.clone(), service(entry))).collect();
    let tags: BTreeMap<Tag, u32> =
        snapshot.tags.iter().map(|(tag, count)| (tag.clone(), *count)).collect();
    let addresses: BTreeMap<IpAddr, BTreeSet<InstanceKey>> = snapshot
        .by_address
        .iter()
        .map(|(ip, keys)| (*ip, keys.iter().cloned().collect()))
        .collect();
    let nodes: BTreeMap<InstanceId, Arc<Member>> =
        snapshot.nodes.iter().map(|(id, node)| (id.clone(), Arc::clone(node))).collect();
    let names: BTreeMap<(Scope, String), (InstanceKey, BTreeSet<InstanceKey>)> = (0..2)
        .flat_map(|node| ["", "c0", "c1", "c2"].map(|id| (Scope::node(&format!("n{node}")), id)))
        .filter_map(|(scope, id)| {
            let followers = snapshot.followers.of(&scope, &id.into()).into_iter().collect();
            let key = snapshot.origins.get(&scope, id)?.key();
            Some(((scope, id.to_owned()), (key, followers)))
        })
        .collect();
    (snapshot.revision, snapshot.counts, services, tags, addresses, nodes, names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any sequence of commands, in batches of any size, kept by a store and restored from it,
    /// gives the snapshot that was reached step by step.
    #[test]
    fn what_the_store_keeps_restores_the_same_snapshot(
        batches in vec(vec(any_step(true), 1..6), 1..12)
    ) {
        let (mut snapshot, mut rows) = (Snapshot::default(), Rows::default());
        for (at, batch) in (1_u64..).zip(&batches) {
            let mut draft = Draft::new(&snapshot, &OPTIONS, Timestamp(at));
            for step in batch {
                take(&mut draft, step, &snapshot);
            }
            let Finished { next, changes, events, .. } = draft.finish();
            prop_assert!(next.revision >= snapshot.revision, "revisions only grow");
            prop_assert!(events.iter().all(|e| e.revision > snapshot.revision));
            prop_assert!(events.is_sorted_by_key(|e| e.revision));
            prop_assert!(changes.is_empty() == (next.revision == snapshot.revision));
            rows.take(&changes);
            snapshot = next;
            let restored = restore(rows.load(snapshot.revision), &OPTIONS).unwrap();
            prop_assert_eq!(picture(&restored), picture(&snapshot));
        }
    }

    /// A batch in one draft and the same commands in a draft each reach the same world. Aliases are
    /// settled once a batch, at revisions of their own.
    #[test]
    fn a_batch_is_its_commands_in_order(steps in vec(any_step(false), 1..20)) {
        let empty = Snapshot::default();
        let mut together = Draft::new(&empty, &OPTIONS, Timestamp(1));
        let mut singly = Snapshot::default();
        for step in &steps {
            // Both take reports for the registration as it is after the steps before.
            let mut draft = Draft::new(&singly, &OPTIONS, Timestamp(1));
            take(&mut together, step, &singly);
            take(&mut draft, step, &singly);
            singly = draft.finish().next;
        }
        prop_assert_eq!(picture(&together.finish().next), picture(&singly));
    }
}
