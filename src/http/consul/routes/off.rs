//! What Consul has and this server has not: a key/value store, sessions, tokens, a mesh.
//!
//! Reads are answered as a server answers that has the feature and nothing in it, or has it
//! switched off, so that clients which look at everything go on. Writes are refused with 403 and a
//! sentence that says what there is not: never 500 or 503, after which clients try again for ever.

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use serde_json::{Value, json};

use crate::http::{
    Api,
    consul::{
        call::Call,
        methods::{allow, at},
        reply,
        texts::ConsulError,
    },
};

const EVENTS: &str = "Events are";
const COORDINATES: &str = "Network coordinates are";
const CONFIG: &str = "Configuration entries are";
const KEYS: &str = "The key/value store is";
const MEMBERSHIP: &str = "Joining and leaving other servers, and reloading by HTTP, are";
const MESH: &str = "The service mesh is";
const OPERATOR: &str = "Operating a cluster of servers is";
const PEERING: &str = "Peering of clusters is";
const QUERIES: &str = "Prepared queries are";
const SESSIONS: &str = "Sessions are";
const SNAPSHOTS: &str = "Snapshots by HTTP (there is `rollcall export`) are";
const TRANSACTIONS: &str = "Transactions (of keys, nodes, services and checks) are";
const UI: &str = "The user interface is";

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(keys_and_sessions())
        .merge(queries_and_events())
        .merge(mesh())
        .merge(cluster())
        .merge(tokens())
}

fn keys_and_sessions() -> Router<Api> {
    let write = || put(refuse(KEYS)).delete(refuse(KEYS));
    Router::new()
        .merge(at("/v1/kv/", allow("OPTIONS,GET,PUT,DELETE", write().get(key))))
        .merge(at("/v1/txn", allow("OPTIONS,PUT", put(refuse(TRANSACTIONS)))))
        .merge(at("/v1/session/create", allow("OPTIONS,PUT", put(refuse(SESSIONS)))))
        .merge(at("/v1/session/destroy/", allow("OPTIONS,PUT", put(refuse(SESSIONS)))))
        .merge(at("/v1/session/renew/", allow("OPTIONS,PUT", put(renewed))))
        .merge(at("/v1/session/info/", read(get(empty))))
        .merge(at("/v1/session/node/", read(get(empty))))
        .merge(at("/v1/session/list", read(get(empty))))
}

fn queries_and_events() -> Router<Api> {
    let query = || put(refuse(QUERIES)).delete(refuse(QUERIES));
    let fire = put(refuse(EVENTS)).post(refuse(EVENTS));
    let coordinate = async |call: Call| call.never_there().await;
    Router::new()
        .merge(at("/v1/query", allow("OPTIONS,GET,POST", get(empty).post(refuse(QUERIES)))))
        .route(
            "/v1/query/{*name}",
            allow("OPTIONS,GET,PUT,DELETE", query().get(none("Query not found"))),
        )
        .merge(at("/v1/event/list", read(get(empty))))
        .merge(at("/v1/event/fire/", allow("OPTIONS,PUT,POST", fire)))
        .merge(at("/v1/coordinate/datacenters", read(get(no_areas))))
        .merge(at("/v1/coordinate/nodes", read(get(empty))))
        .merge(at("/v1/coordinate/node/", read(get(coordinate))))
        .merge(at("/v1/coordinate/update", allow("OPTIONS,PUT", put(refuse(COORDINATES)))))
}

fn mesh() -> Router<Api> {
    const OFF: &str = "Connect must be enabled in order to use this endpoint";
    let off = || none(OFF);
    let intention = || get(none("Intention not found")).put(refuse(MESH)).delete(refuse(MESH));
    let change = || put(refuse(CONFIG)).delete(refuse(CONFIG));
    Router::new()
        .merge(at("/v1/agent/connect/authorize", allow("OPTIONS,POST", post(refuse(MESH)))))
        .merge(at("/v1/agent/connect/ca/roots", read(get(off()))))
        .merge(at("/v1/agent/connect/ca/leaf/", read(get(off()))))
        .merge(at("/v1/connect/ca/roots", read(get(off()))))
        .merge(at(
            "/v1/connect/ca/configuration",
            allow("OPTIONS,GET,PUT", get(off()).put(refuse(MESH))),
        ))
        .merge(at(
            "/v1/connect/intentions",
            allow("OPTIONS,GET,POST", get(empty).post(refuse(MESH))),
        ))
        .merge(at("/v1/connect/intentions/match", read(get(matched))))
        .merge(at("/v1/connect/intentions/check", read(get(allowed))))
        .route("/v1/connect/intentions/{*name}", allow("OPTIONS,GET,PUT,DELETE", intention()))
        .merge(at("/v1/config", allow("OPTIONS,PUT", put(refuse(CONFIG)))))
        .route("/v1/config/{*name}", allow("OPTIONS,GET,DELETE", change().get(entry)))
        .merge(at("/v1/discovery-chain/", allow("OPTIONS,GET,POST", get(off()).post(off()))))
        .merge(at("/v1/exported-services", read(get(empty))))
        .merge(at("/v1/imported-services", read(get(empty))))
}

fn cluster() -> Router<Api> {
    let absent = |what| read(get(refuse(what)));
    let keyring = get(empty).post(refuse(OPERATOR)).put(refuse(OPERATOR)).delete(refuse(OPERATOR));
    let configuration = get(refuse(OPERATOR)).put(refuse(OPERATOR));
    let snapshot = get(refuse(SNAPSHOTS)).put(refuse(SNAPSHOTS));
    let mut routes = Router::new();
    for path in ["join/", "leave", "force-leave/", "reload"] {
        let refused = allow("OPTIONS,PUT", put(refuse(MEMBERSHIP)));
        routes = routes.merge(at(&format!("/v1/agent/{path}"), refused));
    }
    routes
        .merge(at("/v1/agent/monitor", absent("The log by HTTP is")))
        .merge(at("/v1/operator/raft/configuration", read(get(no_raft))))
        .merge(at("/v1/operator/raft/peer", allow("OPTIONS,DELETE", delete(refuse(OPERATOR)))))
        .merge(at("/v1/operator/autopilot/health", read(get(autopilot))))
        .merge(at("/v1/operator/autopilot/configuration", allow("OPTIONS,GET,PUT", configuration)))
        .merge(at("/v1/operator/keyring", allow("OPTIONS,GET,POST,PUT,DELETE", keyring)))
        .route("/v1/operator/{*name}", absent(OPERATOR))
        .merge(at("/v1/snapshot", allow("OPTIONS,GET,PUT", snapshot)))
        .merge(at("/v1/peerings", read(get(empty))))
        .route(
            "/v1/peering/{*name}",
            allow(
                "OPTIONS,GET,POST,DELETE",
                get(none("Peering not found")).post(refuse(PEERING)).delete(refuse(PEERING)),
            ),
        )
        .route("/v1/federation-state/{*name}", read(get(none("Federation state not found"))))
        .merge(at("/v1/internal/federation-states", read(get(empty))))
        .route("/v1/internal/ui/{*name}", absent(UI))
}

fn tokens() -> Router<Api> {
    const ALL: &str = "OPTIONS,GET,PUT,POST,DELETE";
    let off = ConsulError::acl_disabled;
    let all = || allow(ALL, get(off()).put(off()).post(off()).delete(off()));
    Router::new()
        .route("/v1/acl/{*name}", all())
        .route("/v1/agent/token/{*name}", allow("OPTIONS,PUT", put(off())))
        .route("/v1/internal/acl/authorize", allow("OPTIONS,POST", post(off())))
}

fn read(methods: MethodRouter<Api>) -> MethodRouter<Api> {
    allow("OPTIONS,GET", methods)
}

/// Refuses what there is not.
fn refuse(what: &'static str) -> ConsulError {
    let why =
        "not available: this server is Rollcall, which does service discovery and nothing else";
    ConsulError::not_done(format!("{what} {why}"))
}

/// There is no such thing.
fn none(text: &'static str) -> ConsulError {
    ConsulError::not_found(text)
}

/// A list of nothing.
async fn empty(call: Call) -> Result<Response, ConsulError> {
    call.never_changes(&[(); 0]).await
}

/// The coordinates of datacenters, which have no index.
async fn no_areas(call: Call) -> Result<Response, ConsulError> {
    reply::plain(&[(); 0], call.params.pretty)
}

/// No key is there.
async fn key(call: Call) -> Result<Response, ConsulError> {
    match (&*call.name, call.query.has("keys"), call.query.has("recurse")) {
        ("", true, _) => call.never_changes(&[(); 0]).await,
        ("", false, false) => Err(ConsulError::bad_request("Missing key name")),
        _ => call.never_there().await,
    }
}

/// A session that is to be renewed is over.
async fn renewed(call: Call) -> ConsulError {
    ConsulError::not_found(format!("Session id '{}' not found", call.name))
}

/// The intentions about a service.
async fn matched(call: Call) -> Result<Response, ConsulError> {
    let names = call.query.all("name").map(|name| (name.to_owned(), json!([])));
    reply::plain(&names.collect::<serde_json::Map<_, _>>(), call.params.pretty)
}

/// Nobody is kept from anything.
async fn allowed(call: Call) -> Result<Response, ConsulError> {
    reply::plain(&json!({ "Allowed": true }), call.params.pretty)
}

/// Entries of a kind, or one of them.
async fn entry(call: Call) -> Result<Response, ConsulError> {
    match call.name.split_once('/') {
        Some((kind, name)) if !name.is_empty() => {
            let text = format!("Config entry not found for \"{kind}\" / \"{name}\"");
            Err(ConsulError::not_found(text))
        }
        _ => call.never_changes(&[(); 0]).await,
    }
}

/// There is no Raft, and nobody is in it.
async fn no_raft(call: Call) -> Result<Response, ConsulError> {
    reply::plain(&json!({ "Servers": [], "Index": 0 }), call.params.pretty)
}

/// Whether the server is ready, as `/ready` says it.
async fn autopilot(call: Call) -> Result<Response, ConsulError> {
    let healthy = call.api.board().is_ready() && !call.api.draining().is_cancelled();
    let health: Value = json!({ "Healthy": healthy, "FailureTolerance": 0, "Servers": [] });
    let mut response = reply::plain(&health, call.params.pretty)?.into_response();
    if !healthy {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
