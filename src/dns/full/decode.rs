//! From an odd message to a plain query, or to the reason why not; hickory does the reading.

use hickory_server::{
    proto::{
        op::{Edns, Header, Query},
        rr::{Name, RData, Record, RecordType, rdata::TSIG},
        serialize::binary::{BinDecodable, BinDecoder, DecodeError},
    },
    zone_handler::Queries,
};

use crate::dns::{
    Parsed, parse,
    query::{HEADER_OCTETS, OPT_OCTETS},
};

/// Records in a query beside the question. OPT and a signature are two; one that has more than
/// this is not meant to be answered, and is not read to its end.
const RECORDS_MAX: u16 = 16;

/// Why a message is not answered but refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It speaks an EDNS version that we do not (RFC 6891 §6.1.3). With the query in simple form.
    BadVersion(Vec<u8>),
    /// It is broken, or its counts make no sense (RFC 1035 §4.1.1, RFC 9619).
    Malformed,
    /// It is something other than a query (RFC 1035 §4.1.1).
    NotImplemented,
    /// It is signed with a key that we do not have (RFC 8945 §5.2.1); we have none.
    UnknownKey(Box<Signed>),
}

/// A message with a TSIG record.
#[derive(Debug)]
pub(super) struct Signed {
    /// What it asks.
    pub query: Query,
    /// The name of its key.
    pub key: Name,
    /// Its signature.
    pub signature: TSIG,
}

/// What stands behind the question that matters.
#[derive(Debug, Default)]
struct Extras {
    edns: Option<Edns>,
    signature: Option<(Name, TSIG)>,
}

/// Whatever hickory cannot read is malformed; how exactly helps nobody.
impl From<DecodeError> for Refusal {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// Reads `message`, which is no reply, and has a whole header.
pub(super) fn decode(message: &[u8]) -> Result<Vec<u8>, Refusal> {
    if message[2] & 0x78 != 0 {
        return Err(Refusal::NotImplemented);
    }
    let mut decoder = BinDecoder::new(message);
    let header = Header::read(&mut decoder)?;
    let counts = header.counts;
    // Held to one before it is used: hickory makes room for as many as the count says.
    if counts.queries != 1 || counts.answers != 0 {
        return Err(Refusal::Malformed);
    }
    if counts.authorities > RECORDS_MAX || counts.additionals > RECORDS_MAX {
        return Err(Refusal::Malformed);
    }
    let queries = Queries::read(&mut decoder, 1)?;
    let query = queries.queries().first().ok_or(Refusal::Malformed)?.original();
    // An IXFR brings the SOA it has (RFC 1995 §3).
    if counts.authorities != 0 && query.query_type() != RecordType::IXFR {
        return Err(Refusal::Malformed);
    }
    skip_authorities(&mut decoder, counts.authorities)?;
    let extras = read_additionals(&mut decoder, counts.additionals)?;
    if !decoder.is_empty() {
        return Err(Refusal::Malformed);
    }
    let simple = simplify(message, queries.as_bytes(), extras.edns.as_ref());
    // A compressed name decodes, but nothing stands before the question to point to.
    let Parsed::Query(_) = parse(&simple) else {
        return Err(Refusal::Malformed);
    };
    if let Some((key, signature)) = extras.signature {
        let signed = Signed { query: query.clone(), key, signature };
        return Err(Refusal::UnknownKey(Box::new(signed)));
    }
    match extras.edns {
        Some(edns) if edns.version() > 0 => Err(Refusal::BadVersion(simple)),
        _ => Ok(simple),
    }
}

fn skip_authorities(decoder: &mut BinDecoder<'_>, count: u16) -> Result<(), Refusal> {
    for _ in 0..count {
        let record = Record::read(decoder)?;
        if matches!(record.record_type(), RecordType::OPT | RecordType::TSIG) {
            return Err(Refusal::Malformed);
        }
    }
    Ok(())
}

/// Reads the additional section: at most one OPT record (RFC 6891 §6.1.1), a TSIG record only at
/// the very end (RFC 8945 §5.1); others mean nothing in a query.
fn read_additionals(decoder: &mut BinDecoder<'_>, count: u16) -> Result<Extras, Refusal> {
    let mut extras = Extras::default();
    for _ in 0..count {
        let record = Record::read(decoder)?;
        if extras.signature.is_some() {
            return Err(Refusal::Malformed);
        }
        match (record.record_type(), &record.data) {
            // hickory drops options that it cannot tell apart.
            (RecordType::OPT, RData::OPT(options)) if options.as_ref().is_empty() => {
                return Err(Refusal::Malformed);
            }
            (RecordType::OPT, RData::OPT(_) | RData::Update0(_)) if extras.edns.is_none() => {
                extras.edns = Some(Edns::from(&record));
            }
            (RecordType::TSIG, RData::TSIG(signature)) => {
                extras.signature = Some((record.name.clone(), signature.clone()));
            }
            (RecordType::OPT | RecordType::TSIG, _) => return Err(Refusal::Malformed),
            _ => {}
        }
    }
    Ok(extras)
}

/// The query as [`parse`] likes it: its number, RD and CD, the question, a plain OPT record.
fn simplify(message: &[u8], question: &[u8], edns: Option<&Edns>) -> Vec<u8> {
    let mut simple = Vec::with_capacity(HEADER_OCTETS + question.len() + OPT_OCTETS);
    simple.extend([message[0], message[1], message[2] & 0x01, message[3] & 0x10]);
    simple.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
    simple.extend(question);
    if let Some(edns) = edns {
        let [size_high, size_low] = edns.max_payload().to_be_bytes();
        let flags = if edns.flags().dnssec_ok { 0x80 } else { 0 };
        simple.extend([0, 0, 41, size_high, size_low, 0, 0, flags, 0, 0, 0]);
    }
    simple
}
