//! Nothing acknowledged is lost, and nothing damaged is taken for whole.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Node, command::run, node::read};

const ROUNDS: u32 = 100;
const CLIENTS: u64 = 8;

/// What clients were told, in the order of the replies.
#[derive(Default)]
struct Told {
    present: Mutex<BTreeSet<String>>,
    /// Asked for, but killed before the reply: may be there or not.
    open: Mutex<BTreeSet<String>>,
    next: AtomicU64,
}

/// Registers and deregisters until the server is gone; remembers what was acknowledged.
fn client(http: std::net::SocketAddr, told: &Told, stop: &AtomicBool) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    while !stop.load(Ordering::SeqCst) {
        let number = told.next.fetch_add(1, Ordering::SeqCst);
        let name = format!("i{number}");
        let url = format!("http://{http}/api/v1/services/s{}/instances/{name}", number % 50);
        let body = json!({ "addresses": ["10.0.0.1"], "port": 80, "weight": number % 100 });
        told.open.lock().insert(name.clone());
        match agent.put(&url).send(body.to_string()) {
            Ok(reply) => assert_eq!(reply.status().as_u16(), 201),
            Err(_) => return,
        }
        told.present.lock().insert(name.clone());
        told.open.lock().remove(&name);
        if number.is_multiple_of(3) {
            told.present.lock().remove(&name);
            told.open.lock().insert(name.clone());
            match agent.delete(&url).call() {
                Ok(reply) => assert_eq!(reply.status().as_u16(), 204),
                Err(_) => return,
            }
            told.open.lock().remove(&name);
        }
    }
}

fn registered(node: &Node) -> BTreeSet<String> {
    let api = node.api();
    let list = api.get("/api/v1/services").body;
    let services = list["services"].as_array().unwrap().clone();
    let names = services.iter().map(|service| service["service"].as_str().unwrap().to_owned());
    let instances = |service: String| {
        let body = api.get(&format!("/api/v1/services/{service}/instances")).body;
        body["instances"].as_array().unwrap().clone()
    };
    names
        .flat_map(instances)
        .map(|instance| instance["instance"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_acknowledged_change_survives_a_hundred_kills() {
    let told = Arc::new(Told::default());
    let mut node = Node::start();
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let goal = told.next.load(Ordering::SeqCst) + CLIENTS * 4 + u64::from(round * 7 % 40);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (told, stop, http) = (Arc::clone(&told), Arc::clone(&stop), node.http[0]);
                std::thread::spawn(move || client(http, &told, &stop))
            })
            .collect();
        // In the middle of their work, wherever each of them is.
        while told.next.load(Ordering::SeqCst) < goal {
            std::thread::yield_now();
        }
        node = node.kill_and_restart();
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().unwrap();
        }
        let (there, present) = (registered(&node), told.present.lock().clone());
        let open = std::mem::take(&mut *told.open.lock());
        let lost: Vec<_> = present.difference(&there).collect();
        assert_eq!(lost, [] as [&String; 0], "round {round}: acknowledged and lost");
        let allowed: BTreeSet<String> = present.union(&open).cloned().collect();
        let undead: Vec<_> = there.difference(&allowed).collect();
        assert_eq!(undead, [] as [&String; 0], "round {round}: acknowledged as gone, and there");
        *told.present.lock() = there;
    }
    assert!(told.present.lock().len() > 500, "the clients had work to do");
}

#[test]
fn a_damaged_store_is_refused_by_name_and_left_as_it_is() {
    let mut node = Node::builder().embedded().start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    node.signal("TERM");
    node.wait();
    let file = node.data().join("rollcall.redb");
    let whole = std::fs::read(&file).unwrap();
    let damages: [(&str, Vec<u8>); 3] = [
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("emptied", Vec::new()),
        ("overwritten", b"this is no store".repeat(500)),
    ];
    for (what, bytes) in damages {
        std::fs::write(&file, &bytes).unwrap();
        let output = serve_output(&node);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{what}: {said}");
        assert!(said.contains("rollcall.redb"), "{what}: names the file: {said}");
        assert!(said.contains("import"), "{what}: says the way out: {said}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{what}: left as it is");
    }
    std::fs::write(&file, whole).unwrap();
    let node = node.kill_and_restart();
    assert_eq!(node.resolver().service("web").len(), 1, "the backup is as good as before");
}

/// redb meets some damage with a panic, which is for its developers and not for who runs this.
#[test]
fn a_store_whose_pages_are_zeroed_is_refused_without_a_panic() {
    let mut node = Node::builder().embedded().start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    node.signal("TERM");
    node.wait();
    let file = node.data().join("rollcall.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4_096..9 * 4_096].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    let output = serve_output(&node);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("rollcall.redb") && said.contains("import"), "{said}");
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!said.contains(noise), "{noise}: {said}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "left as it is");
}

/// Runs `serve` on the data of a node that has ended, expecting it to refuse.
fn serve_output(node: &Node) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(["serve", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
        .arg(node.data())
        .output()
        .unwrap()
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let node = Node::builder().embedded().start();
    let output = serve_output(&node);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains(&node.pid().to_string()), "it says who holds it: {said}");
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
}

#[test]
fn a_backup_brings_a_registry_to_another_server() {
    let mut node = Node::start();
    let body = json!({ "addresses": ["10.0.0.1"], "port": 80, "tags": ["v1"], "weight": 7 });
    node.api().register("web", "web-1", &body);
    node.api().put("/api/v1/services/web/policy", &json!({ "ttl": 1, "answer_limit": 3 }));
    node.api().put("/api/v1/services/web/instances/web-1/drain", &Value::Null);
    let before = node.api().get("/api/v1/services/web/instances/web-1").body;
    node.signal("TERM");
    node.wait();
    let backup = node.path("backup.jsonl");
    run(node.transfer("export").arg(&backup)).exported("1 instance and 1 policy");
    assert!(read(&backup).lines().count() >= 4, "header, instance, policy, footer");
    let other = Node::builder();
    run(other.transfer("import").arg(&backup)).ok();
    let other = other.start();
    let after = other.api().get("/api/v1/services/web/instances/web-1").body;
    // Each etcd counts by itself, and each server looks after what it has.
    let content = |mut instance: Value, node: &Node| {
        let is_own = |field: &str| matches!(field, "revision" | "owner");
        instance.as_object_mut().unwrap().retain(|field, _| !is_own(field) || !node.is_shared());
        instance
    };
    assert_eq!(content(after, &other), content(before, &other));
    assert_eq!(other.api().get("/api/v1/services/web/policy").body["answer_limit"], 3);
}
