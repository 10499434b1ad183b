//! The servers that share the registry, and whose task an instance is.

use serde_json::{Value, json};

use super::{peers::door, support::Door};
use crate::{
    http::Options,
    registry::{Ownership, Peer, View},
};

fn view(ids: &[&str], is_cut_off: bool) -> View {
    let peer = |id: &&str| Peer { id: (*id).into(), http: [format!("{id}:8500")].into() };
    let servers = ids.iter().map(peer).collect();
    View { me: "me".into(), servers, checkers: 1, is_cut_off, hears_all: false }
}

async fn list(door: &Door) -> Value {
    let reply = door.get("/api/v1/servers").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn me(instances: u64) -> Value {
    json!({"server": "me", "http": ["10.0.0.1:8500"], "version": "1.2.3",
           "started": "2026-01-01T00:00:00.000Z", "me": true, "instances": instances})
}

#[tokio::test]
async fn a_server_with_a_store_of_its_own_lists_itself_alone() {
    let door = Door::open(Options::default());
    door.register("web/a", "{}").await;
    let expected = json!({"shared": false, "joined": true, "cut_off": false, "servers": [me(1)]});
    assert_eq!(list(&door).await, expected);
    let instance = door.get("/api/v1/services/web/instances/a").await.json();
    assert_eq!(instance.get("owner"), None);
    door.get("/api/v1/servers?tag=a").await.problem(422, "bad-query");
}

#[tokio::test]
async fn what_is_not_known_of_a_server_is_left_out() {
    let door = door(Ownership::of(view(&["b", "me", "z"], false)));
    let b = json!({"server": "b", "http": ["b:8500"], "version": "1.2.4",
                   "started": "2026-01-01T01:00:00.000Z", "me": false});
    let z = json!({"server": "z", "http": ["z:8500"], "me": false});
    let expected = json!({"shared": true, "joined": true, "cut_off": false,
                          "servers": [b, me(412), z]});
    assert_eq!(list(&door).await, expected);
}

#[tokio::test]
async fn who_is_asked_is_listed_although_the_others_do_not_know_it() {
    let ownership = Ownership::of(view(&["b"], false));
    let door = door(ownership.clone());
    let ids = |list: &Value| -> Vec<String> {
        let servers = list["servers"].as_array().unwrap().iter();
        servers.map(|server| server["server"].as_str().unwrap().to_owned()).collect()
    };
    let out = list(&door).await;
    assert_eq!((ids(&out), &out["joined"]), (vec!["b".into(), "me".into()], &json!(false)));
    ownership.set(view(&["b", "me"], true));
    let cut_off = list(&door).await;
    assert_eq!((&cut_off["joined"], &cut_off["cut_off"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn an_instance_says_who_looks_after_it() {
    let ownership = Ownership::of(view(&["b"], false));
    let door = door(ownership.clone());
    door.register("web/a", "{}").await;
    let owner = async || door.get("/api/v1/services/web/instances/a").await.json()["owner"].clone();
    assert_eq!(owner().await, "b");
    ownership.set(view(&["me"], false));
    assert_eq!(owner().await, "me");
    ownership.set(view(&[], false));
    assert_eq!(owner().await, Value::Null, "nobody is known");
    let listed = door.get("/api/v1/services/web/instances").await.json();
    assert_eq!(listed["instances"][0].get("owner"), None, "of one that is asked for");
}
