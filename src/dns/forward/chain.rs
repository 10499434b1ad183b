//! What of an upstream's answer was asked for: the aliases that lead from the name of the question
//! to what was asked, in their order, and the set at their end.
//!
//! Whatever else stands in an answer nobody has asked for, and whoever says it need not know. Left
//! out here, it reaches no client, and no cache behind us.

use hickory_resolver::proto::rr::Record;

use super::{
    key::Key,
    message::{Plain, TooLong},
};
use crate::dns::{code::rtype, zone::is_within};

/// Aliases of one answer: as many as other resolvers follow.
const ALIASES_MAX: usize = 16;

/// What an answer has, and what of it was asked for.
#[derive(Debug)]
pub(super) struct Chain<'m> {
    links: Vec<Link<'m>>,
    /// The places of those of the aliases, and of their end.
    taken: Vec<usize>,
    /// Whether the last name has records of the type.
    pub is_whole: bool,
}

/// A record and what it is looked for by.
#[derive(Debug)]
struct Link<'m> {
    record: Plain<'m>,
    /// The type that a signature is of.
    covered: u16,
    is_taken: bool,
}

// === impl Chain ===

impl<'m> Chain<'m> {
    /// That of the answer to `key`.
    pub(super) fn of(key: &Key, answers: &'m [Record]) -> Result<Self, TooLong> {
        let links = answers.iter().map(Link::new).collect::<Result<_, _>>()?;
        let mut chain = Self { links, taken: Vec::new(), is_whole: false };
        let mut seen = vec![key.name().to_vec()];
        while seen.len() <= ALIASES_MAX
            && let Some(at) = seen.last()
        {
            chain.take(rtype::DNAME, |record| is_above(record, at));
            if chain.find(key.qtype(), at).is_some() {
                chain.take(key.qtype(), |record| is_at(record, at));
                chain.is_whole = true;
                break;
            }
            chain.take(rtype::CNAME, |record| is_at(record, at));
            let Some(alias) = chain.find(rtype::CNAME, at) else { break };
            let target = alias.data.to_ascii_lowercase();
            if seen.contains(&target) {
                break;
            }
            seen.push(target);
        }
        Ok(chain)
    }

    /// The records that were asked for.
    pub(super) fn records(&self) -> impl Iterator<Item = &Plain<'m>> {
        self.taken.iter().map(|place| &self.links[*place].record)
    }

    fn find(&self, kind: u16, at: &[u8]) -> Option<&Plain<'m>> {
        let mut records = self.links.iter().map(|link| &link.record);
        records.find(|record| record.kind == kind && is_at(record, at))
    }

    /// Takes the records of a type, and their signatures, but each only once: a DNAME can be above
    /// several names.
    fn take(&mut self, kind: u16, is_meant: impl Fn(&Plain<'m>) -> bool) {
        for (place, link) in self.links.iter_mut().enumerate() {
            let is_of_kind = link.record.kind == kind || link.covered == kind;
            if is_of_kind && !link.is_taken && is_meant(&link.record) {
                link.is_taken = true;
                self.taken.push(place);
            }
        }
    }
}

// === impl Link ===

impl<'m> Link<'m> {
    fn new(record: &'m Record) -> Result<Self, TooLong> {
        let record = Plain::of(record)?;
        let covered = match (record.kind, record.data.first_chunk::<2>()) {
            (rtype::RRSIG, Some(covered)) => u16::from_be_bytes(*covered),
            _ => 0,
        };
        Ok(Self { record, covered, is_taken: false })
    }
}

/// Whether the record is one of that name, in lower case.
fn is_at(record: &Plain<'_>, name: &[u8]) -> bool {
    record.owner.eq_ignore_ascii_case(name)
}

/// Whether it is one of a name above that one.
fn is_above(record: &Plain<'_>, name: &[u8]) -> bool {
    name.len() > record.owner.len() && is_within(name, &record.owner.to_ascii_lowercase())
}
