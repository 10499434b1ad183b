//! Documents that another version wrote.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    http::{Options, tests::support::Door},
    model::{Amendment, Carry, Command, Instance, Origin, Replacement},
};

const WEB: &str = r#"{"Name":"web","ID":"Web 1","Port":80,"Address":"10.0.0.5","Tags":["v1","v1.2"],
    "Meta":{"a":"b"},"EnableTagOverride":true,"Check":{"TTL":"60s","Status":"passing"}}"#;

/// A service whose document is another one by now.
async fn registered(change: impl Fn(&str) -> String) -> Door {
    let door = Door::open(Options::default());
    let reply = door.call("PUT", "/v1/agent/service/register", WEB).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let registry = &door.running.registry;
    let snapshot = registry.snapshot();
    let member = snapshot.members().next().unwrap();
    let before = member.instance.origin.as_deref().unwrap();
    let origin = Origin { document: change(&before.document).into(), ..before.clone() };
    let instance = Instance { origin: Some(Arc::new(origin)), ..(*member.instance).clone() };
    let to =
        Replacement { instance: Arc::new(instance), checks: vec![Carry::From(0)], drained: None };
    let seen = Some(member.registered);
    let amendment = Amendment { key: member.key(), seen, to: Some(to) };
    registry.submit(Command::Amend(vec![amendment])).await.unwrap();
    door
}

async fn entry(door: &Door) -> Value {
    let all = door.get("/v1/health/service/web").await.json();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    all[0].clone()
}

#[tokio::test]
async fn fields_of_a_newer_version_are_passed_over() {
    let door = registered(|document| document.replacen('{', r#"{"news":{"a":[1]},"#, 1)).await;
    let entry = entry(&door).await;
    assert_eq!(entry["Service"]["EnableTagOverride"], true);
    assert_eq!(entry["Service"]["Tags"], json!(["v1", "v1.2"]));
}

#[tokio::test]
async fn a_service_whose_document_is_not_read_is_shown_where_it_is() {
    let door = registered(|_| r#"{"version":9,"name":["web"]}"#.to_owned()).await;
    let shown = entry(&door).await;
    assert_eq!(shown["Node"]["Node"], "ip-192-0-2-7");
    assert_eq!(shown["Node"]["Address"], "192.0.2.7");
    let service = &shown["Service"];
    for (field, expected) in [
        ("ID", json!("Web 1")),
        ("Service", json!("web")),
        ("Address", json!("10.0.0.5")),
        ("Port", json!(80)),
        ("Tags", json!(["v1", "v1.2"])),
        ("Meta", json!({"a": "b"})),
    ] {
        assert_eq!(service[field], expected, "{field}");
    }
    assert_eq!(shown["Checks"][1]["CheckID"], "service:Web 1");
    let on = door.get("/v1/agent/services").await.json();
    assert_eq!(on["Web 1"]["Address"], "10.0.0.5", "{on}");
    // What is changed of it leaves the rest.
    let reply = door.call("PUT", "/v1/agent/service/maintenance/Web%201?enable=true", "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(entry(&door).await["Service"]["Address"], "10.0.0.5");
    let reply = door.call("PUT", "/v1/agent/service/deregister/Web%201", "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(door.get("/v1/health/service/web").await.text, "[]");
}
