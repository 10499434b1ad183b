//! Static zones beside the services: what they answer, and what becomes of their files.

mod answers;
mod changes;
mod refusals;

use std::{fs, path::PathBuf};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};

use crate::support::{Node, dns::lines, eventually};

/// A zone of one host, `www`, with that address, and whatever follows.
fn zone(serial: u32, www: &str, rest: &str) -> String {
    format!(
        "$TTL 1m\n@ SOA ns1 hostmaster {serial} 1h 10m 1w 30s\n  NS ns1\nns1 A 192.0.2.53\n\
         www A {www}\n{rest}"
    )
}

/// Puts a file into the zones folder as one should: written beside it, and moved.
fn put(node: &Node, name: &str, text: &str) {
    let (path, beside) = (file(node, name), node.path("beside"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

fn file(node: &Node, name: &str) -> PathBuf {
    node.path("zones").join(name)
}

/// Waits until `name` has that one address, or with `None` until nobody answers for it.
fn wait_for(node: &Node, name: &str, address: Option<&str>) {
    let resolver = node.resolver();
    eventually(&format!("{name} is {address:?}"), || {
        let reply = resolver.ask(name, RecordType::A);
        let is_there = match address {
            Some(address) => matches!(&reply.answers[..], [a] if a.data.to_string() == address),
            None => reply.metadata.response_code == ResponseCode::Refused,
        };
        is_there.then_some(())
    });
}

/// The notes of `/ready` as `name: message`; the server is ready all the same.
fn notes(node: &Node) -> Vec<String> {
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200, "a zone never makes the server unready: {ready:?}");
    let notes = ready.body["notes"].as_array().unwrap().clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    notes.iter().map(|n| format!("{}: {}", text(&n["name"]), text(&n["message"]))).collect()
}

fn has_metric(node: &Node, line: &str) -> bool {
    node.api().text("/metrics").lines().any(|known| known == line)
}

/// A whole reply in lines: code and flags, then the records of each section.
fn whole(reply: &Message) -> Vec<String> {
    let head = &reply.metadata;
    let mut out = vec![format!("{:?}", head.response_code).to_uppercase()];
    for (is_set, flag) in [(head.authoritative, " aa"), (head.truncation, " tc")] {
        out[0].push_str(if is_set { flag } else { "" });
    }
    for (section, records) in
        [("an", &reply.answers), ("ns", &reply.authorities), ("ar", &reply.additionals)]
    {
        out.extend(lines(records).iter().map(|line| format!("{section} {line}")));
    }
    out
}
