//! A real upstream: what BIND says of a signed zone with records of all kinds comes through, by
//! whatever transport it is asked for.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
};

use hickory_proto::rr::RecordType;

use super::{forwarding, metric};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, lines, question},
    eventually,
    tls::Certificate,
};

const ZONE: &str = "$ORIGIN example.\n$TTL 300\n\
    @ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n@ MX 10 mail\n\
    www CNAME web\nweb A 192.0.2.80\nweb AAAA 2001:db8::80\nmail A 192.0.2.25\n\
    _sip._tcp SRV 1 2 5060 web\nsvc HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80\nsvc2 SVCB 0 web\n\
    text TXT \"a\" \"b c\"\nnaptr NAPTR 100 10 \"u\" \"sip+E2U\" \"!^.*$!sip:x@example!\" .\n\
    odd TYPE65400 \\# 4 0a000001\nloc LOC 52 22 23.000 N 4 53 32.000 E -2m 0m 10000m 10m\n\
    caa CAA 0 issue \"ca.example.net\"\ntlsa TLSA 3 1 1 0123456789ABCDEF\n\
    sshfp SSHFP 1 1 123456789abcdef67890123456789abcdef67890\n*.wild TXT wild\nsub DNAME other\n";

/// Name and type, by number.
const QUESTIONS: [(&str, u16); 21] = [
    ("www.example.", 1),
    ("www.example.", 28),
    ("web.example.", 16),
    ("example.", 15),
    ("example.", 6),
    ("example.", 2),
    ("example.", 48),
    ("_sip._tcp.example.", 33),
    ("svc.example.", 65),
    ("svc2.example.", 64),
    ("text.example.", 16),
    ("naptr.example.", 35),
    ("odd.example.", 65_400),
    ("loc.example.", 29),
    ("caa.example.", 257),
    ("tlsa.example.", 52),
    ("sshfp.example.", 44),
    ("x.wild.example.", 16),
    ("a.sub.example.", 1),
    ("nobody.example.", 1),
    ("nobody.example.", 43),
];

/// BIND, until it is dropped.
struct Bind {
    process: Child,
    address: std::net::SocketAddr,
    _folder: tempfile::TempDir,
}

// === impl Bind ===

impl Bind {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(address);
        let path = folder.path().display();
        let settings = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; \
             listen-on-v6 {{ none; }}; recursion no; pid-file none; minimal-responses yes; \
             session-keyfile \"{path}/key\"; dnssec-validation no; }};\ncontrols {{ }};\n\
             zone \"example\" {{ type primary; file \"zone\"; dnssec-policy default; \
             inline-signing yes; }};\n",
            port = address.port()
        );
        fs::write(folder.path().join("zone"), ZONE).unwrap();
        fs::write(folder.path().join("named.conf"), settings).unwrap();
        drop((udp, tcp));
        let mut process = Command::new("named")
            .args(["-g", "-c", "named.conf"])
            .current_dir(folder.path())
            .env("PATH", crate::support::namespace::path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the package bind9");
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let is_up = log.any(|line| line.is_ok_and(|line| line.ends_with(" running")));
        assert!(is_up, "BIND has ended");
        // It says on, and must not wait for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address, _folder: folder }
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

#[test]
fn what_bind_says_comes_through_as_it_is() {
    let bind = Bind::start();
    let direct = Resolver::new(bind.address);
    eventually("the zone is signed", || {
        let mut message = question("web.example.", RecordType::A, Some(1232));
        message.edns.as_mut().unwrap().set_dnssec_ok(true);
        (direct.exchange(&message).answers.len() == 2).then_some(())
    });
    let other = Upstream::of(&[]);
    let zones = format!("zones = [{{ suffix = \"example\", upstreams = [\"{}\"] }}]", bind.address);
    let node = forwarding(&[&other], &zones).start();
    for (name, rtype) in QUESTIONS {
        for dnssec_ok in [false, true] {
            let mut message = question(name, RecordType::from(rtype), Some(1232));
            message.edns.as_mut().unwrap().set_dnssec_ok(dnssec_ok);
            let ours = node.resolver().exchange(&message);
            let theirs = direct.exchange(&message);
            let what = format!("{name} {rtype}, DO {dnssec_ok}");
            assert_eq!(ours.metadata.response_code, theirs.metadata.response_code, "{what}");
            assert_eq!(lines(&ours.answers), lines(&theirs.answers), "{what}");
            if theirs.answers.is_empty() {
                assert_eq!(lines(&ours.authorities), lines(&theirs.authorities), "{what}");
            }
            assert!(!ours.metadata.authoritative && !ours.metadata.authentic_data, "{what}");
        }
    }
    assert!(other.seen().is_empty());
}

#[test]
fn what_is_asked_for_over_tls_https_and_quic_is_forwarded_too() {
    let bind = Bind::start();
    let config = format!("[forward]\nupstreams = [\"{}\"]\n", bind.address);
    let node = Node::builder().config(&config).encrypted(&Certificate::new()).start();
    // Each name once, so that none is in the cache.
    for (transport, name, lines) in [
        ("tls", "mail.example", ["mail.example. 300 IN A 192.0.2.25"].as_slice()),
        ("https", "web.example", &["web.example. 300 IN A 192.0.2.80"]),
        (
            "quic",
            "www.example",
            &["www.example. 300 IN CNAME web.example.", "web.example. 300 IN A 192.0.2.80"],
        ),
    ] {
        let port = node.encrypted(transport).port();
        let line = format!(
            "@127.0.0.1 -p {port} +tls-ca=certificate.pem +tls-hostname=localhost +{transport} \
             +noall +answer {name} A"
        );
        let kdig = Command::new("kdig")
            .args(line.split_whitespace())
            .current_dir(node.path("."))
            .output()
            .expect("the package knot-dnsutils");
        let said = String::from_utf8_lossy(&kdig.stdout);
        let said: Vec<String> =
            said.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(lines.iter().all(|line| said.iter().any(|it| it == line)), "{transport}: {said:?}");
        let counted =
            format!("rollcall_dns_responses_total{{transport=\"{transport}\",rcode=\"NOERROR\"}}");
        assert_eq!(metric(&node, &counted).as_deref(), Some("1"), "{transport}");
    }
    assert_eq!(metric(&node, "rollcall_forward_cache_misses_total ").as_deref(), Some("3"));
}
