//! What of an upstream's answer was asked for: the aliases that lead from the name of the question
//! to what was asked, in their order, and the set at their end.
//!
//! Whatever else stands in an answer nobody has asked for, and whoever says it need not know. Left
//! out here, it reaches no client, and no cache behind us.

use hickory_resolver::proto::rr::Record;

use super::{
    key::Key,
    message::{TooLong, data, wire},
};
use crate::dns::{code::rtype, zone::is_within};

/// Aliases of one answer: as many as other resolvers follow.
const ALIASES_MAX: usize = 16;

/// The records that were asked for.
#[derive(Debug)]
pub(super) struct Chain<'m> {
    /// Those of the aliases, and of their end.
    pub records: Vec<&'m Record>,
    /// Whether the last name has records of the type.
    pub is_whole: bool,
}

/// A record and what it is looked for by.
struct Link<'m> {
    record: &'m Record,
    /// In lower case.
    owner: Vec<u8>,
    kind: u16,
    /// The type that a signature is of.
    covered: u16,
    data: Vec<u8>,
}

// === impl Chain ===

impl<'m> Chain<'m> {
    /// That of the answer to `key`.
    pub(super) fn of(key: &Key, answers: &'m [Record]) -> Result<Self, TooLong> {
        let links = answers.iter().map(Link::new).collect::<Result<Vec<_>, _>>()?;
        let mut chain = Self { records: Vec::new(), is_whole: false };
        let mut seen = vec![key.name().to_vec()];
        while seen.len() <= ALIASES_MAX
            && let Some(at) = seen.last()
        {
            let above =
                |link: &&Link<'_>| at.len() > link.owner.len() && is_within(at, &link.owner);
            chain.take(links.iter().filter(above), rtype::DNAME);
            let here = || links.iter().filter(|link| link.owner == *at);
            if here().any(|link| link.kind == key.qtype()) {
                chain.take(here(), key.qtype());
                chain.is_whole = true;
                break;
            }
            chain.take(here(), rtype::CNAME);
            let Some(alias) = here().find(|link| link.kind == rtype::CNAME) else { break };
            let target = alias.data.to_ascii_lowercase();
            if seen.contains(&target) {
                break;
            }
            seen.push(target);
        }
        Ok(chain)
    }

    /// Takes the records of a type, and their signatures.
    fn take<'l>(&mut self, links: impl Iterator<Item = &'l Link<'m>>, kind: u16)
    where
        'm: 'l,
    {
        let of_kind = links.filter(|link| link.kind == kind || link.covered == kind);
        for link in of_kind {
            if !self.records.iter().any(|known| std::ptr::eq(*known, link.record)) {
                self.records.push(link.record);
            }
        }
    }
}

// === impl Link ===

impl<'m> Link<'m> {
    fn new(record: &'m Record) -> Result<Self, TooLong> {
        let (kind, data) = (u16::from(record.record_type()), data(record)?);
        let covered = match (kind, data.first_chunk::<2>()) {
            (rtype::RRSIG, Some(covered)) => u16::from_be_bytes(*covered),
            _ => 0,
        };
        Ok(Self { record, owner: wire(&record.name)?.to_ascii_lowercase(), kind, covered, data })
    }
}
