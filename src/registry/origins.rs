//! Who has registered what, by the names that the clients of other registries use.
//!
//! Most scopes (nodes of Consul, applications of Eureka) have a few instances, and there may be as
//! many scopes as instances: those are short lists. One that has many, because everything is
//! registered through one agent, is a map, so that a change does not copy it.
//!
//! Where servers share the store, two of them may have given one origin two names at the same
//! moment: no row of either says so to the store. Then the younger registration has it on all
//! servers, the other one is its rival, and goes as soon as the server has seen it whose task it
//! is.

use std::{net::IpAddr, sync::Arc};

use super::{
    Shards,
    machines::{Machines, NodesAt},
};
use crate::model::{Addresses, Instance, Interface, Origin, Revision, Scope};

/// The instances with an origin, by it. Cloning is cheap, as with [`Shards`].
#[derive(Debug, Clone, Default)]
pub struct Origins {
    scopes: Shards<Scope, OfScope>,
    machines: Machines,
    /// Those whose origin a younger instance has; hardly ever any.
    rivals: Arc<[Arc<Instance>]>,
}

/// What is known of one scope.
#[derive(Debug, Clone)]
struct OfScope {
    ids: Ids,
    /// The revision at which something last happened to one of them.
    changed: Revision,
}

/// The instances of one scope.
#[derive(Debug, Clone)]
enum Ids {
    /// Sorted by id.
    Few(Arc<[Arc<Instance>]>),
    Many(Shards<Arc<str>, Arc<Instance>>),
}

/// From so many on a scope is a map, and stays one until it is empty: to copy the list takes about
/// as long as the arrays of a map by then.
const MANY: usize = 128;

// === impl Origins ===

impl Origins {
    /// Without any yet; `index_addresses` says whether nodes are found by their addresses.
    pub(super) fn new(index_addresses: bool) -> Self {
        Self { machines: Machines::new(index_addresses), ..Self::default() }
    }

    /// The instance that was registered as `id`.
    pub fn get(&self, scope: &Scope, id: &str) -> Option<&Arc<Instance>> {
        match &self.scopes.get(scope)?.ids {
            Ids::Few(list) => list.binary_search_by(|i| id_of(i).cmp(id)).ok().map(|at| &list[at]),
            Ids::Many(map) => map.get(id),
        }
    }

    /// The instances of a scope, in no order.
    pub fn of<'o>(&'o self, scope: &Scope) -> Box<dyn Iterator<Item = &'o Arc<Instance>> + 'o> {
        match self.scopes.get(scope).map(|of| &of.ids) {
            None => Box::new(std::iter::empty()),
            Some(Ids::Few(list)) => Box::new(list.iter()),
            Some(Ids::Many(map)) => Box::new(map.iter().map(|(_, instance)| instance)),
        }
    }

    /// The revision at which something last happened to an instance of a scope; `None` when there
    /// is none.
    pub fn changed(&self, scope: &Scope) -> Option<Revision> {
        self.scopes.get(scope).map(|of| of.changed)
    }

    /// Where a node is: its own registration says so; without one, whatever is on it does. `None`
    /// when there is no such node.
    pub fn address_of(&self, node: &Scope) -> Option<&Addresses> {
        if let Some(own) = self.get(node, "") {
            return Some(&own.addresses);
        }
        self.of(node)
            .find_map(|instance| instance.origin.as_ref()?.node.as_ref())
            .map(|on| &on.addresses)
    }

    /// The nodes that have an address, if they are found by it.
    pub fn nodes_at(&self, ip: &IpAddr) -> Option<&NodesAt> {
        self.machines.at(ip)
    }

    /// Whether there are nodes whose names end in this one (lower case), behind a dot.
    pub fn has_nodes_below(&self, name: &str) -> bool {
        self.machines.has_below(name)
    }

    /// The scopes that have an instance, in no order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter().map(|(scope, _)| scope)
    }

    /// The instances whose origin a younger one has, in no order.
    pub(super) fn rivals(&self) -> &[Arc<Instance>] {
        &self.rivals
    }

    /// The instance of another name that has the origin of this one.
    pub(super) fn other_than(&self, instance: &Instance) -> Option<&Arc<Instance>> {
        let origin = instance.origin.as_deref()?;
        self.get(&origin.scope, &origin.id).filter(|other| !is_named_like(other, instance))
    }

    /// Notes an instance whose origin a younger one has.
    pub(super) fn insert_rival(&mut self, instance: &Arc<Instance>) {
        let others = self.rivals.iter().filter(|other| !is_named_like(other, instance));
        self.rivals = others.chain([instance]).cloned().collect();
    }

    /// Notes an instance to which something happened at a revision, in place of the one with the
    /// same origin, which becomes its rival if it has another name; one without has no place here.
    /// Says whether its scope is new.
    pub(super) fn insert(&mut self, instance: &Arc<Instance>, at: Revision) -> bool {
        let Some(Origin { scope, id, .. }) = instance.origin.as_deref() else { return false };
        if let Some(other) = self.other_than(instance).cloned() {
            self.insert_rival(&other);
        }
        self.remove_rival(instance);
        let was_at = self.place_of(scope);
        let before = self.scopes.get(scope).map(|of| &of.ids);
        let ids = match before {
            None => Ids::Few([Arc::clone(instance)].into()),
            Some(Ids::Many(map)) => {
                let mut map = map.clone();
                map.insert(Arc::clone(id), Arc::clone(instance));
                Ids::Many(map)
            }
            Some(Ids::Few(list)) => {
                let mut list = list.to_vec();
                match list.binary_search_by(|other| id_of(other).cmp(id)) {
                    Ok(at) => list[at] = Arc::clone(instance),
                    Err(at) => list.insert(at, Arc::clone(instance)),
                }
                if list.len() < MANY { Ids::Few(list.into()) } else { many(list) }
            }
        };
        let is_new = before.is_none();
        self.scopes.insert(scope.clone(), OfScope { ids, changed: at });
        self.note_node(scope, was_at.as_ref(), is_new);
        is_new
    }

    /// Forgets an instance at a revision, and says whether it was the last of its scope.
    pub(super) fn remove(&mut self, instance: &Instance, at: Revision) -> bool {
        let Some(origin) = instance.origin.as_deref() else { return false };
        self.remove_rival(instance);
        if self.other_than(instance).is_some() {
            return false;
        }
        let was_at = self.place_of(&origin.scope);
        let ids = match self.scopes.get(&origin.scope).map(|of| &of.ids) {
            None => return false,
            Some(Ids::Many(map)) => {
                let mut map = map.clone();
                map.remove(&origin.id);
                (!map.is_empty()).then_some(Ids::Many(map))
            }
            Some(Ids::Few(list)) => {
                let left = list.iter().filter(|instance| id_of(instance) != &*origin.id);
                let left: Arc<[_]> = left.cloned().collect();
                (!left.is_empty()).then_some(Ids::Few(left))
            }
        };
        let is_gone = ids.is_none();
        match ids {
            Some(ids) => self.scopes.insert(origin.scope.clone(), OfScope { ids, changed: at }),
            None => self.scopes.remove(&origin.scope),
        }
        self.note_node(&origin.scope, was_at.as_ref(), is_gone);
        is_gone
    }

    fn remove_rival(&mut self, instance: &Instance) {
        if self.rivals.iter().any(|other| is_named_like(other, instance)) {
            let others = self.rivals.iter().filter(|other| !is_named_like(other, instance));
            self.rivals = others.cloned().collect();
        }
    }

    /// Where a node is, if anybody asks for that.
    fn place_of(&self, scope: &Scope) -> Option<Addresses> {
        let is_asked_for = self.machines.has_addresses() && scope.interface == Interface::Consul;
        is_asked_for.then(|| self.address_of(scope).cloned()).flatten()
    }

    /// Notes what a change has made of a node: whether it is where it was, and whether it came or
    /// went.
    fn note_node(&mut self, scope: &Scope, was_at: Option<&Addresses>, is_new_or_gone: bool) {
        if scope.interface != Interface::Consul {
            return;
        }
        let is_at = self.place_of(scope);
        self.machines.move_to(&scope.name, was_at, is_at.as_ref());
        if is_new_or_gone {
            self.machines.note(&scope.name, self.scopes.get(scope).is_some());
        }
    }
}

fn many(list: Vec<Arc<Instance>>) -> Ids {
    let mut map = Shards::default();
    for instance in list {
        if let Some(origin) = &instance.origin {
            map.insert(Arc::clone(&origin.id), Arc::clone(&instance));
        }
    }
    Ids::Many(map)
}

fn is_named_like(one: &Instance, other: &Instance) -> bool {
    (&one.id, &one.service) == (&other.id, &other.service)
}

fn id_of(instance: &Instance) -> &str {
    instance.origin.as_ref().map_or("", |origin| &origin.id)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::{collection::vec, prelude::*};

    use super::{MANY, Origins, id_of};
    use crate::{
        model::{Instance, Revision, Scope},
        registry::testing,
    };

    fn instance(scope: &Scope, id: u16) -> Arc<Instance> {
        let own = testing::instance(&format!("web/i-{id}"), "10.0.0.1");
        Arc::new(testing::from_elsewhere(own, scope.clone(), &id.to_string()))
    }

    proptest! {
        #[test]
        fn is_a_map_of_maps(
            steps in vec((0..3_u8, 0..3 * u16::try_from(MANY).unwrap(), prop::bool::weighted(0.7)),
                0..600)
        ) {
            let (mut ours, mut model) = (Origins::default(), BTreeMap::new());
            for (scope, id, is_there) in steps {
                let (name, scope) = (scope, Scope::node(&scope.to_string()));
                let instance = instance(&scope, id);
                let in_scope = |model: &BTreeMap<(u8, String), Arc<Instance>>| {
                    model.keys().filter(|key| key.0 == name).count()
                };
                let key = (name, id.to_string());
                if is_there {
                    let is_new = in_scope(&model) == 0;
                    prop_assert_eq!(ours.insert(&instance, Revision(1)), is_new);
                    model.insert(key.clone(), Arc::clone(&instance));
                } else {
                    let was_there = model.remove(&key).is_some();
                    let is_gone = was_there && in_scope(&model) == 0;
                    prop_assert_eq!(ours.remove(&instance, Revision(1)), is_gone);
                }
                prop_assert_eq!(ours.get(&scope, &key.1), model.get(&key));
                let mut all: Vec<_> = ours.of(&scope).map(|i| id_of(i).to_owned()).collect();
                all.sort_unstable();
                let expected: Vec<_> =
                    model.keys().filter(|key| key.0 == name).map(|key| key.1.clone()).collect();
                prop_assert_eq!(all, expected);
            }
        }
    }
}
