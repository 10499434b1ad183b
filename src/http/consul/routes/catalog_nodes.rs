//! `/v1/catalog/node…`: the machines that services are on.

use std::collections::BTreeMap;

use axum::{Router, response::Response};
use serde::Serialize;

use super::catalog::has_all;
use crate::http::{
    Api,
    consul::{
        call::{Call, Seen},
        filter::Rows,
        methods::{at, get},
        texts::ConsulError,
        view::{Node, NodeService},
        waiters::Interest,
        world::Service,
    },
};

/// A node with its services.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeServices<S> {
    node: Option<Node>,
    services: S,
}

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/catalog/nodes", get(nodes)))
        .merge(at("/v1/catalog/node/", get(node)))
        .merge(at("/v1/catalog/node-services/", get(node_services)))
}

/// All nodes.
async fn nodes(call: Call) -> Result<Response, ConsulError> {
    let sieve = call.sieve(Rows::Nodes).await?;
    let node_meta = call.params.node_meta.clone();
    call.answer(Interest::Nodes, move |world| {
        let mut nodes: Vec<_> = world.hosts().iter().map(|host| world.node(host)).collect();
        nodes.retain(|node| has_all(node, &node_meta) && sieve.passes(node));
        Ok(Seen { index: world.snapshot.nodes_changed, value: nodes })
    })
    .await
}

/// A node with its services by id; `null` when there is no such node.
async fn node(call: Call) -> Result<Response, ConsulError> {
    let name = call.named(ConsulError::missing_node_name)?.to_owned();
    let sieve = call.sieve(Rows::Services).await?;
    let interest = call.api.consul().interest_in(&name);
    call.answer(interest, move |world| {
        let value = world.host(&name).map(|host| {
            let services = world.services_on(&host).into_iter().map(|s| s.of_node());
            let services = services.filter(|service| sieve.passes(service));
            let services: BTreeMap<String, NodeService> =
                services.map(|service| (service.id.clone(), service)).collect();
            NodeServices { node: Some(world.node(&host)), services }
        });
        Ok(Seen { index: world.changed_on(&name), value })
    })
    .await
}

/// A node with its services as a list.
async fn node_services(call: Call) -> Result<Response, ConsulError> {
    let name = call.named(ConsulError::missing_node_name)?.to_owned();
    let sieve = call.sieve(Rows::Services).await?;
    let interest = call.api.consul().interest_in(&name);
    call.answer(interest, move |world| {
        let host = world.host(&name);
        let services = host.as_ref().map(|host| world.services_on(host)).unwrap_or_default();
        let mut services: Vec<_> = services.iter().map(Service::of_node).collect();
        services.retain(|service| sieve.passes(service));
        let node = host.map(|host| world.node(&host));
        let index = world.changed_on(&name);
        Ok(Seen { index, value: NodeServices { node, services } })
    })
    .await
}
