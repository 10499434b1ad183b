//! A node's services and checks as tests look at them.

use crate::{
    http::{
        Options,
        consul::{
            site::Host,
            view::HealthCheck,
            world::{Service, World},
        },
        tests::support::{Door, Reply},
    },
    model::Revision,
    registry::Snapshot,
};

/// The interface, and what became of the world by it.
pub(super) struct Rig {
    pub door: Door,
}

/// The node that requests come from.
pub(super) const NODE: &str = "ip-192-0-2-7";

// === impl Rig ===

impl Rig {
    pub(super) fn new() -> Self {
        Self { door: Door::open(Options::default()) }
    }

    pub(super) async fn send(&self, path: &str, body: &str) -> Reply {
        self.door.call("PUT", path, body).await
    }

    /// Sends what is to be taken.
    pub(super) async fn put(&self, path: &str, body: &str) {
        let reply = self.send(path, body).await;
        assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
        assert_eq!(reply.text, if path.contains("/catalog/") { "true" } else { "" });
    }

    /// Sends what is to be refused, with this status and this text.
    pub(super) async fn refused(&self, path: &str, body: &str, status: u16, text: &str) {
        let reply = self.send(path, body).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (status, text), "{path} {body}");
        let text_type = if text.is_empty() { "" } else { "text/plain; charset=utf-8" };
        assert_eq!(reply.header("content-type"), text_type);
    }

    pub(super) fn revision(&self) -> Revision {
        self.door.running.registry.snapshot().revision
    }

    /// The checks of a node and of its services: id, state, output, service.
    pub(super) fn checks_of(&self, node: &str) -> Vec<String> {
        self.look(node, |services, node_checks| {
            let all = services.iter().flat_map(Service::checks).chain(node_checks);
            let shown = all.filter(|check| check.check_id != "serfHealth").map(|check| {
                let HealthCheck { check_id, status, output, service_id, .. } = check;
                format!("{check_id}={status} {output:?} {service_id}").trim_end().to_owned()
            });
            let mut shown: Vec<_> = shown.collect();
            shown.sort();
            shown
        })
    }

    /// The checks of the node that requests come from.
    pub(super) fn checks(&self) -> Vec<String> {
        self.checks_of(NODE)
    }

    /// The services of a node: id, name, where it is kept and found.
    pub(super) fn services_of(&self, node: &str) -> Vec<String> {
        let snapshot = self.door.running.registry.snapshot();
        let scope = Host { name: node.into(), address: String::new() }.scope();
        let services = snapshot.origins.of(&scope).filter(|i| !i.service.is_nodes());
        let shown = services.map(|instance| {
            let member = snapshot.member_like(instance).unwrap();
            let origin = instance.origin.as_ref().unwrap();
            let address = match instance.addresses.host() {
                Some(host) => host.to_string(),
                None => instance.addresses.as_ips()[0].to_string(),
            };
            let up = if member.is_answered() { "up" } else { "down" };
            format!("{} {} {address}:{} {up}", origin.id, instance.key(), instance.port)
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort();
        shown
    }

    pub(super) fn services(&self) -> Vec<String> {
        self.services_of(NODE)
    }

    pub(super) fn snapshot(&self) -> std::sync::Arc<Snapshot> {
        self.door.running.registry.snapshot()
    }

    fn look<T>(&self, node: &str, see: impl FnOnce(&[Service<'_>], Vec<HealthCheck>) -> T) -> T {
        let (snapshot, options) = (self.snapshot(), self.door.api.consul());
        let world = World { snapshot: &snapshot, options };
        let host = Host { name: node.into(), address: "192.0.2.7".into() };
        let services = snapshot.origins.of(&host.scope()).filter(|i| !i.service.is_nodes());
        let services: Vec<_> = services
            .map(|instance| world.service(snapshot.member_like(instance).unwrap()))
            .collect();
        see(&services, world.node_checks(&host))
    }
}
