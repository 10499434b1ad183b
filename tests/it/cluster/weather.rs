//! What a server says and does when something is the matter with its etcd, through its own doors.

use std::{
    io::{BufRead, BufReader, ErrorKind},
    net::{TcpStream, UdpSocket},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Backend, Node, PATIENCE,
    api::{Api, instance_path},
    command::{rollcall, run},
    etcd::Etcd,
    events::Events,
    eventually, free_address, node,
};

/// A server on an etcd.
fn builder(etcd: &Etcd) -> node::Builder {
    let store = format!("etcd={}", etcd.endpoints().join(","));
    let cluster = "[cluster]\nserver_id = \"me\"\nlease = \"3s\"\n";
    Node::builder().config(cluster).arg("--store").arg(store)
}

/// Another one.
fn other(etcd: &Etcd) -> node::Builder {
    builder(etcd).config("[cluster]\nserver_id = \"other\"\nlease = \"3s\"\n")
}

/// What `/ready` says of etcd; a server that answers is ready, whatever it is.
fn note(node: &Node) -> Option<String> {
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200, "{ready:?}");
    let notes = ready.body["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["name"] == "etcd")?;
    Some(note["message"].as_str().unwrap().to_owned())
}

fn put(api: &Api, instance: &str) -> (u16, Value) {
    let reply = api.put(&instance_path("web", instance), &json!({"addresses": ["10.0.0.7"]}));
    (reply.status, reply.body)
}

fn export(etcd: &Etcd, to: &std::path::Path) {
    let store = format!("etcd={}", etcd.endpoints()[0]);
    let done = run(rollcall(["export", "--store", &store]).arg(to));
    assert_eq!(done.code, Some(0), "{done:#?}");
}

/// All services were gone from the answers, and each server took itself for its twin.
#[test]
fn an_etcd_that_is_emptied_is_answered_for_and_an_import_makes_it_good() {
    let (etcd, backend) = (Etcd::single(), Backend::start("127.0.0.1"));
    let node = builder(&etcd).start();
    let (api, resolver) = (node.api(), node.resolver());
    api.register("web", "w1", &json!({"addresses": ["10.0.0.1"]}));
    let check = json!([{"type": "http", "host": "127.0.0.1", "port": backend.address.port(),
        "interval": "300ms", "fall": 1}]);
    api.register("checked", "c1", &json!({"addresses": ["10.0.0.2"], "port": 80, "checks": check}));
    eventually("it is checked", || (resolver.service("checked").len() == 1).then_some(()));
    let backup = node.path("backup.jsonl");
    export(&etcd, &backup);
    api.register("web", "w2", &json!({"addresses": ["10.0.0.3"]}));

    etcd.ctl(&["del", "--prefix", "/rollcall/v1/"]).ok();
    let note_of = eventually("it is noticed", || note(&node));
    assert!(note_of.contains("was emptied") && note_of.contains("; since 20"), "{note_of}");
    let (status, body) = put(&api, "w3");
    assert_eq!((status, &body["code"]), (503, &"store-unreachable".into()), "{body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("was emptied") && detail.contains("Restore a backup"), "{detail}");
    assert_eq!(resolver.service("web").len(), 2, "what was known stays");
    for (status, count) in [(500, 0), (200, 1)] {
        backend.set_status(status);
        eventually("checks go on", || (resolver.service("checked").len() == count).then_some(()));
    }
    let seconds = api.text("/metrics");
    assert!(!seconds.contains("rollcall_cluster_out_of_reach_seconds 0.0\n"), "{seconds}");
    assert_eq!(etcd.ctl(&["get", "--prefix", "/rollcall/"]).ok(), "", "nothing is written");

    let store = format!("etcd={}", etcd.endpoints()[0]);
    let words = ["import", "--store", &store, "--replace"];
    run(rollcall(words).arg(&backup)).ok();
    eventually("changes are taken", || (put(&api, "w4").0 == 201).then_some(()));
    assert_eq!(note(&node), None);
    let listed = api.get("/api/v1/services/web/instances").body;
    let names = listed["instances"].as_array().unwrap().iter().map(|it| it["instance"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["w1", "w4"], "what the backup has, and what came since");
    eventually("it is known again", || {
        etcd.ctl(&["get", "--keys-only", "--prefix", "/rollcall/v1/servers/"])
            .ok()
            .contains("/me")
            .then_some(())
    });
    let warnings = |part| node.count_log(part);
    assert_eq!((warnings("etcd is out of reach"), warnings("is known as")), (0, 0));
    assert_eq!(warnings("etcd has not the state that is shown"), 1);
}

/// A member that stops tells its clients to go (GOAWAY), and closes what is open. What was under
/// way there nobody knows about, and while another leader is elected nothing is taken: who repeats
/// what got 503 is through within an election.
#[test]
fn members_that_restart_in_good_order_hold_up_writes_for_an_election() {
    let mut etcd = Etcd::cluster(3);
    let node = builder(&etcd).start();
    let (api, http, is_over) = (node.api(), node.http[0], AtomicBool::new(false));
    let write = || {
        let (api, mut longest) = (Api::new(http), Duration::ZERO);
        for number in 0.. {
            if is_over.load(Ordering::Relaxed) {
                assert!(number > 20, "only {number}");
                break;
            }
            let (instance, began) = (format!("w{number}"), Instant::now());
            eventually("it is taken", || {
                let (status, body) = put(&api, &instance);
                let is_told = body["code"] == "store-unsure" || body["code"] == "store-unreachable";
                assert!(matches!(status, 200 | 201) || status == 503 && is_told, "{body}");
                (status != 503).then_some(())
            });
            longest = longest.max(began.elapsed());
        }
        longest
    };
    std::thread::scope(|scope| {
        let writes = scope.spawn(write);
        for member in 0..3 {
            etcd.stop(member);
            // Whoever is left goes on, the watch included: a change is shown before its reply.
            eventually("it is taken", || (put(&api, "without").0 != 503).then_some(()));
            etcd.start(member);
            etcd.wait_until_healthy();
        }
        is_over.store(true, Ordering::Relaxed);
        let longest = writes.join().unwrap();
        assert!(longest < Duration::from_secs(10), "{longest:?}");
    });
    eventually("nothing is left of it", || note(&node).is_none().then_some(()));
}

/// etcd issues 12105, 18069, 16839 and others: what clients do stays with their server.
#[test]
fn etcd_has_one_watch_and_one_lease_for_each_server_whatever_clients_do() {
    let etcd = Etcd::single();
    let nodes = [builder(&etcd).start(), other(&etcd).start()];
    let _watches: Vec<_> = (0..20)
        .map(|number| Events::open(nodes[number % 2].http[0], "?service=web", None))
        .collect();
    let body = json!({"addresses": ["10.0.0.1"], "checks": [{"type": "ttl", "ttl": "1h"}]});
    for number in 0..50 {
        let (api, name) = (nodes[number % 2].api(), format!("w{number}"));
        api.register("web", &name, &body);
        let beat = format!("{}/heartbeat", instance_path("web", &name));
        assert_eq!(api.put(&beat, &json!({})).status, 200);
    }
    let leases = || etcd.ctl(&["lease", "list"]).ok().lines().count() - 1; // a heading
    eventually("both are known", || {
        (etcd
            .ctl(&["get", "--keys-only", "--prefix", "/rollcall/v1/servers/"])
            .ok()
            .lines()
            .filter(|line| !line.is_empty())
            .count()
            == 2)
            .then_some(())
    });
    assert_eq!(etcd.metric(0, "etcd_debugging_mvcc_watcher_total"), Some(2.0));
    assert_eq!(leases(), 2);
    let words = ["get", "--prefix", "/rollcall/v1/instances/", "--write-out=json"];
    let rows = etcd.ctl(&words).json();
    let rows = rows["kvs"].as_array().unwrap();
    assert!(rows.len() >= 50 && rows.iter().all(|row| row["lease"].is_null()), "{rows:?}");
}

/// What it waits for is said once, and then once a minute.
#[test]
fn a_server_that_waits_for_its_etcd_says_why_and_ends_when_it_is_told_to() {
    let nobody = "etcd=http://127.0.0.1:1,http://127.0.0.1:2";
    let builder = Node::builder().arg("--store").arg(nobody);
    let mut server =
        builder.command().stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let log = server.stderr.take().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(log).lines().map_while(Result::ok);
        lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    let waits = |line: &String| line.contains("waiting for etcd");
    let first = std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok()).find(waits).unwrap();
    assert!(first.contains("127.0.0.1:1: ") && first.contains("127.0.0.1:2: "), "{first}");
    assert!(first.contains("\"WARN\"") && first.contains("\"since\":\"20"), "{first}");
    let told = Instant::now();
    let sent = Command::new("kill").args(["-s", "TERM", &server.id().to_string()]).status();
    assert!(sent.unwrap().success() && server.wait().unwrap().success(), "exit code 0");
    assert!(told.elapsed() < PATIENCE / 2, "at once, and not when an attempt is over");
    let rest: Vec<String> = lines.iter().collect();
    assert!(rest.iter().any(|line| line.contains("before anything was read")), "{rest:?}");
    assert!(!rest.iter().any(waits), "{rest:?}");
}

/// Whoever takes an open port for a server that is ready would get empty answers, or none.
#[test]
fn a_server_that_waits_for_its_etcd_has_no_port_open_until_it_is_there() {
    let mut etcd = Etcd::single();
    builder(&etcd).start().api().register("web", "w1", &json!({"addresses": ["10.0.0.1"]}));
    etcd.kill(0);
    let [dns, tls, http] = [(); 3].map(|()| free_address());
    let mut node = builder(&etcd)
        .dns(&dns.to_string())
        .http(&http.to_string())
        .arg("--dns-tls")
        .arg(tls.to_string())
        .env("ROLLCALL_TLS_SELF_SIGNED", "true")
        .launch();
    node.wait_for_log("waiting for etcd");
    for address in [dns, tls, http] {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{address}: {refused}");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(dns).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(b"is anybody there?").unwrap();
    let refused = socket.recv(&mut [0; 512]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");

    etcd.start(0);
    node.wait_until_ready();
    assert_eq!((&*node.dns, &*node.http), (&[dns][..], &[http][..]));
    assert_eq!(node.encrypted("tls"), tls);
    assert_eq!(node.api().get("/ready").status, 200);
    assert_eq!(node.resolver().service("web").len(), 1);
}
