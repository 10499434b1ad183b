//! A script, run against one server of its own.

use std::{collections::VecDeque, io::Write};

use super::{
    ask::{Ask, Way},
    encrypted,
    expect::{Expect, Outcome},
    reply::Reply,
    script::{Act, Script, Step},
};
use crate::support::{
    Node, Upstream,
    dns::{Connection, Resolver, framed},
    tls::{Certificate, TlsConnection},
    upstream::known,
};

/// A script on its way.
struct Run {
    node: Node,
    resolver: Resolver,
    /// What the server shows, if it is asked over TLS.
    certificate: Option<Certificate>,
    /// The rule's own connection, and the messages on it whose replies are not expected yet.
    line: Option<Connection>,
    sent: VecDeque<(Ask, Vec<u8>)>,
    early: Vec<Vec<u8>>,
    /// The last reply, for the options that are to be returned.
    last: Option<Reply>,
}

/// Runs a script.
///
/// # Panics
/// With all the steps that did not come out as expected.
pub(super) fn run(script: &Script) {
    let records = script.upstream.clone();
    let upstream = Upstream::start(move |seen| {
        known(&records.iter().map(String::as_str).collect::<Vec<_>>(), seen)
    });
    let config = script.config.replace("UPSTREAM", &upstream.address.to_string());
    let mut builder = Node::builder().config(&config);
    for (name, text) in &script.zones {
        builder = builder.zone(name, text);
    }
    for (name, text) in &script.files {
        std::fs::write(builder.path(name), text).unwrap();
    }
    let certificate = script.is_encrypted().then(Certificate::new);
    if let Some(certificate) = &certificate {
        builder = builder.encrypted(certificate);
    }
    let node = builder.start();
    let notes = node.api().get("/ready").body["notes"].to_string();
    assert_eq!(notes.contains("not served"), script.is_broken, "{}: {notes}", script.file);
    let resolver = node.resolver();
    let (line, sent, early, last) = (None, VecDeque::new(), Vec::new(), None);
    let mut run = Run { node, resolver, certificate, line, sent, early, last };
    let mut failed = Vec::new();
    let mut rule = "";
    for step in &script.steps {
        if step.rule != rule {
            let has_all = run.sent.is_empty() && run.early.is_empty();
            assert!(has_all, "{}: a reply in `{rule}` is not expected", script.file);
            (rule, run.line) = (&step.rule, None);
        }
        failed.extend(
            run.step(step)
                .into_iter()
                .map(|trouble| format!("{}:{}: {}\n{trouble}", script.file, step.line, step.rule)),
        );
    }
    let has_all = run.sent.is_empty() && run.early.is_empty();
    assert!(has_all, "{}: a reply in `{rule}` is not expected", script.file);
    let count = failed.len();
    assert!(failed.is_empty(), "{count} failed\n\n{}", failed.join("\n\n"));
}

// === impl Run ===

impl Run {
    /// Does one step, and says what is wrong.
    fn step(&mut self, step: &Step) -> Vec<String> {
        match &step.act {
            Act::Ask(exchange, ways) => {
                let (ask, expect) = &**exchange;
                let found = ways.iter().map(|way| self.ask(ask, expect, *way));
                let mut found: Vec<_> = found.collect();
                // What is wrong both ways in the same manner is told once.
                found.dedup();
                found.into_iter().flatten().collect()
            }
            Act::Closed => {
                let closed = self.line.as_mut().is_some_and(|line| line.read().is_none());
                (!closed)
                    .then(|| "    the connection is not closed".to_owned())
                    .into_iter()
                    .collect()
            }
            Act::Expect(expect) => {
                let Some((ask, sent)) = self.sent.pop_front() else {
                    return vec!["    nothing was sent".to_owned()];
                };
                // Should there be one to what deserves none, it is found at the rule's end.
                let is_silence = expect.outcome == Outcome::Silence;
                let reply = if is_silence { None } else { self.reply_to(&sent) };
                self.judge(&ask, expect, &sent, reply).into_iter().collect()
            }
            Act::Request(method, path, body) => {
                self.request(method, path, body).into_iter().collect()
            }
            Act::Send(ask) => {
                self.send(ask);
                Vec::new()
            }
        }
    }

    fn ask(&mut self, ask: &Ask, expect: &Expect, way: Way) -> Option<String> {
        let mut sent = self.octets(ask);
        let mut max_age = None;
        let reply = match way {
            Way::Get | Way::Post => {
                let (octets, told) = encrypted::https(&self.node, &sent, way);
                max_age = told;
                Some(octets)
            }
            Way::Quic => {
                // RFC 9250 §4.2.1: the number is always 0.
                sent[..2].fill(0);
                let certificate = self.certificate.as_ref().expect("made for such a script");
                encrypted::quic(&self.node, certificate, &sent)
            }
            Way::Udp => {
                let mut replies = match expect.outcome {
                    Outcome::Reply => self.resolver.replies_until(&sent),
                    Outcome::Silence => self.resolver.replies_to(std::slice::from_ref(&sent)),
                };
                assert!(replies.len() < 2, "{}: {} replies", ask.text, replies.len());
                replies.pop()
            }
            Way::Tcp => exchange_tcp(&self.node, &sent, expect.outcome),
            Way::Tls => {
                let certificate = self.certificate.as_ref().expect("made for such a script");
                let mut line = TlsConnection::open(self.node.encrypted("tls"), certificate);
                line.send(&[&sent]).unwrap();
                line.read()
            }
        };
        let trouble = self.judge(ask, expect, &sent, reply);
        let other = expect.max_age.is_some_and(|wanted| max_age.is_some_and(|told| told != wanted));
        trouble.or_else(|| other.then(|| format!("    {}\n    - max-age {max_age:?}", ask.text)))
    }

    fn octets(&self, ask: &Ask) -> Vec<u8> {
        let option = |code| self.last.as_ref().and_then(|last| last.option(code));
        ask.octets(|code| option(code).unwrap_or_default().to_vec())
    }

    /// Sends on the rule's connection, together with nothing or octet by octet.
    fn send(&mut self, ask: &Ask) {
        let sent = self.octets(ask);
        let server = self.node.dns[0];
        let line = self.line.get_or_insert_with(|| {
            let line = Connection::open(server);
            line.0.set_nodelay(true).unwrap();
            line
        });
        let part = if ask.slowly { 1 } else { usize::MAX };
        framed(&sent).chunks(part).for_each(|part| line.0.write_all(part).unwrap());
        self.sent.push_back((ask.clone(), sent));
    }

    /// The reply with this message's number, which may come before or after others.
    fn reply_to(&mut self, sent: &[u8]) -> Option<Vec<u8>> {
        let is_it = |reply: &Vec<u8>| reply[..2] == sent[..2];
        if let Some(at) = self.early.iter().position(is_it) {
            return Some(self.early.remove(at));
        }
        loop {
            let reply = self.line.as_mut()?.read()?;
            if is_it(&reply) {
                return Some(reply);
            }
            self.early.push(reply);
        }
    }

    /// Says what is wrong with a reply, or with there being none.
    fn judge(
        &mut self,
        ask: &Ask,
        expect: &Expect,
        sent: &[u8],
        reply: Option<Vec<u8>>,
    ) -> Option<String> {
        let head = format!("    {}", ask.text);
        let octets = match (expect.outcome, reply) {
            (Outcome::Silence, None) => return None,
            (Outcome::Silence, Some(reply)) => {
                return Some(format!("{head}\n    - a reply came: {reply:02x?}"));
            }
            (Outcome::Reply, None) => return Some(format!("{head}\n    - no reply came")),
            (Outcome::Reply, Some(octets)) => octets,
        };
        let reply = match Reply::read(octets.clone()) {
            Ok(reply) => reply,
            Err(problem) => {
                return Some(format!("{head}\n    - no message: {problem}: {octets:02x?}"));
            }
        };
        let found = expect.differences(ask, sent, &reply);
        let trouble = (!found.is_empty()).then(|| {
            let found: String = found.iter().map(|found| format!("\n    - {found}")).collect();
            format!("{head}{found}\n    got: {}", shown(&reply))
        });
        self.last = Some(reply);
        trouble
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let api = self.node.api();
        let reply = match (method, body) {
            ("DELETE", _) => api.delete(path),
            (_, "") => api.put(path, &serde_json::Value::Null),
            (_, body) => api.put_text(path, body),
        };
        (reply.status >= 300).then(|| format!("    {method} {path}: {reply:?}"))
    }
}

/// Sends a message on a connection of its own. That none is replied to shows in that the reply to
/// a second one comes first, if the server does not close the connection right away.
fn exchange_tcp(node: &Node, sent: &[u8], outcome: Outcome) -> Option<Vec<u8>> {
    let mut connection = Connection::open(node.dns[0]);
    connection.send(sent);
    if outcome == Outcome::Silence {
        let last = Ask::parse("service.internal. SOA", "", 0xFFFF).unwrap().octets(|_| Vec::new());
        // The server may have closed the connection, which is no reply either.
        let _refused = connection.0.write_all(&framed(&last));
        return connection.read().filter(|reply| reply[..2] != last[..2]);
    }
    connection.read()
}

/// A reply for people.
fn shown(reply: &Reply) -> String {
    let mut out = format!("rcode {}, flags {:04x}", reply.rcode(), reply.word());
    for (name, lines) in ["answer", "authority", "additional"].iter().zip(&reply.sections) {
        lines.iter().for_each(|line| out.push_str(&format!("\n      {name} {line}")));
    }
    reply.opts.iter().for_each(|opt| out.push_str(&format!("\n      {opt:02x?}")));
    out
}
