//! From an odd message to a plain query, or to the reason why not; hickory does the reading.

use hickory_server::{
    proto::{
        op::{Header, Query},
        rr::{Name, RData, Record, RecordType, rdata::TSIG},
        serialize::binary::{BinDecodable, BinDecoder, DecodeError},
    },
    zone_handler::Queries,
};

use crate::dns::{
    Parsed, parse,
    query::{Edns, HEADER_OCTETS, OPT_OCTETS},
};

/// Records in a query beside the question. OPT and a signature are two; one that has more than
/// this is not meant to be answered, and is not read to its end.
const RECORDS_MAX: u16 = 16;

/// Why a message is not answered but refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It has no question, but asks for a cookie (RFC 7873 §5.4). With its OPT record.
    CookieAsked(Edns),
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
struct Extras<'m> {
    /// The OPT record as it came.
    opt: Option<&'m [u8]>,
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
    if counts.queries > 1 || counts.answers != 0 {
        return Err(Refusal::Malformed);
    }
    if counts.authorities > RECORDS_MAX || counts.additionals > RECORDS_MAX {
        return Err(Refusal::Malformed);
    }
    if counts.queries == 0 {
        return Err(without_question(
            &mut decoder,
            message,
            counts.authorities,
            counts.additionals,
        ));
    }
    let queries = Queries::read(&mut decoder, 1)?;
    let query = queries.queries().first().ok_or(Refusal::Malformed)?.original();
    // An IXFR brings the SOA it has (RFC 1995 §3).
    if counts.authorities != 0 && query.query_type() != RecordType::IXFR {
        return Err(Refusal::Malformed);
    }
    skip_authorities(&mut decoder, counts.authorities)?;
    let extras = read_additionals(&mut decoder, message, counts.additionals)?;
    if !decoder.is_empty() {
        return Err(Refusal::Malformed);
    }
    let simple = simplify(message, queries.as_bytes(), extras.opt);
    // A compressed name decodes, but nothing stands before the question to point to.
    let Parsed::Query(_) = parse(&simple) else {
        return Err(Refusal::Malformed);
    };
    if let Some((key, signature)) = extras.signature {
        let signed = Signed { query: query.clone(), key, signature };
        return Err(Refusal::UnknownKey(Box::new(signed)));
    }
    Ok(simple)
}

/// What becomes of a message without a question: it may ask for a cookie, and for nothing else
/// (RFC 9619 §4).
fn without_question(
    decoder: &mut BinDecoder<'_>,
    message: &[u8],
    authorities: u16,
    additionals: u16,
) -> Refusal {
    let extras = match read_additionals(decoder, message, additionals) {
        Ok(extras) if authorities == 0 && decoder.is_empty() => extras,
        _ => return Refusal::Malformed,
    };
    match extras.opt.and_then(Edns::read) {
        Some(edns) if edns.options.cookie.is_some() && extras.signature.is_none() => {
            Refusal::CookieAsked(edns)
        }
        _ => Refusal::Malformed,
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
fn read_additionals<'m>(
    decoder: &mut BinDecoder<'_>,
    message: &'m [u8],
    count: u16,
) -> Result<Extras<'m>, Refusal> {
    let mut extras = Extras::default();
    for _ in 0..count {
        if extras.signature.is_some() {
            return Err(Refusal::Malformed);
        }
        if extras.opt.is_none()
            && let Some(opt) = opt_at(message, decoder.index())
        {
            decoder.read_slice(opt.len())?;
            extras.opt = Some(opt);
            continue;
        }
        let record = Record::read(decoder)?;
        match (record.record_type(), &record.data) {
            (RecordType::TSIG, RData::TSIG(signature)) => {
                extras.signature = Some((record.name.clone(), signature.clone()));
            }
            (RecordType::OPT | RecordType::TSIG, _) => return Err(Refusal::Malformed),
            _ => {}
        }
    }
    Ok(extras)
}

/// The OPT record at that place, whole and of the root, as it came: hickory keeps only those of its
/// options that it knows.
fn opt_at(message: &[u8], start: usize) -> Option<&[u8]> {
    let record = message.get(start..)?;
    let &[0, 0, 41, .., high, low] = record.first_chunk::<OPT_OCTETS>()? else { return None };
    record.get(..OPT_OCTETS + usize::from(u16::from_be_bytes([high, low])))
}

/// The query as [`parse`] likes it: its number, RD and CD, the question, its OPT record.
fn simplify(message: &[u8], question: &[u8], opt: Option<&[u8]>) -> Vec<u8> {
    let opt = opt.unwrap_or_default();
    let mut simple = Vec::with_capacity(HEADER_OCTETS + question.len() + opt.len());
    simple.extend([message[0], message[1], message[2] & 0x01, message[3] & 0x10]);
    simple.extend([0, 1, 0, 0, 0, 0, 0, u8::from(!opt.is_empty())]);
    simple.extend(question);
    simple.extend(opt);
    simple
}
