//! Upstreams that ask us what we ask them.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use hickory_proto::{op::ResponseCode, rr::RecordType};
use serde_json::json;

use super::{forwarding, is_up, metric};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, extended_errors, lines},
    eventually, free_address,
    upstream::{Said, Seen, known},
};

const A: RecordType = RecordType::A;

/// Whether names of ours are answered.
fn answers(node: &Node) -> bool {
    node.resolver().service("web").len() == 1
}

fn register(node: &Node) {
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
}

#[test]
fn two_servers_that_forward_to_each_other_find_out_and_go_on() {
    let (here, there) = (free_address(), free_address());
    let node = |own: SocketAddr, other: SocketAddr| {
        let config = format!("[forward]\nupstreams = [\"{other}\"]\n");
        Node::builder().dns(&own.to_string()).config(&config).start()
    };
    let first = node(here, there);
    let second = node(there, here);
    for node in [&first, &second] {
        register(node);
    }
    let said = second.wait_for_log("forwarding loop");
    assert_eq!(said["level"], "ERROR");
    assert_eq!(said["fields"]["upstream"], here.to_string());
    let reply = second.resolver().ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_errors(&reply), [0]);
    let ready = second.api().get("/ready");
    assert_eq!(ready.status, 200, "it is no reason to stop");
    assert!(ready.body.to_string().contains("a loop"), "{ready:?}");
    let loops = format!("rollcall_forward_loops_total{{upstream=\"{here}\"}}");
    assert_eq!(metric(&second, &loops).as_deref(), Some("1"));
    // The other one is answered by a server that asks nobody: the loop is open.
    let reply = first.resolver().ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(answers(&first) && answers(&second));
}

/// What a server says that asks another one in turn, and waits for so long.
fn relayed(seen: &Seen, to: SocketAddr, patience: Duration) -> Said {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(&seen.message.to_vec().unwrap(), to).unwrap();
    let mut reply = vec![0; 4096];
    match socket.recv(&mut reply) {
        Ok(octets) => Said::Octets(reply[..octets].to_vec()),
        Err(_) => Said::code(ResponseCode::ServFail),
    }
}

#[test]
fn a_loop_that_comes_about_later_is_found_by_what_goes_round() {
    // Who is asked gives up after us, or before us and says so.
    for (timeout, patience) in [("500ms", 600), ("2s", 100)] {
        let relay = Upstream::start(|seen| known(&["www.example. 1 A 192.0.2.1"], seen));
        let node = forwarding(&[&relay], &format!("timeout = \"{timeout}\"")).start();
        register(&node);
        assert_eq!(node.resolver().ask("www.example.", A).answers.len(), 1);
        // From now on it asks the server that asks it.
        let address = node.dns[0];
        relay.says(move |seen| relayed(seen, address, Duration::from_millis(patience)));
        let mut round = 0;
        eventually("the loop is found", || {
            round += 1;
            node.resolver().ask(&format!("n{round}.example."), A);
            node.find_log("forwarding loop")
        });
        assert!(!is_up(&node, &relay) && answers(&node));
        // What went round went once: each name was asked for by one question and its repetitions.
        let ids = |name: &str| {
            let seen = relay.seen();
            let ids = seen.iter().filter(|s| s.name == name).map(|s| s.message.metadata.id);
            ids.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert!(ids("n1.example.") <= 1);
    }
}

#[test]
fn a_server_that_is_named_as_its_own_upstream_leaves_itself_out() {
    let good = Upstream::of(&["www.example. 60 A 192.0.2.1"]);
    let node = forwarding(&[&good], "").start();
    let own = node.dns[0];
    let text = format!("version = 1\n[forward]\nupstreams = [\"{own}\", \"{}\"]\n", good.address);
    fs::write(node.path("rollcall.toml"), text).unwrap();
    node.signal("HUP");
    node.wait_for_log("this server is among its own upstreams");
    let ready = node.api().get("/ready").body.to_string();
    assert!(ready.contains("is this server itself"), "{ready}");
    let reply = Resolver::new(own).ask("www.example.", A);
    assert_eq!(lines(&reply.answers), ["www.example. 60 A 192.0.2.1"]);
}

#[test]
fn a_configuration_that_names_the_server_itself_is_refused_with_its_line() {
    let address = free_address();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rollcall.toml");
    let text = format!(
        "version = 1\n[dns]\nlisten = [\"{address}\"]\n[forward]\nupstreams = [\"{address}\"]\n"
    );
    fs::write(&file, text).unwrap();
    let done = crate::support::command::run(&mut crate::support::command::rollcall([
        "check-config",
        file.to_str().unwrap(),
    ]));
    done.fails(78, "is where this server itself listens");
    assert!(done.stderr.contains("rollcall.toml:5:"), "{}", done.stderr);
}
