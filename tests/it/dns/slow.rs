//! A forwarded name whose upstream takes its time: on one connection of each encrypted transport it
//! holds up no name of ours.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use hickory_proto::{op::Message, rr::RecordType};
use serde_json::json;

use super::{
    https::{BROWSER, in_url},
    quic::Client,
};
use crate::support::{
    Node, Upstream,
    dns::{framed, question},
    eventually,
    tls::{Certificate, TlsConnection},
    upstream::Said,
};

/// More than may be under way at once for other reasons.
const SLOW: u16 = 20;

/// The same, of names of ours that take long and turn out to lead to an upstream's.
const LED: usize = 8;

fn world() -> (Node, Upstream, Certificate) {
    let certificate = Certificate::new();
    let upstream = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.7"]).held());
    let node = Node::builder().arg("--forward").arg(upstream.address.to_string());
    let node = node.config("[forward]\ntimeout = \"10s\"").encrypted(&certificate).start();
    let tags = ["v1", "v2"];
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": tags }));
    node.api().register("ext", "a", &json!({ "addresses": ["led.example"], "tags": tags }));
    (node, upstream, certificate)
}

fn query(name: &str) -> Vec<u8> {
    question(name, RecordType::A, Some(1_232)).to_vec().unwrap()
}

/// A name of ours that takes long itself.
const LOCAL: &str = "v1.v2.web.service.internal.";

fn slow() -> impl Iterator<Item = Vec<u8>> {
    let led = (0..LED).map(|_| query("v1.v2.ext.service.internal."));
    led.chain((0..SLOW).map(|n| query(&format!("n{n}.example."))))
}

/// Lets the upstream speak, when it has been asked for all.
fn release(upstream: &Upstream) {
    eventually("all are asked", || (upstream.held() > SLOW.into()).then_some(()));
    upstream.release();
}

fn address(reply: &[u8]) -> String {
    Message::from_vec(reply).unwrap().answers.last().unwrap().data.to_string()
}

#[test]
fn over_tls_it_holds_up_nothing() {
    let (node, upstream, certificate) = world();
    let mut connection = TlsConnection::open(node.encrypted("tls"), &certificate);
    let messages: Vec<_> = slow().chain([query(LOCAL)]).collect();
    connection.send(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    assert_eq!(address(&connection.read().unwrap()), "10.0.0.1");
    release(&upstream);
    for _ in 0..usize::from(SLOW) + LED {
        assert_eq!(address(&connection.read().unwrap()), "192.0.2.7");
    }
}

#[test]
fn over_https_it_holds_up_nothing() {
    let (node, upstream, _) = world();
    std::fs::write(node.path("browser.js"), BROWSER).unwrap();
    let url = format!("https://localhost:{}", node.encrypted("https").port());
    let mut browser = Command::new("node");
    browser.current_dir(node.path(".")).args(["browser.js", &url]).stdout(Stdio::piped());
    let questions = slow().chain([query(LOCAL)]);
    browser.args(questions.map(|message| format!("POST:{}", in_url(&message))));
    let mut browser = browser.spawn().unwrap();
    let lines = BufReader::new(browser.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut replies = lines.map(|line| {
        let reply = line.strip_prefix("200 ").unwrap().to_owned();
        address(&super::https::from_url(&reply))
    });
    assert_eq!(replies.next().unwrap(), "10.0.0.1");
    release(&upstream);
    let released = replies.filter(|address| address == "192.0.2.7");
    assert_eq!(released.count(), usize::from(SLOW) + LED);
    assert!(browser.wait().unwrap().success());
}

#[test]
fn over_quic_it_holds_up_nothing() {
    let (node, upstream, certificate) = world();
    let client = Client::new(&node, &certificate);
    let connection = client.connect().unwrap();
    let waiting = client.run(async {
        let mut waiting = Vec::new();
        for message in slow() {
            let (mut send, receive) = connection.open_bi().await.unwrap();
            send.write_all(&framed(&message)).await.unwrap();
            send.finish().unwrap();
            waiting.push(receive);
        }
        waiting
    });
    let reply = client.exchange(&connection, &framed(&query(LOCAL))).unwrap();
    assert_eq!(address(&reply[2..]), "10.0.0.1");
    release(&upstream);
    client.run(async {
        for mut receive in waiting {
            let reply = receive.read_to_end(70_000).await.unwrap();
            assert_eq!(address(&reply[2..]), "192.0.2.7");
        }
    });
}
