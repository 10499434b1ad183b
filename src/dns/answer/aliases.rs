//! Hosts in place of addresses, and aliases from zone to zone, at the level of messages.

use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
};

use crate::dns::{
    Transport,
    testing::{Ask, World, member},
    zone::Zones,
};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const TXT: RecordType = RecordType::TXT;

#[test]
fn a_host_stands_in_for_addresses() {
    let mut world = World::new(vec![member("web/a", "10.0.0.1").host("db.example.com")]);
    for (name, rtype) in [
        ("web", A),
        ("web", AAAA),
        ("a.instance.web", A),
        ("a.instance.web", AAAA),
        ("a.instance.web", RecordType::CNAME),
    ] {
        let told = world.ask(name, rtype);
        assert_eq!(told.answers(), ["db.example.com."], "{name} {rtype}");
        assert_eq!(told.message.answers[0].record_type(), RecordType::CNAME);
        assert!(told.message.metadata.authoritative && told.message.authorities.is_empty());
    }
    assert!(world.ask("web", TXT).is_nodata());
}

#[test]
fn a_draw_between_hosts_and_addresses_decides_for_the_answer() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").weight(3),
        member("web/b", "10.0.0.2").host("db.example.com").weight(1),
        member("web/c", "10.0.0.3").host("none.example.com").weight(0),
    ]);
    let mut aliases = 0;
    for _ in 0..2_000 {
        match &world.ask("web", A).answers()[..] {
            [one] if one == "db.example.com." => aliases += 1,
            [one] => assert_eq!(one, "10.0.0.1"),
            other => panic!("{other:?}"),
        }
    }
    assert!((430..570).contains(&aliases), "{aliases}");
    // Nobody has an IPv6 address, so only hosts are left to draw.
    assert_eq!(world.ask("web", AAAA).answers(), ["db.example.com."]);
}

#[test]
fn addresses_of_a_target_stand_once_however_it_is_written_and_behind_no_cut_answer() {
    let mut world = World::new(vec![member("web/a", "10.0.0.1").at(&["10.0.0.1", "fd00::1"])]);
    let top = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n\
        @ MX 1 WEB.Service.internal.\n@ MX 2 web.service.internal.\n";
    // With a name of this length the last record of all that fit leaves room for an address.
    let name = "x".repeat(21);
    let many = (0..40).map(|n| format!("{name} MX {n} web.service.internal.\n"));
    let corp = many.fold(top.to_owned(), |text, line| text + &line);
    world.zones = Zones::of_texts(&[("corp.test", &corp)], &["service.internal"]);
    let told = world.ask("corp.test.", RecordType::MX);
    let mut beside = told.additionals();
    beside.iter_mut().for_each(|record| record.make_ascii_lowercase());
    let expected = ["web.service.internal. a 10.0.0.1", "web.service.internal. aaaa fd00::1"];
    assert_eq!(beside, expected);
    let name = format!("{name}.corp.test.");
    let told = world.put(&Ask { edns: None, ..Ask::new(&name, RecordType::MX) }).unwrap();
    assert!(told.message.metadata.truncation && told.octets.len() + 16 <= 512, "an address fits");
    assert!(told.message.additionals.is_empty(), "RFC 2181 §9");
}

#[test]
fn a_question_for_the_alias_itself_is_answered_and_not_followed() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").host("next.service.internal"),
        member("next/a", "10.0.0.1").host("db.example.com"),
        member("both/a", "10.0.0.1"),
        member("both/b", "10.0.0.1").host("db.example.com").weight(0),
    ]);
    for (name, expected) in [
        ("web", "next.service.internal."),
        ("a.instance.web", "next.service.internal."),
        // Whoever asks for an alias gets one if there is one, however seldom A leads to it.
        ("both", "db.example.com."),
    ] {
        let told = world.ask(name, RecordType::CNAME);
        assert_eq!(told.answers(), [expected], "{name}");
        assert_eq!(told.rcode(), ResponseCode::NoError);
        assert!(told.message.metadata.authoritative && told.message.authorities.is_empty());
    }
    assert!(world.ask("a.instance.both", RecordType::CNAME).is_nodata());
}

#[test]
fn aliases_within_our_zones_are_followed() {
    let mut world = World::new(vec![
        member("front/a", "10.0.0.1").host("web.service.internal"),
        member("web/a", "10.0.0.2"),
        member("gone/a", "10.0.0.1").host("nobody.service.internal"),
        member("one/a", "10.0.0.1").host("two.service.internal"),
        member("two/a", "10.0.0.1").host("one.service.internal"),
        member("self/a", "10.0.0.1").host("self.service.internal"),
    ]);
    let told = world.ask("front", A);
    assert_eq!(told.answers(), ["web.service.internal.", "10.0.0.2"]);
    assert_eq!(told.message.answers[1].name, Name::from_ascii("web.service.internal.").unwrap());
    // The type is missing, or the name, at the end of the chain (RFC 2308 §2.1, §2.2).
    let told = world.ask("front", AAAA);
    assert_eq!((told.answers().len(), told.rcode()), (1, ResponseCode::NoError));
    assert!(told.has_soa_of("service.internal."));
    let told = world.ask("gone", A);
    assert_eq!((told.answers().len(), told.rcode()), (1, ResponseCode::NXDomain));
    assert!(told.has_soa_of("service.internal."));
    // The alias itself is the whole answer to who asks for it.
    let told = world.ask("a.instance.front", RecordType::CNAME);
    assert_eq!(told.answers(), ["web.service.internal."]);
    assert!(told.message.authorities.is_empty());
    // Loops end.
    assert_eq!(world.ask("one", A).answers().len(), 2);
    assert_eq!(world.ask("self", A).answers().len(), 1);
}

/// A compression pointer has 14 bits: where the next name is beyond their reach, the chain ends.
#[test]
fn a_chain_ends_where_no_pointer_reaches() {
    let front = [63; 3].map(|length| "x".repeat(length)).join(".");
    let name = |n: usize| format!("{n:0>47}.{front}.corp.internal.");
    let mut corp =
        String::from("@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n");
    for n in 0..64 {
        let leaves = format!("s{}.service.internal.", n / 16 + 1);
        let target = if n % 16 == 15 { leaves } else { name(n + 1) };
        corp += &format!("{} CNAME {target}\n", name(n));
    }
    let host = |n: usize| member(&format!("s{n}/a"), "10.0.0.1").host(&name(n * 16));
    let mut members: Vec<_> = (0..4).map(host).collect();
    members.push(member("s4/a", "10.0.0.1"));
    let mut world = World::new(members);
    world.zones = Zones::of_texts(&[("corp.internal", &corp)], &["service.internal"]);
    let ask = |service| Ask { transport: Transport::Tcp, ..Ask::new(service, A) };
    assert_eq!(world.put(&ask("s1")).unwrap().answers().last().unwrap(), "10.0.0.1");
    let told = world.put(&ask("s0")).unwrap();
    assert!(told.octets.len() > 0x4000, "{}", told.octets.len());
    assert_eq!(told.answers().last().unwrap(), "s4.service.internal.");
}

#[test]
fn aliases_lead_from_static_zones_to_services_and_back() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1"),
        member("db/a", "10.0.0.2").host("db.corp.internal"),
        member("far/a", "10.0.0.2").host("away.corp.internal"),
        member("round/a", "10.0.0.2").host("round.corp.internal"),
        member("none/a", "10.0.0.2").host("none.corp.internal"),
    ]);
    let corp = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
        www CNAME web.service.internal.\n\
        lost CNAME lost.service.internal.\n\
        db A 192.0.2.7\n\
        away CNAME else.example.com.\n\
        round CNAME round.service.internal.\n";
    let reverse = "@ SOA ns.corp.internal. hostmaster 1 3600 600 86400 60\n\
        @ NS ns.corp.internal.\n9 PTR printer.corp.internal.\n";
    let texts = [("corp.internal", corp), ("9.9.10.in-addr.arpa", reverse)];
    world.zones = Zones::of_texts(&texts, &["service.internal"]);
    let cases: [(&str, &[&str], ResponseCode); 8] = [
        ("db.corp.internal.", &["192.0.2.7"], ResponseCode::NoError),
        ("www.corp.internal.", &["web.service.internal.", "10.0.0.1"], ResponseCode::NoError),
        ("lost.corp.internal.", &["lost.service.internal."], ResponseCode::NXDomain),
        ("db", &["db.corp.internal.", "192.0.2.7"], ResponseCode::NoError),
        ("far", &["away.corp.internal.", "else.example.com."], ResponseCode::NoError),
        ("round", &["round.corp.internal.", "round.service.internal."], ResponseCode::NoError),
        ("none", &["none.corp.internal."], ResponseCode::NXDomain),
        ("absent.corp.internal.", &[], ResponseCode::NXDomain),
    ];
    for (name, answers, rcode) in cases {
        let told = world.ask(name, A);
        assert_eq!(told.answers(), answers, "{name}");
        assert_eq!(told.rcode(), rcode, "{name}");
        assert!(told.message.metadata.authoritative, "{name}");
        let is_chain = told.message.answers.windows(2).all(|pair| match &pair[0].data {
            RData::CNAME(target) => target.0 == pair[1].name,
            _ => false,
        });
        assert!(is_chain, "{name}");
    }
    // A static zone inside a prefix is closer to its names.
    let ptr = RecordType::PTR;
    assert_eq!(world.ask("9.9.9.10.in-addr.arpa.", ptr).answers(), ["printer.corp.internal."]);
    let told = world.ask("8.9.9.10.in-addr.arpa.", ptr);
    assert!(told.has_soa_of("9.9.10.in-addr.arpa."));
    assert!(world.ask("9.8.9.10.in-addr.arpa.", ptr).has_soa_of("10.in-addr.arpa."));
}
