//! Packets that are no plain queries: FORMERR, NOTIMP or silence, and never more.

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};
use serde_json::json;

use super::{A, SRV, full};
use crate::support::{
    Node,
    dns::{Connection, Resolver, question},
};

/// Octets of a header, which is all that the reply to what cannot be read at all has.
const HEADER: usize = 12;

/// The header of a query: its id, its first octet of flags, its counts.
fn header(flags: u8, counts: [u16; 4]) -> Vec<u8> {
    let counts = counts.into_iter().flat_map(u16::to_be_bytes);
    [0x12, 0x34, flags, 0].into_iter().chain(counts).collect()
}

const NAME: &[u8] = b"\x03web\x07service\x08internal\x00";
const A_IN: &[u8] = b"\x00\x01\x00\x01";
const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

/// A message of these parts.
fn packet(flags: u8, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    [header(flags, counts), parts.concat()].concat()
}

/// What must not be replied to at all: two servers could be set upon each other.
fn unanswerable() -> Vec<(&'static str, Vec<u8>)> {
    let reply = 0x80;
    vec![
        ("nothing", vec![]),
        ("one octet", vec![0x12]),
        ("a header less one octet", header(0, [1, 0, 0, 0])[..11].to_vec()),
        ("a reply", packet(reply, [1, 0, 0, 0], &[NAME, A_IN])),
        ("a reply without a question", header(reply, [0; 4])),
        ("a malformed reply", packet(reply, [9, 9, 9, 9], &[b"\xff\xff"])),
        ("a reply of another kind", packet(reply | 0x28, [1, 0, 0, 0], &[NAME, A_IN])),
        (
            "more than a query can be",
            [packet(0, [1, 0, 0, 0], &[NAME, A_IN]), vec![0; 9_000]].concat(),
        ),
    ]
}

/// What is a query and cannot be read.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let long_name = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
    let twice = [NAME, A_IN].concat();
    vec![
        ("a header alone", header(0, [1, 0, 0, 0])),
        ("no question", header(0, [0; 4])),
        ("no question, but an OPT", packet(0, [0, 0, 0, 1], &[OPT])),
        ("two questions", packet(0, [2, 0, 0, 0], &[&twice, &twice])),
        ("65,535 questions", packet(0, [0xFFFF, 0, 0, 0], &[NAME, A_IN])),
        ("an answer", packet(0, [1, 1, 0, 0], &[NAME, A_IN])),
        ("an authority", packet(0, [1, 0, 1, 0], &[NAME, A_IN, NAME, A_IN, &[0; 6]])),
        ("65,535 additionals", packet(0, [1, 0, 0, 0xFFFF], &[NAME, A_IN])),
        ("an additional that is not there", packet(0, [1, 0, 0, 1], &[NAME, A_IN])),
        ("half a name", packet(0, [1, 0, 0, 0], &[b"\x03we"])),
        ("a name without an end", packet(0, [1, 0, 0, 0], &[&NAME[..20]])),
        ("a name without type and class", packet(0, [1, 0, 0, 0], &[NAME])),
        ("half a class", packet(0, [1, 0, 0, 0], &[NAME, &A_IN[..3]])),
        ("a label of 64 octets", packet(0, [1, 0, 0, 0], &[b"\x40", &[b'a'; 64], b"\0", A_IN])),
        ("a label of an unknown kind", packet(0, [1, 0, 0, 0], &[b"\x80\x01a\0", A_IN])),
        ("a name of 257 octets", packet(0, [1, 0, 0, 0], &[&long_name, b"\0", A_IN])),
        ("a pointer to itself", packet(0, [1, 0, 0, 0], &[b"\xc0\x0c", A_IN])),
        ("a pointer ahead", packet(0, [1, 0, 0, 0], &[b"\xc0\x12", A_IN, NAME])),
        ("a pointer into the header", packet(0, [1, 0, 0, 0], &[b"\xc0\x04", A_IN])),
        ("octets behind the end", packet(0, [1, 0, 0, 0], &[NAME, A_IN, b"x"])),
        ("octets behind the OPT", packet(0, [1, 0, 0, 1], &[NAME, A_IN, OPT, b"x"])),
        ("two OPTs", packet(0, [1, 0, 0, 2], &[NAME, A_IN, OPT, OPT])),
        ("half an OPT", packet(0, [1, 0, 0, 1], &[NAME, A_IN, &OPT[..7]])),
        (
            "an option longer than its OPT",
            packet(0, [1, 0, 0, 1], &[NAME, A_IN, &OPT[..9], b"\0\x04\0\x0a\0\x09"]),
        ),
    ]
}

fn node() -> Node {
    let node = Node::start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    node
}

/// Sends a packet, and returns the one reply to it, or none.
fn reply_to(resolver: &Resolver, what: &str, packet: Vec<u8>) -> Option<Vec<u8>> {
    let mut replies = resolver.replies_to(&[packet]);
    assert!(replies.len() < 2, "{what}: {} replies", replies.len());
    replies.pop()
}

#[test]
fn what_is_no_query_gets_silence() {
    let node = node();
    let resolver = node.resolver();
    let packets = unanswerable();
    for (what, packet) in packets.clone() {
        assert_eq!(reply_to(&resolver, what, packet), None, "{what}");
    }
    let metrics = node.api().text("/metrics");
    let dropped: u64 = ["not_a_query", "overlong"]
        .iter()
        .map(|reason| {
            let line = format!("rollcall_dns_dropped_total{{reason=\"{reason}\"}} ");
            metrics.lines().find_map(|l| l.strip_prefix(&line)).unwrap().parse::<u64>().unwrap()
        })
        .sum();
    assert_eq!(dropped, packets.len() as u64, "they are counted:\n{metrics}");
}

#[test]
fn a_query_that_cannot_be_read_gets_formerr_and_what_could_be_read() {
    let node = node();
    let resolver = node.resolver();
    for (what, packet) in malformed() {
        let reply = reply_to(&resolver, what, packet.clone()).expect(what);
        assert_eq!(reply[..4], [0x12, 0x34, 0x80, 1], "{what}");
        let (question, opt) = (reply[5] == 1, reply[11] == 1);
        let echoed = if question { [NAME, A_IN].concat() } else { Vec::new() };
        assert!(reply[HEADER..].starts_with(&echoed), "{what}: {reply:?}");
        let octets = HEADER + echoed.len() + if opt { OPT.len() } else { 0 };
        assert_eq!((reply.len(), &reply[6..10]), (octets, &[0; 4][..]), "{what}: {reply:?}");
        assert!(reply.len() <= packet.len(), "{what}: no gain for a forger");
        let mut connection = Connection::open(node.dns[0]);
        connection.send(&packet);
        assert_eq!(connection.read().expect(what), reply, "{what} over TCP");
    }
}

#[test]
fn another_opcode_is_not_implemented() {
    let node = node();
    // IQUERY, STATUS, NOTIFY, UPDATE, DSO, and what nobody has defined.
    for opcode in (1..16_u8).filter(|opcode| *opcode != 0) {
        for parts in [&[NAME, A_IN][..], &[]] {
            let flags = opcode << 3 | 0x01;
            let packet = packet(flags, [1, 0, 0, 0], parts);
            let reply = reply_to(&node.resolver(), "opcode", packet).expect("a reply");
            let mut expected = vec![0x12, 0x34, 0x80 | flags, 4, 0, 0, 0, 0, 0, 0, 0, 0];
            // Those of NOTIFY and UPDATE begin with something of a question's form.
            if matches!(opcode, 4 | 5) && !parts.is_empty() {
                expected[5] = 1;
                expected.extend(parts.concat());
            }
            assert_eq!(reply, expected, "opcode {opcode}: opcode and RD are echoed");
        }
    }
}

#[test]
fn odd_but_readable_queries_are_answered() {
    let node = node();
    let unknown = [NAME, b"\x00\x00\x00\x01"].concat();
    for (what, packet, rcode, answers) in [
        (
            "AA, TC, RA, Z, AD and a code",
            {
                let mut packet = packet(0x06, [1, 0, 0, 0], &[NAME, A_IN]);
                packet[3] = 0xEF;
                packet
            },
            0,
            1,
        ),
        ("type zero", packet(0, [1, 0, 0, 0], &[&unknown]), 0, 0),
        ("class zero", packet(0, [1, 0, 0, 0], &[NAME, b"\0\x01\0\0"]), 5, 0),
        ("the root", packet(0, [1, 0, 0, 0], &[b"\0", A_IN]), 5, 0),
        (
            "a record beside the OPT",
            packet(0, [1, 0, 0, 2], &[NAME, A_IN, NAME, A_IN, &[0; 6], OPT]),
            0,
            1,
        ),
        (
            "an extended code in the OPT",
            {
                let mut packet = packet(0, [1, 0, 0, 1], &[NAME, A_IN, OPT]);
                let code = packet.len() - 6;
                packet[code] = 0xFF;
                packet
            },
            0,
            1,
        ),
    ] {
        let reply = reply_to(&node.resolver(), what, packet).expect(what);
        assert_eq!(reply[..2], [0x12, 0x34], "{what}");
        assert_eq!((reply[3] & 0x0F, reply[7]), (rcode, answers), "{what}: {reply:?}");
        assert_eq!(reply[2] & !0x04, 0x80, "{what}: QR, and AA at the most");
        assert_eq!(reply[3] & 0xE0, 0, "{what}: neither RA nor Z nor AD");
    }
}

#[test]
fn a_signature_with_a_key_that_we_do_not_have_is_refused_as_such() {
    let node = node();
    let tsig = b"\x03key\x00\x00\xfa\x00\xff\0\0\0\0\0\x1d\x0bhmac-sha256\0\0\0\x65\0\0\0\x01\x2c\
                 \0\0\x12\x34\0\0\0\0";
    let packet = packet(0, [1, 0, 0, 1], &[NAME, A_IN, tsig]);
    let reply = reply_to(&node.resolver(), "TSIG", packet).expect("a reply");
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::NotAuth, "RFC 8945 §5.2.1");
    assert!(reply.answers.is_empty());
}

/// Changes some octets of a packet, or its length.
fn mutate(packet: &mut Vec<u8>, chance: &mut fastrand::Rng) {
    for _ in 0..chance.usize(1..4) {
        let at = chance.usize(2..packet.len());
        match chance.u8(0..6) {
            0 => packet[at] ^= 1 << chance.u8(0..8),
            1 => packet[at] = chance.u8(..),
            2 => packet[at] = *chance.choice(&[0, 1, 0x3F, 0x40, 0xC0, 0xFF]).unwrap(),
            3 => packet.truncate(at.max(3)),
            4 => packet.insert(at, chance.u8(..)),
            _ => drop(packet.remove(at)),
        }
        if packet.len() < 4 {
            break;
        }
    }
}

#[test]
fn whatever_comes_gets_one_short_reply_at_the_most() {
    const LOT: u16 = 50;
    let node = node();
    let resolver = node.resolver();
    let mut chance = fastrand::Rng::with_seed(7);
    let seeds = [
        question(&full("web"), A, None).to_vec().unwrap(),
        question(&full("_web._tcp"), SRV, Some(1_232)).to_vec().unwrap(),
        question(&full("v1.eu.web"), RecordType::ANY, Some(4_096)).to_vec().unwrap(),
    ];
    for _ in 0..100 {
        let packets: Vec<Vec<u8>> = (0..LOT)
            .map(|id| {
                let mut packet = chance.choice(&seeds).unwrap().clone();
                mutate(&mut packet, &mut chance);
                let length = packet.len().min(2);
                packet[..length].copy_from_slice(&id.to_be_bytes()[..length]);
                packet
            })
            .collect();
        let replies = resolver.replies_to(&packets);
        let mut seen = std::collections::BTreeSet::new();
        for reply in replies {
            let id = u16::from_be_bytes([reply[0], reply[1]]);
            let sent = &packets[usize::from(id)];
            assert!(seen.insert(id), "two replies to {sent:?}");
            assert!(sent[2] & 0x80 == 0, "a reply to a reply: {sent:?}");
            let message = Message::from_vec(&reply).expect("hickory reads every reply");
            match message.metadata.response_code.low() {
                1 | 4 => assert!(reply.len() <= sent.len() + 11, "{sent:?}"),
                0 | 3 | 5 | 9 => assert!(reply.len() <= 512, "{sent:?}"),
                other => panic!("response code {other} to {sent:?}"),
            }
        }
        let silent = (0..LOT).filter(|id| !seen.contains(id));
        for sent in silent.map(|id| &packets[usize::from(id)]) {
            assert!(sent.len() < HEADER || sent[2] & 0x80 != 0, "no reply to the query {sent:?}");
        }
    }
    let metrics = node.api().text("/metrics");
    assert!(metrics.contains("rollcall_dns_dropped_total{reason=\"internal_error\"} 0\n"));
}
