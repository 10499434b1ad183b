//! `rollcall export` and `rollcall import` with a real etcd, which servers share.

use std::{path::Path, sync::Barrier};

use serde_json::{Value, json};

use crate::support::{
    api::Api,
    command::{Done, rollcall, run, run_with},
    etcd::Etcd,
    eventually,
    node::Node,
};

const EXPORT: &str = concat!(
    r#"{"rollcall_export":1,"revision":12,"exported_at":"2026-01-01T00:00:00Z"}"#,
    "\n",
    r#"{"service":"web","instance":"w1","addresses":["10.0.0.1"],"port":80,"drained":true,"#,
    r#""checks":[{"type":"http","path":"/","status":"warning","output":"slow","#,
    r#""since":"2026-01-01T00:00:00.000Z"}],"registered_at":"2025-12-01T00:00:00.000Z"}"#,
    "\n",
    r#"{"service":"web","instance":"w2","addresses":["10.0.0.2"],"port":80}"#,
    "\n",
    r#"{"service":"web","policy":{"ttl":"7s"}}"#,
    "\n",
    r#"{"end":{"instances":2,"policies":1}}"#,
    "\n",
);

fn at(folder: &Path, line: &str) -> Done {
    run(rollcall([]).current_dir(folder).args(line.split_whitespace()))
}

/// The lines of an export without what each store counts for itself.
fn content(export: &str) -> Vec<Value> {
    let lines = export.lines().skip(1).map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields
            .retain(|field, _| !["revision", "registered", "created", "since"].contains(&&**field));
        line
    });
    lines.collect()
}

#[test]
fn a_registry_moves_into_etcd_and_back() {
    let (etcd, scratch) = (Etcd::single(), tempfile::tempdir().unwrap());
    let (folder, url) = (scratch.path(), etcd.endpoints().remove(0));
    let store = format!("--store etcd={url}");
    let absent = at(folder, &format!("export {store}"));
    absent.fails(1, "there is no registry below `/rollcall/v1/`");
    std::fs::write(folder.join("first.jsonl"), EXPORT).unwrap();
    at(folder, "import first.jsonl --data a").ok();
    let embedded = at(folder, "export --data a").exported("2 instances and 1 policy");

    let done = run_with(rollcall(["import"]).args(store.split_whitespace()), &embedded);
    let said = done.ok();
    let into = format!("imported 2 instances and 1 policy into {url} below `/rollcall`, complete");
    assert!(said.starts_with(&into), "{said}");
    let shared = at(folder, &format!("export {store}")).exported("2 instances and 1 policy");
    assert_eq!(content(&shared), content(&embedded));
    let key = "/rollcall/v1/instances/web/w1/drained";
    assert!(etcd.ctl(&["get", key]).ok().contains("\"by\":\"import\""), "etcdctl reads it");

    let done = at(folder, &format!("export second.jsonl {store}"));
    done.exported("2 instances and 1 policy");
    at(folder, "import second.jsonl --data b").ok();
    let back = at(folder, "export --data b").exported("2 instances and 1 policy");
    assert_eq!(content(&back), content(&embedded));
}

#[test]
fn what_is_in_etcd_is_replaced_only_when_asked_for() {
    let (etcd, scratch) = (Etcd::single(), tempfile::tempdir().unwrap());
    let (folder, url) = (scratch.path(), etcd.endpoints().remove(0));
    let (one, other) = (EXPORT, EXPORT.replace("w2", "w3"));
    std::fs::write(folder.join("one.jsonl"), one).unwrap();
    std::fs::write(folder.join("other.jsonl"), other).unwrap();
    // As a server would have it: the same options lead to the same place.
    let config = format!(
        "version = 1\n[store]\nkind = \"etcd\"\nendpoints = [\"{url}\"]\nprefix = \"/a/b\"\n"
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    at(folder, "import one.jsonl --config config.toml").ok();
    let refused = at(folder, "import other.jsonl --config config.toml");
    refused.fails(1, "a registry below `/a/b/v1/` already (instances: 2, policies: 1)");
    etcd.ctl(&["put", "/a/b/v1/zones/x", "a later version's"]).ok();
    let said = at(folder, "import other.jsonl --config config.toml --replace").ok();
    assert!(said.trim_end().ends_with("removed what was there besides: 1"), "{said}");
    let done = at(folder, "export --config config.toml");
    assert!(done.stderr.contains("warning: in "), "{done:#?}");
    assert!(done.stderr.contains("`zones` is of a later version"), "{done:#?}");
    assert!(done.stdout.contains("\"w3\"") && !done.stdout.contains("\"w2\""), "{done:#?}");
    let nobody = at(folder, "export --store etcd=http://127.0.0.1:1");
    nobody.fails(69, "etcd is out of reach");
    at(folder, &format!("export --store etcd={url} --data a")).fails(2, "`--data` is the folder");
}

/// Both were there for good, and the export of both was refused by the import.
#[test]
fn what_two_servers_take_at_once_under_one_id_of_consul_is_there_once() {
    const IDS: usize = 40;
    let (etcd, scratch) = (Etcd::single(), tempfile::tempdir().unwrap());
    let (folder, store) = (scratch.path(), format!("etcd={}", etcd.endpoints().join(",")));
    let nodes = ["a", "b"].map(|name| {
        let consul = "[consul]\nnode_name = \"n\"\nnode_address = \"10.0.0.9\"\n";
        let config = format!("[cluster]\nserver_id = \"{name}\"\n{consul}");
        Node::builder().config(&config).arg("--store").arg(&store).start()
    });
    let start = Barrier::new(2);
    let register = |api: &Api, name: &str| {
        for id in 0..IDS {
            let body = json!({"Name": name, "ID": format!("id-{id}"), "Port": 80});
            start.wait();
            let reply = api.put("/v1/agent/service/register", &body);
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    };
    std::thread::scope(|scope| {
        let (one, other, register) = (nodes[0].api(), nodes[1].api(), &register);
        scope.spawn(move || register(&one, "one"));
        register(&other, "other");
    });
    let export = |file: &str| {
        at(folder, &format!("export {file} --store {store}"))
            .exported(&format!("{IDS} instances and 0 policies"));
        at(folder, &format!("import {file} --data {file}-data")).ok();
        std::fs::read_to_string(folder.join(file)).unwrap()
    };
    // Whether the others are gone or not.
    export("at-once");
    let keys = ["get", "--prefix", "--keys-only", "/rollcall/v1/instances/"];
    let rows = || etcd.ctl(&keys).ok().lines().filter(|line| !line.is_empty()).count();
    eventually("each is there once", || (rows() == IDS).then_some(()));
    let export = export("later");
    for node in &nodes {
        let shown = eventually("it shows each once", || {
            let list = node.api().get("/api/v1/services").body;
            let all = list["services"].as_array()?.iter().filter_map(|it| it["instances"].as_u64());
            let shown = node.api().get("/v1/agent/services").body;
            (all.sum::<u64>() == IDS as u64).then_some(shown)
        });
        for (id, service) in shown.as_object().unwrap() {
            let name = service["Service"].as_str().unwrap();
            assert!(export.contains(&format!("\"service\":\"{name}\",\"instance\":\"{id}\"")));
        }
    }
}
