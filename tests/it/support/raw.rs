//! HTTP/1.1 by hand: any method, any header, and connections that misbehave.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use super::PATIENCE;

/// A whole reply.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

/// A connection that waits for replies with patience.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One request on a connection of its own.
pub(crate) fn call(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Raw {
    let mut stream = connect(address);
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // Who refuses a body early may have closed; the reply says why.
    let _cut = stream.write_all(body);
    read_reply(&mut BufReader::new(stream), method == "HEAD")
}

/// Reads a reply with a `content-length`, in chunks, or without a body.
pub(crate) fn read_reply(stream: &mut impl BufRead, is_head: bool) -> Raw {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "closed after {lines:?}");
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let pairs = lines[1..].iter().map(|line| line.split_once(':').unwrap());
    let headers: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = Vec::new();
    match (is_head, chunked) {
        (true, _) => {}
        (false, true) => read_chunks(stream, &mut body),
        (false, false) => read_octets(stream, length, &mut body),
    }
    Raw { status, headers, text: String::from_utf8(body).unwrap() }
}

/// RFC 9112 §7.1, without trailers.
fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        read_octets(stream, length, body);
        read_octets(stream, 2, &mut Vec::new());
        if length == 0 {
            return;
        }
    }
}

fn read_octets(stream: &mut impl BufRead, length: usize, body: &mut Vec<u8>) {
    let start = body.len();
    body.resize(start + length, 0);
    stream.read_exact(&mut body[start..]).unwrap();
}

// === impl Raw ===

impl Raw {
    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The revision at which a change is visible.
    pub(crate) fn revision(&self) -> u64 {
        let text = self.header("x-rollcall-revision");
        text.parse().unwrap_or_else(|_| panic!("no revision: {self:?}"))
    }

    /// The problem document (RFC 9457), after a look at what all of them have in common.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
        problem
    }
}

/// Reads until the other side closes; how it closes does not matter.
pub(crate) fn read_to_close(mut stream: &TcpStream) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4_096]);
    while let Ok(1..) = stream.read(&mut part).inspect(|&n| all.extend_from_slice(&part[..n])) {}
    all
}
