//! DNS over HTTPS (RFC 8484), asked by curl, by what browsers do, and by hand.

use std::{
    io::{Read, Write},
    process::Command,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};
use serde_json::json;

use super::{full, register_many, said, set_policy};
use crate::support::{
    Backend, Node,
    command::{Done, run},
    dns::question,
    eventually,
    tls::{Certificate, TlsConnection},
};

fn node(config: &str) -> (Node, Certificate) {
    let certificate = Certificate::new();
    let node = Node::builder().config(config).encrypted(&certificate).start();
    let body = json!({ "addresses": ["10.0.0.1"], "port": 80 });
    node.api().register("web", "a", &body);
    std::fs::write(node.path("query.bin"), query("web")).unwrap();
    (node, certificate)
}

fn query(name: &str) -> Vec<u8> {
    question(&full(name), RecordType::A, Some(1_232)).to_vec().unwrap()
}

pub(crate) fn in_url(message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(message)
}

pub(super) fn from_url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Runs curl in the server's folder; `URL` is that of the server's address.
fn curl(node: &Node, words: &str) -> Done {
    let url = format!("https://{}", node.encrypted("https"));
    let mut command = Command::new("curl");
    command.current_dir(node.path(".")).args(["-sS", "--cacert", "certificate.pem"]);
    run(command.args(words.split_whitespace().map(|word| word.replace("URL", &url))))
}

/// What curl says of a request: protocol, status and some headers, and the body as it was written.
pub(crate) fn asked(node: &Node, words: &str) -> (String, Vec<u8>) {
    let format = "%{http_version} %{http_code} %{content_type} %header{cache-control}";
    let url = format!("https://{}", node.encrypted("https"));
    let mut command = Command::new("curl");
    command.current_dir(node.path(".")).args(["-sS", "--cacert", "certificate.pem"]);
    command.args(["-o", "reply.bin", "-w", format]);
    command.args(words.split_whitespace().map(|word| word.replace("URL", &url)));
    let said = run(&mut command).ok();
    let reply = std::fs::read(node.path("reply.bin")).unwrap_or_default();
    let _none = std::fs::remove_file(node.path("reply.bin"));
    (said, reply)
}

/// A request with the message of the file `query.bin`.
pub(crate) const POST: &str =
    "-H content-type:application/dns-message --data-binary @query.bin URL/dns-query";

#[test]
fn a_question_is_asked_by_get_and_by_post_over_both_versions() {
    let (node, _) = node("");
    let get = format!("URL/dns-query?dns={}", in_url(&query("web")));
    for (version, shown) in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")] {
        for request in [POST, &get] {
            let (said_of_it, reply) = asked(&node, &format!("{version} {request}"));
            let expected = format!("{shown} 200 application/dns-message max-age=5");
            assert_eq!(said_of_it, expected, "{version} {request}");
            let reply = Message::from_vec(&reply).unwrap();
            assert_eq!((reply.metadata.id, &*said(&reply)), (0, "A 10.0.0.1"));
        }
        let head = curl(&node, &format!("{version} --head {get}")).ok().to_lowercase();
        assert!(head.contains(" 200") && head.contains("content-type: application/dns-message"));
    }
    let metrics = node.api().text("/metrics");
    let line = "rollcall_dns_queries_total{transport=\"https\",type=\"A\"} 9\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn any_reply_is_a_success_and_says_how_long_it_may_be_kept() {
    let (node, _) = node("");
    set_policy(&node.api(), "web", &json!({ "ttl": "0s" }));
    let foreign = question("example.com.", RecordType::A, None).to_vec().unwrap();
    for (message, code, kept) in [
        (query("web"), ResponseCode::NoError, "max-age=0"),
        (query("nobody"), ResponseCode::NXDomain, "max-age=5"),
        (foreign, ResponseCode::Refused, "max-age=0"),
        (query("web")[..20].to_vec(), ResponseCode::FormErr, "max-age=0"),
    ] {
        let (shown, reply) = asked(&node, &format!("URL/dns-query?dns={}", in_url(&message)));
        assert_eq!(shown, format!("2 200 application/dns-message {kept}"), "{code}");
        // Of a message that cannot be read the reply has the header.
        assert_eq!(u16::from(reply[3] & 15), u16::from(code), "{code}");
    }
}

#[test]
fn a_request_that_is_no_question_is_told_why() {
    let (node, _) = node("");
    std::fs::write(node.path("long.bin"), vec![0; 65_536]).unwrap();
    std::fs::write(node.path("reply.msg"), [0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    let post = "-H content-type:application/dns-message --data-binary";
    for (request, status, told) in [
        ("URL/", 404, "`/dns-query`"),
        ("URL/dns-query/", 404, "`/dns-query`"),
        ("-X PUT URL/dns-query", 405, "GET or POST"),
        ("-X DELETE URL/dns-query", 405, "GET or POST"),
        ("URL/dns-query", 400, "no parameter `dns`"),
        ("URL/dns-query?dns=AAAB==", 400, "without padding"),
        ("URL/dns-query?dns=AAAB", 400, "no DNS query"),
        (&format!("{post} @reply.msg URL/dns-query"), 400, "no DNS query"),
        ("--data-binary @query.bin URL/dns-query", 415, "application/x-www-form-urlencoded"),
        (&format!("{post} @long.bin URL/dns-query"), 413, "65535 octets"),
    ] {
        for version in ["--http2", "--http1.1"] {
            let done = curl(&node, &format!("-i {version} {request}")).ok();
            let line = done.lines().find(|line| !line.contains(" 100 ") && !line.trim().is_empty());
            assert!(line.unwrap().contains(&status.to_string()), "{request}: {done}");
            assert!(done.contains(told), "{request}: {done}");
            assert_eq!(done.contains("allow: GET, HEAD, POST"), status == 405, "{request}: {done}");
        }
    }
}

#[test]
fn curl_resolves_a_service_by_it_and_fetches_from_there() {
    let (node, _) = node("");
    let backend = Backend::start("127.0.0.1");
    let address = backend.address;
    let body = json!({ "addresses": [address.ip().to_string()], "port": address.port() });
    node.api().register("shop", "one", &body);
    let words = format!(
        "-o fetched -w %{{http_code}} --doh-url URL/dns-query --doh-insecure \
         http://shop.service.internal:{}/health",
        address.port()
    );
    assert_eq!(curl(&node, &words).ok(), "200");
}

/// What a browser's resolver sends: one connection of HTTP/2, questions for A, AAAA and HTTPS at
/// once, without an id, in its letters, and padded.
pub(super) const BROWSER: &str = r#"
const http2 = require('http2'), fs = require('fs');
const [, , url, ...questions] = process.argv;
const client = http2.connect(url, { ca: fs.readFileSync('certificate.pem') });
client.on('error', (error) => { console.log('error', error.message); process.exit(1); });
let left = questions.length;
for (const question of questions) {
  const [method, dns] = question.split(':');
  const body = Buffer.from(dns, 'base64url');
  const request = client.request({
    ':method': method,
    ':path': method === 'GET' ? '/dns-query?dns=' + dns : '/dns-query',
    'accept': 'application/dns-message', 'accept-language': '*', 'accept-encoding': 'identity',
    'user-agent': 'Chrome', 'cache-control': 'no-store', 'pragma': 'no-cache', 'te': 'trailers',
    'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'cross-site', 'priority': 'u=0',
    ...(method === 'POST' && { 'content-type': 'application/dns-message',
                               'content-length': body.length }),
  });
  const parts = [];
  let status;
  request.on('response', (headers) => { status = headers[':status']; });
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    console.log(status, Buffer.concat(parts).toString('base64url'));
    if (--left === 0) client.close();
  });
  request.end(method === 'POST' ? body : undefined);
}
"#;

#[test]
fn what_a_browser_asks_at_once_on_one_connection_is_answered() {
    let (node, _) = node("");
    register_many(&node.api(), "big", 100);
    std::fs::write(node.path("browser.js"), BROWSER).unwrap();
    let types = [RecordType::A, RecordType::AAAA, RecordType::HTTPS];
    let mut words: Vec<String> = Vec::new();
    for (method, name) in [("GET", "wEb"), ("POST", "weB"), ("POST", "nobody"), ("GET", "big")] {
        words.extend(types.map(|rtype| {
            let message = question(&full(name), rtype, Some(4_096)).to_vec().unwrap();
            format!("{method}:{}", in_url(&message))
        }));
    }
    let mut browser = Command::new("node");
    let url = format!("https://localhost:{}", node.encrypted("https").port());
    browser.current_dir(node.path(".")).args(["browser.js", &url]).args(&words);
    let answered = run(&mut browser).ok();
    assert_eq!(answered.lines().count(), words.len(), "{answered}");
    let mut told: Vec<String> = answered
        .lines()
        .map(|line| {
            let (status, reply) = line.split_once(' ').unwrap();
            assert_eq!(status, "200");
            let reply = Message::from_vec(&from_url(reply)).unwrap();
            assert_eq!(reply.metadata.id, 0);
            let name = reply.queries[0].name().to_string();
            match reply.answers.len() {
                8 => format!("{name} has eight"),
                _ => format!("{name} {}", said(&reply)),
            }
        })
        .collect();
    told.sort();
    told.dedup();
    assert_eq!(
        told,
        [
            "big.service.internal. NODATA",
            "big.service.internal. has eight",
            "nobody.service.internal. NXDOMAIN",
            "wEb.service.internal. A 10.0.0.1",
            "wEb.service.internal. NODATA",
            "weB.service.internal. A 10.0.0.1",
            "weB.service.internal. NODATA",
        ]
    );
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_closed_and_pings_are_no_question() {
    let (node, certificate) = node("[dns.encrypted]\nidle_timeout = \"1s\"");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let ping = b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let half = b"POST /dns-query HTTP/1.1\r\nhost: a\r\ncontent-type: application/dns-message\r\n\
                 content-length: 40\r\n\r\nhalf";
    for (protocols, begin, again) in [
        (&["h2"][..], &preface[..], &ping[..]),
        (&["h2"], &preface[..], b""),
        (&["http/1.1"], b"", b""),
        (&["http/1.1"], b"GET /dns-query", b""),
        (&["http/1.1"], half, b""),
    ] {
        let config = certificate.client(protocols);
        let server = node.encrypted("https");
        let mut connection = TlsConnection::try_open(server, config.into()).unwrap();
        connection.0.write_all(begin).unwrap();
        connection.0.sock.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        eventually("it is closed", || {
            let _closed = connection.0.write_all(again);
            match connection.0.read(&mut [0; 1_024]) {
                Ok(0) => Some(()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
                Ok(_frames) => None,
                Err(_reset) => Some(()),
            }
        });
    }
}

#[test]
fn whoever_is_idle_is_counted_over_both_versions() {
    const EACH: usize = 8;
    let (node, certificate) = node("[dns.encrypted]\nidle_timeout = \"1s\"");
    let server = node.encrypted("https");
    let crowd: Vec<_> = [&["h2"], &["http/1.1"]]
        .into_iter()
        .flat_map(|protocols| {
            let config = std::sync::Arc::new(certificate.client(protocols));
            (0..EACH).map(move |_| TlsConnection::try_open(server, config.clone()).unwrap())
        })
        .collect();
    let metrics = eventually("all are gone", || {
        let none = "rollcall_dns_connections{transport=\"https\"} 0\n";
        Some(node.api().text("/metrics")).filter(|metrics| metrics.contains(none))
    });
    let line = "rollcall_dns_connections_timed_out_total{transport=\"https\"}";
    assert!(metrics.contains(&format!("{line} {}\n", 2 * EACH)), "{metrics}");
    drop(crowd);
}

#[test]
fn a_body_that_does_not_end_is_not_waited_for() {
    let (head, half) = ("POST /dns-query HTTP/1.1\r\nhost: a\r\ncontent-length:", "\r\n\r\nhalf");
    let dns = "\r\ncontent-type: application/dns-message";
    for (idle, request, status) in [
        ("3s", format!("{head} 40{dns}{half}"), "408"),
        ("10m", format!("{head} 70000{dns}{half}"), "413"),
        ("10m", format!("{head} 40{half}"), "415"),
        ("10m", format!("{head} 40{half}").replace("/dns-query", "/"), "404"),
    ] {
        let (node, certificate) = node(&format!("[dns.encrypted]\nidle_timeout = {idle:?}"));
        let config = certificate.client(&["http/1.1"]);
        let server = node.encrypted("https");
        let mut connection = TlsConnection::try_open(server, config.into()).unwrap();
        connection.0.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        let ended = connection.0.read_to_end(&mut reply);
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {ended:?} {reply}");
    }
}

#[test]
fn a_stop_tells_whoever_is_connected() {
    let (mut node, certificate) = node("[server]\nlame_duck = \"0s\"");
    let server = node.encrypted("https");
    let [mut http2, mut http1] = [&["h2"], &["http/1.1"]].map(|protocols| {
        TlsConnection::try_open(server, certificate.client(protocols).into()).unwrap()
    });
    http2.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    http2.0.read_exact(&mut [0; 9]).unwrap();
    node.signal("TERM");
    let mut rest = Vec::new();
    // It does not say that it has heard it (a PING that is to be returned), so it is cut off.
    let _cut = http2.0.read_to_end(&mut rest);
    assert!(rest.windows(5).any(|frame| frame == b"\0\0\x08\x07\0"), "GOAWAY: {rest:?}");
    assert_eq!(http1.0.read(&mut [0; 1]).unwrap(), 0);
    assert!(node.wait().success());
}

#[test]
fn headers_without_an_end_are_cut_off() {
    let (node, certificate) = node("");
    let config = certificate.client(&["h2"]);
    let mut flood = TlsConnection::try_open(node.encrypted("https"), config.into()).unwrap();
    flood.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // A head of GET, and then more of it in frames that each promise another one.
    flood.0.write_all(b"\0\0\x01\x01\0\0\0\0\x01\x82").unwrap();
    let more = [&b"\0\x04\0\x09\0\0\0\0\x01"[..], &b"\x10\x01a\x01b".repeat(205)[..1_024]];
    let more = more.concat().repeat(10);
    let sent = (0..1_000).take_while(|_| flood.0.write_all(&more).is_ok()).count();
    assert!(sent < 1_000, "{} KiB of headers were taken", sent * 10);
    assert_eq!(asked(&node, POST).0, "2 200 application/dns-message max-age=5");
}

#[test]
fn a_flood_of_cancelled_streams_ends_its_connection_and_no_other() {
    let (node, certificate) = node("[dns.encrypted]\nidle_timeout = \"10m\"");
    let config = certificate.client(&["h2"]);
    let mut flood = TlsConnection::try_open(node.encrypted("https"), config.into()).unwrap();
    flood.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // Streams that are opened and reset at once: GET, https, authority a, path /.
    let mut frames = Vec::new();
    for stream in (1_u32..10_000).step_by(2) {
        let id = stream.to_be_bytes();
        let headers = [&b"\0\0\x06\x01\x05"[..], &id, b"\x82\x87\x84\x41\x01a"].concat();
        let reset = [&b"\0\0\x04\x03\0"[..], &id, b"\0\0\0\x08"].concat();
        frames.extend([headers, reset].concat());
    }
    let _closed = flood.0.write_all(&frames);
    // A GOAWAY may be lost with what it was sent amid, the end is not.
    let ended = flood.0.read_to_end(&mut Vec::new());
    let is_open = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!is_open, "the connection goes on");
    assert_eq!(asked(&node, POST).0, "2 200 application/dns-message max-age=5");
}
