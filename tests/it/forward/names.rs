//! Who may ask for what, and which names go to whom.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    process::Command,
    time::Duration,
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};
use serde_json::json;

use super::{forwarding, metric};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, ageless, extended_errors, lines, question},
    eventually,
    upstream::{Said, Seen},
};

const A: RecordType = RecordType::A;
const PTR: RecordType = RecordType::PTR;

fn echo(address: &'static str) -> Upstream {
    Upstream::start(move |seen| Said::records(seen, &[&format!("60 A {address}")]))
}

#[test]
fn only_allowed_clients_are_forwarded_for() {
    let upstream = echo("192.0.2.1");
    let node = forwarding(&[&upstream], "allow = [\"127.0.0.1/32\"]").start();
    let stranger = Resolver::from("127.0.0.2:0", node.dns[0]);
    let reply = stranger.ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    assert_eq!(extended_errors(&reply), [18], "prohibited");
    assert!(!reply.metadata.recursion_available && reply.answers.is_empty());
    assert_eq!(stranger.ask("localhost.", A).metadata.response_code, ResponseCode::Refused);
    let octets = stranger.exchange_octets(&question("www.example.", A, Some(1_232)));
    assert!(octets.ends_with(b"forward.allow"), "the key that says so: {octets:?}");
    assert_eq!(metric(&node, "rollcall_forward_denied_total").as_deref(), Some("3"));
    // What nobody gets is not for that list to allow.
    let mut iterative = question("www.example.", A, Some(1_232));
    iterative.metadata.recursion_desired = false;
    let any = question("www.example.", RecordType::ANY, Some(1_232));
    for (ask, code) in [(iterative, 20), (any, 21)] {
        for client in [&stranger, &node.resolver()] {
            let reply = client.exchange(&ask);
            assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
            assert_eq!(extended_errors(&reply), [code], "{reply}");
        }
    }
    assert_eq!(metric(&node, "rollcall_forward_denied_total").as_deref(), Some("3"));
    assert!(upstream.seen().is_empty());
    let friend = Resolver::from("127.0.0.1:0", node.dns[0]);
    assert!(friend.ask("www.example.", A).metadata.recursion_available);
    // What is in the cache is for them as little.
    let reply = stranger.ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    // Names of ours are for everybody.
    let reply = stranger.ask("service.internal.", RecordType::SOA);
    assert_eq!(reply.answers.len(), 1);
    assert!(!reply.metadata.recursion_available);
}

#[test]
fn special_names_are_answered_here_and_seen_by_no_upstream() {
    let upstream = echo("192.0.2.1");
    let node = forwarding(&[&upstream], "").start();
    let resolver = node.resolver();
    for name in ["localhost.", "LocalHost.", "db.localhost."] {
        let reply = resolver.ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 10800 A 127.0.0.1")]);
        assert_eq!(resolver.ask(name, RecordType::AAAA).answers.len(), 1);
        let reply = resolver.ask(name, RecordType::MX);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert!(reply.answers.is_empty() && reply.authorities.len() == 1);
    }
    for name in [
        "x.invalid.",
        "x.test.",
        "printer.local.",
        "hidden.onion.",
        "x.alt.",
        "nas.home.arpa.",
        "4.3.2.10.in-addr.arpa.",
        "1.0.168.192.in-addr.arpa.",
        "1.0.16.172.in-addr.arpa.",
        "1.0.64.100.in-addr.arpa.",
        "2.0.0.127.in-addr.arpa.",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
    ] {
        let reply = resolver.ask(name, PTR);
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "{name}");
        assert_eq!(reply.authorities.len(), 1, "{name}");
    }
    let svcb = RecordType::from(64);
    let reply = resolver.ask("_dns.resolver.arpa.", svcb);
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert!(reply.answers.is_empty());
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    // Their neighbours are nobody's in particular.
    resolver.ask("4.4.8.8.in-addr.arpa.", PTR);
    resolver.ask("localhost.example.", A);
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn the_longest_suffix_decides_who_is_asked_also_for_special_names() {
    let (rest, corp, lab) = (echo("192.0.2.1"), echo("192.0.2.2"), echo("192.0.2.3"));
    let zones = format!(
        "[[forward.zones]]\nsuffix = \"corp.example\"\nupstreams = [\"{}\"]\n\
         [[forward.zones]]\nsuffix = \"Lab.Corp.example.\"\nupstreams = [\"{lab}\"]\n\
         [[forward.zones]]\nsuffix = \"10.in-addr.arpa\"\nupstreams = [\"{lab}\"]\n",
        corp.address,
        lab = lab.address,
    );
    let node = forwarding(&[&rest], &zones).start();
    let resolver = node.resolver();
    for (name, address) in [
        ("www.example.", "192.0.2.1"),
        ("xcorp.example.", "192.0.2.1"),
        ("corp.example.", "192.0.2.2"),
        ("a.b.corp.example.", "192.0.2.2"),
        ("a.LAB.corp.example.", "192.0.2.3"),
        ("4.3.2.10.in-addr.arpa.", "192.0.2.3"),
    ] {
        let reply = resolver.ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 60 A {address}")]);
    }
    let only = format!("[[forward.zones]]\nsuffix = \"corp\"\nupstreams = [\"{}\"]", corp.address);
    let node = Node::builder().config(&only).start();
    assert_eq!(node.resolver().ask("www.corp.", A).answers.len(), 1);
    let reply = node.resolver().ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "nobody is asked for others");
}

#[test]
fn unknown_addresses_of_our_reverse_zones_are_forwarded_where_a_zone_is_named_for_them() {
    let corp = |seen: &Seen| Said::records(seen, &["60 PTR host.corp."]);
    let corp = Upstream::start_on("127.0.0.2:0", corp);
    let zone = format!(
        "[dns]\nreverse = [\"10.0.0.0/8\"]\n[[forward.zones]]\nsuffix = \"10.in-addr.arpa\"\n\
         upstreams = [\"{}\"]",
        corp.address
    );
    let node = Node::builder().config(&zone).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    let resolver = node.resolver();
    let reply = resolver.ask("1.0.0.10.in-addr.arpa.", PTR);
    assert!(lines(&reply.answers)[0].ends_with("PTR a.instance.web.service.internal."), "{reply}");
    assert!(reply.metadata.authoritative);
    let reply = resolver.ask("2.0.0.10.in-addr.arpa.", PTR);
    assert_eq!(lines(&reply.answers), ["2.0.0.10.in-addr.arpa. 60 PTR host.corp."]);
    assert!(!reply.metadata.authoritative);
    let mut plain = question("2.0.0.10.in-addr.arpa.", PTR, Some(1232));
    plain.metadata.recursion_desired = false;
    let reply = resolver.exchange(&plain);
    let asked_itself = Resolver::from("127.0.0.2:0", node.dns[0]);
    for reply in [reply, asked_itself.ask("2.0.0.10.in-addr.arpa.", PTR)] {
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "as far as we know");
        assert!(reply.metadata.authoritative);
    }
}

#[test]
fn unknown_addresses_of_our_reverse_zones_are_not_for_everybodys_upstream() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["60 PTR host.example."]));
    let node = forwarding(&[&upstream], "[dns]\nreverse = [\"198.18.0.0/16\"]").start();
    let ask = |name: &str| node.resolver().ask(name, PTR).metadata.response_code;
    assert_eq!(ask("2.0.18.198.in-addr.arpa."), ResponseCode::NXDomain);
    assert!(upstream.seen().is_empty());
    assert_eq!(ask("2.0.19.198.in-addr.arpa."), ResponseCode::NoError, "which is not ours");
}

#[test]
fn a_changed_configuration_is_taken_over_and_a_wrong_one_is_not() {
    let (first, second) = (echo("192.0.2.1"), echo("192.0.2.2"));
    let node = forwarding(&[&first], "").start();
    let answer = || lines(&node.resolver().ask("www.example.", A).answers);
    assert_eq!(answer(), ["www.example. 60 A 192.0.2.1"]);
    let reload = |upstreams: &str| {
        let text = format!("version = 1\n[forward]\nupstreams = [{upstreams}]\n");
        fs::write(node.path("rollcall.toml"), text).unwrap();
        node.signal("HUP");
    };
    reload("\"not an address\"");
    node.wait_for_log("the configuration stays as it was");
    assert_eq!(answer().len(), 1);
    reload(&format!("\"{}\"", second.address));
    eventually("the second one is asked, and the cache of the first is gone", || {
        (answer() == ["www.example. 60 A 192.0.2.2"]).then_some(())
    });
    let gauge = |upstream: &Upstream| {
        let name = "rollcall_forward_upstream_up";
        metric(&node, &format!("{name}{{upstream=\"{}\"}}", upstream.address))
    };
    assert_eq!((gauge(&first), gauge(&second)), (None, Some("1".into())));
    // Off again, and REFUSED as ever.
    reload("");
    eventually("it is off", || {
        let reply = node.resolver().ask("www.example.", A);
        let is_refused = reply.metadata.response_code == ResponseCode::Refused;
        (is_refused && !reply.metadata.recursion_available).then_some(())
    });
}

#[test]
fn a_resolv_conf_is_followed_and_a_broken_one_is_not() {
    // Its servers have port 53 and no other.
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("resolv.conf");
    fs::write(&file, "search example.com\nnameserver 192.0.2.53\n").unwrap();
    let config = format!("[forward]\nresolv_conf = \"{}\"\n", file.display());
    let node = Node::builder().config(&config).start();
    let has = |address: &str| {
        let name = format!("rollcall_forward_upstream_up{{upstream=\"{address}:53\"}}");
        metric(&node, &name).is_some()
    };
    assert!(has("192.0.2.53"));
    fs::write(&file, "nameserver 192.0.2.54\nnameserver oops\n").unwrap();
    node.wait_for_log("resolv.conf:2: `oops` is no address of a name server");
    assert!(has("192.0.2.53") && !has("192.0.2.54"), "what was there stays");
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200);
    assert!(ready.body.to_string().contains("resolv.conf:2"), "{ready:?}");
    fs::write(&file, "nameserver 192.0.2.55\n").unwrap();
    eventually("the new one is taken over", || has("192.0.2.55").then_some(()));
    assert!(!has("192.0.2.53"));
    let ready = node.api().get("/ready").body.to_string();
    assert!(!ready.contains("resolv.conf"), "{ready}");
}

#[test]
fn without_a_resolv_conf_what_it_is_for_fails_and_is_not_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let config = format!("[forward]\nresolv_conf = \"{}/missing\"\n", scratch.path().display());
    let node = Node::builder().config(&config).start();
    node.wait_for_log("nothing is forwarded until it can be read");
    let reply = node.resolver().ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail, "{reply}");
    assert_eq!(node.find_log("the upstreams stay as they were"), None);
    assert_eq!(node.resolver().ask("localhost.", A).answers.len(), 1, "special names are known");
}

#[test]
fn a_resolv_conf_that_is_no_file_keeps_nobody_waiting() {
    let upstream = Upstream::of(&["www.example. 60 A 192.0.2.1"]);
    let pipe = tempfile::tempdir().unwrap();
    let pipe = (pipe.path().join("resolv.conf"), pipe);
    assert!(Command::new("mkfifo").arg(&pipe.0).status().unwrap().success());
    let more = format!("resolv_conf = \"{}\"", pipe.0.display());
    // Nobody ever writes to it.
    let node = forwarding(&[&upstream], &more).start();
    node.wait_for_log("resolv.conf`: it is no regular file");
    assert_eq!(node.resolver().ask("www.example.", A).answers.len(), 1);
}

#[test]
fn names_that_our_zones_delegate_are_forwarded_for_who_relies_on_us() {
    let (rest, corp) = (echo("192.0.2.1"), echo("192.0.2.2"));
    let route = format!(
        "allow = [\"127.0.0.1/32\"]\n[[forward.zones]]\nsuffix = \"lab.corp.test\"\n\
         upstreams = [\"{}\"]\n",
        corp.address
    );
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
        lab NS ns.lab\nns.lab A 192.0.2.7\nfar NS ns.elsewhere.example.\n\
        out CNAME www.lab\n";
    let node = forwarding(&[&rest], &route).zone("corp.test.zone", zone).start();
    let resolver = node.resolver();
    for (name, address) in [
        ("www.lab.corp.test.", "192.0.2.2"),
        ("lab.corp.test.", "192.0.2.2"),
        // What stands here is for who asks the servers of the zone.
        ("ns.lab.corp.test.", "192.0.2.2"),
        // Not a special name: it is ours to delegate.
        ("www.far.corp.test.", "192.0.2.1"),
    ] {
        let reply = resolver.ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 60 A {address}")]);
        assert!(!reply.metadata.authoritative && reply.authorities.is_empty(), "{reply}");
    }
    let out = ["out.corp.test. * CNAME www.lab.corp.test.", "www.lab.corp.test. * A 192.0.2.2"];
    let reply = resolver.ask("out.corp.test.", A);
    assert_eq!(ageless(&reply.answers), out);
    assert!(reply.metadata.authoritative, "the first name is ours");
    assert_eq!(resolver.ask("ns.corp.test.", A).answers.len(), 1);
    let reply = resolver.ask("lab.corp.test.", RecordType::DS);
    assert!(reply.metadata.authoritative && reply.authorities.len() == 1, "ours (RFC 4035)");
    assert_eq!((rest.seen().len(), corp.seen().len()), (1, 3));
    // Whoever goes on by themselves, or has to, is told who knows.
    let stranger = Resolver::from("127.0.0.2:0", node.dns[0]);
    for (name, aliases) in [("www.lab.corp.test.", 0), ("out.corp.test.", 1)] {
        let mut ask = question(name, A, Some(1232));
        let as_stranger = stranger.exchange(&ask);
        ask.metadata.recursion_desired = false;
        for reply in [as_stranger, resolver.exchange(&ask)] {
            assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
            assert_eq!(reply.answers.len(), aliases);
            assert_eq!(lines(&reply.authorities), ["lab.corp.test. 300 NS ns.lab.corp.test."]);
            assert_eq!(lines(&reply.additionals), ["ns.lab.corp.test. 300 A 192.0.2.7"]);
        }
    }
    // So is everybody where nobody is named for it.
    let node = Node::builder().config(&format!("[forward]\n{route}")).zone("corp.test.zone", zone);
    let node = node.start();
    let reply = node.resolver().ask("www.far.corp.test.", A);
    assert_eq!(lines(&reply.authorities), ["far.corp.test. 300 NS ns.elsewhere.example."]);
    assert_eq!(node.resolver().ask("www.lab.corp.test.", A).answers.len(), 1);
}

/// What a resolver says that goes on from the referral that it gets for a question.
fn gone_on(seen: &Seen, to: SocketAddr) -> Said {
    let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&seen.message.to_vec().unwrap(), to).unwrap();
    let mut reply = vec![0; 4096];
    let octets = socket.recv(&mut reply).unwrap_or_default();
    match Message::from_vec(&reply[..octets]) {
        Ok(reply) if reply.answers.is_empty() && !reply.authorities.is_empty() => {
            Said::records(seen, &["60 A 192.0.2.9"])
        }
        _ => Said::code(ResponseCode::ServFail),
    }
}

#[test]
fn what_our_zones_delegate_does_not_go_round_with_an_upstream_that_asks_us() {
    let resolver =
        Upstream::start_on("127.0.0.2:0", |seen| Said::records(seen, &["60 A 192.0.2.1"]));
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
        far NS ns.elsewhere.example.\nout CNAME www.far\n";
    let node = forwarding(&[&resolver], "").zone("corp.test.zone", zone).start();
    let address = node.dns[0];
    resolver.says(move |seen| match seen.name.ends_with(".corp.test.") {
        true => gone_on(seen, address),
        false => Said::records(seen, &["60 A 192.0.2.1"]),
    });
    let asking = Resolver::from("127.0.0.2:0", address);
    for (name, aliases) in [("www.far.corp.test.", 0), ("out.corp.test.", 1)] {
        let reply = asking.ask(name, A);
        assert_eq!(reply.answers.len(), aliases, "{reply}");
        assert_eq!(lines(&reply.authorities), ["far.corp.test. 300 NS ns.elsewhere.example."]);
    }
    assert!(resolver.seen().is_empty());
    // Others have it asked all the same, and it may have other names asked for.
    let reply = node.resolver().ask("www.far.corp.test.", A);
    assert_eq!(lines(&reply.answers), ["www.far.corp.test. 60 A 192.0.2.9"]);
    assert_eq!(asking.ask("www.example.", A).answers.len(), 1);
}

#[test]
fn an_alias_may_lead_to_where_a_whole_tree_leads() {
    let upstream = Upstream::start(|seen| match &*seen.name {
        "www.corp.lan." => Said::records(seen, &["60 CNAME corp.lan."]),
        "a.lan." => Said::records(seen, &["60 CNAME b.lan."]),
        "b.lan." => Said::records(seen, &["60 CNAME a.lan."]),
        _ => Said::records(seen, &["60 A 192.0.2.1"]),
    });
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns.corp.lan.\n\
        @ DNAME corp.lan.\n";
    let node = forwarding(&[&upstream], "").zone("old.lan.zone", zone).start();
    let reply = node.resolver().ask("www.old.lan.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError, "{reply}");
    assert_eq!(reply.answers.len(), 4);
    assert!(lines(&reply.answers).contains(&"corp.lan. 60 A 192.0.2.1".into()), "{reply}");
    let octets = node.resolver().exchange_octets(&question("a.lan.", A, Some(1_232)));
    assert!(octets.ends_with(b"the aliases lead back to themselves"), "{octets:?}");
}

#[test]
fn a_route_that_nobody_can_take_is_told_of_until_it_can() {
    let corp = echo("192.0.2.2");
    let route = |suffix: &str| {
        let address = corp.address;
        format!("[[forward.zones]]\nsuffix = \"{suffix}\"\nupstreams = [\"{address}\"]\n")
    };
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n";
    let node = Node::builder().config(&route("lab.corp")).zone("corp.zone", zone).start();
    let note = || node.api().get("/ready").body.to_string().contains("nobody is asked for");
    let said =
        node.wait_for_log("nobody is asked for `lab.corp`, as the zone `corp` in `corp.zone`");
    assert_eq!(said["level"], "WARN");
    assert!(note());
    let delegated = format!("{zone}lab NS ns.lab\nns.lab A 192.0.2.7\n");
    fs::write(node.path("zones/corp.zone"), delegated).unwrap();
    eventually("it is delegated", || (!note()).then_some(()));
    let reply = node.resolver().ask("www.lab.corp.", A);
    assert_eq!(lines(&reply.answers), ["www.lab.corp. 60 A 192.0.2.2"]);
    let reload = |suffix: &str| {
        fs::write(node.path("rollcall.toml"), format!("version = 1\n{}", route(suffix))).unwrap();
        node.signal("HUP");
    };
    reload("www.corp");
    node.wait_for_log("nobody is asked for `www.corp`");
    assert!(note());
    // That services have all their names is certain.
    reload("web.service.internal");
    let refused = "the configuration stays as it was: error: `forward.zones[0]`: nobody is asked";
    node.wait_for_log(refused);
}
