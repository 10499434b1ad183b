//! The immutable world that readers see: every service with its prepared answers.

use std::{net::IpAddr, sync::Arc};

use super::{Followers, Holders, Member, Origins, Selection, Shards, Steps};
use crate::model::{
    Instance, InstanceId, InstanceKey, Interface, Policy, Revision, ServiceName, Status, Tag,
};

/// All services at one revision. Cloning is cheap; a clone with changes is the next snapshot.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The revision of the last change that is in it.
    pub revision: Revision,
    /// The revision of the store that servers share, up to which all its changes are in; `None`
    /// when nothing is shared.
    pub shared: Option<Revision>,
    /// What this server shows by itself, where the store is shared.
    pub steps: Steps,
    /// How many instances there are, by state.
    pub counts: Counts,
    /// The services by name. A service is here while it has an instance or a policy.
    pub services: Shards<ServiceName, Arc<ServiceEntry>>,
    /// The nodes that have a state of their own: their members' names are derived from theirs.
    pub nodes: Shards<InstanceId, Arc<Member>>,
    /// The instances that came by another door than the native one, by what they are called there.
    pub origins: Origins,
    /// Those with an `alias` check, by whom it names.
    pub followers: Followers,
    /// The revision at which something last happened to an instance or a node: of its last event.
    pub changed: Revision,
    /// The revision at which a service or a tag of one was last new or gone.
    pub names_changed: Revision,
    /// The revision at which a node was last new, changed or gone.
    pub nodes_changed: Revision,
    /// How many services have an instance with the tag: which `_tag` names exist at the apex.
    pub tags: Shards<Tag, u32>,
    /// Which instances have the address; kept only when reverse zones are configured.
    pub by_address: Shards<IpAddr, Holders<InstanceKey>>,
}

/// One service, ready to be answered.
#[derive(Debug, Clone)]
pub struct ServiceEntry {
    /// Its name.
    pub name: ServiceName,
    /// The policy it is answered by: its own, or the default.
    pub policy: Policy,
    /// Whether the policy is its own.
    pub has_own_policy: bool,
    /// The revision of its last change.
    pub modified: Revision,
    /// The revision at which something last happened to it: of its last event. What a check says is
    /// none as long as its state is the same.
    pub changed: Revision,
    /// Its instances, sorted by name.
    pub members: Box<[Arc<Member>]>,
    /// What `S` answers.
    pub all: Selection,
    /// What `T.S` answers, sorted by tag; each tag that any instance carries, healthy or not.
    /// `None` stands for what `S` answers: a tag that all carry, as most do, costs nothing twice.
    by_tag: Box<[(Tag, Option<Box<Selection>>)]>,
}

/// Numbers of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Instances that are passing.
    pub passing: usize,
    /// Instances that are warning.
    pub warning: usize,
    /// Instances that are critical.
    pub critical: usize,
    /// Of all these, those that are drained.
    pub drained: usize,
    /// Of all these, those that are held in the answers although silent.
    pub suspect: usize,
    /// Of all these, those that came by Consul's interface.
    pub consul: usize,
    /// Of all these, those that came by Eureka's.
    pub eureka: usize,
}

// === impl Snapshot ===

impl Snapshot {
    /// Whether the change of that revision is in, or what came after it: one that this or, where
    /// the state is shared, any other server has replied with.
    pub fn has_seen(&self, revision: Revision) -> bool {
        match self.shared {
            None => self.revision >= revision,
            Some(shared) => shared.shared_part() >= revision.shared_part(),
        }
    }

    /// Whether another server has come further, which has given out that revision. After the store
    /// went back to a copy what this server gave out itself is not ahead, whatever the store says.
    pub fn is_behind(&self, revision: Revision) -> bool {
        revision > self.revision && !self.has_seen(revision)
    }

    /// The number of the last change that all servers show alike, for SOA records: of the store
    /// that is shared, if one is.
    pub fn serial(&self) -> u64 {
        self.shared.map_or(self.revision.0, Revision::shared_part)
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Arc<ServiceEntry>> {
        self.services.get(name)
    }

    /// All instances and nodes, in no order.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        let instances = self.services.iter().flat_map(|(_, entry)| &entry.members);
        instances.chain(self.nodes.iter().map(|(_, node)| node))
    }

    /// The instance with that key, or the node.
    pub fn member(&self, key: &InstanceKey) -> Option<&Arc<Member>> {
        self.find(&key.service, &key.id)
    }

    /// What is known of the instance, or the node, that has the names of this one.
    pub fn member_like(&self, instance: &Instance) -> Option<&Arc<Member>> {
        self.find(&instance.service, &instance.id)
    }

    /// Whether what is registered is there as it is.
    pub(super) fn has_same(&self, instance: &Arc<Instance>) -> bool {
        self.member_like(instance).is_some_and(|member| member.instance == *instance)
    }

    /// Whether an active check of the instance, or of the node that it is on, has found it dead.
    pub(super) fn is_found_dead(&self, key: &InstanceKey) -> bool {
        let Some(member) = self.member(key) else { return false };
        let origin = member.instance.origin.as_ref();
        let node = origin.and_then(|origin| self.origins.get(&origin.scope, ""));
        let node = node.and_then(|node| self.member_like(node));
        member.is_found_dead() || node.is_some_and(|node| node.is_found_dead())
    }

    fn find(&self, service: &ServiceName, id: &InstanceId) -> Option<&Arc<Member>> {
        if service.is_nodes() {
            return self.nodes.get(id.as_str());
        }
        self.service(service.as_str())?.member(id.as_str())
    }
}

// === impl ServiceEntry ===

impl ServiceEntry {
    /// Prepares the answers of a service that was modified and changed at these revisions;
    /// `members` are sorted by name.
    pub fn new(
        name: ServiceName,
        own_policy: Option<Policy>,
        default_policy: Policy,
        (modified, changed): (Revision, Revision),
        members: Box<[Arc<Member>]>,
    ) -> Self {
        debug_assert!(members.is_sorted_by_key(|m| &m.instance.id), "members are sorted by name");
        let policy = own_policy.unwrap_or(default_policy);
        let count = u32::try_from(members.len()).expect("a service has at most 10,000 instances");
        let everyone: Vec<u32> = (0..count).collect();
        let all = Selection::new(&members, &everyone, &policy);
        let mut carried: Vec<(&Tag, u32)> = Vec::new();
        for (member, index) in members.iter().zip(0..) {
            carried.extend(member.instance.tags.iter().map(|tag| (tag, index)));
        }
        carried.sort_unstable();
        let by_tag = carried
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| {
                let carriers: Vec<u32> = same.iter().map(|&(_, index)| index).collect();
                let some = || Box::new(Selection::new(&members, &carriers, &policy));
                (same[0].0.clone(), (carriers.len() < members.len()).then(some))
            })
            .collect();
        let has_own_policy = own_policy.is_some();
        Self { name, policy, has_own_policy, modified, changed, members, all, by_tag }
    }

    /// The instance of that name.
    pub fn member(&self, id: &str) -> Option<&Arc<Member>> {
        let at = self.members.binary_search_by(|m| m.instance.id.as_str().cmp(id)).ok()?;
        Some(&self.members[at])
    }

    /// The tags that its instances carry, sorted, each with what `tag.S` answers.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = (&Tag, &Selection)> {
        self.by_tag.iter().map(|(tag, some)| (tag, some.as_deref().unwrap_or(&self.all)))
    }

    /// What the name `tag.S` answers; `None` when no instance carries the tag.
    pub fn tagged(&self, tag: &str) -> Option<&Selection> {
        let at = self.by_tag.binary_search_by(|(t, _)| t.as_str().cmp(tag)).ok()?;
        Some(self.by_tag[at].1.as_deref().unwrap_or(&self.all))
    }

    /// What a name with several tags answers: the instances that carry them all. `None` when
    /// there is none. Allocates; for the full path.
    pub fn tagged_all(&self, tags: &[&str]) -> Option<Selection> {
        let carries = |member: &Member, tag: &str| {
            member.instance.tags.binary_search_by(|t| t.as_str().cmp(tag)).is_ok()
        };
        let chosen: Vec<u32> = self
            .members
            .iter()
            .zip(0..)
            .filter(|(member, _)| tags.iter().all(|tag| carries(member, tag)))
            .map(|(_, index)| index)
            .collect();
        (!chosen.is_empty()).then(|| Selection::new(&self.members, &chosen, &self.policy))
    }
}

// === impl Counts ===

impl Counts {
    /// All instances.
    pub fn instances(&self) -> usize {
        self.passing + self.warning + self.critical
    }

    /// Counts one instance more.
    pub fn add(&mut self, member: &Member) {
        *self.of(member.status) += 1;
        self.drained += usize::from(member.drained);
        self.suspect += usize::from(member.suspect);
        if let Some(count) = self.of_interface(member) {
            *count += 1;
        }
    }

    /// Counts one instance less.
    pub fn remove(&mut self, member: &Member) {
        *self.of(member.status) -= 1;
        self.drained -= usize::from(member.drained);
        self.suspect -= usize::from(member.suspect);
        if let Some(count) = self.of_interface(member) {
            *count -= 1;
        }
    }

    fn of_interface(&mut self, member: &Member) -> Option<&mut usize> {
        match member.instance.origin.as_ref()?.scope.interface {
            Interface::Consul => Some(&mut self.consul),
            Interface::Eureka => Some(&mut self.eureka),
        }
    }

    fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Passing => &mut self.passing,
            Status::Warning => &mut self.warning,
            Status::Critical => &mut self.critical,
        }
    }
}
