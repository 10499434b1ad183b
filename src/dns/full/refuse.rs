//! Replies to what is not answered. Short: never longer than what they reply to, but for an OPT
//! record of eleven octets, so that nobody gains from having them sent to somebody else.

use hickory_server::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        DNSClass, Record,
        rdata::{TSIG, tsig::TsigError},
    },
};

use super::{
    Replied,
    decode::{Refusal, Signed},
};
use crate::dns::{
    Parsed, Reply, Source, Summary,
    encode::Limits,
    parse,
    query::{HEADER_OCTETS, UDP_OCTETS_WITHOUT_EDNS},
};

/// Response codes: RFC 1035 §4.1.1, RFC 6891 §9, RFC 8945 §3.
const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;

// === impl Refusal ===

impl Refusal {
    /// Writes the refusal of `message` into `out`; `own_udp_size` is what our OPT record states.
    pub(super) fn write(&self, own_udp_size: u16, message: &[u8], out: &mut [u8]) -> Replied {
        match self {
            Self::BadVersion(simple) => bad_version(own_udp_size, simple, out),
            Self::Malformed => bare(message, FORMERR, out),
            Self::NotImplemented => bare(message, NOTIMP, out),
            Self::UnknownKey(signed) => unknown_key(signed, message, out),
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

/// BADVERS with the version that we do speak, zero (RFC 6891 §6.1.3).
fn bad_version(own_udp_size: u16, simple: &[u8], out: &mut [u8]) -> Replied {
    let Parsed::Query(query) = parse(simple) else {
        return bare(simple, FORMERR, out);
    };
    let limits = Limits { reply: UDP_OCTETS_WITHOUT_EDNS.into(), own_udp_size };
    let mut reply = Reply::new(&query, limits, out);
    reply.set_rcode(BADVERS);
    Replied { qtype: query.qtype, summary: summary(reply.finish(), BADVERS) }
}

/// NOTAUTH with BADKEY, itself unsigned (RFC 8945 §5.2.1 and §5.3.2).
fn unknown_key(signed: &Signed, message: &[u8], out: &mut [u8]) -> Replied {
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
    reply.signature = Some(Box::new(record));
    match reply.to_vec() {
        Ok(octets) if octets.len() <= message.len().min(UDP_OCTETS_WITHOUT_EDNS.into()) => {
            out[..octets.len()].copy_from_slice(&octets);
            Replied { qtype, summary: summary(octets.len(), NOTAUTH) }
        }
        _ => Replied { qtype, ..bare(message, NOTAUTH, out) },
    }
}

fn summary(octets: usize, rcode: u16) -> Summary {
    Summary { octets, rcode, truncated: false, source: Source::Refused, fail_open: None }
}
