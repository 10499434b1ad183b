//! Who may ask, and what strangers get, at the level of messages.

use std::time::Duration;

use hickory_proto::{op::ResponseCode, rr::RecordType};

use crate::{
    dns::{
        AccessRule, CookieSecrets, RateLimit, Settings, SettingsSpec, Sources, Transport,
        answer::Guarded,
        full,
        guard::{Access, Strangers},
        testing::{Ask, Told, World, member, spec},
        zone::Zones,
    },
    model::DnsName,
};

const A: RecordType = RecordType::A;
const SRV: RecordType = RecordType::SRV;

/// A world in which the one who asks is a stranger.
fn world(limits: &RateLimit) -> World {
    let crowd = (1..=40).map(|n| member(&format!("crowd/i{n}"), &format!("10.0.0.{n}")));
    let mut members: Vec<_> = crowd.collect();
    members.push(member("web/a", "10.0.0.1"));
    members.push(member("api/a", "10.0.0.2"));
    members.push(member("tagged/a", "10.0.0.2").tags(&["tag"]));
    let mut world = World::new(members);
    world.settings.strangers = Some(Strangers::new(limits).unwrap());
    let secret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    world.settings.cookies = Some(CookieSecrets::parse(secret).unwrap());
    world
}

fn limits() -> RateLimit {
    RateLimit { responses_per_second: 10, ..RateLimit::default() }
}

/// How many of `count` questions get an answer, get cut, and get nothing.
fn outcomes(world: &mut World, ask: &Ask, count: u32) -> (u32, u32, u32) {
    let mut outcomes = (0, 0, 0);
    for _ in 0..count {
        match world.put(ask) {
            None => outcomes.2 += 1,
            Some(told) if told.message.metadata.truncation => {
                assert_eq!(told.summary.guarded, Some(Guarded::Slipped));
                assert!(told.message.answers.is_empty() && told.message.authorities.is_empty());
                let is_blank = !told.message.metadata.authoritative && told.summary.rcode == 0;
                assert!(is_blank, "nothing is said but that it has to come again");
                outcomes.1 += 1;
            }
            Some(_) => outcomes.0 += 1,
        }
    }
    outcomes
}

#[test]
fn a_stranger_gets_its_share_and_then_every_other_reply_empty() {
    let mut world = world(&limits());
    let web = Ask::new("web", A);
    let (answered, slipped, dropped) = outcomes(&mut world, &web, 210);
    assert_eq!(answered, 10);
    assert!((70..130).contains(&slipped) && slipped + dropped == 200, "{slipped}, {dropped}");
    assert_eq!(outcomes(&mut world, &Ask::new("api", A), 10), (10, 0, 0), "another name");
    assert_eq!(outcomes(&mut world, &Ask::new("nobody", A), 50).0, 10);
    let later = Ask { since_start: Duration::from_millis(500), ..web.clone() };
    assert_eq!(outcomes(&mut world, &later, 50).0, 5, "half a second, half the rate");
    let tcp = Ask { transport: Transport::Tcp, ..web };
    assert_eq!(outcomes(&mut world, &tcp, 100), (100, 0, 0), "has proven its address");
}

#[test]
fn names_without_end_count_together() {
    let corp = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n*.wild A 192.0.2.7\n\
        *.alias CNAME web.service.internal.\n";
    let names: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("NXDOMAIN", &|n| format!("x{n}")),
        ("a refusal", &|n| format!("x{n}.test.")),
        ("a wildcard", &|n| format!("x{n}.wild.corp.test.")),
        ("a wildcard alias", &|n| format!("x{n}.alias.corp.test.")),
        ("tags", &|n| format!("{}tag.tag.tagged", "tag.".repeat(n % 40))),
        ("nibbles", &|n| format!("{:x}.{:x}.d.f.ip6.arpa.", n % 16, n / 16)),
    ];
    for (what, name) in names {
        let mut world = world(&RateLimit { slip: 0, ..limits() });
        world.zones = Zones::of_texts(&[("corp.test", corp)], &["service.internal"]);
        let answered = (0..100).filter(|&n| world.put(&Ask::new(&name(n), A)).is_some());
        assert_eq!(answered.count(), 10, "{what}");
    }
}

#[test]
fn refusals_count_and_say_no_more_than_they_must() {
    let mut world = world(&RateLimit { slip: 0, ..limits() });
    world.settings.identity.nsid = [b'x'; 64].into();
    let mut respond = |transport: Transport, message: &[u8]| {
        let sources = Sources {
            snapshot: &world.snapshot,
            zones: &world.zones,
            settings: &world.settings,
            forward: None,
        };
        let caller = Ask { transport, ..Ask::new("web", A) }.caller();
        let mut out = [0; 4_096];
        match full::respond(&sources, caller, message, &mut world.rng, &mut out) {
            full::Responded::With(replied) => Some(replied.summary.octets),
            _ => None,
        }
    };
    let nsid = b"\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00";
    for opcode in [0x78, 0x20] {
        let head = [0x12, 0x34, opcode, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let message = [&head[..], nsid].concat();
        let over_udp = (0..100).filter_map(|_| respond(Transport::Udp, &message));
        let replies: Vec<usize> = over_udp.collect();
        assert!(replies.iter().all(|&octets| octets <= message.len()), "{replies:?}");
        assert_eq!(replies.len(), if opcode == 0x78 { 10 } else { 0 }, "one kind of error");
        let over_tcp = (0..100).filter(|_| respond(Transport::Tcp, &message).is_some());
        assert_eq!(over_tcp.count(), 100, "has proven its address");
    }
}

#[test]
fn a_changed_configuration_forgets_nothing_that_was_counted() {
    let spec = SettingsSpec { rate_limit: Some(limits()), ..spec() };
    let mut world = world(&limits());
    world.settings = Settings::new(&spec).unwrap();
    let web = Ask::new("web", A);
    assert_eq!(outcomes(&mut world, &web, 50).0, 10);
    world.settings = Settings::new(&spec).unwrap().in_place_of(&world.settings);
    assert_eq!(outcomes(&mut world, &web, 50).0, 0);
}

#[test]
fn all_replies_of_a_network_are_held_to_a_rate_of_their_own() {
    let limits = RateLimit { responses_per_second: 0, all_per_second: 7, slip: 1, ..limits() };
    let mut world = world(&limits);
    let web = outcomes(&mut world, &Ask::new("web", A), 5);
    let api = outcomes(&mut world, &Ask::new("api", A), 5);
    assert_eq!((web, api), ((5, 0, 0), (2, 3, 0)), "a slip of 1 leaves none out");
}

#[test]
fn who_is_exempt_is_no_stranger() {
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    let mut world = world(&RateLimit { exempt, ..limits() });
    assert_eq!(outcomes(&mut world, &Ask::new("web", A), 100), (100, 0, 0));
    assert!(world.ask("crowd", SRV).octets.len() > 512);
}

/// A question with a COOKIE option.
fn with_cookie(world: &mut World, ask: &Ask, cookie: &[u8]) -> Told {
    let mut packet = ask.packet();
    let end = packet.len() - 1;
    packet[end] = u8::try_from(4 + cookie.len()).unwrap();
    packet.extend([0, 10, 0, u8::try_from(cookie.len()).unwrap()]);
    packet.extend(cookie);
    world.put_packet(&packet, ask).expect("it is replied to")
}

#[test]
fn a_long_reply_is_for_who_has_proven_its_address() {
    let mut strict = world(&RateLimit { unproven_udp_size: 0, ..limits() });
    let ask = Ask::new("crowd", SRV);
    let question = ask.packet().len();
    let told = strict.put(&ask).unwrap();
    assert_eq!(told.summary.guarded, Some(Guarded::Unproven));
    assert!(told.message.metadata.truncation && told.octets.len() <= question, "no gain at all");
    // Whoever knows cookies gets one, and with it the reply.
    let told = with_cookie(&mut strict, &ask, b"abcdefgh");
    assert_eq!(u16::from(told.message.metadata.response_code), 23);
    assert!(told.octets.len() <= question + 12 + 16);
    let start = told.octets.len() - 24;
    let cookie = told.octets[start..].to_vec();
    let told = with_cookie(&mut strict, &ask, &cookie);
    assert!(told.octets.len() > 512 && told.summary.guarded.is_none());
    // The name of the server would make it longer, and so may an error.
    strict.settings.identity.nsid = [b'x'; 64].into();
    let mut packet = ask.packet();
    let end = packet.len() - 1;
    packet[end] = 4;
    packet.extend([0, 3, 0, 0]);
    let told = strict.put_packet(&packet, &ask).unwrap();
    assert!(told.octets.len() <= packet.len(), "{}", told.octets.len());
    // A cut reply is full as far as it may be by default.
    let told = world(&limits()).put(&ask).unwrap();
    assert_eq!(told.summary.guarded, Some(Guarded::Unproven));
    assert!(told.message.metadata.truncation && !told.message.answers.is_empty());
    assert!(told.octets.len() <= 512);
}

fn deny(world: &mut World, zone: &str) {
    let zone = DnsName::parse(zone).unwrap();
    let rule = AccessRule { zone, allow: vec![], deny: vec!["192.0.2.0/25".parse().unwrap()] };
    world.settings.access = Access::new(&[rule]).unwrap();
}

#[test]
fn who_may_not_ask_is_refused_and_told_so() {
    let mut world = World::new(vec![member("web/a", "10.0.0.1")]);
    deny(&mut world, "service.internal");
    for transport in [Transport::Udp, Transport::Tcp] {
        for name in ["web", "nobody", ""] {
            let told = world.put(&Ask { transport, ..Ask::new(name, A) }).unwrap();
            assert_eq!(told.rcode(), ResponseCode::Refused, "{name}");
            assert_eq!(told.summary.guarded, Some(Guarded::Denied));
            let option = b"\0\x0F\0\x0C\0\x12dns.access";
            assert!(told.octets.ends_with(option), "{name}: RFC 8914 §4.19");
        }
    }
}

#[test]
fn a_refusal_that_is_held_back_counts_as_held_back() {
    let mut world = world(&RateLimit { slip: 1, ..limits() });
    deny(&mut world, "service.internal");
    assert_eq!(outcomes(&mut world, &Ask::new("web", A), 30), (10, 20, 0));
}

#[test]
fn a_rule_for_a_service_is_one_for_all_of_its_names() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").tags(&["v1"]),
        member("open/a", "10.0.0.1"),
        member("alias/a", "10.0.0.2").host("web.service.internal"),
    ]);
    let names = [
        ("web", A),
        ("v1.web", A),
        ("a.instance.web", A),
        ("_web._tcp", SRV),
        ("_web._v1", SRV),
        ("_web._tcp", RecordType::PTR),
        ("a._web._tcp", RecordType::TXT),
        ("_v1._sub._web._tcp", RecordType::PTR),
    ];
    let ptr = |world: &mut World, name: &str| world.ask(name, RecordType::PTR).sorted();
    assert_eq!(ptr(&mut world, "_services._dns-sd._udp").len(), 3);
    deny(&mut world, "web.service.internal");
    for (name, rtype) in names {
        let told = world.ask(name, rtype);
        assert_eq!(told.rcode(), ResponseCode::Refused, "{name} {rtype}");
        assert!(told.message.all_sections().next().is_none(), "{name} {rtype}");
        assert!(!told.message.metadata.authoritative, "{name} {rtype}");
    }
    assert_eq!(world.ask("open", A).answers(), ["10.0.0.1"]);
    assert_eq!(world.ask("alias", A).answers(), ["web.service.internal."]);
    assert_eq!(
        ptr(&mut world, "_services._dns-sd._udp"),
        ["_alias._tcp.service.internal.", "_open._tcp.service.internal."]
    );
    let reverse = ptr(&mut world, "1.0.0.10.in-addr.arpa.");
    assert_eq!(reverse, ["a.instance.open.service.internal."]);
    deny(&mut world, "service.internal");
    let told = world.ask("1.0.0.10.in-addr.arpa.", RecordType::PTR);
    assert_eq!(told.rcode(), ResponseCode::NXDomain);
}

#[test]
fn an_alias_does_not_lead_around_a_rule() {
    let mut world = World::new(vec![member("web/a", "10.0.0.1")]);
    let corp = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n\
        www CNAME web.service.internal.\n";
    world.zones = Zones::of_texts(&[("corp.test", corp)], &["service.internal"]);
    assert_eq!(world.ask("www.corp.test.", A).answers().len(), 2);
    deny(&mut world, "service.internal");
    let told = world.ask("www.corp.test.", A);
    assert_eq!(told.answers(), ["web.service.internal."]);
    assert_eq!(told.rcode(), ResponseCode::NoError);
}

#[test]
fn what_may_not_be_asked_for_is_not_told_beside_something_else() {
    let mut world = World::new(vec![member("web/a", "10.0.0.1")]);
    let corp = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n\
        www CNAME ftp.shut.test.\n@ MX 10 mail.shut.test.\n@ SRV 1 1 80 web.service.internal.\n";
    let shut = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n\
        ftp A 192.0.2.7\nmail A 192.0.2.8\n";
    let texts = [("corp.test", corp), ("shut.test", shut)];
    world.zones = Zones::of_texts(&texts, &["service.internal"]);
    let ask = |world: &mut World, rtype| {
        let told = world.ask("corp.test.", rtype);
        (told.answers().len(), told.additionals().len())
    };
    assert_eq!(world.ask("www.corp.test.", A).answers().len(), 2);
    assert_eq!((ask(&mut world, RecordType::MX), ask(&mut world, SRV)), ((1, 1), (1, 1)));
    deny(&mut world, "shut.test");
    assert_eq!(world.ask("www.corp.test.", A).answers().len(), 1);
    assert_eq!((ask(&mut world, RecordType::MX), ask(&mut world, SRV)), ((1, 0), (1, 1)));
    deny(&mut world, "service.internal");
    assert_eq!((ask(&mut world, RecordType::MX), ask(&mut world, SRV)), ((1, 1), (1, 0)));
}
