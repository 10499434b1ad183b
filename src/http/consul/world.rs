//! The registry as Consul's clients see it: nodes with services and checks, by whichever door these
//! came.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    duration::GoDuration,
    foreign::is_foreign,
    kept::{Kept, KeptCheck, KeptNode},
    output,
    site::{Host, Options, uuid_of},
    view::{AgentService, CatalogService, Entry, HealthCheck, Node, NodeService, Weights},
};
use crate::{
    model::{
        Addresses, CheckKind, Instance, InstanceId, InstanceKey, Meta, Revision, Scope,
        ServiceName, Status, Timestamp,
    },
    registry::{Member, Snapshot},
};

/// One moment of the registry.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'w> {
    /// The registry.
    pub snapshot: &'w Snapshot,
    /// What this server is called.
    pub options: &'w Options,
}

/// A service with all that is shown of it.
#[derive(Debug)]
pub(super) struct Service<'w> {
    world: World<'w>,
    member: Arc<Member>,
    /// Its id on its node.
    pub id: String,
    /// What its client sent, or would have.
    pub kept: Kept,
}

/// The name of the service that the server is itself.
pub(super) const SERVER: &str = "consul";
/// The id of the check that agents stand for by being there.
pub(super) const SERF_HEALTH: &str = "serfHealth";
/// The id of the check of a node in maintenance.
pub(super) const NODE_MAINTENANCE: &str = "_node_maintenance";
/// What the id of the check of a service in maintenance begins with.
pub(super) const SERVICE_MAINTENANCE: &str = "_service_maintenance:";

const NODE_REASON: &str = "Maintenance mode is enabled for this node, but no reason was provided. \
                           This is a default message.";
const SERVICE_REASON: &str = "Maintenance mode is enabled for this service, but no reason was \
                              provided. This is a default message.";

// === impl World ===

impl<'w> World<'w> {
    /// A service, by whichever door it came.
    pub(super) fn service(self, member: &Arc<Member>) -> Service<'w> {
        let instance = &*member.instance;
        let (id, kept) = match is_foreign(instance) {
            false => (origin_id(instance), Kept::known(instance)),
            true => (self.foreign_id(instance), self.kept_of_foreign(instance)),
        };
        Service { world: self, member: Arc::clone(member), id, kept }
    }

    /// The service that this server is itself: clients look for it to know that one is there.
    pub(super) fn server(self) -> Service<'w> {
        let Host { name: node, address: node_address } = self.options.own_host();
        let meta = [("version".to_owned(), Options::version())].into();
        let name = SERVER.to_owned();
        let kept = Kept { node, node_address, name: name.clone(), meta, ..Kept::default() };
        let instance = Instance {
            service: ServiceName::derived(SERVER),
            id: InstanceId::derived(SERVER),
            addresses: Addresses::Ip(self.options.node_address),
            port: self.options.http_port(),
            weight: 1,
            warning_weight: None,
            priority: 1,
            tags: Arc::default(),
            meta: Meta::default(),
            checks: Arc::default(),
            deregister_after: None,
            initial_status: None,
            origin: None,
        };
        let member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
        Service { world: self, member: Arc::new(member), id: name, kept }
    }

    /// The node of that name; one without a state of its own is what `host` says of it.
    pub(super) fn node(self, host: &Host) -> Node {
        let scope = host.scope();
        let own = self.node_member(&scope).map(|member| (member, KeptNode::of(&member.instance)));
        let (member, kept) = match own {
            Some((member, Some(kept))) => (Some(member), kept),
            _ => (None, KeptNode::default()),
        };
        let has_agent = self.is_own(host) || !kept.is_external();
        let either = |own: String, other: &str| if own.is_empty() { other.to_owned() } else { own };
        let mut node = Node {
            id: kept.id,
            node: either(kept.node, &host.name),
            address: either(kept.address, &host.address),
            datacenter: self.options.datacenter.clone(),
            tagged_addresses: kept.tagged_addresses,
            meta: kept.meta,
            create_index: member.map_or(1, |member| member.created.0),
            modify_index: member.map_or(1, |member| member.registered.0),
        };
        if has_agent {
            self.add_what_agents_say(&mut node);
        }
        node
    }

    /// What the agent of a node says of it beside what was registered. Of a node that only the
    /// catalog has, nobody says that.
    fn add_what_agents_say(self, node: &mut Node) {
        if node.id.is_empty() {
            node.id = uuid_of(&node.node);
        }
        node.meta.entry("consul-network-segment".into()).or_default();
        if Scope::node(&node.node) == self.options.own_host().scope() {
            node.meta.entry("consul-version".into()).or_insert_with(Options::version);
        }
        if node.tagged_addresses.is_empty() {
            node.tagged_addresses = Node::default_addresses(&node.address);
        }
    }

    /// The checks of a node, sorted by id: that its agent is there, its own, and maintenance.
    pub(super) fn node_checks(self, host: &Host) -> Vec<HealthCheck> {
        let mut checks = Vec::new();
        let member = self.node_member(&host.scope());
        let kept = member.and_then(|member| KeptNode::of(&member.instance)).unwrap_or_default();
        let has_agent = self.is_own(host) || !kept.is_external();
        if has_agent && kept.checks.iter().all(|check| check.id != SERF_HEALTH) {
            checks.push(serf_health(&host.name));
        }
        let Some(member) = member else { return checks };
        for (index, kept) in kept.checks.iter().enumerate() {
            let blank = HealthCheck { name: kept.name.clone(), ..blank(&host.name, &kept.id) };
            checks.extend(with_state(blank, kept, member, index));
        }
        if member.drained {
            checks.push(HealthCheck {
                name: "Node Maintenance Mode".into(),
                notes: kept.maintenance.unwrap_or_else(|| NODE_REASON.into()),
                ..in_maintenance(blank(&host.name, NODE_MAINTENANCE), member)
            });
        }
        checks.sort_by(HealthCheck::by_id);
        checks
    }

    /// What is known of a node that has a state of its own.
    pub(super) fn node_member(self, scope: &Scope) -> Option<&'w Arc<Member>> {
        let node = self.snapshot.origins.get(scope, "")?;
        self.snapshot.nodes.get(&node.id)
    }
}

// === impl Service ===

impl Service<'_> {
    /// Its node.
    pub(super) fn host(&self) -> Host {
        Host { name: self.kept.node.clone(), address: self.kept.node_address.clone() }
    }

    /// Where it is in the registry.
    pub(super) fn key(&self) -> InstanceKey {
        self.member.key()
    }

    /// The checks of its node that are its own business, too. What came by another interface is
    /// shown there, but is no worse for what is wrong with it: names answer it all the same.
    pub(super) fn node_checks(&self) -> Vec<HealthCheck> {
        let is_ours = self.id == SERVER || !is_foreign(&self.member.instance);
        if is_ours {
            self.world.node_checks(&self.host())
        } else {
            vec![serf_health(&self.kept.node)]
        }
    }

    /// Its own checks and maintenance, sorted by id.
    pub(super) fn checks(&self) -> Vec<HealthCheck> {
        let (member, kept) = (&*self.member, &self.kept);
        let blank = |check_id: &str| HealthCheck {
            service_id: self.id.clone(),
            service_name: kept.name.clone(),
            service_tags: kept.tags.clone(),
            ..blank(&kept.node, check_id)
        };
        let count = kept.checks.len();
        let mut checks = Vec::with_capacity(count + 1);
        for (index, own) in kept.checks.iter().enumerate() {
            let name = own.name(&kept.name);
            let check = HealthCheck { name, ..blank(&own.id(&self.id, index + 1, count)) };
            checks.extend(with_state(check, own, member, index));
        }
        if member.drained {
            let check = in_maintenance(blank(&format!("{SERVICE_MAINTENANCE}{}", self.id)), member);
            let notes = kept.maintenance.clone().unwrap_or_else(|| SERVICE_REASON.into());
            checks.push(HealthCheck { name: "Service Maintenance Mode".into(), notes, ..check });
        }
        checks.sort_by(HealthCheck::by_id);
        checks
    }

    /// As its agent has it.
    pub(super) fn of_agent(&self) -> AgentService {
        let (instance, kept) = (&self.member.instance, &self.kept);
        AgentService {
            kind: kept.kind.clone(),
            id: self.id.clone(),
            service: kept.name.clone(),
            tags: kept.tags.clone(),
            meta: kept.meta.clone(),
            port: instance.port,
            ports: kept.ports.clone(),
            address: kept.address.clone(),
            socket_path: kept.socket_path.clone(),
            tagged_addresses: self.tagged_addresses(),
            weights: weights(instance),
            enable_tag_override: kept.enable_tag_override,
            rest: self.rest(),
            datacenter: self.world.options.datacenter.clone(),
            content_hash: None,
        }
    }

    /// As its node has it.
    pub(super) fn of_node(&self) -> NodeService {
        let AgentService {
            kind,
            id,
            service,
            tags,
            meta,
            port,
            ports,
            address,
            socket_path,
            tagged_addresses,
            weights,
            enable_tag_override,
            ..
        } = self.of_agent();
        NodeService {
            kind,
            id,
            service,
            tags,
            address,
            tagged_addresses,
            meta,
            port,
            ports,
            socket_path,
            weights,
            enable_tag_override,
            proxy: self.proxy(),
            connect: self.connect(),
            locality: self.kept.rest.get("Locality").cloned(),
            peer_name: "",
            create_index: self.member.created.0,
            modify_index: self.member.registered.0,
        }
    }

    /// As the catalog has it.
    pub(super) fn of_catalog(&self) -> CatalogService {
        let node = self.world.node(&self.host());
        let service = self.of_node();
        CatalogService {
            id: node.id,
            node: node.node,
            address: node.address,
            datacenter: node.datacenter,
            tagged_addresses: node.tagged_addresses,
            node_meta: node.meta,
            service_kind: service.kind,
            service_id: service.id,
            service_name: service.service,
            service_tags: service.tags,
            service_address: service.address,
            service_tagged_addresses: service.tagged_addresses,
            service_weights: service.weights,
            service_meta: service.meta,
            service_port: service.port,
            service_ports: Some(service.ports).filter(|ports| !ports.is_empty()),
            service_socket_path: service.socket_path,
            service_enable_tag_override: service.enable_tag_override,
            service_proxy: service.proxy,
            service_connect: service.connect,
            service_locality: service.locality,
            create_index: service.create_index,
            modify_index: service.modify_index,
        }
    }

    /// With its node and the checks of both.
    pub(super) fn entry(&self) -> Entry {
        let host = self.host();
        let mut checks = self.node_checks();
        checks.extend(self.checks());
        Entry { node: self.world.node(&host), service: self.of_node(), checks }
    }

    fn tagged_addresses(&self) -> BTreeMap<String, super::definition::ServiceAddress> {
        let mut all = self.kept.tagged_addresses.clone();
        let family = match self.kept.address.parse() {
            // Agents name them, the catalog does not.
            _ if self.kept.is_of_catalog => &[][..],
            Ok(std::net::IpAddr::V4(_)) => &["lan_ipv4", "wan_ipv4"],
            Ok(std::net::IpAddr::V6(_)) => &["lan_ipv6", "wan_ipv6"],
            Err(_) => &[],
        };
        for tag in family {
            all.entry((*tag).to_owned()).or_insert_with(|| super::definition::ServiceAddress {
                address: self.kept.address.clone(),
                port: self.member.instance.port.into(),
            });
        }
        all
    }

    /// What was sent of it, and what is shown of every service.
    fn proxy(&self) -> Value {
        let mut proxy = json!({ "Mode": "", "MeshGateway": {}, "Expose": {} });
        if let (Some(Value::Object(sent)), Value::Object(shown)) =
            (self.kept.rest.get("Proxy"), &mut proxy)
        {
            shown.extend(sent.clone());
        }
        proxy
    }

    /// `Proxy`, `Connect` and `Locality`, as far as they were sent.
    fn rest(&self) -> Map<String, Value> {
        let mut rest = self.kept.rest.clone();
        if let Some(proxy) = rest.get_mut("Proxy") {
            *proxy = self.proxy();
        }
        rest
    }

    fn connect(&self) -> Value {
        self.kept.rest.get("Connect").cloned().unwrap_or_else(|| Value::Object(Map::new()))
    }
}

fn origin_id(instance: &Instance) -> String {
    instance.origin.as_ref().map(|origin| origin.id.to_string()).unwrap_or_default()
}

/// The check that agents stand for by being there.
fn serf_health(node: &str) -> HealthCheck {
    HealthCheck {
        name: "Serf Health Status".into(),
        output: "Agent alive and reachable".into(),
        ..blank(node, SERF_HEALTH)
    }
}

fn weights(instance: &Instance) -> Weights {
    Weights { passing: instance.weight, warning: instance.weight_in(Status::Warning) }
}

fn blank(node: &str, check_id: &str) -> HealthCheck {
    HealthCheck {
        node: node.to_owned(),
        check_id: check_id.to_owned(),
        name: String::new(),
        status: Status::Passing.as_str(),
        notes: String::new(),
        output: String::new(),
        service_id: String::new(),
        service_name: String::new(),
        service_tags: Vec::new(),
        r#type: String::new(),
        interval: String::new(),
        timeout: String::new(),
        exposed_port: 0,
        definition: Map::new(),
        create_index: 1,
        modify_index: 1,
    }
}

/// The state of a member's check; `None` when there is no such check.
fn with_state(
    check: HealthCheck,
    kept: &KeptCheck,
    member: &Member,
    index: usize,
) -> Option<HealthCheck> {
    let (spec, state) = (member.instance.checks.get(index)?, member.checks.get(index)?);
    let interval = spec.thresholds().map(|t| GoDuration::from(t.interval).to_string());
    let interval = interval.unwrap_or_else(|| kept.interval.clone());
    let kind = match spec.kind {
        // Others probe it, and say how or do not.
        CheckKind::Manual => &kept.shown_type,
        _ => spec.kind_name(),
    };
    Some(HealthCheck {
        status: state.status.as_str(),
        notes: kept.notes.clone(),
        output: output::shown(spec, &member.instance, state),
        r#type: kind.to_owned(),
        interval,
        timeout: kept.timeout.clone(),
        definition: kept.definition.clone(),
        create_index: member.created.0,
        modify_index: member.modified.0,
        ..check
    })
}

fn in_maintenance(check: HealthCheck, member: &Member) -> HealthCheck {
    HealthCheck {
        status: Status::Critical.as_str(),
        r#type: "maintenance".into(),
        create_index: member.modified.0,
        modify_index: member.modified.0,
        ..check
    }
}
