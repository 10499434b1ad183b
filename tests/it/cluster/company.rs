//! What an operator sees of the servers: who is there, and who looks after which instance.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Node, api::instance_path, etcd::Etcd, eventually};

/// How many instances are registered: with so many each of two servers has some.
const INSTANCES: u64 = 40;

fn server(name: &str, etcd: &Etcd) -> Node {
    let config = format!("[cluster]\nserver_id = \"{name}\"\nlease = \"2s\"\n");
    let store = format!("etcd={}", etcd.endpoints().join(","));
    Node::builder().config(&config).arg("--store").arg(store).start()
}

/// The list of a server, as soon as it is as it should be.
fn list(node: &Node, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || Some(node.api().get("/api/v1/servers").body).filter(|list| is_so(list)))
}

fn ids(list: &Value) -> Vec<&str> {
    let servers = list["servers"].as_array().into_iter().flatten();
    servers.filter_map(|server| server["server"].as_str()).collect()
}

/// Two servers, and instances in their registry.
fn two(etcd: &Etcd) -> [Node; 2] {
    let servers = ["a", "b"].map(|name| server(name, etcd));
    for n in 0..INSTANCES {
        let body = json!({"addresses": ["10.0.0.1"]});
        servers[0].api().register("web", &format!("i{n}"), &body);
    }
    servers
}

/// How many instances a server looks after, as it says; no other server does.
fn share(node: &Node) -> u64 {
    let list = node.api().get("/api/v1/servers").body;
    let servers = list["servers"].as_array().unwrap().iter();
    let counts: Vec<_> = servers.filter_map(|server| server["instances"].as_u64()).collect();
    assert_eq!(counts.len(), 1, "{list}");
    counts[0]
}

#[test]
fn each_server_lists_all_that_share_its_registry() {
    let mut etcd = Etcd::single();
    let [a, b] = two(&etcd);
    for (node, me) in [(&a, "a"), (&b, "b")] {
        let list = list(node, "both are listed", |list| ids(list) == ["a", "b"]);
        assert_eq!(list["shared"], true);
        assert_eq!((&list["joined"], &list["cut_off"]), (&json!(true), &json!(false)));
        for (server, node) in list["servers"].as_array().unwrap().iter().zip([&a, &b]) {
            assert_eq!(server["http"], json!([node.http[0].to_string()]));
            assert_eq!(server["version"], env!("CARGO_PKG_VERSION"));
            assert!(server["started"].as_str().unwrap().ends_with('Z'), "{server}");
            assert_eq!(server["me"], server["server"] == me);
            assert!(server.get("token").is_none(), "{server}");
        }
    }
    eventually("what each looks after is counted", || {
        let shares = [share(&a), share(&b)];
        (shares.iter().all(|share| *share > 0) && shares[0] + shares[1] == INSTANCES).then_some(())
    });
    let words = a.cli("servers").words();
    assert_eq!(words[0], ["SERVER", "HTTP", "VERSION", "SINCE", "INSTANCES", "ASKED"]);
    let (version, at) = (env!("CARGO_PKG_VERSION"), b.http[0].to_string());
    assert_eq!(words[1][..3], ["a", &a.http[0].to_string(), version]);
    assert_eq!((words[1][5].as_str(), words[2][5].as_str()), ("yes", "-"));
    assert_eq!((&words[2][1], words[2][4].as_str()), (&at, "-"));

    etcd.kill(0);
    let cut_off = list(&a, "it is cut off", |list| list["cut_off"] == true);
    assert_eq!(ids(&cut_off), ["a", "b"], "those that it knew last");
    assert!(a.cli("servers").ok().starts_with("this server is cut off from etcd"));
    etcd.start(0);
    list(&a, "it is back", |list| list["cut_off"] == false && list["joined"] == true);
    drop(b);
    list(&a, "one is gone", |list| ids(list) == ["a"]);
    eventually("the other has all", || (share(&a) == INSTANCES).then_some(()));
}

#[test]
fn a_server_with_an_embedded_store_lists_itself() {
    let node = Node::builder().embedded().start();
    node.cli("register web i0 --port 80").ok();
    let list = node.cli("servers --json").json();
    assert_eq!((&list["shared"], ids(&list).len()), (&json!(false), 1));
    let server = &list["servers"][0];
    assert_eq!((&server["me"], &server["instances"]), (&json!(true), &json!(1)));
    assert_eq!(server["http"], json!([node.http[0].to_string()]));
    let text = node.cli("servers").ok();
    assert!(text.starts_with("the registry is this server's alone"), "{text}");
    let instance = node.api().get(&instance_path("web", "i0")).body;
    assert_eq!(instance.get("owner"), None);
}

/// How many instances have this owner, by what a server says of each.
fn owned(node: &Node, owner: &str) -> u64 {
    let of = |n| node.api().get(&instance_path("web", &format!("i{n}"))).body["owner"].clone();
    (0..INSTANCES).map(|n| u64::from(of(n) == owner)).sum()
}

#[test]
fn an_instance_names_the_server_that_looks_after_it() {
    let etcd = Etcd::single();
    let [a, b] = two(&etcd);
    for node in [&a, &b] {
        list(node, "both are listed", |list| ids(list) == ["a", "b"]);
        eventually("all are there", || {
            let service = node.api().get("/api/v1/services/web").body;
            (service["instances"] == INSTANCES).then_some(())
        });
    }
    let of_a = owned(&a, "a");
    assert_eq!([owned(&a, "b"), owned(&b, "a")], [INSTANCES - of_a, of_a], "all name the same");
    eventually("it is the one that counts it", || (share(&a) == of_a).then_some(()));
    drop(b);
    list(&a, "one is gone", |list| ids(list) == ["a"]);
    assert_eq!(owned(&a, "a"), INSTANCES);
}

/// How long an instance that lives by heartbeats may be silent.
const TTL: Duration = Duration::from_secs(2);

/// The reason for which a server is in doubt about its name.
fn note(node: &Node) -> Option<String> {
    noted(node, "server id")
}

fn noted(node: &Node, name: &str) -> Option<String> {
    let ready = node.api().get("/ready").body;
    let note = ready["notes"].as_array()?.iter().find(|note| note["name"] == name)?;
    Some(note["message"].as_str()?.to_owned())
}

/// It took the other's tasks for its own, and handed heartbeats on to servers that had no use for
/// them: who beat at it was dead a ttl later, on all servers.
#[test]
fn heartbeats_at_a_server_whose_name_another_has_taken_are_counted() {
    let etcd = Etcd::single();
    let first = server("same", &etcd);
    let other = server("other", &etcd);
    list(&first, "both are listed", |list| ids(list) == ["other", "same"]);
    let names: Vec<String> = (0..6).map(|n| format!("i{n}")).collect();
    let body = json!({"addresses": ["10.0.0.1"],
        "checks": [{"type": "ttl", "ttl": format!("{TTL:?}")}]});
    for name in &names {
        first.api().register("web", name, &body);
    }
    let beat = |servers: &[&Node]| {
        for name in &names {
            let path = instance_path("web", name);
            assert_eq!(first.api().put(&format!("{path}/heartbeat"), &json!({})).status, 200);
            for (at, node) in servers.iter().enumerate() {
                let status = node.api().status("web", name);
                assert_eq!(status.as_deref(), Some("passing"), "{name} at server {at}");
            }
        }
    };
    let second = server("same", &etcd);
    let at = second.http[0].to_string();
    let said = eventually("it has noticed", || {
        beat(&[]);
        note(&first)
    });
    assert!(said.contains(&at) && said.contains("each needs a name of its own"), "{said}");
    let begun = Instant::now();
    eventually("three times as long", || {
        beat(&[&first, &second, &other]);
        (begun.elapsed() > 3 * TTL).then_some(())
    });
    let said = noted(&second, "server id twin").expect("who has the name hears of the other");
    assert!(said.contains("another server has the `cluster.server_id` of this one"), "{said}");
    assert_eq!((note(&second), noted(&other, "server id twin")), (None, None));
    let shown = list(&first, "it is apart", |list| list["joined"] == false);
    assert_eq!(ids(&shown), ["other", "same", "same"], "{shown}");
    let owners = names.iter().map(|name| first.api().get(&instance_path("web", name)).body);
    let of_same = owners.filter(|instance| instance["owner"] == "same").count();
    assert!((1..names.len()).contains(&of_same), "{of_same}");
    // The name is free a lease later: it is back, and counts what it had handed on.
    drop(second);
    eventually("it has its name again", || {
        beat(&[&first, &other]);
        note(&first).is_none().then_some(())
    });
    list(&first, "it is back", |list| list["joined"] == true && ids(list) == ["other", "same"]);
}
