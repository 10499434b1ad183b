//! From what a zone has to the reply: chains of aliases, referrals, and what will be asked next.
//!
//! Nothing is allocated. A chain is followed from zone to zone as long as the zones are ours; the
//! response code is that of its last name (RFC 6604 §2.1), AA is that of its first (RFC 1035
//! §4.1.1).

use super::{
    data::{Node, RrSet, Zone},
    lookup::Found,
    name::NameBuf,
    set::{Zones, is_within},
};
use crate::{
    dns::{
        code::{rcode, rtype},
        encode::{Full, Owner, Reply, Section},
        guard::Visitor,
        query::HEADER_OCTETS,
    },
    model::DnsName,
};

/// Aliases that are followed for one query: BIND's limit; longer chains are loops or mistakes.
const CHAIN_MAX: usize = 16;

/// What became of a query.
#[derive(Debug)]
pub enum Answered {
    /// The name is at or below one that is delegated, whose name has so many octets, and that is
    /// left to who knows; the reply is untouched.
    Delegated(usize),
    /// The name is in no static zone; the reply is untouched.
    Elsewhere,
    /// The reply has aliases that lead to one of them, or more than are followed.
    Endless,
    /// The reply has aliases that lead to a name that is neither in the zones nor the registry's,
    /// or to one that is delegated and left to who knows.
    Exits(Departure),
    /// The reply says all there is to say.
    Whole,
    /// The reply has aliases that lead to a name of the registry, which may go on from there.
    Leaves(Departure),
}

/// What an answer is written to, and where chance comes from.
#[derive(Debug)]
pub struct Writing<'w, 'b> {
    /// The reply.
    pub reply: &'w mut Reply<'b>,
    /// For the order of records, which means nothing (RFC 2181 §5), but to who takes the first.
    pub rng: &'w mut fastrand::Rng,
    /// Who asks, from whom some zones may be kept.
    pub visitor: Visitor<'w>,
    /// Whether names that are delegated are left to who knows them. Else there is a referral.
    pub leaves_delegated: bool,
}

/// The end of a chain of aliases that leads out of the static zones.
#[derive(Debug)]
pub struct Departure {
    target: NameBuf,
    /// Where the target stands in the reply, for [`Owner::At`].
    pub position: usize,
}

/// The aliases in the reply so far: their owners, to see a loop, and those of whole trees, which
/// stand in the reply only once.
struct Seen<'z> {
    names: [Option<NameBuf>; CHAIN_MAX],
    trees: [Option<&'z RrSet>; CHAIN_MAX],
    count: usize,
}

/// How far an answer has come: the name it is at.
struct At {
    name: NameBuf,
    place: Place,
}

/// Where a name stands in the reply.
#[derive(Clone, Copy)]
enum Place {
    /// At this offset.
    At(usize),
    /// Nowhere: the alias that led to it did not fit. The reply is cut, and only its response code,
    /// which is that of the last name in a cut reply too, is still to be found.
    Lost,
    /// It is the question.
    Question,
}

// === impl Writing ===

impl Writing<'_, '_> {
    /// Where the delegated name begins in one that is left to who knows it.
    fn leaves(&self, found: &Found<'_>) -> Option<usize> {
        match found {
            Found::Referral(_, cut) if self.leaves_delegated => Some(*cut),
            _ => None,
        }
    }
}

// === impl Departure ===

impl Departure {
    /// The name to go on with: lower-case wire labels.
    pub fn target(&self) -> &[u8] {
        self.target.as_wire()
    }
}

// === impl Zones ===

impl Zones {
    /// Writes what the zones say to `name` (lower-case wire labels) and `qtype`: records, response
    /// code, AA. The owner of the answer is the question.
    pub fn answer(&self, name: &[u8], qtype: u16, writing: &mut Writing<'_, '_>) -> Answered {
        let Some(name) = NameBuf::join(name, &[]) else { return Answered::Elsewhere };
        let Some(zone) = self.find_for(name.as_wire(), qtype) else { return Answered::Elsewhere };
        let found = zone.lookup(name.as_wire(), qtype);
        if let Some(cut) = writing.leaves(&found) {
            return Answered::Delegated(name.as_wire().len() - cut);
        }
        writing.reply.set_authoritative(true);
        let at = At { name, place: Place::Question };
        match found {
            // The usual case, kept apart from chains, which need room for the names they saw.
            found @ (Found::Cname(_) | Found::Dname(..)) => self.chain(at, qtype, found, writing),
            Found::Referral(node, cut) => {
                writing.reply.set_authoritative(false);
                let _ = self.referral(zone, node, &at.name.as_wire()[cut..], writing);
                Answered::Whole
            }
            found => self.ended(zone, &at, &found, writing),
        }
    }

    /// As [`Zones::answer`], for a name that an alias led to and that stands at `position` of the
    /// reply. AA stays what the first name made it (RFC 1035 §4.1.1).
    pub fn go_on(
        &self,
        name: &[u8],
        position: usize,
        qtype: u16,
        writing: &mut Writing<'_, '_>,
    ) -> Answered {
        let Some(name) = NameBuf::join(name, &[]) else { return Answered::Elsewhere };
        let Some(zone) = self.find_for(name.as_wire(), qtype) else { return Answered::Elsewhere };
        let found = zone.lookup(name.as_wire(), qtype);
        if let Some(cut) = writing.leaves(&found) {
            return Answered::Delegated(name.as_wire().len() - cut);
        }
        self.chain(At { name, place: Place::At(position) }, qtype, found, writing)
    }

    /// Follows aliases from name to name.
    fn chain<'z>(
        &'z self,
        mut at: At,
        qtype: u16,
        mut found: Found<'z>,
        writing: &mut Writing<'_, '_>,
    ) -> Answered {
        let mut seen = Seen { names: [None; CHAIN_MAX], trees: [None; CHAIN_MAX], count: 0 };
        loop {
            let next = match found {
                Found::Cname(_) | Found::Dname(..) if !seen.is_new(&at.name) => {
                    return Answered::Endless;
                }
                Found::Cname(alias) => cname(&at, alias, writing.reply),
                Found::Dname(alias, owner) => {
                    let is_new = seen.is_new_tree(alias);
                    let next = dname(&at, alias, (owner, is_new), writing.reply);
                    // To who asks for the alias, the one that follows is the answer, as if it
                    // stood in the zone. RFC 6672 §3.2 goes on; NSD, Knot and BIND do not.
                    next.filter(|_| qtype != rtype::CNAME)
                }
                // A chain that leads to a DNAME which stands in the reply already.
                Found::Answer(set) if seen.has_tree(set) => None,
                Found::Answer(_) | Found::NoData | Found::NxDomain | Found::Referral(..) => {
                    let Some(zone) = self.find_for(at.name.as_wire(), qtype) else {
                        return Answered::Whole;
                    };
                    return self.ended(zone, &at, &found, writing);
                }
            };
            let Some(next) = next else { return Answered::Whole };
            at = next;
            let name = at.name.as_wire();
            if self.is_reserved(name) {
                let position = match at.place {
                    Place::At(position) => position,
                    Place::Lost => return Answered::Whole,
                    Place::Question => HEADER_OCTETS,
                };
                return Answered::Leaves(Departure { target: at.name, position });
            }
            if !writing.visitor.may_see(name) {
                return Answered::Whole;
            }
            // A zone that should be there and is not is for who knows what to say then.
            let zone = self.find_for(name, qtype).filter(|_| !self.awaits(name));
            let here = zone.map(|zone| zone.lookup(name, qtype));
            let Some(here) = here.filter(|found| writing.leaves(found).is_none()) else {
                return match at.place {
                    Place::At(position) => Answered::Exits(Departure { target: at.name, position }),
                    Place::Lost | Place::Question => Answered::Whole,
                };
            };
            found = here;
        }
    }

    /// Writes what is no alias. Whatever does not fit is marked in the reply by its writer.
    fn ended(
        &self,
        zone: &Zone,
        at: &At,
        found: &Found<'_>,
        writing: &mut Writing<'_, '_>,
    ) -> Answered {
        if matches!(found, Found::NxDomain) {
            writing.reply.set_rcode(rcode::NXDOMAIN);
        }
        let Some(owner) = at.owner() else { return Answered::Whole };
        let _ = match found {
            Found::Answer(set) => self.positive((&at.name, owner), set, writing),
            Found::Referral(node, cut) => {
                self.referral(zone, node, &at.name.as_wire()[*cut..], writing)
            }
            Found::NoData | Found::NxDomain | Found::Cname(_) | Found::Dname(..) => {
                zone.negative(writing.reply)
            }
        };
        Answered::Whole
    }

    fn positive(
        &self,
        (name, owner): (&NameBuf, Owner<'_>),
        set: &RrSet,
        writing: &mut Writing<'_, '_>,
    ) -> Result<(), Full> {
        for data in set.rotated(writing.rng) {
            writing.reply.record(Section::Answer, owner, (set.rtype, set.ttl), &[data])?;
        }
        match set.rtype {
            rtype::HTTPS | rtype::SVCB => self.bound(name, set, writing),
            rtype::MX | rtype::NS | rtype::SRV => {
                let mut targets = set.targets.iter();
                targets.try_for_each(|target| self.additional(target.as_wire(), writing))
            }
            _ => Ok(()),
        }
    }

    /// Writes what SVCB and HTTPS records lead to (RFC 9460 §4.1): addresses, and for an alias the
    /// records of the same type.
    fn bound(
        &self,
        name: &NameBuf,
        set: &RrSet,
        writing: &mut Writing<'_, '_>,
    ) -> Result<(), Full> {
        let is_own = |target: &&[u8]| *target == name.as_wire();
        let mut targets = set.targets.iter().map(DnsName::as_wire);
        // What leads to its own name stands in the answer already, and has the addresses once.
        if set.is_bound_to_owner() || targets.any(|target| is_own(&target)) {
            self.additional(name.as_wire(), writing)?;
        }
        let is_alias = set.is_binding_alias();
        for target in set.targets.iter().map(DnsName::as_wire).filter(|target| !is_own(target)) {
            if is_alias
                && writing.visitor.may_see(target)
                && let Some(set) = self.known(target, set.rtype)
            {
                set.additional(target, writing.reply)?;
            }
            self.additional(target, writing)?;
        }
        Ok(())
    }

    /// Writes the addresses of a name that the reader will ask for next; without any if they do
    /// not all fit, for a part of them would be taken for the whole.
    fn additional(&self, name: &[u8], writing: &mut Writing<'_, '_>) -> Result<(), Full> {
        if writing.visitor.may_see(name) {
            self.addresses(name).try_for_each(|set| set.additional(name, writing.reply))?;
        }
        Ok(())
    }

    /// Writes the servers of a zone that was delegated (RFC 1034 §4.3.2 step 3b) and their glue.
    fn referral(
        &self,
        zone: &Zone,
        node: &Node,
        cut: &[u8],
        writing: &mut Writing<'_, '_>,
    ) -> Result<(), Full> {
        let reply = &mut *writing.reply;
        let Some(servers) = node.set(rtype::NS) else { return Ok(()) };
        for data in servers.rdata() {
            let record = (servers.rtype, servers.ttl);
            reply.record(Section::Authority, Owner::Name(cut), record, &[data])?;
        }
        let is_inside = |server: &DnsName| is_within(server.as_wire(), cut);
        // Without the addresses of servers inside the delegated zone nobody can go on, so these
        // come first, and a reply without all of them is cut (RFC 9471 §3.1).
        for target in servers.targets.iter().filter(|server| is_inside(server)) {
            let name = target.as_wire();
            for set in zone.glue(name) {
                set.additional(name, reply).inspect_err(|_| reply.set_truncated())?;
            }
        }
        for target in servers.targets.iter().filter(|server| !is_inside(server)) {
            let name = target.as_wire();
            // Glue of the zone that delegates, also where another zone of ours has that name.
            let mut glue = zone.glue(name).peekable();
            match glue.peek() {
                Some(_) => glue.try_for_each(|set| set.additional(name, writing.reply))?,
                None => self.additional(name, writing)?,
            }
        }
        Ok(())
    }
}

// === impl Zone ===

impl Zone {
    /// Writes the SOA that goes with "there is nothing", for as long as that may be believed
    /// (RFC 2308 §3).
    fn negative(&self, reply: &mut Reply<'_>) -> Result<(), Full> {
        let record = (rtype::SOA, self.negative_ttl);
        for data in self.soa.rdata() {
            let owner = Owner::Name(self.origin.as_wire());
            reply.record(Section::Authority, owner, record, &[data])?;
        }
        Ok(())
    }
}

// === impl RrSet ===

impl RrSet {
    /// Writes all records into the additional section, or none.
    fn additional(&self, name: &[u8], reply: &mut Reply<'_>) -> Result<(), Full> {
        let mark = reply.mark();
        self.rdata().try_for_each(|data| {
            let record = (self.rtype, self.ttl);
            let written = reply.record(Section::Additional, Owner::Name(name), record, &[data]);
            written.map(drop).inspect_err(|_| reply.rollback(mark))
        })
    }
}

// === impl At ===

impl At {
    /// The name as the owner of a record; nothing when no record of it can be written.
    fn owner(&self) -> Option<Owner<'static>> {
        match self.place {
            Place::At(position) => Some(Owner::At(position)),
            Place::Lost => None,
            Place::Question => Some(Owner::Question),
        }
    }

    /// Writes an alias of the name, and says where its target stands.
    fn write_alias(&self, ttl: u32, target: &[u8], reply: &mut Reply<'_>) -> Place {
        let record = (rtype::CNAME, ttl);
        let write = |owner| reply.record(Section::Answer, owner, record, &[target]).ok();
        self.owner().and_then(write).map_or(Place::Lost, Place::At)
    }
}

// === impl Seen ===

impl<'z> Seen<'z> {
    /// Notes an owner; whether it was not there and there is room.
    fn is_new(&mut self, name: &NameBuf) -> bool {
        let mut known = self.names[..self.count].iter().flatten();
        if self.count == CHAIN_MAX || known.any(|n| n.as_wire() == name.as_wire()) {
            return false;
        }
        self.names[self.count] = Some(*name);
        self.count += 1;
        true
    }

    /// Notes a DNAME of the name noted last; whether it was not there.
    fn is_new_tree(&mut self, alias: &'z RrSet) -> bool {
        let is_new = !self.has_tree(alias);
        self.trees[self.count - 1] = Some(alias);
        is_new
    }

    /// Whether these records are a DNAME that was noted.
    fn has_tree(&self, set: &RrSet) -> bool {
        self.trees.iter().flatten().any(|known| std::ptr::eq(*known, set))
    }
}

/// Writes the alias of a name, and moves on to its target.
fn cname(at: &At, alias: &RrSet, reply: &mut Reply<'_>) -> Option<At> {
    let (data, target) = (alias.rdata().next()?, alias.targets.first()?);
    let name = NameBuf::join(target.as_wire(), &[])?;
    Some(At { name, place: at.write_alias(alias.ttl, data, reply) })
}

/// Writes the alias of a tree and the alias that follows from it for this name (RFC 6672 §3.1),
/// and moves on to its target.
fn dname(
    at: &At,
    alias: &RrSet,
    (owner, is_new): (usize, bool),
    reply: &mut Reply<'_>,
) -> Option<At> {
    let data = alias.rdata().next()?;
    let (below, above) = at.name.as_wire().split_at(owner);
    let record = (rtype::DNAME, alias.ttl);
    let is_written = at.owner().is_some()
        && (!is_new || reply.record(Section::Answer, Owner::Name(above), record, &[data]).is_ok());
    let Some(target) = NameBuf::join(below, data) else {
        reply.set_rcode(rcode::YXDOMAIN);
        return None;
    };
    let place = match is_written {
        true => at.write_alias(alias.ttl, target.as_wire(), reply),
        false => Place::Lost,
    };
    Some(At { name: target.to_lower(), place })
}

#[cfg(test)]
mod tests;
