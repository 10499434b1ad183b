//! Questions that begin and never end, as many and as long as a connection takes: what they hold is
//! bounded, and other connections are served.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use hickory_proto::rr::RecordType;
use quinn::{Connection, VarInt, WriteError};
use serde_json::json;
use tokio::task::JoinSet;

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

/// Sends the most of a question without an end, and waits until the server stops it, which it does
/// with the code that is returned.
async fn begin(connection: Connection) -> VarInt {
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    let sent = send.write_all(&[0xFF; OCTETS]).await;
    match sent {
        Ok(()) => send.stopped().await.unwrap().expect("it does not end by itself"),
        Err(WriteError::Stopped(code)) => code,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn over_quic_they_are_bounded() {
    let (node, certificate) = node();
    let client = Client::new(&node, &certificate);
    let before = node.resident_kib();
    let connections: Vec<_> = (0..CROWD).map(|_| client.connect().unwrap()).collect();
    let mut begun = JoinSet::new();
    client.run(async {
        for connection in &connections {
            for _ in 0..STREAMS {
                begun.spawn(begin(connection.clone()));
            }
        }
        for _ in 0..CROWD * (STREAMS - TAKEN) {
            let code = begun.join_next().await.unwrap().unwrap();
            assert_eq!(code, VarInt::from_u32(4), "DOQ_EXCESSIVE_LOAD");
        }
    });
    let each = node.resident_kib().saturating_sub(before) / CROWD;
    eprintln!("{each} KiB for each connection over QUIC with questions that do not end");
    assert!(each < HELD_KIB_MAX, "{each} KiB for each");
    let other = client.connect().unwrap();
    let reply = client.exchange(&other, &framed(&query())).unwrap();
    assert_eq!(message(&reply).answers.len(), 1);
    drop(begun);
}

/// Begins questions on each of some connections, and asks one on another when they are refused.
const FLOOD: &str = r#"
const http2 = require('http2'), fs = require('fs');
const [, , url, crowd, streams, octets, taken, dns] = process.argv;
const path = '/dns-query', type = 'application/dns-message';
let left = crowd * (streams - taken);
const told = {};
const connect = () => {
  const client = http2.connect(url, { ca: fs.readFileSync('certificate.pem') });
  client.on('error', (error) => { console.log('error', error.message); process.exit(1); });
  return client;
};
const say = () => {
  console.log(JSON.stringify(told));
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
      if (--left === 0) say();
    });
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
    let words = ["30", "node", "flood.js", &url];
    flood.current_dir(node.path(".")).args(words).stdout(Stdio::piped());
    flood.args([CROWD, STREAMS, OCTETS, TAKEN].map(|count| count.to_string()));
    flood.arg(in_url(&query()));
    let mut flood = flood.spawn().unwrap();
    let mut lines = BufReader::new(flood.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.next();
    let each = node.resident_kib().saturating_sub(before) / CROWD;
    let other = lines.next();
    assert!(flood.wait().unwrap().success());
    eprintln!("{each} KiB for each connection over HTTPS with questions that do not end");
    let refused = format!("{{\"503\":{}}}", CROWD * (STREAMS - TAKEN));
    assert_eq!(told.as_deref(), Some(&*refused));
    assert!(each < HELD_KIB_MAX, "{each} KiB for each");
    assert_eq!(other.as_deref(), Some("200"));
}
