//! What an upstream has answered, as it is kept: octets that are copied into replies.
//!
//! hickory reads the upstream's message; here its records are written down once more, names
//! uncompressed, so that any of them can be put anywhere. A message is kept under the question that
//! it answers and under no other, and of it only what leads from that question to its answer: what
//! an upstream says of other names is believed by nobody, here or behind us, so it cannot spread.
//! Nor does it get to say what names of ours lead to, or those that a client may not ask for.
//!
//! Left out are the NS records beside a positive answer and their addresses (they say who would
//! know, which is of no use to who knows already) and the upstream's EDNS options.

use std::time::Duration;

use hashbrown::HashSet;
use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{DNSClass, Record},
};

use super::{chain::Chain, key::Key};
use crate::dns::{
    asked::Asked,
    code::{rcode, rtype},
    encode::{Owner, Reply, Section},
    zone,
};

/// TTL of records that are answered after their time, seconds (RFC 8767 §4).
const STALE_TTL: u32 = 30;

/// Octets that one message may take when it is kept. The longest message has 64 KiB; names that
/// were compressed take several times their room, but not in a message that anybody can use.
const OCTETS_MAX: usize = 256 << 10;

/// Octets in front of the owner of a kept record: section, type, TTL, two lengths.
const HEAD: usize = 10;

/// The types of records that prove something (RFC 4034, RFC 5155).
const PROOFS: [u16; 3] = [rtype::RRSIG, 47, 50];

/// A message, kept.
#[derive(Debug)]
pub(in crate::dns) struct Kept {
    rcode: u16,
    records: Box<[u8]>,
    /// For how long it may be answered, seconds from when it came.
    lifetime: u32,
    /// When it came, by the clock.
    came: Duration,
    /// Whether its last record is an alias and what that leads to is not in it.
    ends_in_alias: bool,
}

/// How old records are when they are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum Age {
    /// So many seconds, within their lifetime.
    Fresh(u32),
    /// Older than that.
    Stale,
}

/// For how long things are kept, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Records.
    pub max_ttl: u32,
    /// "There is nothing".
    pub negative_max_ttl: u32,
}

/// A message takes more room than anything has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// A record to be kept, written out once.
#[derive(Debug)]
pub(super) struct Plain<'m> {
    record: &'m Record,
    pub kind: u16,
    /// Wire labels with the root's zero, in the upstream's letters.
    pub owner: Vec<u8>,
    /// Names in it uncompressed.
    pub data: Vec<u8>,
}

/// One kept record.
struct Part<'m> {
    section: Section,
    rtype: u16,
    ttl: u32,
    owner: &'m [u8],
    data: &'m [u8],
}

/// Whether a message only says who else might know, which is not what was asked: the server does
/// not resolve names.
pub(super) fn is_referral(message: &Message) -> bool {
    let has = |kind: u16| message.authorities.iter().any(|it| u16::from(it.record_type()) == kind);
    let is_nothing =
        message.answers.is_empty() && message.metadata.response_code == ResponseCode::NoError;
    is_nothing && has(rtype::NS) && !has(rtype::SOA)
}

// === impl Kept ===

impl Kept {
    /// Keeps the answer to `key` that came at `came`.
    pub(super) fn new(
        key: &Key,
        message: &Message,
        limits: Limits,
        came: Duration,
    ) -> Result<Self, TooLong> {
        let rcode = u16::from(message.metadata.response_code);
        let chain = Chain::of(key, &message.answers)?;
        let is_positive = chain.is_whole;
        let mut shelf = Shelf { octets: Vec::new(), ttl: limits.max_ttl, limits };
        for record in chain.records() {
            shelf.put(Section::Answer, record)?;
        }
        let has_soa =
            message.authorities.iter().any(|it| u16::from(it.record_type()) == rtype::SOA);
        let ends_in_alias = !is_positive
            && !has_soa
            && rcode == rcode::NOERROR
            && chain.records().any(|record| record.kind == rtype::CNAME);
        for record in &message.authorities {
            let kind = u16::from(record.record_type());
            // Behind an alias that is followed, what it leads to will be written as an answer.
            let is_proof = PROOFS.contains(&kind) && !ends_in_alias;
            if is_proof || (kind == rtype::SOA && !is_positive) {
                shelf.put(Section::Authority, &Plain::of(record)?)?;
            }
        }
        let lifetime = shelf.ttl;
        if is_positive {
            shelf.put_addresses(&chain, &message.additionals)?;
        }
        // "There is nothing" without an SOA must not be kept (RFC 2308 §5).
        let lifetime = if is_positive || has_soa || ends_in_alias { lifetime } else { 0 };
        Ok(Self { rcode, records: shelf.octets.into(), lifetime, came, ends_in_alias })
    }

    /// What it takes, octets.
    pub(super) fn octets(&self) -> usize {
        size_of::<Self>() + self.records.len()
    }

    /// How old it is at `now`, seconds.
    pub(super) fn age(&self, now: Duration) -> u32 {
        let age = now.saturating_sub(self.came).as_secs();
        u32::try_from(age).unwrap_or(u32::MAX)
    }

    /// For how long it may be answered in all, seconds.
    pub(super) fn lifetime(&self) -> u32 {
        self.lifetime
    }

    /// Whether it says that there is nothing.
    pub(super) fn is_negative(&self) -> bool {
        self.rcode != rcode::NOERROR || !self.parts().any(|part| part.section == Section::Answer)
    }

    /// Whether the name is said not to exist.
    pub(in crate::dns) fn is_nxdomain(&self) -> bool {
        self.rcode == rcode::NXDOMAIN
    }

    /// Writes the answer to what was asked, and no further than to an alias whose target
    /// `is_ours`; of the addresses beside it, those of other names that have time left. Returns
    /// where the name stands that the last alias leads to, if what that leads to is still to be
    /// asked for.
    pub(in crate::dns) fn write(
        &self,
        asked: &Asked<'_>,
        age: Age,
        is_ours: impl Fn(&[u8]) -> bool,
        reply: &mut Reply<'_>,
    ) -> Option<usize> {
        reply.set_rcode(self.rcode);
        let (mut alias, mut leaves) = (None, None);
        for part in self.parts() {
            // Behind the alias that leads to us, only its signature is the upstream's to say.
            let is_signature = part.rtype == rtype::RRSIG && part.section == Section::Answer;
            if leaves.is_some_and(|owner| !is_signature || part.owner != owner) {
                continue;
            }
            let is_additional = part.section == Section::Additional;
            if is_additional && (part.is_over(age) || is_ours(&part.owner.to_ascii_lowercase())) {
                continue;
            }
            let ttl = match age {
                Age::Fresh(seconds) => part.ttl.saturating_sub(seconds),
                Age::Stale => STALE_TTL,
            };
            let owner = match part.owner.eq_ignore_ascii_case(asked.name) {
                true => asked.owner(),
                false => Owner::Name(part.owner),
            };
            match reply.record(part.section, owner, (part.rtype, ttl), &[part.data]) {
                Ok(at) if part.section == Section::Answer && part.rtype == rtype::CNAME => {
                    alias = Some(at);
                    if asked.qtype != rtype::CNAME && is_ours(&part.data.to_ascii_lowercase()) {
                        reply.set_rcode(rcode::NOERROR);
                        leaves = Some(part.owner);
                    }
                }
                Ok(_) => {}
                // It marks the reply as cut by itself where that matters.
                Err(_) => return None,
            }
        }
        alias.filter(|_| self.ends_in_alias || leaves.is_some())
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut rest = &*self.records;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<HEAD>()?;
            let [section, type_high, type_low, t0, t1, t2, t3, owner, high, low] = *head;
            let (owner, tail) = tail.split_at_checked(owner.into())?;
            let (data, tail) = tail.split_at_checked(u16::from_be_bytes([high, low]).into())?;
            rest = tail;
            let section = match section {
                0 => Section::Answer,
                1 => Section::Authority,
                _ => Section::Additional,
            };
            let rtype = u16::from_be_bytes([type_high, type_low]);
            Some(Part { section, rtype, ttl: u32::from_be_bytes([t0, t1, t2, t3]), owner, data })
        })
    }
}

// === impl Part ===

impl Part<'_> {
    /// Whether its own time has passed. One that has none is for whoever asked.
    fn is_over(&self, age: Age) -> bool {
        match age {
            Age::Fresh(seconds) => seconds > 0 && seconds >= self.ttl,
            Age::Stale => true,
        }
    }
}

// === impl Plain ===

impl<'m> Plain<'m> {
    pub(super) fn of(record: &'m Record) -> Result<Self, TooLong> {
        let owner = zone::to_wire(&record.name).map_err(|_| TooLong)?;
        let data = zone::to_wire(&record.data).map_err(|_| TooLong)?;
        Ok(Self { record, kind: record.record_type().into(), owner, data })
    }
}

/// The records of a message while they are put together.
struct Shelf {
    octets: Vec<u8>,
    /// The shortest TTL so far.
    ttl: u32,
    limits: Limits,
}

// === impl Shelf ===

impl Shelf {
    /// Puts the addresses of what the answer leads to, which do not shorten its life.
    fn put_addresses(&mut self, chain: &Chain<'_>, others: &[Record]) -> Result<(), TooLong> {
        let targets = chain.records().filter_map(|record| zone::target(record.kind, &record.data));
        let targets: HashSet<_> = targets.map(|(_, name)| name.to_ascii_lowercase()).collect();
        for record in others {
            if !matches!(u16::from(record.record_type()), rtype::A | rtype::AAAA) {
                continue;
            }
            let record = Plain::of(record)?;
            if targets.contains(&record.owner.to_ascii_lowercase()) {
                self.put(Section::Additional, &record)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, section: Section, plain: &Plain<'_>) -> Result<(), TooLong> {
        let Plain { record, kind, owner, data } = plain;
        if record.dns_class != DNSClass::IN {
            return Ok(());
        }
        // Above 2³¹ it is a mistake, and counts as zero (RFC 2181 §8).
        let mut ttl = if record.ttl > i32::MAX.unsigned_abs() { 0 } else { record.ttl };
        ttl = ttl.min(self.limits.max_ttl);
        if *kind == rtype::SOA && section == Section::Authority {
            // RFC 2308 §5: the smaller of the TTL and of MINIMUM, which is the last of the data.
            let minimum = data.last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
            ttl = ttl.min(minimum).min(self.limits.negative_max_ttl);
        }
        self.ttl = self.ttl.min(ttl);
        let owner_octets = u8::try_from(owner.len()).map_err(|_| TooLong)?;
        let data_octets = u16::try_from(data.len()).map_err(|_| TooLong)?;
        self.octets.push(section as u8);
        self.octets.extend(kind.to_be_bytes());
        self.octets.extend(ttl.to_be_bytes());
        self.octets.push(owner_octets);
        self.octets.extend(data_octets.to_be_bytes());
        self.octets.extend(owner);
        self.octets.extend(data);
        if self.octets.len() > OCTETS_MAX { Err(TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
