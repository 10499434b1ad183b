//! The reply writer: what it writes, where it stops, what it takes back.

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::Name,
};

use super::{Full, Opt, Owner, QUESTION, Reply, Section};
use crate::dns::{
    code::{rcode, rtype},
    query::{Parsed, Query, parse},
};

const KIND: (u16, u32) = (rtype::A, 60);

/// A query for `name` (wire labels), with an OPT record if `edns`.
fn packet(name: &[u8], edns: bool) -> Vec<u8> {
    let mut packet = vec![0xAB, 0xCD, 0x01, 0x10, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    packet.extend(name);
    packet.extend([0, 1, 0, 1]);
    if edns {
        packet.extend([0, 0, 41, 0x04, 0xD0, 0, 0, 0x80, 0, 0, 0]);
    }
    packet
}

fn query(packet: &[u8]) -> Query<'_> {
    match parse(packet) {
        Parsed::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

/// What `write` makes of a reply of at most `octets`, as hickory reads it, and its length.
fn written(packet: &[u8], octets: usize, write: impl FnOnce(&mut Reply<'_>)) -> (Message, usize) {
    let mut buffer = vec![0xEE; 65_535];
    let query = query(packet);
    let opt =
        query.edns.map(|edns| Opt { udp_size: 1232, dnssec_ok: edns.dnssec_ok, ..Opt::default() });
    let mut reply = Reply::new(&query, octets, opt, &mut buffer);
    write(&mut reply);
    let length = reply.finish();
    assert!(buffer[octets..].iter().all(|&octet| octet == 0xEE), "nothing behind the limit");
    (Message::from_vec(&buffer[..length]).unwrap(), length)
}

fn names(message: &Message) -> Vec<String> {
    message.all_sections().map(|record| record.name.to_string()).collect()
}

#[test]
fn header_question_and_opt_answer_the_query() {
    let packet = packet(b"\x03wEb\x07exAmple\x00", true);
    let (message, _) = written(&packet, 512, |reply| {
        reply.set_authoritative(true);
        reply.set_rcode(rcode::NXDOMAIN);
    });
    let metadata = &message.metadata;
    assert_eq!((metadata.id, metadata.response_code), (0xABCD, ResponseCode::NXDomain));
    assert!(metadata.authoritative && metadata.recursion_desired && metadata.checking_disabled);
    assert!(!metadata.truncation && !metadata.recursion_available && !metadata.authentic_data);
    let asked: Vec<&[u8]> = message.queries[0].name.iter().collect();
    assert_eq!(asked, [&b"wEb"[..], b"exAmple"]);
    let edns = message.edns.unwrap();
    assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1232, 0, true));
}

#[test]
fn an_extended_code_needs_the_opt_record() {
    let with = written(&packet(b"\0", true), 512, |reply| reply.set_rcode(rcode::BADVERS)).0;
    assert_eq!(u16::from(with.metadata.response_code), rcode::BADVERS);
    let without = written(&packet(b"\0", false), 512, |reply| reply.set_rcode(rcode::BADVERS)).0;
    assert_eq!((without.metadata.response_code, without.edns), (ResponseCode::NoError, None));
}

#[test]
fn names_are_compressed_against_what_is_there() {
    let packet = packet(b"\x03WWW\x07example\x00", false);
    let owners: [(&[u8], usize); 6] = [
        (b"\x07example\x00", 2),           // a pointer into the question
        (b"\x02ns\x07example\x00", 3 + 2), // a label and a pointer
        (b"\x02ns\x07example\x00", 2),
        (b"\x01a\x02ns\x07example\x00", 2 + 2),
        (b"\x05other\x00", 6 + 1),
        (b"\x00", 1),
    ];
    let (message, _) = written(&packet, 512, |reply| {
        for (owner, octets) in owners {
            let before = reply.position();
            reply.record(Section::Answer, Owner::Name(owner), KIND, &[&[10, 0, 0, 1]]).unwrap();
            assert_eq!(reply.position() - before, octets + 10 + 4, "{owner:?}");
        }
    });
    let expected = ["example.", "ns.example.", "ns.example.", "a.ns.example.", "other.", "."];
    // The question's letters come back where they are pointed to.
    assert_eq!(names(&message), expected);
}

#[test]
fn owners_point_into_record_data() {
    let packet = packet(b"\x03www\x07example\x00", false);
    let (message, _) = written(&packet, 512, |reply| {
        let target = b"\x03far\x04away\x00";
        let start =
            reply.record(Section::Answer, Owner::Question, (rtype::CNAME, 1), &[target]).unwrap();
        reply.record(Section::Answer, Owner::At(start), KIND, &[&[10, 0, 0, 1]]).unwrap();
        reply.remember_name(start);
        let before = reply.position();
        let owner = Owner::Name(b"\x04away\x00");
        reply.record(Section::Answer, owner, KIND, &[&[10, 0, 0, 2]]).unwrap();
        assert_eq!(reply.position() - before, 2 + 10 + 4);
    });
    assert_eq!(names(&message), ["www.example.", "far.away.", "away."]);
}

#[test]
fn names_beyond_the_reach_of_a_pointer_are_written_out() {
    let packet = packet(b"\x01x\x00", false);
    let (message, _) = written(&packet, 65_535, |reply| {
        let filler = [0; 0x4000];
        reply.record(Section::Answer, Owner::Question, (10, 0), &[&filler]).unwrap();
        let target = b"\x01y\x05other\x00";
        let start =
            reply.record(Section::Answer, Owner::Question, (rtype::CNAME, 0), &[target]).unwrap();
        assert!(start > 0x4000);
        reply.record(Section::Additional, Owner::At(start), KIND, &[&[10, 0, 0, 1]]).unwrap();
        // A name that is only known from there is written out too.
        reply.remember_name(start);
        let owner = Owner::Name(b"\x05other\x00");
        reply.record(Section::Additional, owner, KIND, &[&[10, 0, 0, 2]]).unwrap();
    });
    assert_eq!(names(&message)[2..], ["y.other.", "other."]);
}

#[test]
fn more_names_than_are_remembered_are_right_all_the_same() {
    let packet = packet(b"\x01x\x00", false);
    let owner = |n: u8| [2, b'a' + n / 26, b'a' + n % 26, 4, b'z', b'o', b'n', b'e', 0];
    let (message, _) = written(&packet, 65_535, |reply| {
        for n in (0..200).chain(0..200) {
            let owner = owner(n);
            reply.record(Section::Answer, Owner::Name(&owner), KIND, &[&[10, 0, 0, n]]).unwrap();
        }
    });
    for (record, n) in message.answers.iter().zip((0..200).chain(0..200)) {
        let [_, first, last, ..] = owner(n);
        let expected = format!("{}{}.zone.", char::from(first), char::from(last));
        assert_eq!(record.name, Name::from_ascii(expected).unwrap());
    }
}

#[test]
fn what_does_not_fit_leaves_nothing_behind() {
    let packet = packet(b"\x03www\x07example\x00", true);
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        let (message, length) = written(&packet, 512, |reply| {
            reply.record(section, Owner::Question, KIND, &[&[10, 0, 0, 1]]).unwrap();
            let before = reply.position();
            let long = [0; 600];
            let owner = Owner::Name(b"\x05other\x00");
            assert_eq!(reply.record(section, owner, (99, 0), &[&long]), Err(Full));
            assert_eq!((reply.position(), reply.count(section)), (before, 1));
            // The name that was taken back is not pointed to.
            reply.record(section, owner, KIND, &[&[10, 0, 0, 2]]).unwrap();
        });
        assert_eq!(names(&message), ["www.example.", "other."]);
        // Only what was asked for, or has to be known, is missed (RFC 2181 §9).
        assert_eq!(message.metadata.truncation, section != Section::Additional, "{section:?}");
        assert!(message.edns.is_some() && length <= 512);
    }
}

#[test]
fn the_last_octet_is_used_and_none_behind_it() {
    for edns in [false, true] {
        let packet = packet(b"\x01x\x00", edns);
        let (message, length) = written(&packet, 512, |reply| {
            while reply.address(Section::Answer, QUESTION, KIND, &[10, 0, 0, 1]).is_ok() {}
            let opt = if edns { 11 } else { 0 };
            let left = 512 - opt - reply.position();
            assert!(left < 16);
            let rest = [0; 100];
            // One octet too many, then just so many: an empty owner takes one, the fixed part ten.
            for size in (0..left.saturating_sub(11) + 2).rev() {
                let fits = 11 + size <= left;
                let mark = reply.mark();
                let record =
                    reply.record(Section::Answer, Owner::Name(b"\0"), (10, 0), &[&rest[..size]]);
                assert_eq!(record.is_ok(), fits, "{size} of {left}");
                reply.rollback(mark);
            }
        });
        assert!(message.metadata.truncation && length > 512 - 16);
    }
}

#[test]
fn sets_of_additional_records_are_whole_or_missing() {
    let packet = packet(b"\x01x\x00", false);
    let (message, _) = written(&packet, 512, |reply| {
        let start =
            reply.record(Section::Answer, Owner::Question, (rtype::NS, 1), &[b"\x01n\0"]).unwrap();
        let v4 = [[10, 0, 0, 1]; 2];
        let v6 = [[7; 16]; 20];
        reply.additional_addresses(start, 1, (&v4, &v6));
    });
    assert_eq!((message.additionals.len(), message.metadata.truncation), (2, false));
}

#[test]
fn repeated_data_is_seen() {
    let packet = packet(b"\x01x\x00", false);
    written(&packet, 512, |reply| {
        let first = reply.position();
        let put = |reply: &mut Reply<'_>, data: &[u8]| {
            let start = reply.record(Section::Answer, Owner::Question, (16, 1), &[data]).unwrap();
            reply.repeats(first, start)
        };
        assert_eq!(put(reply, b"\x01a"), (false, 1));
        assert_eq!(put(reply, b"\x01b"), (false, 2));
        assert_eq!(put(reply, b"\x02aa"), (false, 3));
        assert_eq!(put(reply, b"\x01b"), (true, 2));
    });
}
