//! What odd messages get, and that both paths agree, over one small world.

use std::sync::LazyLock;

use hickory_proto::{op::Message, rr::RData};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Replied, Responded, decode::decode, respond};
use crate::dns::{
    Answered, Caller, CookieSecrets, Parsed, Sources, Transport, answer,
    answer::TCP_REPLY_OCTETS_MAX,
    parse,
    testing::{CLIENT, NOW, World, member},
};

/// Services with all that makes answers differ: weights, tiers, tags, names in place of addresses,
/// metadata, nobody healthy, and more addresses than a datagram holds.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let crowd = (1..=99).map(|n| member(&format!("crowd/i{n}"), &format!("fd00::{n}")));
    let mut members = vec![
        member("web/a", "10.0.0.1").at(&["10.0.0.1", "fd00::1"]).tags(&["v1", "web"]).weight(7),
        member("web/b", "10.0.0.2").at(&["10.0.0.2", "fd00::2"]).tags(&["v1"]).weight(2),
        member("web/c", "10.0.0.3").tags(&["web"]).priority(2).meta(&[("version", "1")]),
        member("out/a", "10.0.0.9").host("a.example"),
        member("down/a", "10.0.0.4").critical(),
    ];
    members.extend(crowd);
    let mut world = World::new(members);
    let secret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    world.settings.cookies = Some(CookieSecrets::parse(secret).unwrap());
    world.settings.identity.nsid = b"here"[..].into();
    world
});

/// What the full path says to `message`, by chance that repeats itself.
fn replied(transport: Transport, message: &[u8]) -> Option<(Replied, Vec<u8>)> {
    let (mut rng, mut out) = (fastrand::Rng::with_seed(7), vec![0xAA; TCP_REPLY_OCTETS_MAX]);
    let caller = Caller::new(CLIENT, transport, NOW).unhurried();
    match respond(&sources(), caller, message, &mut rng, &mut out) {
        Responded::Limited | Responded::Silence => None,
        Responded::NeedsForward => panic!("nothing is forwarded"),
        Responded::TakesLong => panic!("it may take long"),
        Responded::With(replied) => {
            out.truncate(replied.summary.octets);
            Some((replied, out))
        }
    }
}

fn sources() -> Sources<'static> {
    Sources {
        snapshot: &WORLD.snapshot,
        zones: &WORLD.zones,
        settings: &WORLD.settings,
        forward: None,
    }
}

/// A query for `web.service.internal` A, number 0x1234, RD set, with more behind the question.
fn query(additionals: &[&[u8]]) -> Vec<u8> {
    let count = u8::try_from(additionals.len()).unwrap();
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, count];
    message.extend(b"\x03Web\x07service\x08internal\x00\x00\x01\x00\x01");
    message.extend(additionals.concat());
    message
}

fn opt(version: u8, options: &[u8]) -> Vec<u8> {
    let length = u8::try_from(options.len()).unwrap();
    [&[0, 0, 41, 0x10, 0, 0, version, 0x80, 0, 0, length], options].concat()
}

fn with(mut message: Vec<u8>, octets: &[(usize, u8)]) -> Vec<u8> {
    for &(at, octet) in octets {
        message[at] = octet;
    }
    message
}

const COOKIE: &[u8] = b"\x00\x0A\x00\x08abcdefgh";
/// `key.` TSIG, class ANY, hmac-sha256, of some time, with a MAC of four octets.
const TSIG: &[u8] = b"\x03key\x00\x00\xFA\x00\xFF\x00\x00\x00\x00\x00\x21\
    \x0Bhmac-sha256\x00\x00\x00\x65\x00\x00\x00\x01\x2C\x00\x04mac!\x12\x34\x00\x00\x00\x00";

/// The response code of a refusal, and its length when it is a header only.
type Refused = (u16, Option<usize>);

#[test]
fn odd_messages_get_what_the_standards_say() {
    let (plain, a) = (query(&[]), b"\x01x\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04abcd");
    let v0 = opt(0, &[]);
    // A header, with the question (`asked`), with an OPT record of ours (`edns`), with both.
    const BARE: usize = 12;
    let asked = plain.len();
    let (edns, both) = (BARE + 11, asked + 11);
    let cases: &[(&str, Vec<u8>, Option<Refused>)] = &[
        ("empty", vec![], None),
        ("cut header", plain[..11].to_vec(), None),
        ("a reply", with(plain.clone(), &[(2, 0x80)]), None),
        ("a malformed reply", with(plain[..13].to_vec(), &[(2, 0x80)]), None),
        ("header only", plain[..12].to_vec(), Some((1, Some(BARE)))),
        ("cut question", plain[..20].to_vec(), Some((1, Some(BARE)))),
        ("no question", with(plain.clone(), &[(5, 0)]), Some((1, Some(BARE)))),
        ("two questions", with(plain.clone(), &[(5, 2)]), Some((1, Some(BARE)))),
        ("65,281 questions", with(plain.clone(), &[(4, 255)]), Some((1, Some(BARE)))),
        (
            "an answer",
            with([plain.clone(), a.to_vec()].concat(), &[(7, 1)]),
            Some((1, Some(asked))),
        ),
        (
            "authority",
            with([plain.clone(), a.to_vec()].concat(), &[(9, 1)]),
            Some((1, Some(asked))),
        ),
        ("opcode IQUERY", with(plain.clone(), &[(2, 0x08)]), Some((4, Some(BARE)))),
        ("opcode STATUS", with(plain.clone(), &[(2, 0x10)]), Some((4, Some(BARE)))),
        ("opcode NOTIFY", with(plain.clone(), &[(2, 0x20)]), Some((4, Some(asked)))),
        ("opcode UPDATE", with(plain.clone(), &[(2, 0x28)]), Some((4, Some(asked)))),
        ("opcode 15", with(plain.clone(), &[(2, 0x78)]), Some((4, Some(BARE)))),
        ("opcode 15, rubbish", with(vec![9; 30], &[(2, 0x78)]), Some((4, Some(BARE)))),
        ("EDNS version 1", query(&[&opt(1, &[])]), Some((16, None))),
        ("EDNS version 255 with an option", query(&[&opt(255, COOKIE)]), Some((16, None))),
        ("two OPT records", query(&[&v0, &v0]), Some((1, Some(both)))),
        ("OPT not of the root", query(&[&[&b"\x01x"[..], &v0].concat()]), Some((1, Some(asked)))),
        ("cut option", query(&[&opt(0, &COOKIE[..7])]), Some((1, Some(both)))),
        (
            "two questions, OPT",
            with(query(&[&plain[12..], &v0]), &[(5, 2), (11, 1)]),
            Some((1, Some(edns))),
        ),
        ("opcode UPDATE, OPT", with(query(&[&v0]), &[(2, 0x28)]), Some((4, Some(both)))),
        ("opcode 15, OPT", with(query(&[&v0]), &[(2, 0x78)]), Some((4, Some(edns)))),
        ("trailing octet", query(&[&[&v0[..], &[0]].concat()]), Some((1, Some(both)))),
        ("17 additionals", query(&[&a[..]; 17]), Some((1, Some(asked)))),
        ("name points to itself", with(plain.clone(), &[(12, 0xC0), (13, 12)]), Some((1, None))),
        ("name points to the header", with(plain.clone(), &[(12, 0xC0), (13, 4)]), Some((1, None))),
        ("label type 01", with(plain.clone(), &[(12, 0x40)]), Some((1, Some(BARE)))),
        ("TSIG not last", query(&[TSIG, &v0]), Some((1, Some(both)))),
        ("TSIG of an unknown key", query(&[&v0, TSIG]), Some((9, None))),
    ];
    for (what, message, expected) in cases {
        check_refusal(what, message, *expected);
    }
}

/// Holds what comes back, however it went, to the response code and the length.
fn check_refusal(what: &str, message: &[u8], expected: Option<Refused>) {
    for transport in [Transport::Udp, Transport::Tcp] {
        let reply = replied(transport, message);
        let Some((rcode, octets)) = expected else {
            assert!(reply.is_none(), "{what}");
            continue;
        };
        let (replied, reply) = reply.expect(what);
        assert_eq!(replied.summary.rcode, rcode, "{what}");
        assert!(octets.is_none_or(|octets| octets == reply.len()), "{what}: {reply:02x?}");
        assert!(reply.len() <= message.len() + 11, "{what}: no gain for a forger");
        assert_eq!(reply[..2], message[..2], "{what}: the number is echoed");
        assert_eq!(reply[2] & 0xF9, 0x80 | message[2] & 0x79, "{what}: so are opcode and RD");
        let decoded = Message::from_vec(&reply).expect(what);
        assert_eq!(u16::from(decoded.metadata.response_code), rcode, "{what}");
    }
}

#[test]
fn what_is_odd_and_no_mistake_is_answered() {
    let a = b"\x01x\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04abcd";
    let (v0, cookie) = (opt(0, &[]), opt(0, COOKIE));
    // The fast path knows options, and passes over what means nothing to it.
    let unknown = opt(0, b"\xFD\xE9\x00\x03abc");
    for (what, message) in [("a cookie", query(&[&cookie])), ("unknown", query(&[&unknown]))] {
        assert!(matches!(parse(&message), Parsed::Query(_)), "{what}");
    }
    // These are odd, and answered as if they were not.
    let answered = &[
        ("a record that means nothing", query(&[&v0, a])),
        ("TC set", with(query(&[&v0]), &[(2, 3)])),
    ];
    let (_, expected) = replied(Transport::Udp, &query(&[&v0])).unwrap();
    for (what, message) in answered {
        assert!(matches!(parse(message), Parsed::Other), "{what} takes the full path");
        let (_, reply) = replied(Transport::Udp, message).unwrap();
        assert_eq!(reply, expected, "{what}");
    }
}

#[test]
fn a_bad_version_is_told_the_version_that_is_spoken() {
    let (_, reply) = replied(Transport::Udp, &query(&[&opt(1, &[])])).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    let edns = reply.edns.unwrap();
    assert_eq!((edns.version(), edns.max_payload(), reply.queries.len()), (0, 1232, 1));
}

#[test]
fn an_unknown_key_is_named_in_an_unsigned_refusal() {
    let (_, reply) = replied(Transport::Udp, &query(&[&opt(0, &[]), TSIG])).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    let edns = reply.edns.expect("an OPT for an OPT");
    assert_eq!((edns.max_payload(), edns.flags().dnssec_ok), (1_232, true));
    let record = reply.additionals.first().expect("a TSIG record");
    assert_eq!(record.name.to_string(), "key.");
    let RData::TSIG(tsig) = &record.data else { panic!("{record}") };
    assert_eq!(tsig.error.map(u16::from), Some(17), "BADKEY");
    assert!(tsig.mac.is_empty());
}

/// Names that meet the services and names that meet nothing, in any case.
fn names() -> impl Strategy<Value = Vec<u8>> {
    let known = ["web", "WEB", "v1", "_tcp", "_web", "_v1", "a", "instance", "ns1"];
    let more = ["crowd", "_crowd", "down", "out", "1", "0", "10", "in-addr", "arpa"];
    let known = prop::sample::select([&known[..], &more].concat());
    let label = prop_oneof![
        9 => known.prop_map(|label| label.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..=63),
    ];
    let zones: [&[u8]; 5] = [
        b"\x07service\x08internal\x00",
        b"\x07sErvice\x08iNternal\x00",
        b"\x07service\x08internal\x00",
        b"\x010\x0210\x07in-addr\x04arpa\x00",
        b"\x00",
    ];
    (vec(label, 0..4), prop::sample::select(zones.to_vec())).prop_map(|(labels, zone)| {
        let mut name = Vec::new();
        for label in labels {
            name.push(u8::try_from(label.len()).unwrap());
            name.extend(label);
        }
        name.extend(zone);
        name
    })
}

fn udp_sizes() -> impl Strategy<Value = u16> {
    prop_oneof![prop::sample::select(vec![0, 12, 511, 512, 1_232, 4_096, u16::MAX]), any::<u16>()]
}

fn types() -> impl Strategy<Value = u16> {
    let usual = prop::sample::select(vec![1, 28, 33, 16, 12, 6, 2, 255, 65, 252]);
    prop_oneof![usual, any::<u16>()]
}

prop_compose! {
    /// Queries that the simple reader takes.
    fn simple_queries()(
        name in names(),
        id: [u8; 2],
        flags in prop::sample::select(vec![[0, 0], [1, 0], [1, 0x10], [0, 0x20]]),
        qtype in types(),
        qclass in prop_oneof![9 => Just(1), 1 => any::<u16>()],
        edns in prop::option::of((udp_sizes(), any::<u8>(), any::<u8>())),
    ) -> Vec<u8> {
        let mut message = [id, flags].concat();
        message.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
        message.extend(name);
        message.extend(u16::to_be_bytes(qtype));
        message.extend(u16::to_be_bytes(qclass));
        if let Some((size, flags, zero)) = edns {
            let [high, low] = size.to_be_bytes();
            message.extend([0, 0, 41, high, low, 0, 0, flags, zero, 0, 0]);
        }
        message
    }
}

/// Whether `reply` is one that may be sent to whoever sent `message`.
fn check(message: &[u8], transport: Transport, reply: &[u8]) -> Result<(), TestCaseError> {
    prop_assert!(message.len() >= 12 && message[2] & 0x80 == 0, "a reply to a reply");
    let decoded = Message::from_vec(reply);
    prop_assert!(decoded.is_ok(), "{decoded:?} of {reply:02x?}");
    prop_assert_eq!(&reply[..2], &message[..2]);
    let limit = if transport.is_datagram() { 1_232 } else { 65_535 };
    prop_assert!(reply.len() <= limit);
    if transport == Transport::Udp && decoded.unwrap().edns.is_none() {
        prop_assert!(reply.len() <= 512);
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_fast_path_and_the_full_path_give_the_same_reply(message in simple_queries()) {
        let Parsed::Query(query) = parse(&message) else {
            return Err(TestCaseError::reject("a name above 255 octets"));
        };
        let again = decode(&message).expect("what is simple is no trouble to hickory");
            for transport in [Transport::Udp, Transport::Tcp] {
            let (mut rng, mut out) = (fastrand::Rng::with_seed(7), vec![0x55; 65_535]);
            let caller = Caller::new(CLIENT, transport, NOW);
            let fast = answer(&sources(), &query, caller, &mut rng, &mut out);
            let (full, reply) = replied(transport, &again).expect("it is a query");
            if let Answered::Reply(summary) = fast {
                prop_assert_eq!(summary, full.summary);
                prop_assert_eq!(&out[..summary.octets], &reply[..]);
            }
            check(&message, transport, &reply)?;
        }
    }

    #[test]
    fn noise_gets_silence_or_a_reply_that_may_be_sent(message in vec(any::<u8>(), 0..200)) {
        for transport in [Transport::Udp, Transport::Tcp] {
            if let Some((_, reply)) = replied(transport, &message) {
                check(&message, transport, &reply)?;
            }
        }
    }

    #[test]
    fn a_damaged_query_gets_silence_or_a_reply_that_may_be_sent(
        start in simple_queries(),
        extra in prop::sample::select(vec![vec![], opt(0, COOKIE), opt(1, &[]), TSIG.to_vec()]),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut message = start;
        message[11] += u8::from(!extra.is_empty());
        message.extend(extra);
        for (at, octet) in damage {
            let at = at.index(message.len());
            message[at] = octet;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        for transport in [Transport::Udp, Transport::Tcp] {
            if let Some((_, reply)) = replied(transport, &message) {
                check(&message, transport, &reply)?;
            }
        }
    }
}
