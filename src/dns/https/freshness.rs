//! For how long a reply may be kept by HTTP caches (RFC 8484 §5.1).

use crate::dns::{
    code::{rcode, rtype},
    encode::after_name,
    query::HEADER_OCTETS,
};

/// Seconds for which `reply` may be kept: the smallest TTL of its answers; of a negative answer
/// what its SOA says (RFC 2308 §5); nothing for what says neither.
pub(super) fn max_age(reply: &[u8]) -> u32 {
    read(reply).unwrap_or(0)
}

fn read(reply: &[u8]) -> Option<u32> {
    let count = |at: usize| Some(u16::from_be_bytes([*reply.get(at)?, *reply.get(at + 1)?]));
    let (code, questions) = (u16::from(reply.get(3)? & 0x0F), count(4)?);
    if !matches!(code, rcode::NOERROR | rcode::NXDOMAIN) {
        return None;
    }
    let mut at = HEADER_OCTETS;
    for _ in 0..questions {
        at = after_name(reply, at)? + 4;
    }
    let (answers, authorities) = (count(6)?, count(8)?);
    let mut least: Option<u32> = None;
    for index in 0..u32::from(answers) + u32::from(authorities) {
        let is_answer = index < answers.into();
        let record = Record::read(reply, after_name(reply, at)?)?;
        at = record.end;
        if is_answer {
            least = Some(least.map_or(record.ttl, |least| least.min(record.ttl)));
        }
        // A chain of aliases that ends in nothing is negative too.
        if !is_answer && record.rtype == rtype::SOA {
            let negative = record.ttl.min(record.minimum);
            least = Some(least.map_or(negative, |least| least.min(negative)));
        }
    }
    least
}

/// What is behind a record's name.
struct Record {
    rtype: u16,
    ttl: u32,
    /// The last four octets of the data, which in an SOA are its MINIMUM.
    minimum: u32,
    end: usize,
}

impl Record {
    fn read(reply: &[u8], at: usize) -> Option<Self> {
        let fixed = reply.get(at..at + 10)?;
        let end = at + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let data = reply.get(at + 10..end)?;
        let number = |octets: &[u8]| octets.try_into().map(u32::from_be_bytes).ok();
        Some(Self {
            rtype: u16::from_be_bytes([fixed[0], fixed[1]]),
            ttl: number(&fixed[4..8])?,
            minimum: data.last_chunk::<4>().map_or(0, |last| u32::from_be_bytes(*last)),
            end,
        })
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::{Message, MessageType, OpCode, Query, ResponseCode},
        rr::{
            Name, RData, Record, RecordType,
            rdata::{A, SOA},
        },
    };

    use super::max_age;

    fn reply(code: ResponseCode, answers: &[u32], soa: Option<(u32, u32)>) -> Vec<u8> {
        let name = Name::from_ascii("web.service.internal.").unwrap();
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message.add_query(Query::query(name.clone(), RecordType::A));
        for ttl in answers {
            let address = RData::A(A::new(192, 0, 2, 1));
            message.add_answer(Record::from_rdata(name.clone(), *ttl, address));
        }
        if let Some((ttl, minimum)) = soa {
            let data = SOA::new(name.clone(), name.clone(), 1, 2, 3, 4, minimum);
            message.add_authority(Record::from_rdata(name, ttl, RData::SOA(data)));
        }
        message.to_vec().unwrap()
    }

    #[test]
    fn a_reply_lives_as_long_as_its_shortest_record() {
        use ResponseCode::{NXDomain, NoError, Refused, ServFail};
        for (code, answers, soa, expected) in [
            (NoError, &[60, 5, 300][..], None, 5),
            (NoError, &[0, 5], None, 0),
            (NoError, &[], Some((5, 300)), 5),
            (NXDomain, &[], Some((300, 2)), 2),
            // An alias to a name that is not there.
            (NXDomain, &[60], Some((3, 3)), 3),
            (NoError, &[], None, 0),
            (ServFail, &[], Some((5, 5)), 0),
            (Refused, &[], None, 0),
        ] {
            let octets = reply(code, answers, soa);
            assert_eq!(max_age(&octets), expected, "{code:?} {answers:?} {soa:?}");
            for end in 0..octets.len() {
                assert_eq!(max_age(&octets[..end]), 0, "cut after {end}");
            }
        }
    }
}
