//! Services as an agent (1.8.7) takes them, gives their checks ids and keeps what is known.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    http::consul::routes::testing::{NODE, Rig},
    model::limit,
    registry::testing,
};

const REGISTER: &str = "/v1/agent/service/register";

#[tokio::test]
async fn a_service_is_kept_as_an_instance_of_its_name_and_taken_away() {
    let rig = Rig::new();
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1","Port":80}"#).await;
    rig.put(REGISTER, r#"{"name":"My_Service","address":"Db.Example.","port":1}"#).await;
    rig.put(REGISTER, r#"{"name":"web","id":"host:web:80","address":"10.0.0.5"}"#).await;
    let expected = [
        "My_Service my-service-cf3d5dd8/my-service-cf3d5dd8 db.example:1 up",
        "host:web:80 web/host-web-80-d6401311 10.0.0.5:0 up",
        "w1 web/w1 192.0.2.7:80 up",
    ];
    assert_eq!(rig.services(), expected);
    rig.put("/v1/agent/service/deregister/host:web:80", "").await;
    rig.put("/v1/agent/service/deregister/My%5FService", "").await;
    assert_eq!(rig.services(), expected[2..]);
    for (path, id) in [("nope", "nope"), ("W1", "W1"), ("a/b", "a/b"), ("", "")] {
        let text = format!(
            "Unknown service ID \"{id}\". Ensure that the service ID is passed, not the service \
             name."
        );
        rig.refused(&format!("/v1/agent/service/deregister/{path}"), "", 404, &text).await;
    }
}

/// Asked for its name, DNS would answer with a CNAME to that very name.
#[tokio::test]
async fn a_service_whose_address_is_a_name_of_its_own_is_found_at_its_node() {
    let rig = Rig::new();
    let found = [
        "api api/api web.service.consul:1 up",
        "w1 web/w1 192.0.2.7:80 up",
        "w2 web/w2 192.0.2.7:80 up",
        "w3 web/w3 192.0.2.7:80 up",
    ];
    let web = |id: &str, address: &str| {
        format!(r#"{{"Name":"web","ID":"{id}","Address":"{address}","Port":80}}"#)
    };
    for (id, address) in [
        ("w1", "Web.service.consul"),
        ("w2", "v1.web.service.dc1.consul."),
        ("w3", "web.service.internal"),
    ] {
        rig.put(REGISTER, &web(id, address)).await;
        let shown = rig.door.get(&format!("/v1/agent/service/{id}")).await.json();
        assert_eq!(shown["Address"], address, "as it was sent");
    }
    rig.put(REGISTER, r#"{"Name":"api","Address":"web.service.consul","Port":1}"#).await;
    assert_eq!(rig.services(), found);
    // What else changes about it leaves it there.
    rig.put("/v1/agent/service/maintenance/w1?enable=true", "").await;
    rig.put("/v1/agent/service/maintenance/w1?enable=false", "").await;
    assert_eq!(rig.services(), found);
    let snapshot = rig.snapshot();
    for (id, is_lent) in [("web/w1", true), ("web/w2", true), ("api/api", false)] {
        let member = snapshot.member(&testing::key(id)).unwrap();
        let node = member.instance.origin.as_ref().unwrap().node.as_ref().unwrap();
        assert_eq!(node.lends_address, is_lent, "{id}");
    }
}

#[tokio::test]
async fn the_same_again_changes_nothing() {
    let rig = Rig::new();
    let body =
        r#"{"Name":"web","ID":"w1","Checks":[{"TTL":"60s"},{"TTL":"9s","Status":"passing"}]}"#;
    rig.put(REGISTER, body).await;
    let revision = rig.revision();
    rig.put(REGISTER, body).await;
    // The state that a check begins in says nothing of one that has begun.
    rig.put(REGISTER, &body.replace(r#","Status":"passing""#, "")).await;
    assert_eq!(rig.revision(), revision);
}

#[tokio::test]
async fn what_is_known_of_a_check_stays_when_its_service_is_registered_again() {
    let rig = Rig::new();
    let web = |checks: &str| format!(r#"{{"Name":"web","ID":"w1","Checks":[{checks}]}}"#);
    rig.put(REGISTER, &web(r#"{"TTL":"60s"}"#)).await;
    assert_eq!(rig.checks(), [r#"service:w1=critical "" w1"#]);
    rig.put("/v1/agent/check/pass/service:w1?note=hello", "").await;
    rig.put(REGISTER, &web(r#"{"TTL":"90s","Status":"warning"}"#)).await;
    assert_eq!(rig.checks(), [r#"service:w1=passing "hello" w1"#]);
    // Their ids come of how many there are, and those that are not listed stay.
    rig.put(REGISTER, &web(r#"{"TTL":"60s"},{"TTL":"60s","Status":"warning"}"#)).await;
    let three = [
        r#"service:w1:1=critical "" w1"#,
        r#"service:w1:2=warning "" w1"#,
        r#"service:w1=passing "hello" w1"#,
    ];
    assert_eq!(rig.checks(), three);
    rig.put(REGISTER, &web("")).await;
    assert_eq!(rig.checks(), three);
    rig.put("/v1/agent/check/fail/service:w1:2?note=bad", "").await;
    let replaces = format!("{REGISTER}?replace-existing-checks");
    rig.put(&format!("{replaces}=false"), &web("")).await;
    assert_eq!(rig.checks().len(), 3);
    rig.put(&replaces, &web(r#"{"CheckID":"service:w1:2","TTL":"60s"}"#)).await;
    assert_eq!(rig.checks(), [r#"service:w1:2=critical "bad" w1"#]);
    rig.put(&format!("{replaces}=true"), &web("")).await;
    assert_eq!(rig.checks(), [""; 0]);
    assert_eq!(rig.services(), ["w1 web/w1 192.0.2.7:0 up"]);
}

/// As an agent does: it runs the timer of each check that is registered from its beginning.
#[tokio::test(start_paused = true)]
async fn registering_again_renews_ttl_checks_and_other_changes_do_not() {
    let rig = Rig::new();
    let web = |tag: u32, checks: &str| {
        format!(r#"{{"Name":"web","ID":"w1","Tags":["t{tag}"],"Checks":[{checks}]}}"#)
    };
    let ttl = r#"{"CheckID":"beats","TTL":"10s","Status":"passing"}"#;
    let state = || rig.checks()[0].split(' ').next().unwrap().to_owned();
    for tag in 0..4 {
        rig.put(REGISTER, &web(tag / 2, ttl)).await;
        sleep(Duration::from_secs(6)).await;
        assert_eq!(state(), "beats=passing");
    }
    // It is not among the checks that are registered, another one is, and there is maintenance.
    rig.put(REGISTER, &web(7, "")).await;
    let other = r#"{"CheckID":"other","ServiceID":"w1","TTL":"1h","Name":"o","Status":"passing"}"#;
    rig.put("/v1/agent/check/register", other).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(state(), "beats=passing");
    rig.put("/v1/agent/service/maintenance/w1?enable=true", "").await;
    rig.put("/v1/agent/service/maintenance/w1?enable=false", "").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(state(), "beats=critical");
    rig.put(REGISTER, &web(7, ttl)).await;
    assert_eq!(state(), "beats=critical", "its state stays until somebody says another one");
}

#[tokio::test]
async fn a_service_is_as_old_as_its_first_registration() {
    let rig = Rig::new();
    let indexes = async || {
        let shown = rig.door.get("/v1/catalog/service/web").await.json();
        ["CreateIndex", "ModifyIndex"].map(|index| shown[0][index].as_u64().unwrap())
    };
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1"}"#).await;
    let [created, modified] = indexes().await;
    assert_eq!(created, modified);
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1"}"#).await;
    assert_eq!(indexes().await, [created, modified], "the same again");
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1","Tags":["a"]}"#).await;
    let [again, later] = indexes().await;
    assert!(again == created && later > modified, "{again} {later}");
}

#[tokio::test]
async fn of_checks_with_one_id_the_last_counts_whosever_it_was() {
    let rig = Rig::new();
    let twice = r#"{"Name":"a","Checks":[{"CheckID":"x","TTL":"60s"},
                    {"CheckID":"x","TTL":"30s","Status":"passing"}]}"#;
    rig.put(REGISTER, twice).await;
    assert_eq!(rig.checks(), [r#"x=critical "" a"#]);
    rig.put("/v1/agent/check/warn/x?note=w", "").await;
    rig.put(REGISTER, r#"{"Name":"b","Check":{"CheckID":"x","TTL":"60s"}}"#).await;
    assert_eq!(rig.checks(), [r#"x=warning "w" b"#], "it has moved with what is known of it");
    assert_eq!(rig.services(), ["a a/a 192.0.2.7:0 up", "b b/b 192.0.2.7:0 up"]);
}

#[tokio::test]
async fn an_id_that_is_registered_under_another_name_is_that_service_from_then_on() {
    let rig = Rig::new();
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1","Check":{"TTL":"60s"}}"#).await;
    rig.put("/v1/agent/check/pass/service:w1?note=fine", "").await;
    rig.put(REGISTER, r#"{"Name":"api","ID":"w1"}"#).await;
    assert_eq!(rig.services(), ["w1 api/w1 192.0.2.7:0 up"]);
    assert_eq!(rig.checks(), [r#"service:w1=passing "fine" w1"#]);
    assert!(rig.snapshot().service("web").is_none());
}

#[tokio::test]
async fn ids_that_come_to_one_name_are_kept_apart() {
    let rig = Rig::new();
    rig.door.register("web/w1", r#"{"addresses": ["10.9.9.9"]}"#).await;
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1"}"#).await;
    rig.put(REGISTER, r#"{"Name":"Web","ID":"W1"}"#).await;
    let names: Vec<_> = rig
        .snapshot()
        .service("web")
        .unwrap()
        .members
        .iter()
        .map(|member| member.instance.id.to_string())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    rig.put("/v1/agent/service/deregister/w1", "").await;
    assert_eq!(rig.services().len(), 1);
    assert!(rig.services()[0].starts_with("W1 web/w1-"), "{:?}", rig.services());
    let native = rig.door.get("/api/v1/services/web/instances/w1").await.json();
    assert_eq!(native["addresses"][0], "10.9.9.9");
}

#[tokio::test]
async fn what_is_no_service_is_refused() {
    let rig = Rig::new();
    let scripts = "Scripts are disabled on this agent from remote calls; to enable, configure \
                   'enable_script_checks' to true";
    let checked = |check: &str| format!(r#"{{"Name":"x","Check":{{{check},"Interval":"9s"}}}}"#);
    for (body, status, text) in [
        (String::new(), 400, "Request decode failed: EOF"),
        ("null".into(), 400, "Missing service name"),
        (
            r#"{"Name":"x","Foo":1}"#.into(),
            400,
            "Request decode failed: json: unknown field \"Foo\"",
        ),
        (checked(r#""Args":["true"]"#), 500, scripts),
        (checked(r#""DockerContainerID":"x","Args":["true"]"#), 500, scripts),
        (checked(r#""OSService":"x""#), 500, scripts),
        (
            checked(r#""HTTP":"ftp://x/""#),
            400,
            "Invalid check: `HTTP`: `ftp://x/` is no URL of HTTP",
        ),
    ] {
        rig.refused(REGISTER, &body, status, text).await;
    }
    let reply = rig.send(REGISTER, r#"{"Name":"x","Connect":{"sidecarService":{"Port":1}}}"#).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("Connect.SidecarService is not available"), "{}", reply.text);
    let many = vec![r#"{"TTL":"9s"}"#; limit::INSTANCE_CHECKS_MAX + 1].join(",");
    let reply = rig.send(REGISTER, &format!(r#"{{"Name":"x","Checks":[{many}]}}"#)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("above the limit of 16"), "{}", reply.text);
    rig.refused(&format!("{REGISTER}?%zz"), r#"{"Name":"x"}"#, 500, "").await;
    let reply = rig.send(&format!("{REGISTER}?ns=a"), r#"{"Name":"x"}"#).await;
    assert_eq!(reply.status, 400);
    assert_eq!(rig.revision().0, 0);
}

#[tokio::test]
async fn a_service_in_maintenance_is_not_answered_and_stays_in_it() {
    let rig = Rig::new();
    let body = r#"{"Name":"web","ID":"w1","Check":{"TTL":"60s","Status":"passing"}}"#;
    rig.put(REGISTER, body).await;
    let maintenance = "/v1/agent/service/maintenance/w1";
    rig.put(&format!("{maintenance}?enable=true&reason=first+one"), "").await;
    rig.put(&format!("{maintenance}?enable=1&reason=other"), "").await;
    rig.put(REGISTER, body).await;
    rig.put(&format!("{REGISTER}?replace-existing-checks"), body).await;
    assert_eq!(rig.services(), ["w1 web/w1 192.0.2.7:0 down"]);
    let checks = [r#"_service_maintenance:w1=critical "" w1"#, r#"service:w1=passing "" w1"#];
    assert_eq!(rig.checks(), checks);
    let kept = &rig.snapshot().service("web").unwrap().members[0].instance.origin.clone().unwrap();
    assert!(kept.document.contains(r#""maintenance":"first one""#), "{}", kept.document);
    let native = rig.door.get("/api/v1/services/web/instances/w1").await.json();
    assert_eq!(native["drained"], true);
    for _ in 0..2 {
        rig.put(&format!("{maintenance}?enable=false"), "").await;
    }
    assert_eq!(rig.checks(), checks[1..]);
    rig.door.call("PUT", "/api/v1/services/web/instances/w1/drain", "").await;
    assert_eq!(rig.checks(), checks, "the native interface's word for it");
    rig.put("/v1/agent/check/deregister/_service_maintenance:w1", "").await;
    assert_eq!(rig.checks(), checks[1..]);
    for (path, status, text) in [
        ("w1", 400, "Missing value for enable"),
        ("w1?enable=foo", 400, "Invalid value for enable: \"foo\""),
        ("?enable=true", 400, "Missing service ID"),
        (
            "nope?enable=true",
            404,
            "Unknown service ID \"nope\". Ensure that the service ID is passed, not the service \
             name.",
        ),
    ] {
        rig.refused(&format!("/v1/agent/service/maintenance/{path}"), "", status, text).await;
    }
}

#[tokio::test]
async fn those_who_register_at_once_do_not_stand_in_one_another_s_way() {
    let rig = Rig::new();
    rig.put(REGISTER, r#"{"Name":"web","ID":"w1"}"#).await;
    let bodies: Vec<_> = (0..limit::INSTANCE_CHECKS_MAX)
        .map(|n| format!(r#"{{"ID":"c{n}","Name":"c","ServiceID":"w1","TTL":"60s"}}"#))
        .collect();
    let all = bodies.iter().map(|body| rig.put("/v1/agent/check/register", body));
    futures_util::future::join_all(all).await;
    assert_eq!(rig.checks().len(), limit::INSTANCE_CHECKS_MAX);
    let bodies: Vec<_> = (0..50).map(|n| format!(r#"{{"Name":"s{n}","ID":"s"}}"#)).collect();
    let all = bodies.iter().map(|body| rig.put(REGISTER, body));
    futures_util::future::join_all(all).await;
    assert_eq!(rig.services_of(NODE).len(), 2);
}
