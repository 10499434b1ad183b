//! Replies to what is not answered. Short: never longer than what they reply to, but for an OPT
//! record of eleven octets, so that nobody gains from having them sent to somebody else.

use hickory_server::proto::{
    op::{Edns, Message, OpCode, ResponseCode},
    rr::{
        DNSClass, Record,
        rdata::{TSIG, tsig::TsigError},
    },
};

use super::{
    Replied,
    decode::{Refusal, Signed},
    salvage::salvage,
};
use crate::dns::{
    Caller, Query as Asked, Reply, Settings, Source, Summary,
    code::rcode,
    query::{self, HEADER_OCTETS, UDP_OCTETS_WITHOUT_EDNS},
    terms::{self, Terms},
};

/// Where the opcode stands in the third octet.
const OPCODE: u8 = 0x78;

// === impl Refusal ===

impl Refusal {
    /// Writes the refusal of `message` into `out`.
    pub(super) fn write(
        &self,
        settings: &Settings,
        caller: &Caller,
        message: &[u8],
        out: &mut [u8],
    ) -> Replied {
        match self {
            Self::CookieAsked(edns) => cookie(settings, caller, edns, message, out),
            Self::Malformed => echo(settings, caller, message, rcode::FORMERR, out),
            Self::NotImplemented => echo(settings, caller, message, rcode::NOTIMP, out),
            Self::UnknownKey(signed) => unknown_key(signed, settings.udp_size(), message, out),
        }
    }
}

/// A reply of a header and nothing else: the message's number, opcode, RD and CD, and the code.
pub(super) fn bare(message: &[u8], rcode: u16, out: &mut [u8]) -> Replied {
    let [_, code] = (rcode & 0x0F).to_be_bytes();
    let header = [message[0], message[1], 0x80 | message[2] & 0x79, message[3] & 0x10 | code];
    out[..HEADER_OCTETS].fill(0);
    out[..header.len()].copy_from_slice(&header);
    Replied { qtype: 0, summary: summary(HEADER_OCTETS, rcode) }
}

/// A reply of what could be read of the message: its number, opcode, RD and CD, its question, and
/// an OPT record if it has one (RFC 6891 §7).
fn echo(
    settings: &Settings,
    caller: &Caller,
    message: &[u8],
    rcode: u16,
    out: &mut [u8],
) -> Replied {
    let query = salvage(message);
    let terms = Terms::of_refusal(settings, &query, caller);
    let mut reply = Reply::new(&query, terms.octets_max, terms.opt, out);
    reply.set_rcode(rcode);
    let octets = reply.finish();
    out[2] |= message[2] & OPCODE;
    Replied { qtype: 0, summary: summary(octets, rcode) }
}

/// A cookie for who asks for nothing else (RFC 7873 §5.4).
fn cookie(
    settings: &Settings,
    caller: &Caller,
    edns: &query::Edns,
    message: &[u8],
    out: &mut [u8],
) -> Replied {
    let query = Asked::unread(message, &[], Some(*edns));
    let terms = Terms::of_refusal(settings, &query, caller);
    let fault = terms::fault(&query, caller);
    // Without secrets no cookie is given, and a message without a question is what it always was.
    let rcode = match (fault, edns.options.cookie, &settings.cookies) {
        (Some(rcode), ..) => rcode,
        (None, Some(cookie), Some(secrets)) => {
            let checked = secrets.check(&cookie, caller.client, caller.now);
            // Over TCP as well: the client wants to know of the cookie, not of itself.
            let is_bad = cookie.server.is_some() && !checked.is_proven;
            if is_bad { rcode::BADCOOKIE } else { rcode::NOERROR }
        }
        _ => rcode::FORMERR,
    };
    let mut reply = Reply::new(&query, terms.octets_max, terms.opt, out);
    reply.set_rcode(rcode);
    Replied { qtype: 0, summary: summary(reply.finish(), rcode) }
}

/// NOTAUTH with BADKEY, itself unsigned (RFC 8945 §5.2.1 and §5.3.2).
fn unknown_key(signed: &Signed, own_udp_size: u16, message: &[u8], out: &mut [u8]) -> Replied {
    let Signed { query, key, signature } = signed;
    let qtype = query.query_type().into();
    let TSIG { algorithm, time, fudge, oid, .. } = signature.clone();
    let refusal =
        TSIG::new(algorithm, time, fudge, Vec::new(), oid, Some(TsigError::BadKey), Vec::new());
    let mut record = Record::from_rdata(key.clone(), 0, refusal);
    record.dns_class = DNSClass::ANY;
    let id = u16::from_be_bytes([message[0], message[1]]);
    let mut reply = Message::response(id, OpCode::Query);
    reply.metadata.response_code = ResponseCode::NotAuth;
    reply.metadata.recursion_desired = message[2] & 0x01 != 0;
    reply.metadata.checking_disabled = message[3] & 0x10 != 0;
    reply.add_query(query.clone());
    reply.edns = salvage(message).edns.map(|theirs| {
        let mut edns = Edns::new();
        edns.set_max_payload(own_udp_size).set_dnssec_ok(theirs.dnssec_ok);
        edns
    });
    reply.signature = Some(Box::new(record));
    match reply.to_vec() {
        Ok(octets) if octets.len() <= message.len().min(UDP_OCTETS_WITHOUT_EDNS.into()) => {
            out[..octets.len()].copy_from_slice(&octets);
            Replied { qtype, summary: summary(octets.len(), rcode::NOTAUTH) }
        }
        _ => Replied { qtype, ..bare(message, rcode::NOTAUTH, out) },
    }
}

fn summary(octets: usize, rcode: u16) -> Summary {
    Summary {
        octets,
        rcode,
        truncated: false,
        source: Source::Refused,
        fail_open: None,
        guarded: None,
    }
}
