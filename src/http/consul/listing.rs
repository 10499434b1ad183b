//! What there is on which node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    foreign::{is_foreign, service_name},
    kept::{Kept, KeptNode, title},
    site::Host,
    view::{HealthCheck, in_order},
    waiters::Interest,
    world::{SERVER, Service, World},
};
use crate::model::{Interface, Revision, Scope, Tag};

impl<'w> World<'w> {
    /// All services of a name, by whichever door they came, sorted by node and id.
    pub(super) fn services(self, label: &str) -> Vec<Service<'w>> {
        let members = self.snapshot.service(label).map(|entry| &*entry.members);
        let services = members.unwrap_or_default().iter().map(|member| self.service(member));
        let mut services: Vec<_> = services.collect();
        if label == SERVER {
            services.push(self.server());
        }
        services.sort_by(|a, b| {
            in_order(&a.kept.node, &b.kept.node).then_with(|| in_order(&a.id, &b.id))
        });
        services
    }

    /// All services there are, in no order.
    pub(super) fn all_services(self) -> impl Iterator<Item = Service<'w>> {
        let entries = self.snapshot.services.iter().map(|(_, entry)| entry);
        let services = entries
            .flat_map(move |entry| entry.members.iter().map(move |member| self.service(member)));
        services.chain([self.server()])
    }

    /// What services are called, each name with the tags of those of that name.
    pub(super) fn names(self) -> BTreeMap<String, BTreeSet<String>> {
        let mut names = BTreeMap::from([(SERVER.to_owned(), BTreeSet::new())]);
        let entries = self.snapshot.services.iter().map(|(_, entry)| entry);
        for instance in entries.flat_map(|entry| &entry.members).map(|member| &*member.instance) {
            if is_foreign(instance) {
                note(&mut names, &service_name(instance), instance.tags.iter().map(Tag::as_str));
            } else if let Some((name, tags)) = title(instance) {
                note(&mut names, &name, tags.iter().map(AsRef::as_ref));
            } else {
                let Kept { name, tags, .. } = Kept::known(instance);
                note(&mut names, &name, tags.iter().map(AsRef::as_ref));
            }
        }
        names
    }

    /// All nodes, sorted by name: this server's, and those that something is registered on.
    pub(super) fn hosts(self) -> Vec<Host> {
        let own = self.options.own_host();
        let mut hosts = BTreeMap::from([(Arc::clone(&own.scope().name), own)]);
        for scope in
            self.snapshot.origins.scopes().filter(|scope| scope.interface == Interface::Consul)
        {
            if !hosts.contains_key(&scope.name)
                && let Some(host) = self.host_in(scope)
            {
                hosts.insert(Arc::clone(&scope.name), host);
            }
        }
        hosts.into_values().collect()
    }

    /// The node of that name, in any case.
    pub(super) fn host(self, name: &str) -> Option<Host> {
        let (scope, own) = (Scope::node(name), self.options.own_host());
        if own.scope() == scope { Some(own) } else { self.host_in(&scope) }
    }

    /// How many services are on a node.
    pub(super) fn count_on(self, host: &Host) -> usize {
        if self.is_own(host) {
            // As many, at the most.
            return self.snapshot.counts.instances();
        }
        self.snapshot.origins.of(&host.scope()).count()
    }

    /// When something last happened to a node or to what is on it. One that is not there was not
    /// before a node came or went.
    pub(super) fn changed_on(self, node: &str) -> Revision {
        match self.options.interest_in(node) {
            Interest::Node(scope) => {
                let changed = self.snapshot.origins.changed(&scope);
                changed.unwrap_or(self.snapshot.nodes_changed)
            }
            _ => self.snapshot.changed,
        }
    }

    /// The services on a node, sorted by id.
    pub(super) fn services_on(self, host: &Host) -> Vec<Service<'w>> {
        let scope = host.scope();
        let of_consul = self.snapshot.origins.of(&scope);
        let of_consul = of_consul.filter_map(|instance| self.snapshot.member_like(instance));
        let mut services: Vec<_> = of_consul
            .filter(|member| !member.instance.service.is_nodes())
            .map(|member| self.service(member))
            .collect();
        if self.is_own(host) {
            let entries = self.snapshot.services.iter().map(|(_, entry)| entry);
            let members = entries.flat_map(|entry| &entry.members);
            let others = members.filter(|member| is_foreign(&member.instance));
            services.extend(others.map(|member| self.service(member)));
            services.push(self.server());
        }
        services.sort_by(|a, b| in_order(&a.id, &b.id));
        services
    }

    /// The service of that id on a node.
    pub(super) fn service_on(self, host: &Host, id: &str) -> Option<Service<'w>> {
        let own = self.snapshot.origins.get(&host.scope(), id).filter(|_| !id.is_empty());
        if let Some(member) = own.and_then(|instance| self.snapshot.member_like(instance)) {
            return Some(self.service(member));
        }
        if !self.is_own(host) {
            return None;
        }
        self.foreign(id).map(|member| self.service(member))
    }

    /// The checks of a name's services, by whichever door these came, sorted by node and id.
    pub(super) fn checks_of<'s>(services: impl Iterator<Item = &'s Service<'w>>) -> Vec<HealthCheck>
    where
        'w: 's,
    {
        let mut checks: Vec<_> = services.flat_map(Service::checks).collect();
        sort(&mut checks);
        checks
    }

    /// All checks on a node, its own and those of its services, sorted by id.
    pub(super) fn checks_on(self, host: &Host) -> Vec<HealthCheck> {
        let mut checks = self.node_checks(host);
        checks.extend(self.services_on(host).iter().flat_map(Service::checks));
        sort(&mut checks);
        checks
    }

    /// All checks there are, sorted by node and id. Those of one node are in memory at once.
    pub(super) fn all_checks(self) -> impl Iterator<Item = HealthCheck> {
        self.hosts().into_iter().flat_map(move |host| self.checks_on(&host))
    }

    /// Whether it is the node of this server.
    pub(super) fn is_own(self, host: &Host) -> bool {
        host.scope() == self.options.own_host().scope()
    }

    /// A node by what is registered on it.
    fn host_in(self, scope: &Scope) -> Option<Host> {
        let node = self.node_member(scope).and_then(|member| KeptNode::of(&member.instance));
        if let Some(KeptNode { node: name, address, .. }) = node {
            return Some(Host { name, address });
        }
        let kept = self.snapshot.origins.of(scope).find_map(|instance| Kept::of(instance))?;
        Some(Host { name: kept.node, address: kept.node_address })
    }
}

/// Notes a name with tags. Most are there already.
fn note<'t>(
    names: &mut BTreeMap<String, BTreeSet<String>>,
    name: &str,
    tags: impl Iterator<Item = &'t str>,
) {
    if !names.contains_key(name) {
        names.insert(name.to_owned(), BTreeSet::new());
    }
    let Some(known) = names.get_mut(name) else { return };
    for tag in tags {
        if !known.contains(tag) {
            known.insert(tag.to_owned());
        }
    }
}

/// By node and by id.
fn sort(checks: &mut [HealthCheck]) {
    checks.sort_by(|a, b| in_order(&a.node, &b.node).then_with(|| a.by_id(b)));
}
