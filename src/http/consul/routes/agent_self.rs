//! `/v1/agent/self` and the like: what the server says of itself.
//!
//! Clients look here for the datacenter, for the version and for what there is; what this server
//! has not is said to be off or left out, and nothing is made up.

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
            view::Node,
            world::World,
        },
        routes,
    },
    model::limit,
};

/// A server among those that know one another: this one.
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
    let node = world.node(&options.own_host());
    let counts = snapshot.counts;
    let shown = json!({
        "Config": config(options, &node),
        "DebugConfig": debug_config(options, &node),
        "Member": member(options, &node),
        "Stats": {
            "agent": { "services": counts.instances().to_string() },
            "build": { "prerelease": "", "revision": "", "version": Options::version() },
            "consul": {
                "acl": "disabled",
                "known_datacenters": "1",
                "leader": "true",
                "leader_addr": options.server_address().to_string(),
                "server": "true",
            },
            "runtime": { "arch": std::env::consts::ARCH, "os": std::env::consts::OS },
        },
        "Meta": node.meta,
    });
    reply::plain(&shown, call.params.pretty)
}

fn config(options: &Options, node: &Node) -> Value {
    json!({
        "Datacenter": options.datacenter,
        "PrimaryDatacenter": options.datacenter,
        "NodeName": node.node,
        "NodeID": node.id,
        "Revision": "",
        "Server": true,
        "Version": Options::version(),
    })
}

fn debug_config(options: &Options, node: &Node) -> Value {
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
        "ServerMode": true,
        "TaggedAddresses": node.tagged_addresses,
        "TranslateWANAddrs": false,
        "UIConfig": { "Enabled": false },
        "Version": Options::version(),
    })
}

fn member(options: &Options, node: &Node) -> Member {
    Member {
        name: node.node.clone(),
        addr: node.address.clone(),
        port: 0,
        tags: json!({
            "acls": "0",
            // Clients take what stands before the colon.
            "build": format!("{}:", Options::version()),
            "dc": options.datacenter,
            "id": node.id,
            "port": options.http_port().to_string(),
            "role": "consul",
            "segment": "",
        }),
        status: 1,
        protocol_min: 0,
        protocol_max: 0,
        protocol_cur: 0,
        delegate_min: 0,
        delegate_max: 0,
        delegate_cur: 0,
    }
}

/// The servers that know one another. Hosts that services are on are no members: they gossip with
/// nobody.
async fn members(call: Call) -> Result<Response, ConsulError> {
    if call.query.get("segment").is_some_and(|segment| segment != "_all") {
        let text = "Network segments are not supported in this version of Consul";
        return Err(ConsulError::bad_request(text));
    }
    let sieve = call.sieve(Rows::Members)?;
    let snapshot = call.api.registry().snapshot();
    let options = call.api.consul();
    let node = World { snapshot: &snapshot, options }.node(&options.own_host());
    let mut members = vec![member(options, &node)];
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
