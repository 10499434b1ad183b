//! What is made of an upstream's answer.

use hickory_proto::{op::ResponseCode, rr::RecordType};
use serde_json::json;

use super::forwarding;
use crate::support::{
    Upstream,
    dns::{ageless, extended_errors, lines, question},
    upstream::{Said, known},
};

const A: RecordType = RecordType::A;

const RECORDS: &[&str] = &[
    "www.example. 300 CNAME web.example.",
    "web.example. 60 A 192.0.2.80",
    "web.example. 60 A 192.0.2.81",
    "text.example. 60 TXT hello",
    "dead.example. 300 CNAME nobody.example.",
];

#[test]
fn a_name_of_an_upstream_is_answered_whole_and_without_authority() {
    let upstream = Upstream::of(RECORDS);
    let node = forwarding(&[&upstream], "").start();
    let resolver = node.resolver();
    let reply = resolver.ask("WWW.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert_eq!(
        lines(&reply.answers),
        [
            "WWW.example. 300 CNAME web.example.",
            "web.example. 60 A 192.0.2.80",
            "web.example. 60 A 192.0.2.81",
        ]
    );
    let flags = &reply.metadata;
    assert!(flags.recursion_available && flags.recursion_desired);
    assert!(!flags.authoritative && !flags.authentic_data && !flags.truncation);
    assert_eq!(reply.queries[0].name().to_string(), "WWW.example.", "as it was asked");
    // The end of the chain does not exist: its code, and the SOA that says for how long.
    let reply = resolver.ask("dead.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(lines(&reply.answers), ["dead.example. 300 CNAME nobody.example."]);
    assert_eq!(reply.authorities.len(), 1);
    assert_eq!(reply.authorities[0].ttl, 60);
    let reply = resolver.ask("text.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert!(reply.answers.is_empty() && reply.authorities.len() == 1);
    // Names of ours say so as well, and are ours.
    let reply = resolver.ask("service.internal.", RecordType::SOA);
    assert!(reply.metadata.recursion_available && reply.metadata.authoritative);
}

#[test]
fn what_is_cut_or_unreadable_over_udp_is_asked_for_over_tcp() {
    let upstream = Upstream::start(|seen| match (&*seen.name, seen.over_tcp) {
        ("cut.example.", _) => Said::records(seen, &["60 A 192.0.2.1"]).cut_over_udp(seen),
        ("odd.example.", false) => {
            // The right number, and then nothing that makes sense.
            let id = seen.message.metadata.id.to_be_bytes();
            Said::Octets([&id[..], &[0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 3]].concat())
        }
        _ => Said::records(seen, &["60 A 192.0.2.2"]),
    });
    let node = forwarding(&[&upstream], "").start();
    for (name, address) in [("cut.example.", "192.0.2.1"), ("odd.example.", "192.0.2.2")] {
        let reply = node.resolver().ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 60 A {address}")]);
        let over: Vec<_> =
            upstream.seen().iter().filter(|s| s.name == name).map(|s| s.over_tcp).collect();
        assert_eq!(over, [false, true], "{name}");
    }
}

#[test]
fn a_long_answer_is_cut_for_udp_and_whole_over_tcp() {
    let upstream = Upstream::start(|seen| {
        let records: Vec<_> = (0..200).map(|n| format!("60 A 192.0.2.{n}")).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        Said::records(seen, &records).cut_over_udp(seen)
    });
    let node = forwarding(&[&upstream], "").start();
    let cut = node.resolver().ask("many.example.", A);
    assert!(cut.metadata.truncation && cut.answers.len() < 200 && cut.edns.is_some());
    let plain = node.resolver().ask_plain("many.example.", A);
    assert!(plain.metadata.truncation && plain.to_vec().unwrap().len() <= 512);
    let whole = node.resolver().ask_tcp("many.example.", A);
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 200);
    assert_eq!(upstream.seen().len(), 2, "once over UDP, once over TCP, then from the cache");
}

#[test]
fn do_and_cd_reach_the_upstream_and_are_cached_apart() {
    let upstream = Upstream::of(RECORDS);
    let node = forwarding(&[&upstream], "").start();
    let mut expected = Vec::new();
    for (dnssec_ok, checking_disabled) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut message = question("web.example.", A, Some(1232));
        message.metadata.checking_disabled = checking_disabled;
        message.edns.as_mut().unwrap().set_dnssec_ok(dnssec_ok);
        for _ in 0..2 {
            let reply = node.resolver().exchange(&message);
            assert_eq!(reply.answers.len(), 2);
            assert_eq!(reply.metadata.checking_disabled, checking_disabled);
            assert_eq!(reply.edns.unwrap().flags().dnssec_ok, dnssec_ok);
        }
        expected.push((dnssec_ok, checking_disabled));
    }
    let seen = upstream.seen();
    let flags = seen.iter().map(|seen| {
        let edns = seen.message.edns.as_ref().expect("it is asked with EDNS");
        assert_eq!(edns.max_payload(), 1232);
        assert!(seen.message.metadata.recursion_desired);
        (edns.flags().dnssec_ok, seen.message.metadata.checking_disabled)
    });
    assert_eq!(flags.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_not_asked_for_with_rd_or_is_no_ordinary_question_is_refused() {
    let upstream = Upstream::of(RECORDS);
    let node = forwarding(&[&upstream], "").start();
    let mut plain = question("web.example.", A, Some(1232));
    plain.metadata.recursion_desired = false;
    let reply = node.resolver().exchange(&plain);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    assert!(reply.metadata.recursion_available);
    for rtype in [RecordType::ANY, RecordType::AXFR, RecordType::IXFR, RecordType::Unknown(253)] {
        let reply = node.resolver().ask("web.example.", rtype);
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "{rtype}");
        assert_eq!(extended_errors(&reply), [21], "{rtype}: RFC 8914 §4.22");
    }
    let mut chaos = question("version.bind.", RecordType::TXT, None);
    chaos.queries[0].set_query_class(hickory_proto::rr::DNSClass::CH);
    assert_eq!(node.resolver().exchange(&chaos).metadata.response_code, ResponseCode::Refused);
    assert!(upstream.seen().is_empty());
    // A type that nobody knows is a type all the same.
    node.resolver().ask("web.example.", RecordType::Unknown(65_280));
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn an_alias_of_ours_goes_on_at_the_upstream() {
    let upstream = Upstream::of(RECORDS);
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
        out CNAME www.example.\nlost CNAME nobody.example.\n";
    let node = forwarding(&[&upstream], "").zone("corp.test.zone", zone).start();
    let body = json!({ "addresses": ["www.example"], "port": 80 });
    node.api().register("shop", "one", &body);
    let resolver = node.resolver();
    for (name, first) in [
        ("shop.service.internal.", "shop.service.internal. 5 CNAME www.example."),
        ("out.corp.test.", "out.corp.test. 300 CNAME www.example."),
    ] {
        let reply = resolver.ask(name, A);
        assert!(lines(&reply.answers).contains(&first.into()), "{reply}");
        let theirs = [
            "web.example. * A 192.0.2.80",
            "web.example. * A 192.0.2.81",
            "www.example. * CNAME web.example.",
        ];
        assert_eq!(ageless(&reply.answers)[1..], theirs);
        assert!(reply.metadata.authoritative, "the first name is ours: {name}");
        assert_eq!(lines(&resolver.ask_tcp(name, A).answers).len(), 4);
    }
    let reply = resolver.ask("lost.corp.test.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "of the last name");
    // Without RD nobody is asked, and the alias is the answer.
    let mut plain = question("shop.service.internal.", A, Some(1232));
    plain.metadata.recursion_desired = false;
    assert_eq!(resolver.exchange(&plain).answers.len(), 1);
}

#[test]
fn an_alias_of_an_upstream_goes_on_in_our_zones_and_at_others() {
    let others = Upstream::of(RECORDS);
    let upstream = Upstream::start(|seen| match &*seen.name {
        "here.corp." => Said::records(seen, &["60 CNAME web.service.internal."]),
        "there.corp." => Said::records(seen, &["60 CNAME www.example."]),
        "round.corp." => Said::records(seen, &["60 CNAME round.corp."]),
        _ => known(&[], seen),
    });
    let zones =
        format!("zones = [{{ suffix = \"corp\", upstreams = [\"{}\"] }}]", upstream.address);
    let node = forwarding(&[&others], &zones).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    let reply = node.resolver().ask("here.corp.", A);
    assert!(!reply.metadata.authoritative, "the first name is not ours");
    assert_eq!(
        lines(&reply.answers),
        ["here.corp. 60 CNAME web.service.internal.", "web.service.internal. 5 A 10.0.0.1"]
    );
    assert_eq!(node.resolver().ask("there.corp.", A).answers.len(), 4);
    let reply = node.resolver().ask("round.corp.", A);
    assert_eq!(reply.answers.len(), 1, "loops end");
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(others.seen().iter().all(|seen| !seen.name.ends_with("corp.")), "{:?}", others.seen());
    assert!(upstream.seen().iter().all(|seen| seen.name.ends_with("corp.")));
}

#[test]
fn an_upstream_says_nothing_of_names_that_are_ours_special_or_forbidden() {
    let upstream = Upstream::start(|seen| {
        let target = seen.name.strip_suffix("corp.").unwrap_or("nowhere.");
        let lie = format!("{target} 60 A 203.0.113.66");
        Said::records(seen, &[&format!("60 CNAME {target}"), &lie])
    });
    let top = "@ 60 SOA ns hostmaster 1 3600 600 86400 60\n@ 60 NS ns\n";
    let zone =
        format!("{top}www 60 A 192.0.2.7\n*.wild 60 A 192.0.2.8\nfar 60 NS ns\nlab 60 NS ns\n");
    let lab = Upstream::of(&["www.lab.home.lan. 60 A 192.0.2.9"]);
    let more = format!(
        "zones = [{{ suffix = \"lab.home.lan\", upstreams = [\"{}\"] }}]\n\
         [dns]\naccess = [{{ zone = \"shut.lan\", deny = [\"127.0.0.0/8\"] }}]",
        lab.address
    );
    let node = forwarding(&[&upstream], &more)
        .zone("home.lan.zone", &zone)
        .zone("broken.lan.zone", "oops\n")
        .start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    for (target, address) in [
        ("web.service.internal.", Some("web.service.internal. 5 A 10.0.0.1")),
        ("www.home.lan.", Some("www.home.lan. 60 A 192.0.2.7")),
        ("x.wild.home.lan.", Some("x.wild.home.lan. 60 A 192.0.2.8")),
        ("nobody.home.lan.", None),
        // Somebody else is asked for what is delegated, or nobody but the upstream is.
        ("www.lab.home.lan.", Some("www.lab.home.lan. 60 A 192.0.2.9")),
        ("www.far.home.lan.", Some("www.far.home.lan. 60 A 203.0.113.66")),
        ("www.broken.lan.", None),
        ("printer.local.", None),
        ("www.shut.lan.", None),
        ("elsewhere.example.", Some("elsewhere.example. 60 A 203.0.113.66")),
    ] {
        let reply = node.resolver().ask(&format!("{target}corp."), A);
        let alias = format!("{target}corp. 60 CNAME {target}");
        let mut expected: Vec<&str> = [&*alias].into_iter().chain(address).collect();
        expected.sort_unstable();
        assert_eq!(lines(&reply.answers), expected, "{reply}");
    }
}
