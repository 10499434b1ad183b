//! Clients that go on at another server hear of everything that is shared, or that they have to
//! read all anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{
    api::instance_path,
    events::{Events, Message},
    eventually,
    fleet::Fleet,
    lab::alone,
    raw,
};

/// How many changes each of those who change something makes.
const CHANGES: usize = 150;

/// How soon a client of Consul's interface knows of a change, wherever it asks.
const BOUND: Duration = Duration::from_secs(4);

fn body(server: usize) -> Value {
    let check = json!({"type": "ttl", "ttl": "1h"});
    json!({"addresses": [format!("10.0.0.{}", server + 1)], "port": 80, "checks": [check]})
}

/// Asks a server for a change; the revision of the reply, unless the store does not have it.
fn change(server: SocketAddr, method: &str, path: &str, body: &Value) -> Option<u64> {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let reply = raw::call(server, (method, path), &[], text.as_bytes());
    assert!(reply.status < 300, "{method} {path}: {reply:?}");
    Some(reply.revision()).filter(|revision| revision.is_multiple_of(65_536))
}

/// Two servers that know one another, and where they are.
fn two() -> (Fleet, [SocketAddr; 2]) {
    let fleet = Fleet::start(1, 2);
    let servers = [fleet.http(0), fleet.http(1)];
    for server in servers {
        eventually("both know one another", || {
            let metrics = raw::call(server, ("GET", "/metrics"), &[], b"").text;
            metrics.contains("rollcall_cluster_servers 2\n").then_some(())
        });
    }
    (fleet, servers)
}

/// Registers an instance, and waits until all servers have it; the revision.
fn register_everywhere(servers: &[SocketAddr], id: &str) -> u64 {
    let path = instance_path("web", id);
    let revision = change(servers[0], "PUT", &path, &body(0)).expect("it is written");
    for server in servers {
        let path = format!("{path}?min_revision={revision}");
        assert_eq!(raw::call(*server, ("GET", &path), &[], b"").status, 200);
    }
    revision
}

/// What an event is about, as it was asked for.
fn name(message: &Message) -> String {
    let data = &message.data;
    match message.event.as_str() {
        "status" => data["output"].as_str().unwrap_or_default().to_owned(),
        event => format!("{event} {}", data["instance"].as_str().unwrap_or_default()),
    }
}

/// Turns an instance up and down, at any server, each time with a word of its own. A server that
/// has not heard of the turn before finds nothing to change, and replies with a revision that is
/// known already; of that nobody is told.
fn flip(servers: &[SocketAddr], of: usize, asked: &Mutex<BTreeMap<String, u64>>) {
    let mut newest = 0;
    let path = format!("{}/heartbeat", instance_path("web", &format!("flips-{of}")));
    for turn in 0..CHANGES {
        let status = ["critical", "passing"][turn % 2];
        let output = format!("turn {turn} of {of}");
        let body = json!({"status": status, "output": output});
        let server = servers[fastrand::usize(..servers.len())];
        if let Some(revision) = change(server, "PUT", &path, &body)
            && revision > newest
        {
            newest = revision;
            asked.lock().insert(output, revision);
        }
        if turn % 10 == 9 {
            // Each was acknowledged before the next was said.
            servers.iter().for_each(|server| shows(*server, &path, status));
        }
    }
}

/// Waits until a server shows the instance whose heartbeats come to a path in this state.
fn shows(server: SocketAddr, heartbeats: &str, status: &str) {
    let path = heartbeats.trim_end_matches("/heartbeat");
    eventually("the last word counts", || {
        let reply = raw::call(server, ("GET", path), &[], b"");
        (reply.json()["status"] == status).then_some(())
    });
}

/// Registers and removes instances, each under a name of its own.
fn register(servers: &[SocketAddr], asked: &Mutex<BTreeMap<String, u64>>) {
    for turn in 0..CHANGES {
        let (id, at) = (format!("new-{turn}"), fastrand::usize(..servers.len()));
        let path = instance_path("web", &id);
        let is_new = [("PUT", body(at), "registered"), ("DELETE", Value::Null, "deregistered")];
        for (method, body, event) in is_new {
            if let Some(revision) = change(servers[at], method, &path, &body) {
                asked.lock().insert(format!("{event} {id}"), revision);
            }
        }
    }
}

/// Reads a few events at one server, then at the next, until the last one: what was seen, up to
/// which revision all was read anew, and how often.
fn wander(servers: &[SocketAddr], since: u64) -> (BTreeSet<String>, u64, usize) {
    let (mut seen, mut read_up_to, mut resets) = (BTreeSet::new(), 0, 0);
    let mut last = since.to_string();
    for server in servers.iter().cycle() {
        let mut events = Events::open(*server, "?service=web", Some(&last));
        for _ in 0..fastrand::usize(1..5) {
            let message = events.next();
            if message.event == "reset" {
                (read_up_to, resets) = (message.data["revision"].as_u64().unwrap(), resets + 1);
            }
            seen.insert(name(&message));
        }
        last.clone_from(&events.last_id);
        if seen.contains("registered last") {
            break;
        }
    }
    (seen, read_up_to, resets)
}

/// What one server had shown before the store had it, and what was shared before that reached
/// another, was told by neither to a client that changed between them.
#[test]
fn a_watcher_that_goes_from_server_to_server_misses_no_shared_change() {
    alone(|| {
        let (_fleet, servers) = two();
        let flipped = ["flips-0", "flips-1"].map(|id| register_everywhere(&servers, id));
        let since = flipped[1];
        let asked = Mutex::new(BTreeMap::new());
        let results = thread::scope(|scope| {
            let clients = [[0, 1], [1, 0]].map(|order| {
                let order = order.map(|server| servers[server]);
                scope.spawn(move || wander(&order, since))
            });
            let flips = [0, 1].map(|of| {
                let asked = &asked;
                scope.spawn(move || flip(&servers, of, asked))
            });
            register(&servers, &asked);
            flips.into_iter().for_each(|flip| flip.join().unwrap());
            // Some more than a client reads at once, so that each is at its end.
            for id in ["last", "last-1", "last-2", "last-3", "last-4"] {
                change(servers[0], "PUT", &instance_path("web", id), &body(0));
            }
            clients.map(|client| client.join().unwrap())
        });
        let asked = asked.into_inner();
        assert!(asked.len() > 3 * CHANGES, "{} of {} are shared", asked.len(), 4 * CHANGES);
        for (seen, read_up_to, resets) in results {
            let is_missed = |(what, revision): &(&String, &u64)| {
                **revision > read_up_to && !seen.contains(*what)
            };
            let missed: Vec<_> = asked.iter().filter(is_missed).collect();
            let told = asked.keys().filter(|what| seen.contains(*what)).count();
            println!("{told} of {} were told of, {resets} times all was read anew", asked.len());
            assert!(missed.is_empty(), "{missed:?}");
        }
    });
}

/// A client of Consul's interface: which instances of `web` pass, at its index.
fn passing(server: SocketAddr, index: u64, wait: &str) -> (u64, Vec<String>) {
    let path = format!("/v1/health/service/web?passing&index={index}&wait={wait}");
    let reply = raw::call(server, ("GET", &path), &[], b"");
    assert_eq!(reply.status, 200, "{reply:?}");
    let rows = reply.json();
    let ids = rows.as_array().unwrap().iter().map(|row| row["Service"]["ID"].to_string());
    (reply.header("x-consul-index").parse().unwrap(), ids.collect())
}

/// Ends a loop also when the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_blocking_query_that_goes_from_server_to_server_ends_with_every_change() {
    alone(|| {
        let (_fleet, servers) = two();
        register_everywhere(&servers, "a");
        let (known, requests) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut index = 0;
                for server in
                    servers.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed))
                {
                    let ids;
                    (index, ids) = passing(*server, index, "9s");
                    *known.lock() = ids;
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
            let _over = Ends(&is_over);
            let is_known_of = |ids: &[String]| ids.iter().any(|id| id == "\"web:a\"");
            let path = format!("{}/heartbeat", instance_path("web", "a"));
            for turn in 0..60 {
                let status = ["critical", "passing"][turn % 2];
                let server = servers[fastrand::usize(..2)];
                change(server, "PUT", &path, &json!({"status": status}));
                if turn % 3 == 0 {
                    // Of another instance, which may come before what is on its way.
                    change(servers[turn % 2], "PUT", &instance_path("web", "b"), &body(turn));
                }
                let start = Instant::now();
                let is_known = || is_known_of(&known.lock());
                while start.elapsed() < BOUND && is_known() != (status == "passing") {
                    thread::park_timeout(Duration::from_millis(1));
                }
                let shown = servers.map(|server| passing(server, 0, "1s"));
                let known = known.lock().clone();
                assert_eq!(is_known_of(&known), status == "passing", "turn {turn}: {shown:?}");
            }
            // With nothing to tell it waits, wherever it asks: one more answer at each at the most.
            let before = requests.load(Ordering::Relaxed);
            let start = Instant::now();
            eventually("it is quiet", || (start.elapsed() > BOUND).then_some(()));
            let more = requests.load(Ordering::Relaxed) - before;
            assert!(more <= 4, "{more} requests within {BOUND:?}");
        });
    });
}

#[test]
fn what_a_server_alone_has_shown_is_good_at_no_other_one() {
    alone(|| {
        let (fleet, servers) = two();
        let path = instance_path("web", "a");
        let since = register_everywhere(&servers, "a").to_string();
        let others = [Fleet::host_of_member(0), Fleet::host_of_server(1)];
        let others = others.each_ref().map(String::as_str);
        let cut = fleet.lab.cut_between(&[&Fleet::host_of_server(0)], &others);
        eventually("it knows that it is cut off", || {
            let ready = raw::call(servers[0], ("GET", "/ready"), &[], b"");
            ready.text.contains("etcd").then_some(())
        });
        let beat = json!({"status": "critical", "output": "so"});
        let mut events = Events::open(servers[0], "", Some(&since));
        change(servers[0], "PUT", &format!("{path}/heartbeat"), &beat);
        let (index, ids) = passing(servers[0], 0, "1s");
        assert!(ids.is_empty(), "it is shown there");
        let shown = events.until_status("a", "critical");
        assert_ne!(shown.id.unwrap() % 65_536, 0, "{shown:?}");
        // There again it misses nothing, and sees nothing twice.
        let mut again = Events::open(servers[0], "", Some(&events.last_id));
        change(servers[0], "PUT", &format!("{path}/heartbeat"), &json!({"status": "passing"}));
        assert_eq!(again.next().data["to"], "passing");
        // The other server never showed it, and nobody else will say that it is over.
        let mut other = Events::open(servers[1], "", Some(&events.last_id));
        assert_eq!(other.next().event, "reset");
        let start = Instant::now();
        assert_eq!(passing(servers[1], index, "9s").1, ["\"web:a\""]);
        assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
        drop(cut);
    });
}
