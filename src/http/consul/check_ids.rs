//! Whose a check is, by its id.
//!
//! Ids are unique on a node. Nearly all are made of their service's, which is looked up; any other
//! one stands in a document only, and to find it there would take reading all of a node's. So there
//! is an index of those. It is made of the registry's documents when it is first asked, and kept up
//! by what has happened since, when it is asked again: who never asks for such an id pays nothing.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::kept::{Kept, KeptCheck, KeptNode};
use crate::{
    model::{Instance, InstanceKey, Interface, Revision, Scope},
    registry::{Registry, Snapshot},
};

/// Events that are taken from the ring at once: as many as it takes to make its lock cheap.
const BATCH: usize = 4_096;

/// The index; clones share it. As long as the registry's documents, which have limits.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct CheckIds(Arc<Mutex<Index>>);

#[derive(Debug, Default)]
struct Index {
    /// Of which revision it is; `None` before it is made.
    at: Option<Revision>,
    owners: HashMap<(Scope, Arc<str>), InstanceKey>,
    /// What each owner has in `owners`.
    ids: HashMap<InstanceKey, (Scope, Vec<Arc<str>>)>,
}

// === impl CheckIds ===

impl CheckIds {
    /// The service or the node on which the check of that id is in `snapshot`.
    pub(super) fn owner(
        &self,
        (registry, snapshot): (&Registry, &Snapshot),
        scope: &Scope,
        id: &str,
    ) -> Option<InstanceKey> {
        let mut index = self.0.lock();
        if index.at > Some(snapshot.revision) {
            // Somebody has looked at a later moment already: this one is read by itself.
            let mut all = snapshot.origins.of(scope);
            return all.find(|it| own_ids(it).any(|own| &*own == id)).map(|it| it.key());
        }
        index.follow(registry, snapshot);
        index.owners.get(&(scope.clone(), id.into())).cloned()
    }
}

// === impl Index ===

impl Index {
    /// Brings it to the moment of `snapshot`.
    fn follow(&mut self, registry: &Registry, snapshot: &Snapshot) {
        let Some(mut since) = self.at else { return self.make(snapshot) };
        while since < snapshot.revision {
            let Ok((events, until)) = registry.events().after(since, BATCH) else {
                return self.make(snapshot);
            };
            for key in events.iter().filter_map(|event| event.kind.key()) {
                self.read(key, snapshot);
            }
            since = until.max(Revision(since.0 + 1));
        }
        self.at = Some(snapshot.revision);
    }

    fn make(&mut self, snapshot: &Snapshot) {
        *self = Self { at: Some(snapshot.revision), ..Self::default() };
        for scope in snapshot.origins.scopes().filter(|scope| scope.interface == Interface::Consul)
        {
            snapshot.origins.of(scope).for_each(|instance| self.add(instance));
        }
    }

    /// Reads one instance anew.
    fn read(&mut self, key: &InstanceKey, snapshot: &Snapshot) {
        if let Some((scope, ids)) = self.ids.remove(key) {
            for id in ids {
                let named = (scope.clone(), id);
                // Perhaps another one has it by now.
                if self.owners.get(&named) == Some(key) {
                    self.owners.remove(&named);
                }
            }
        }
        if let Some(member) = snapshot.member(key) {
            self.add(&member.instance);
        }
    }

    fn add(&mut self, instance: &Instance) {
        let ids: Vec<Arc<str>> = own_ids(instance).collect();
        let Some(origin) = instance.origin.as_ref().filter(|_| !ids.is_empty()) else { return };
        let key = instance.key();
        for id in &ids {
            self.owners.insert((origin.scope.clone(), Arc::clone(id)), key.clone());
        }
        self.ids.insert(key, (origin.scope.clone(), ids));
    }
}

/// The ids of an instance's or a node's checks that are not made of its own.
fn own_ids(instance: &Instance) -> impl Iterator<Item = Arc<str>> {
    let checks: Vec<KeptCheck> = if instance.service.is_nodes() {
        KeptNode::of(instance).map(|kept| kept.checks).unwrap_or_default()
    } else {
        Kept::of(instance).map(|kept| kept.checks).unwrap_or_default()
    };
    checks.into_iter().filter(|check| !check.id.is_empty()).map(|check| check.id.into())
}

#[cfg(test)]
mod tests {
    use super::CheckIds;
    use crate::{
        http::{Options, tests::support::Door},
        model::Scope,
    };

    const REGISTER: &str = "/v1/agent/service/register";

    async fn put(door: &Door, path: &str, body: &str) {
        let reply = door.call("PUT", path, body).await;
        assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
    }

    /// Whose the check `x` is on the node of the tests.
    fn owner(ids: &CheckIds, door: &Door) -> String {
        let (registry, scope) = (&door.running.registry, Scope::node("ip-192-0-2-7"));
        let owner = ids.owner((registry, &registry.snapshot()), &scope, "x");
        owner.map(|key| key.to_string()).unwrap_or_default()
    }

    #[tokio::test]
    async fn the_index_follows_what_happens() {
        let (door, ids) = (Door::open(Options::default()), CheckIds::default());
        let web = r#"{"Name":"web","Check":{"CheckID":"x","TTL":"60s"}}"#;
        assert_eq!(owner(&ids, &door), "");
        put(&door, REGISTER, web).await;
        put(&door, REGISTER, r#"{"Name":"api","Check":{"TTL":"60s"}}"#).await;
        let before = door.running.registry.snapshot();
        assert_eq!(owner(&ids, &door), "web/web");
        let on_api = r#"{"ID":"x","Name":"x","ServiceID":"api","TTL":"60s"}"#;
        put(&door, "/v1/agent/check/register", on_api).await;
        assert_eq!(owner(&ids, &door), "api/api", "it went over");
        assert_eq!(owner(&CheckIds::default(), &door), "api/api", "made anew it is the same");
        let scope = Scope::node("ip-192-0-2-7");
        let then = ids.owner((&door.running.registry, &before), &scope, "x").unwrap();
        assert_eq!(then.to_string(), "web/web", "an older moment is what it was");
        put(&door, "/v1/agent/service/deregister/api", "").await;
        assert_eq!(owner(&ids, &door), "");
        put(&door, "/v1/agent/check/register", r#"{"ID":"x","Name":"x","TTL":"60s"}"#).await;
        assert!(owner(&ids, &door).starts_with("_nodes/"));
        put(&door, "/v1/agent/check/deregister/x", "").await;
        assert_eq!(owner(&ids, &door), "");
    }
}
