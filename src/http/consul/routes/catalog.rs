//! `/v1/catalog/…`: what is registered, whatever its state.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Router, response::Response};

use crate::{
    http::{
        Api,
        consul::{
            call::{Call, Seen},
            filter::Rows,
            methods::{at, get},
            reply,
            site::Host,
            texts::ConsulError,
            view::Node,
            waiters::Interest,
            world::{SERVER, Service, World},
        },
    },
    model::{Revision, ServiceName},
};

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/catalog/datacenters", get(datacenters)))
        .merge(at("/v1/catalog/services", get(services)))
        .merge(at("/v1/catalog/service/", get(service)))
        .merge(at("/v1/catalog/connect/", get(in_a_mesh)))
        .merge(at("/v1/catalog/gateway-services/", get(in_a_mesh)))
}

/// The one datacenter that there is.
async fn datacenters(call: Call) -> Result<Response, ConsulError> {
    reply::plain(&[&call.api.consul().datacenter], call.params.pretty)
}

/// The names of the services, each with the tags that its instances have.
async fn services(call: Call) -> Result<Response, ConsulError> {
    let sieve = call.sieve(Rows::ServiceNodes).await?;
    let node_meta = call.params.node_meta.clone();
    // A name that is left out by its instances' nodes can come and go without being new or gone.
    let is_whole = node_meta.is_empty() && sieve.is_open();
    let interest = if is_whole { Interest::Names } else { Interest::Anything };
    call.answer(interest, move |world| {
        if is_whole {
            return Ok(Seen { index: world.snapshot.names_changed, value: world.names() });
        }
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for service in world.all_services() {
            let is_wanted = is_on(world, &service.host(), &node_meta)
                && (sieve.is_open() || sieve.passes(&service.of_catalog()));
            if is_wanted {
                names.entry(service.kept.name).or_default().extend(service.kept.tags);
            }
        }
        Ok(Seen { index: world.snapshot.changed, value: names })
    })
    .await
}

/// The instances of a service, each with its node.
async fn service(call: Call) -> Result<Response, ConsulError> {
    let name = label_of(call.named(ConsulError::missing_service_name)?);
    let sieve = call.sieve(Rows::ServiceNodes).await?;
    let (tags, node_meta) = (call.params.tags.clone(), call.params.node_meta.clone());
    let interest = Interest::Service(name.clone());
    call.answer(interest, move |world| {
        let services = world.services(name.as_str());
        let wanted = services.iter().filter(|service| {
            carries(&service.kept.tags, &tags) && is_on(world, &service.host(), &node_meta)
        });
        let mut rows: Vec<_> = wanted.map(Service::of_catalog).collect();
        rows.retain(|row| sieve.passes(row));
        Ok(Seen { index: index_of(world, &name), value: rows })
    })
    .await
}

/// The name that a service is kept by.
pub(super) fn label_of(name: &str) -> ServiceName {
    ServiceName::derived(name)
}

/// When something last happened to a service. One that is not there was not before a service came
/// or went.
pub(super) fn index_of(world: World<'_>, name: &ServiceName) -> Revision {
    let snapshot = world.snapshot;
    let entry = snapshot.service(name.as_str()).filter(|entry| !entry.members.is_empty());
    let index = entry.map_or(snapshot.names_changed, |entry| entry.changed);
    if name.as_str() == SERVER { index.max(snapshot.nodes_changed) } else { index }
}

/// What is only there in a mesh, which there is none of.
pub(super) async fn in_a_mesh(call: Call) -> Result<Response, ConsulError> {
    call.named(ConsulError::missing_service_name)?;
    call.never_changes(&[(); 0]).await
}

/// Whether all `wanted` tags are there, in any case.
pub(super) fn carries(tags: &[String], wanted: &[String]) -> bool {
    let has = |wanted: &String| tags.iter().any(|tag| tag.to_lowercase() == wanted.to_lowercase());
    wanted.iter().all(has)
}

/// Whether the metadata of a node has all `wanted` pairs.
pub(super) fn is_on(world: World<'_>, host: &Host, wanted: &[(String, String)]) -> bool {
    if wanted.is_empty() {
        return true;
    }
    has_all(&world.node(host), wanted)
}

/// The same of a node that is at hand.
pub(super) fn has_all(node: &Node, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(key, value)| node.meta.get(key) == Some(value))
}
