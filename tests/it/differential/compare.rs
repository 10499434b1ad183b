//! What must be equal where the three agree, and what is left out of the comparison.
//!
//! Each part of a reply (code, flags, answer, authority, …) is compared by itself: where the three
//! have the same, Rollcall must have it. Where they differ, it must have what one of them has, but
//! for long chains of aliases: each server ends loops at a limit of its own. Not compared, because
//! it is a matter of taste:
//!
//! - the order of records within an RRset, the letters' case and the compression of names;
//! - additional records beyond those that all three have: those of Rollcall must only be true;
//! - how much of a truncated reply is there (RFC 2181 §9): as a client would, each server that has
//!   truncated is asked again over TCP, and what it says then is compared;
//! - a TC that is due to length alone: the same records are longer in one server's reply than in
//!   another's, as Rollcall does not compress names in record data, nor the others all of them;
//! - addresses of servers outside the delegated zone, where they have no room: a reply may do
//!   without them (RFC 9471 §3.2), and Rollcall's has less room, as above;
//! - what follows when a chain of aliases leaves its zone for another that is there: Knot and BIND
//!   leave that to the client, NSD and Rollcall go on. Of such an answer only what comes before is
//!   compared; the rest must be what Rollcall says when it is asked for the target itself;
//! - CD, which Rollcall and BIND copy (RFC 4035 §3.1.6), but NSD and Knot do not;
//! - the size in the OPT record, and the options, as none is asked for.

use super::{
    data::{A, AAAA, CNAME, HTTPS, NS, SVCB, Type},
    name::Name,
    question::Question,
    reply::{AUTHORITATIVE, Reply, Set},
    zone::World,
};

/// What one server said.
pub(crate) struct Told {
    /// At first.
    pub(crate) first: Reply,
    /// Over TCP, if it was truncated.
    pub(crate) whole: Option<Reply>,
}

/// One question and what all said to it.
pub(crate) struct Case<'r> {
    pub(crate) world: &'r World,
    pub(crate) question: &'r Question,
    pub(crate) peers: [Told; 3],
    pub(crate) ours: Told,
    /// What Rollcall says of the name at which a chain of aliases left the zone.
    pub(crate) beyond: Option<Reply>,
}

/// A part of a reply that Rollcall has otherwise than it must.
pub(crate) struct Difference {
    pub(crate) part: &'static str,
    pub(crate) expected: String,
}

/// What came of the comparison.
#[derive(Default)]
pub(crate) struct Compared {
    /// Where Rollcall differs.
    pub(crate) differences: Vec<Difference>,
    /// Parts in which the three are not of one mind.
    pub(crate) split: Vec<&'static str>,
}

/// All but TC, which has a rule of its own, and CD.
const FLAGS: [(&str, u16); 6] = [
    ("QR", 0x8000),
    ("AA", AUTHORITATIVE),
    ("RD", 0x0100),
    ("RA", 0x0080),
    ("Z", 0x0040),
    ("AD", 0x0020),
];

/// RRSets of an answer from which on it is a long chain: NSD ends some loops after two aliases,
/// Knot after five, BIND after eleven, Rollcall after sixteen.
const CHAIN: usize = 6;

/// The octets that a server puts into a datagram at the most: the default of all four.
const UDP_OCTETS_MAX: usize = 1232;

// === impl Told ===

impl Told {
    /// The sections that count.
    fn content(&self) -> &Reply {
        self.whole.as_ref().unwrap_or(&self.first)
    }

    /// The alias of the answer that leaves the zone of the question for another one: how many sets
    /// end with it, and its target.
    pub(crate) fn departure(&self, question: &Question, world: &World) -> Option<(usize, Name)> {
        let origin = |name: &Name| Some(&world.zone_for(&name.to_lower(), question.rtype)?.origin);
        let start = origin(&question.name)?;
        let sets = self.content().answer.iter().enumerate();
        // To who asks for an alias, it is the end.
        let aliases = sets.filter(|(_, set)| set.rtype == CNAME.0 && question.rtype != CNAME);
        let mut targets = aliases.flat_map(|(at, set)| set.targets().map(move |t| (at + 1, t)));
        targets.find(|(_, target)| origin(target).is_some_and(|origin| origin != start))
    }
}

// === impl Case ===

impl Case<'_> {
    /// Compares the replies.
    pub(crate) fn compare(&self) -> Compared {
        let mut compared = Compared::default();
        let mut part = |part, of: &dyn Fn(&Told) -> String| compared.part(part, self, of);
        for (flag, bit) in FLAGS {
            part(flag, &|told| (told.first.flags & bit != 0).to_string());
        }
        part("question", &|told| told.first.question.escape_ascii().to_string());
        part("OPT", &|told| format!("{:?}", told.first.edns));
        let departure = |told: &Told| told.departure(self.question, self.world);
        if let Some((end, _)) = departure(&self.ours) {
            part("answer", &|told| {
                let end = departure(told).map_or(usize::MAX, |(end, _)| end);
                lines(told.content().answer.iter().take(end))
            });
            compared.beyond(end, self);
            return compared;
        }
        part("response code", &|told| format!("{}/{}", told.first.rcode, told.content().rcode));
        part("answer", &|told| lines(&told.content().answer));
        part("authority", &|told| lines(&told.content().authority));
        if !self.differs_in_length() {
            part("TC", &|told| told.first.is_truncated().to_string());
        }
        compared.additional(self);
        compared
    }

    /// Whether Rollcall's whole reply fits into the datagram that was asked for, but none of the
    /// peers' does, or the other way round.
    fn differs_in_length(&self) -> bool {
        let limit = self.question.udp_octets_max().min(UDP_OCTETS_MAX);
        let fits = |told: &Told| told.content().octets <= limit;
        let fit = self.peers.iter().filter(|told| fits(told)).count();
        if fits(&self.ours) { fit == 0 } else { self.ours.whole.is_some() }
    }

    /// Whether an additional set must be there: glue inside the delegated zone in any case, other
    /// sets if Rollcall's reply has room for them.
    fn has_room_for(&self, set: &Set) -> bool {
        let own = self.ours.content();
        let cuts = own.authority.iter().filter(|above| above.rtype == NS.0);
        let is_inside = cuts.map(|cut| &cut.owner).any(|cut| set.owner.is_within(cut));
        let is_datagram = !self.question.tcp && self.ours.whole.is_none();
        let limit = self.question.udp_octets_max().min(UDP_OCTETS_MAX);
        is_inside || !is_datagram || own.octets + set.octets() <= limit
    }

    fn has_long_chain(&self) -> bool {
        let mut all = self.peers.iter().chain([&self.ours]);
        all.any(|told| told.content().answer.len() >= CHAIN)
    }
}

// === impl Compared ===

impl Compared {
    fn differs(&mut self, part: &'static str, expected: String) {
        self.differences.push(Difference { part, expected });
    }

    fn part(&mut self, part: &'static str, case: &Case<'_>, of: &dyn Fn(&Told) -> String) {
        let own = of(&case.ours);
        let [one, two, three] = case.peers.each_ref().map(of);
        if one == two && two == three {
            if own != one {
                self.differs(part, one);
            }
        } else {
            self.split.push(part);
            if ![&one, &two, &three].contains(&&own) && !case.has_long_chain() {
                self.differs(part, format!("{one}, or\n{two}, or\n{three}"));
            }
        }
    }

    /// What comes after the end of the zone must be what is there beyond it. A chain that comes
    /// back is not looked at: where it is cut depends on where it began.
    fn beyond(&mut self, end: usize, case: &Case<'_>) {
        let Some(beyond) = &case.beyond else { return };
        let own = case.ours.content();
        let (before, after) = own.answer.split_at(end);
        let owners: Vec<_> = before.iter().chain(&beyond.answer).map(|set| &set.owner).collect();
        let comes_back = (1..owners.len()).any(|at| owners[..at].contains(&owners[at]));
        let is_same = own.rcode == beyond.rcode
            && lines(after) == lines(&beyond.answer)
            && own.authority == beyond.authority;
        if !comes_back && !case.has_long_chain() && !is_same {
            self.differs("beyond the zone", beyond.to_string());
        }
    }

    /// What all three add, Rollcall must add; what it adds besides must be the whole of an RRset
    /// that is there, of a name that the reply refers to.
    fn additional(&mut self, case: &Case<'_>) {
        let own = case.ours.content();
        let sets = case.peers.each_ref().map(|told| &told.content().additional);
        for set in sets[0] {
            let is_required = sets.iter().all(|sets| sets.contains(set));
            if is_required && !own.additional.contains(set) && case.has_room_for(set) {
                self.differs("additional", set.to_string());
            }
        }
        for set in &own.additional {
            let is_known = sets.iter().any(|sets| sets.contains(set));
            let all = || own.answer.iter().chain(&own.authority).chain(&own.additional);
            // The target of a binding may be its owner (RFC 9460 §2.5.2).
            let leads_here = |from: &Set| {
                let is_binding = [SVCB.0, HTTPS.0].contains(&from.rtype);
                (is_binding && from.owner == set.owner) || from.targets().any(|t| t == set.owner)
            };
            let is_asked_next = || all().any(|from| from != set && leads_here(from));
            if !is_known && (!is_asked_next() || !is_true(set, case.world)) {
                self.differs("additional", format!("not {set}"));
            }
        }
    }
}

/// Whether these are all the addresses of one type that a name has. Bindings are not looked into.
fn is_true(set: &Set, world: &World) -> bool {
    match Type(set.rtype) {
        A | AAAA => {
            let known = world.addresses(&set.owner, Type(set.rtype));
            known.iter().any(|(ttl, data)| *ttl == set.ttl && *data == set.data)
        }
        HTTPS | SVCB => true,
        _ => false,
    }
}

fn lines<'s>(sets: impl IntoIterator<Item = &'s Set>) -> String {
    sets.into_iter().map(|set| format!("{set}\n")).collect()
}

#[cfg(test)]
mod tests;
