//! The first snapshot, made from what the store has kept. Pure.
//!
//! One service after the other: beside what stays there is never more than one of them in the
//! making, and what stays lies together in memory.

use std::{collections::BTreeMap, iter, sync::Arc};

use super::{Loaded, Member, Options, Origins, ServiceEntry, Snapshot, draft::node_state, index};
use crate::model::{Invalid, Policy, Revision, ServiceName, Status};

/// Builds the world as it was. Last known states are kept: the answers after a restart are those
/// from before it.
///
/// # Errors
/// When an instance is there twice.
pub(super) fn restore(loaded: Loaded, options: &Options) -> Result<Snapshot, Invalid> {
    let Loaded { revision, mut members, policies } = loaded;
    let mut policies: BTreeMap<ServiceName, Policy> = policies.into_iter().collect();
    let (changed, names_changed, nodes_changed) = (revision, revision, revision);
    let mut snapshot =
        Snapshot { revision, changed, names_changed, nodes_changed, ..Snapshot::default() };
    // A store hands them over sorted.
    if !members.is_sorted_by(|a, b| in_order(a) <= in_order(b)) {
        members.sort_unstable_by(|a, b| in_order(a).cmp(&in_order(b)));
    }
    let double = members.windows(2).find(|pair| in_order(&pair[0]) == in_order(&pair[1]));
    if let Some(double) = double {
        return Err(Invalid::new("instance", double[0].key(), "is there twice"));
    }
    snapshot.origins = Origins::new(options.index_addresses);
    put_nodes(&mut snapshot, &mut members);
    let mut members = members.into_iter().peekable();
    while let Some(first) = members.next() {
        let name = first.instance.service.clone();
        let rest = iter::from_fn(|| members.next_if(|member| member.instance.service == name));
        let members: Box<[Arc<Member>]> = iter::once(first).chain(rest).map(Arc::new).collect();
        members.iter().for_each(|member| snapshot.counts.add(member));
        let policy = policies.remove(&name);
        let modified = members.iter().map(|member| member.modified).max().unwrap_or(revision);
        put(&mut snapshot, options, (name, policy, modified, members));
    }
    for (name, policy) in policies {
        put(&mut snapshot, options, (name, Some(policy), revision, Box::default()));
    }
    Ok(snapshot)
}

/// Takes the nodes out of the members, and notes who was registered elsewhere as what.
fn put_nodes(snapshot: &mut Snapshot, members: &mut Vec<Member>) {
    for node in members.extract_if(.., |member| member.instance.service.is_nodes()) {
        let other = snapshot.origins.other_than(&node.instance);
        let other = other.and_then(|other| snapshot.nodes.get(&other.id));
        note_origin(&mut snapshot.origins, &node, other.map(AsRef::as_ref), snapshot.revision);
        snapshot.followers.update(None, Some(&node));
        snapshot.nodes.insert(node.instance.id.clone(), Arc::new(node));
    }
    for at in 0..members.len() {
        let member = &mut members[at];
        snapshot.followers.update(None, Some(member));
        let Some(origin) = &member.instance.origin else { continue };
        let node = snapshot.origins.get(&origin.scope, "");
        let node = node.and_then(|node| snapshot.nodes.get(&node.id));
        member.node_status = node.map_or(Status::Passing, |node| node_state(node));
        member.status = member.worst();
        let member = &members[at];
        let other = snapshot.origins.other_than(&member.instance);
        let other = other.map(|other| (other.service.as_str(), other.id.as_str()));
        let other = other
            .and_then(|other| members.binary_search_by(|member| in_order(member).cmp(&other)).ok());
        let other = other.map(|other| &members[other]);
        note_origin(&mut snapshot.origins, member, other, snapshot.revision);
    }
}

/// Notes where a member was registered, and who has that of two.
fn note_origin(origins: &mut Origins, member: &Member, other: Option<&Member>, at: Revision) {
    if other.is_none_or(|other| member.is_younger_than(other)) {
        origins.insert(&member.instance, at);
    } else {
        origins.insert_rival(&member.instance);
    }
}

fn in_order(member: &Member) -> (&str, &str) {
    (member.instance.service.as_str(), member.instance.id.as_str())
}

fn put(
    snapshot: &mut Snapshot,
    options: &Options,
    (name, policy, modified, members): (ServiceName, Option<Policy>, Revision, Box<[Arc<Member>]>),
) {
    // What was removed last may have been newer than all that is left: who waits for a change is
    // answered once more rather than left without one that happened.
    let revisions = (modified, snapshot.revision);
    let entry = ServiceEntry::new(name.clone(), policy, options.default_policy, revisions, members);
    index::update_tags(&mut snapshot.tags, None, Some(&entry));
    if options.index_addresses {
        index::update_addresses(&mut snapshot.by_address, None, Some(&entry));
    }
    snapshot.services.insert(name, Arc::new(entry));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::restore;
    use crate::{
        model::{Instance, InstanceId, Revision, Scope, ServiceName, Status, Timestamp},
        registry::{Loaded, Member, Options, testing},
    };

    #[test]
    fn nodes_and_what_is_on_them_are_as_they_were() {
        let on_node = |name: &str, node: &str, id: &str| {
            testing::from_elsewhere(testing::instance(name, "10.0.0.1"), Scope::node(node), id)
        };
        let member =
            |instance: Instance| Member::new(Arc::new(instance), Revision(3), Timestamp(0));
        let (service, id) = (ServiceName::nodes(), InstanceId::derived("n"));
        let node = Instance { service, id, ..on_node("web/x", "n", "") };
        let mut ill = Member { status: Status::Critical, ..member(node) };
        ill.drained = true;
        let members = ["n", "m"].map(|node| member(on_node(&format!("web/{node}"), node, "a")));
        let members = members.into_iter().chain([ill]).collect();
        let loaded = Loaded { revision: Revision(7), members, policies: vec![] };
        let snapshot = restore(loaded, &Options::default()).unwrap();
        let status = |id: &str| snapshot.service("web").unwrap().member(id).unwrap().status;
        assert_eq!((status("n"), status("m")), (Status::Critical, Status::Passing));
        assert_eq!((snapshot.counts.instances(), snapshot.nodes.len()), (2, 1));
        assert_eq!(snapshot.origins.get(&Scope::node("m"), "a").unwrap().id.as_str(), "m");
        assert!(snapshot.service("_nodes").is_none());
    }

    /// A client that had seen a service before its newest instance was removed waited for the
    /// change after that one.
    #[test]
    fn no_service_seems_older_than_what_was_removed_of_it() {
        let instance = Arc::new(testing::instance("web/a", "10.0.0.1"));
        let members = vec![Member::new(instance, Revision(5), Timestamp(0))];
        let loaded = Loaded { revision: Revision(10), members, policies: vec![] };
        let snapshot = restore(loaded, &Options::default()).unwrap();
        let service = snapshot.service("web").unwrap();
        assert_eq!((service.changed, service.modified), (Revision(10), Revision(5)));
    }
}
