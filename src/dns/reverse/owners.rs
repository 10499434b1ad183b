//! Who has an address, and by which names: instances by those of the native zone; nodes, and what
//! is registered on them, by Consul's too. Consul names the first that it finds, nodes before
//! services; all of them are true.

use std::net::IpAddr;

use crate::{
    dns::{
        answer::Sources,
        asked::Asked,
        code::rtype,
        encode::{Data, Full, Reply, Section},
        service::{
            Consul, Labels, is_at_its_node, is_of_consul, labels_of_node, put_instance, put_node,
            put_service,
        },
        settings::Settings,
    },
    model::InstanceKey,
    registry::{Holders, NodesAt, Snapshot},
};

/// Who has an address.
pub(super) struct Owners<'s> {
    snapshot: &'s Snapshot,
    settings: &'s Settings,
    client: IpAddr,
    instances: Option<&'s Holders<InstanceKey>>,
    /// The nodes of Consul's that have the address.
    nodes: Option<&'s NodesAt>,
    /// The node of this server, if it has the address and is none of those.
    own: Option<&'s str>,
}

// === impl Owners ===

impl<'s> Owners<'s> {
    /// Those of an address that the client may see.
    pub(super) fn of(sources: &Sources<'s>, ip: IpAddr, client: IpAddr) -> Self {
        let Sources { snapshot, settings, .. } = *sources;
        let instances = snapshot.by_address.get(&ip);
        let nodes = settings.consul.as_ref().and_then(|_| snapshot.origins.nodes_at(&ip));
        // This server's node is there also while nothing is registered on it.
        let own = settings.consul.as_ref().map(Consul::own_node);
        let own = own.filter(|(name, at)| *at == ip && nodes.is_none_or(|it| !it.contains(*name)));
        Self { snapshot, settings, client, instances, nodes, own: own.map(|(name, _)| name) }
    }

    /// How many there are, those that the client may not see among them.
    pub(super) fn count(&self) -> usize {
        self.instances.map_or(0, Holders::count)
            + self.nodes.map_or(0, NodesAt::count)
            + usize::from(self.own.is_some())
    }

    /// Whether there are any that the client may see.
    pub(super) fn has_visible(&self) -> bool {
        let has_node = |consul: &Consul| self.nodes(consul).next().is_some();
        self.instances().next().is_some() || self.settings.consul.as_ref().is_some_and(has_node)
    }

    /// The instances that the client may see.
    fn instances(&self) -> impl Iterator<Item = &'s InstanceKey> {
        let is_shown =
            |key: &&InstanceKey| self.settings.shows_service(self.client, key.service.as_str());
        self.instances.into_iter().flat_map(Holders::iter).filter(is_shown)
    }

    /// The labels of the nodes that have a name, and that the client may see.
    fn nodes(&self, consul: &Consul) -> impl Iterator<Item = Labels> {
        let names = self.nodes.into_iter().flat_map(NodesAt::iter).map(|name| &**name);
        let labels = names.chain(self.own).filter_map(|name| labels_of_node(consul, name));
        labels.filter(|labels| self.settings.shows_node(self.client, labels))
    }

    /// The TTL of all names: one set has one (RFC 2181 §5.2), the shortest that any of the services
    /// allows; that of nodes where there is no service.
    fn ttl(&self) -> u32 {
        let services =
            self.instances().filter_map(|key| self.snapshot.service(key.service.as_str()));
        let ttl = services.map(|service| service.policy.ttl_seconds).min();
        let of_nodes = || self.settings.consul.as_ref().map(Consul::node_ttl);
        ttl.or_else(of_nodes).unwrap_or_default()
    }

    /// Writes `I.instance.S` of each instance, and what Consul calls them and their nodes. What
    /// does not fit marks the reply as cut by itself.
    pub(super) fn write(&self, asked: &Asked<'_>, reply: &mut Reply<'_>) -> Result<(), Full> {
        let (origin, kind) = (self.settings.origin().as_wire(), (rtype::PTR, self.ttl()));
        for key in self.instances() {
            reply.record_with(Section::Answer, asked.owner(), kind, |data| {
                put_instance(data, key.id.as_bytes(), key.service.as_bytes())?;
                data.put(origin)
            })?;
        }
        let Some(consul) = &self.settings.consul else { return Ok(()) };
        for labels in self.nodes(consul) {
            let put = |data: &mut Data<'_, '_>| put_node(consul, &labels, data);
            reply.record_with(Section::Answer, asked.owner(), kind, put)?;
        }
        let first = reply.position();
        let members = self.instances().filter_map(|key| self.snapshot.member(key));
        let members = members.filter(|member| is_of_consul(member));
        for member in members.filter(|member| !is_at_its_node(consul, member)) {
            let mark = reply.mark();
            let put = |data: &mut Data<'_, '_>| put_service(consul, member, data);
            let start = reply.record_with(Section::Answer, asked.owner(), kind, put)?;
            // A service that has several instances there is named once. Who has many of them got
            // here by the full path.
            if reply.repeats(first, start).0 {
                reply.rollback(mark);
            }
        }
        Ok(())
    }
}
