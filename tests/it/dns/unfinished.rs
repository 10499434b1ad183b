//! Questions that begin and never end, as many and as long as a connection takes: what they hold is
//! bounded, and other connections are served.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use hickory_proto::{op::ResponseCode, rr::RecordType};
use quinn::{Connection, VarInt, WriteError};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

use super::{
    full,
    https::in_url,
    quic::{Client, message},
};
use crate::support::{
    Node,
    dns::{framed, question},
    tls::Certificate,
};

/// Connections whose clients mean harm.
const CROWD: usize = 20;

/// Questions of each, as many as may be under way at once.
const STREAMS: usize = 64;

/// Octets of each that come, of the longest that there are.
const OCTETS: usize = 60_000;

/// Octets of each that has room, once it may end.
const LENGTH: usize = 62_000;

/// Those that have room: a quarter of a MiB, in steps of powers of two.
const TAKEN: usize = 4;

/// What a connection may hold (see `ConnectionLimits`), KiB.
const HELD_KIB_MAX: usize = 2_048;

fn node() -> (Node, Certificate) {
    let certificate = Certificate::new();
    let config = "[dns.encrypted]\nidle_timeout = \"10m\"";
    let node = Node::builder().config(config).encrypted(&certificate).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    (node, certificate)
}

fn query() -> Vec<u8> {
    question(&full("web"), RecordType::A, Some(1_232)).to_vec().unwrap()
}

/// Sends the most of a question, and waits until the server stops it, which it does with the code
/// that is returned; or until it may end, and for the reply then.
async fn begin(connection: Connection, mut may_end: watch::Receiver<bool>) -> Option<VarInt> {
    // No records, whatever else there is: that is wrong, but a question.
    let mut octets = vec![0; 2 + LENGTH];
    octets[..2].copy_from_slice(&u16::try_from(LENGTH).unwrap().to_be_bytes());
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    match send.write_all(&octets[..OCTETS]).await {
        Ok(()) => {}
        Err(WriteError::Stopped(code)) => return Some(code),
        Err(other) => panic!("{other}"),
    }
    tokio::select! {
        stopped = send.stopped() => return Some(stopped.unwrap().expect("it has not ended")),
        told = may_end.wait_for(|may_end| *may_end) => drop(told.unwrap()),
    }
    match send.write_all(&octets[OCTETS..]).await {
        Ok(()) => {}
        Err(WriteError::Stopped(code)) => return Some(code),
        Err(other) => panic!("{other}"),
    }
    send.finish().unwrap();
    let reply = receive.read_to_end(OCTETS).await.unwrap();
    assert_eq!(message(&reply).metadata.response_code, ResponseCode::FormErr);
    None
}

#[test]
fn over_quic_they_are_bounded() {
    let (node, certificate) = node();
    let client = Client::new(&node, &certificate);
    let before = node.resident_kib();
    let connections: Vec<_> = (0..CROWD).map(|_| client.connect().unwrap()).collect();
    let (end, may_end) = watch::channel(false);
    let mut begun = JoinSet::new();
    client.run(async {
        for connection in &connections {
            for _ in 0..STREAMS {
                begun.spawn(begin(connection.clone(), may_end.clone()));
            }
        }
    });
    for _ in 0..CROWD * (STREAMS - TAKEN) {
        let code = client.run(begun.join_next()).unwrap().unwrap();
        assert_eq!(code, Some(VarInt::from_u32(4)), "DOQ_EXCESSIVE_LOAD");
    }
    let each = node.resident_kib().saturating_sub(before) / CROWD;
    eprintln!("{each} KiB for each connection over QUIC with questions that do not end");
    assert!(each < HELD_KIB_MAX, "{each} KiB for each");
    let other = client.connect().unwrap();
    let reply = client.exchange(&other, &framed(&query())).unwrap();
    assert_eq!(message(&reply).answers.len(), 1);
    end.send(true).unwrap();
    for _ in 0..CROWD * TAKEN {
        let code = client.run(begun.join_next()).unwrap().unwrap();
        assert_eq!(code, None, "it had room, and is answered");
    }
}

/// Begins questions on each of some connections, and says when all but some are refused. When it is
/// told to it ends those, says what all were told, and asks one on another connection.
const FLOOD: &str = r#"
const http2 = require('http2'), fs = require('fs');
const [, , url, crowd, streams, octets, taken, dns] = process.argv;
const path = '/dns-query', type = 'application/dns-message';
let left = crowd * streams;
const told = {}, waiting = new Set();
const connect = () => {
  const client = http2.connect(url, { ca: fs.readFileSync('certificate.pem') });
  client.on('error', (error) => { console.log('error', error.message); process.exit(1); });
  return client;
};
const say = () => console.log(JSON.stringify(told));
process.stdin.once('data', () => waiting.forEach((request) => request.end()));
const ask = () => {
  const last = connect().request({ ':method': 'GET', ':path': path + '?dns=' + dns });
  last.on('response', (headers) => { console.log(headers[':status']); process.exit(0); });
};
for (let n = 0; n < crowd; n++) {
  const client = connect();
  for (let stream = 0; stream < streams; stream++) {
    const request = client.request({ ':method': 'POST', ':path': path, 'content-type': type });
    request.on('error', () => {});
    request.on('response', (headers) => {
      const status = headers[':status'];
      told[status] = (told[status] || 0) + 1;
      waiting.delete(request);
      left -= 1;
      if (left === crowd * taken || left === 0) say();
      if (left === 0) ask();
    });
    waiting.add(request);
    request.write(Buffer.alloc(+octets, 7));
  }
}
"#;

#[test]
fn over_https_they_are_bounded() {
    let (node, _certificate) = node();
    std::fs::write(node.path("flood.js"), FLOOD).unwrap();
    let before = node.resident_kib();
    let url = format!("https://localhost:{}", node.encrypted("https").port());
    let mut flood = Command::new("timeout");
    let words = ["120", "node", "flood.js", &url];
    flood.current_dir(node.path(".")).args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    flood.args([CROWD, STREAMS, OCTETS, TAKEN].map(|count| count.to_string()));
    flood.arg(in_url(&query()));
    let mut flood = flood.spawn().unwrap();
    let mut lines = BufReader::new(flood.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.next();
    let each = node.resident_kib().saturating_sub(before) / CROWD;
    flood.stdin.take().unwrap().write_all(b"end\n").unwrap();
    let (all, other) = (lines.next(), lines.next());
    assert!(flood.wait().unwrap().success());
    eprintln!("{each} KiB for each connection over HTTPS with questions that do not end");
    let (taken, refused) = (CROWD * TAKEN, CROWD * (STREAMS - TAKEN));
    assert_eq!(told, Some(format!("{{\"503\":{refused}}}")));
    assert_eq!(all, Some(format!("{{\"200\":{taken},\"503\":{refused}}}")), "when they end");
    assert!(each < HELD_KIB_MAX, "{each} KiB for each");
    assert_eq!(other.as_deref(), Some("200"));
}
