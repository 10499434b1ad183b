//! What an agent (1.8.7) has been recorded to answer, held against what we answer to the same.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Options, tests::support::Door};

#[derive(Deserialize)]
struct Recorded {
    status: u16,
    indexed: bool,
    body: Value,
}

/// What differs from server to server, or by what is different on purpose: the indexes, whose
/// numbers are ours; what agents leave out of the checks of `agent/health`; the members' gossip,
/// which there is none of.
const OWN: &[&str] = &[
    "ContentHash",
    "CreateIndex",
    "Definition",
    "DelegateCur",
    "DelegateMax",
    "DelegateMin",
    "ModifyIndex",
    "ProtocolCur",
    "ProtocolMax",
    "ProtocolMin",
    "Type",
];

/// What a server has that is in Raft and in a gossip.
const OF_A_CLUSTER: &[&str] = &[
    "ft_fs",
    "non_voter",
    "raft_version",
    "raft_vsn",
    "serf_protocol_current",
    "serf_protocol_max",
    "serf_protocol_min",
    "version",
    "vsn",
    "vsn_max",
    "vsn_min",
    "wan_join_port",
    "build",
    "id",
    "port",
];

/// Where ours is other than what was recorded.
fn differences(recorded: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                let path = format!("{path}.{key}");
                match ours.get(key) {
                    _ if OF_A_CLUSTER.contains(&&**key) => {}
                    None => found.push(format!("{path}: not there")),
                    Some(ours) if is_own(key, value) => {
                        if std::mem::discriminant(value) != std::mem::discriminant(ours) {
                            found.push(format!("{path}: {value} | {ours}"));
                        }
                    }
                    Some(ours) => differences(value, ours, &path, found),
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) if recorded.len() == ours.len() => {
            for (index, (recorded, ours)) in recorded.iter().zip(ours).enumerate() {
                differences(recorded, ours, &format!("{path}[{index}]"), found);
            }
        }
        // A map without entries, which Consul shows as it came: as none.
        (Value::Null, Value::Object(ours)) if ours.is_empty() => {}
        _ if recorded == ours => {}
        _ => found.push(format!("{path}: {recorded} | {ours}")),
    }
}

/// `Node` is a name in some rows and a node in others.
fn is_own(key: &str, value: &Value) -> bool {
    let is_uuid = || value.as_str().is_some_and(|text| text.len() == 36);
    // The ports of a server of a cluster.
    let is_port = || value.as_u64().is_some_and(|port| port > 20_000);
    OWN.contains(&key) || (key == "ID" && is_uuid()) || (key == "Port" && is_port())
}

#[tokio::test]
async fn what_is_read_has_the_shape_that_an_agent_gives_it() {
    let mut door = Door::open(Options::default());
    door.peer = "127.0.0.1:40000".parse().unwrap();
    for body in [
        r#"{"ID":"web-1","Name":"web","Tags":["v1"],"Address":"10.0.0.5","Port":8080,
            "Meta":{"k":"v"},"Check":{"TTL":"15s"}}"#,
        r#"{"Name":"plain","Port":1,"Checks":[
            {"HTTP":"http://127.0.0.1:1/","Interval":"1h","Notes":"n"},
            {"TCP":"127.0.0.1:1","Interval":"1h"}]}"#,
    ] {
        let reply = door.call("PUT", "/v1/agent/service/register", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let recorded: BTreeMap<String, Recorded> =
        serde_json::from_str(&include_str!("recorded.json").replace("n1", "rollcall")).unwrap();
    let mut found = Vec::new();
    for (path, recorded) in &recorded {
        let reply = door.get(&format!("/v1/{path}")).await;
        assert_eq!(reply.status.as_u16(), recorded.status, "{path}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        let index = reply.header("x-consul-index");
        assert_eq!(index.parse::<u64>().is_ok_and(|index| index > 0), recorded.indexed, "{path}");
        if recorded.indexed {
            assert_eq!(reply.header("x-consul-knownleader"), "true");
            assert_eq!(reply.header("x-consul-lastcontact"), "0");
        }
        assert_eq!(reply.header("x-consul-default-acl-policy"), "allow");
        if !path.starts_with("status/") {
            differences(&recorded.body, &reply.json(), path, &mut found);
        }
    }
    assert!(recorded.len() > 20);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
