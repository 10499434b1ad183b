//! `/v1/agent/self` and the like: what the server says of itself, and what the agent that a client
//! asks is called.
//!
//! Clients look here for the datacenter, for the version and for what there is; what this server
//! has not is said to be off or left out, and nothing is made up. To a client on another host the
//! server stands for the agent there, so it is told of the node that it registers on.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http::{
        Api,
        consul::{
            blocking::{WAIT_DEFAULT, WAIT_MAX},
            call::Call,
            duration::GoDuration,
            filter::Rows,
            methods::{at, get},
            reply,
            site::Options,
            texts::ConsulError,
            translate::DEREGISTER_MIN,
            view::{Node, in_order},
            world::World,
        },
        routes,
    },
    model::limit,
};

/// The server or an agent, among those that know one another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    name: String,
    addr: String,
    port: u16,
    tags: Value,
    /// 1: it is there.
    status: u8,
    // The versions of a protocol that is not spoken.
    protocol_min: u8,
    protocol_max: u8,
    protocol_cur: u8,
    delegate_min: u8,
    delegate_max: u8,
    delegate_cur: u8,
}

const NANOS_OF_A_MILLI: u64 = 1_000_000;

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/agent/self", get(this)))
        .merge(at("/v1/agent/members", get(members)))
        .merge(at("/v1/agent/host", get(host)))
        .merge(at("/v1/agent/version", get(version)))
        .merge(at("/v1/agent/metrics", get(metrics)))
}

/// Its configuration, as far as it has what Consul has.
async fn this(call: Call) -> Result<Response, ConsulError> {
    let snapshot = call.api.registry().snapshot();
    let options = call.api.consul();
    let world = World { snapshot: &snapshot, options };
    let node = world.node(&call.host);
    let is_server = world.is_own(&call.host);
    let services = if is_server {
        snapshot.counts.instances()
    } else {
        snapshot.origins.of(&call.host.scope()).filter(|on| !on.service.is_nodes()).count()
    };
    let shown = json!({
        "Config": config(options, &node, is_server),
        "DebugConfig": debug_config(options, &node, is_server),
        "Member": member(options, &node, is_server),
        "Stats": {
            "agent": { "services": services.to_string() },
            "build": { "prerelease": "", "revision": "", "version": Options::version() },
            "consul": consul(options, is_server),
            "runtime": { "arch": std::env::consts::ARCH, "os": std::env::consts::OS },
        },
        "Meta": node.meta,
    });
    reply::plain(&shown, call.params.pretty)
}

/// What a server says of its datacenter, or an agent of the servers that it knows.
fn consul(options: &Options, is_server: bool) -> Value {
    if !is_server {
        return json!({ "acl": "disabled", "known_servers": "1", "server": "false" });
    }
    json!({
        "acl": "disabled",
        "known_datacenters": "1",
        "leader": "true",
        "leader_addr": options.server_address().to_string(),
        "server": "true",
    })
}

fn config(options: &Options, node: &Node, is_server: bool) -> Value {
    json!({
        "Datacenter": options.datacenter,
        "PrimaryDatacenter": options.datacenter,
        "NodeName": node.node,
        "NodeID": node.id,
        "Revision": "",
        "Server": is_server,
        "Version": Options::version(),
    })
}

fn debug_config(options: &Options, node: &Node, is_server: bool) -> Value {
    let text = |duration| GoDuration::from(duration).to_string();
    let on = |scheme: &str, addresses: &[SocketAddr]| -> Vec<String> {
        addresses.iter().map(|address| format!("{scheme}://{address}")).collect()
    };
    let dns = [on("tcp", &options.dns), on("udp", &options.dns)].concat();
    json!({
        "ACLsEnabled": false,
        "ACLDefaultPolicy": "allow",
        "AdvertiseAddrLAN": node.address,
        "CheckDeregisterIntervalMin": text(DEREGISTER_MIN),
        "CheckOutputMaxSize": limit::CHECK_OUTPUT_OCTETS_MAX,
        "ConnectEnabled": false,
        "DNSAddrs": dns,
        "DNSPort": options.dns_port(),
        "Datacenter": options.datacenter,
        "DefaultQueryTime": text(WAIT_DEFAULT),
        "DevMode": false,
        "DisableCoordinates": true,
        "EnableLocalScriptChecks": false,
        "EnableRemoteScriptChecks": false,
        "GRPCAddrs": [],
        "GRPCPort": -1,
        "GRPCTLSPort": -1,
        "HTTPAddrs": on("tcp", &options.http),
        "HTTPPort": options.http_port(),
        "HTTPSAddrs": [],
        "HTTPSPort": -1,
        "MaxQueryTime": text(WAIT_MAX),
        "NodeID": node.id,
        "NodeMeta": {},
        "NodeName": node.node,
        "PeeringEnabled": false,
        "PrimaryDatacenter": options.datacenter,
        "Revision": "",
        "SegmentName": "",
        "ServerMode": is_server,
        "TaggedAddresses": node.tagged_addresses,
        "TranslateWANAddrs": false,
        "UIConfig": { "Enabled": false },
        "Version": Options::version(),
    })
}

fn member(options: &Options, node: &Node, is_server: bool) -> Member {
    let mut tags = json!({
        "acls": "0",
        // Clients take what stands before the colon.
        "build": format!("{}:", Options::version()),
        "dc": options.datacenter,
        "id": node.id,
        "role": if is_server { "consul" } else { "node" },
        "segment": "",
    });
    if is_server {
        tags["port"] = options.http_port().to_string().into();
    }
    Member {
        name: node.node.clone(),
        addr: node.address.clone(),
        port: 0,
        tags,
        status: 1,
        protocol_min: 0,
        protocol_max: 0,
        protocol_cur: 0,
        delegate_min: 0,
        delegate_max: 0,
        delegate_cur: 0,
    }
}

/// The server, and the agent that is asked if that is another one. Other hosts that services are on
/// are no members: they gossip with nobody. The catalog has them all.
async fn members(call: Call) -> Result<Response, ConsulError> {
    if call.query.get("segment").is_some_and(|segment| segment != "_all") {
        let text = "Network segments are not supported in this version of Consul";
        return Err(ConsulError::bad_request(text));
    }
    let sieve = call.sieve(Rows::Members).await?;
    let snapshot = call.api.registry().snapshot();
    let options = call.api.consul();
    let world = World { snapshot: &snapshot, options };
    let mut members = vec![member(options, &world.node(&options.own_host()), true)];
    // Over wide networks there are servers alone.
    if !world.is_own(&call.host) && !call.query.has("wan") {
        members.push(member(options, &world.node(&call.host), false));
    }
    members.sort_by(|a, b| in_order(&a.name, &b.name));
    members.retain(|member| sieve.passes(member));
    reply::plain(&members, call.params.pretty)
}

/// The machine, as far as it is known.
async fn host(call: Call) -> Result<Response, ConsulError> {
    let shown = json!({
        "Memory": null,
        "CPU": null,
        "Host": {
            "hostname": call.api.consul().node,
            "os": std::env::consts::OS,
            "kernelArch": std::env::consts::ARCH,
        },
        "Disk": null,
        "CollectionTime": call.api.clock().wall_millis() * NANOS_OF_A_MILLI,
        "Errors": null,
    });
    reply::plain(&shown, call.params.pretty)
}

/// The version.
async fn version(call: Call) -> Result<Response, ConsulError> {
    let shown = json!({ "SHA": "", "HumanVersion": Options::version(), "FIPS": "" });
    reply::plain(&shown, call.params.pretty)
}

/// Numbers: in Prometheus' form all that `/metrics` has, else those of the instances.
async fn metrics(
    State(api): State<Api>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, ConsulError> {
    if call.query.get("format") == Some("prometheus") {
        return Ok(routes::metrics(State(api), headers).await.into_response());
    }
    let counts = api.registry().snapshot().counts;
    let now = i64::try_from(api.clock().wall_millis()).unwrap_or(i64::MAX);
    let now = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::MAX);
    let gauge = |name: &str, value: usize| {
        let name = format!("rollcall.{name}");
        json!({ "Name": name, "Value": value, "Labels": {} })
    };
    let shown = json!({
        "Timestamp": now.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        "Gauges": [
            gauge("instances.critical", counts.critical),
            gauge("instances.passing", counts.passing),
            gauge("instances.warning", counts.warning),
        ],
        "Points": [],
        "Counters": [],
        "Samples": [],
    });
    reply::plain(&shown, call.params.pretty)
}
