//! The whole way of a message: silence, or a reply that may be sent.

use hickory_proto::{op::Message, serialize::binary::BinDecodable};

use super::{
    walk,
    world::{self, WARY, WORLD},
};
use crate::{
    dns::{
        Answered, Caller, Parsed, Sources, Summary, Transport, answer,
        answer::TCP_REPLY_OCTETS_MAX,
        code::option,
        full::{Responded, respond},
        parse,
        query::{HEADER_OCTETS, UDP_OCTETS_WITHOUT_EDNS},
    },
    model::limit::NAME_OCTETS_MAX,
};

/// Answers the octets behind the first, which says how they come: from an address of which family
/// (its highest bit), to a server that holds strangers to a size (the next one), over which of
/// [`Transport::ALL`] (its lower half).
///
/// # Panics
/// When the reply may not be sent, or when the fast path says something else than the full path.
pub fn request(octets: &[u8]) {
    let Some((&how, message)) = octets.split_first() else { return };
    let transport = Transport::ALL[usize::from(how & 0x0F) % Transport::ALL.len()];
    let caller = world::caller(transport, how & 0x80 != 0);
    let settings = if how & 0x40 == 0 { &WORLD.settings } else { &*WARY };
    let sources = Sources { settings, ..WORLD.sources() };
    let told = full(&sources, caller.unhurried(), message);
    if let Some((summary, reply)) = &told {
        check(message, transport, reply);
        assert_eq!(summary.octets, reply.len());
        assert_eq!(summary.truncated, reply[2] & 2 != 0, "TC and the statistics");
    } else {
        assert!(is_silence_right(message), "silence");
    }
    fast(&sources, caller, message, told.as_ref());
}

/// What the full path says, from chance that repeats itself.
fn full(sources: &Sources<'_>, caller: Caller, message: &[u8]) -> Option<(Summary, Vec<u8>)> {
    let (mut rng, mut out) = (world::rng(), vec![0xAA; TCP_REPLY_OCTETS_MAX]);
    match respond(sources, caller, message, &mut rng, &mut out) {
        Responded::Silence => None,
        Responded::TakesLong => unreachable!("it may take long"),
        Responded::Limited => unreachable!("there is no rate"),
        Responded::NeedsForward => unreachable!("nothing is forwarded"),
        Responded::With(replied) => {
            out.truncate(replied.summary.octets);
            Some((replied.summary, out))
        }
    }
}

/// The fast path says the same, or leaves it to the full path.
fn fast(sources: &Sources<'_>, caller: Caller, message: &[u8], told: Option<&(Summary, Vec<u8>)>) {
    let Parsed::Query(query) = parse(message) else { return };
    // Other octets in the buffer, so that none of them is in the reply.
    let (mut rng, mut out) = (world::rng(), vec![0x55; TCP_REPLY_OCTETS_MAX]);
    match answer(sources, &query, caller, &mut rng, &mut out) {
        Answered::NeedsFull => {}
        Answered::Limited => unreachable!("there is no rate"),
        Answered::NeedsForward => unreachable!("nothing is forwarded"),
        Answered::Reply(summary) => {
            let reply = &out[..summary.octets];
            assert_eq!(Some((&summary, reply)), told.map(|(summary, reply)| (summary, &reply[..])));
        }
    }
}

/// Whether nobody may be told anything: no whole header, or a reply.
pub(in crate::dns) fn is_silence_right(message: &[u8]) -> bool {
    message.len() < HEADER_OCTETS || message[2] & 0x80 != 0
}

/// Holds a reply to what every reply to `message` is held to.
///
/// # Panics
/// When it is not.
pub(in crate::dns) fn check(message: &[u8], transport: Transport, reply: &[u8]) {
    assert!(!is_silence_right(message), "a reply to what is not to be replied to");
    assert!(reply.len() >= HEADER_OCTETS && reply.len() <= longest(message, transport), "length");
    assert_eq!(reply[..2], message[..2], "the number");
    // QR, and of the query: opcode and RD. Never RA, Z, AD.
    assert_eq!(reply[2] & 0xF9, 0x80 | message[2] & 0x79, "QR, opcode, RD");
    assert_eq!(reply[3] & 0xF0, message[3] & 0x10, "CD, and nothing beside it");
    let walked = walk(reply).unwrap_or_else(|problem| panic!("{problem}: {reply:02x?}"));
    // RFC 3597 §5 has records without data, which hickory does not read.
    let has_empty = walked.records.iter().any(|seen| seen.rtype != 41 && seen.data.is_empty());
    let read = Message::from_bytes(reply);
    assert!(read.is_ok() || has_empty, "hickory: {read:?} of {reply:02x?}");
    if let Some(question) = &walked.question {
        assert_eq!(reply[question.clone()], message[question.clone()], "the question");
    }
    let query = match parse(message) {
        Parsed::Query(query) => Some(query),
        Parsed::Drop | Parsed::Other => None,
    };
    if let Some(query) = &query {
        assert!(walked.question.is_some(), "what was asked");
        assert_eq!(walked.opt().is_some(), query.edns.is_some(), "OPT to who sent OPT");
    }
    if let Some(opt) = walked.opt() {
        assert!(message.windows(3).any(|octets| octets == [0, 0, 41]), "OPT to who sent none");
        check_options(transport, reply, &reply[opt.data.clone()]);
    } else if query.is_none() && walked.records.iter().all(|seen| seen.section == 2) {
        // Refused without being looked up, so that nobody gains by forging the sender.
        assert!(reply.len() <= message.len(), "a long refusal");
    }
    if walked.question.is_none() {
        assert!(walked.records.iter().all(|seen| seen.rtype == 41), "an answer to no question");
    }
    let class = walked.question.as_ref().map(|question| question.end - 2);
    let class = class.map(|at| u16::from_be_bytes([reply[at], reply[at + 1]]));
    for seen in &walked.records {
        assert!(seen.owner.len() <= NAME_OCTETS_MAX);
        let is_pseudo = seen.section == 2 && matches!(seen.rtype, 41 | 250);
        assert!(is_pseudo || Some(seen.class) == class, "another class: {seen:?}");
    }
}

/// Holds the options of a reply to what they may be.
fn check_options(transport: Transport, reply: &[u8], data: &[u8]) {
    let mut seen = Vec::new();
    for (code, data) in walk::options(data) {
        assert!(!seen.contains(&code), "option {code} twice");
        seen.push(code);
        match code {
            option::NSID => assert_eq!(data, &*WORLD.settings.identity.nsid),
            option::COOKIE => assert_eq!(data.len(), 24, "RFC 9018 §4"),
            option::KEEPALIVE => {
                assert_eq!(data.len(), 2);
                assert!(matches!(transport, Transport::Tcp | Transport::Tls), "RFC 7828 §3.2.2");
            }
            option::EXTENDED_ERROR => assert!(std::str::from_utf8(&data[2..]).is_ok()),
            option::PADDING => {
                assert!(transport.is_encrypted(), "RFC 7830 §6");
                let is_whole = reply.len().is_multiple_of(468);
                assert!(is_whole || reply.len() == TCP_REPLY_OCTETS_MAX, "RFC 8467 §4.1");
            }
            other => unreachable!("option {other}"),
        }
    }
}

/// The longest reply that the client can take.
fn longest(message: &[u8], transport: Transport) -> usize {
    if !transport.is_datagram() {
        return TCP_REPLY_OCTETS_MAX;
    }
    let own = WORLD.settings.udp_size();
    match parse(message) {
        Parsed::Query(query) => {
            let theirs = query.edns.map_or(UDP_OCTETS_WITHOUT_EDNS, |edns| edns.udp_size);
            theirs.min(own).into()
        }
        Parsed::Drop | Parsed::Other => own.into(),
    }
}
