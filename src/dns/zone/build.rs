//! From records to a zone: what must be true of a zone as a whole is checked here, so that looking
//! up need not doubt it.

use std::collections::{BTreeMap, HashMap};

use super::{
    data::{Node, RrSet, Zone, target_offset},
    error::{Place, ZoneError, ZoneWarning},
    master::{Master, Record},
    rdata::type_text,
};
use crate::{dns::code::rtype, model::DnsName};

/// Octets of the data of one name and type: all of it has to go into one message of 65535 octets
/// with room for the question and a referral's or negative answer's records.
const RRSET_OCTETS_MAX: usize = 60_000;

/// Octets of a record besides its data, its owner being compressed to two (RFC 1035 §4.1.3).
const RECORD_FIXED_OCTETS: usize = 12;

/// Warnings kept for one zone: who has more reads the first ones first.
const WARNINGS_MAX: usize = 20;

/// Makes a zone of what was read. `reserved` are the origins that the registry answers for.
///
/// # Errors
/// At the first rule that the records break.
pub(super) fn build(
    master: &Master,
    reserved: &[DnsName],
) -> Result<(Zone, Vec<ZoneWarning>), ZoneError> {
    let whole = |problem: String| ZoneError::new(&master.files[0], 0, problem);
    let origin = DnsName::from_wire(&master.origin).map_err(|e| whole(e.to_string()))?;
    if let Some(taken) = reserved.iter().find(|taken| origin.is_within(taken)) {
        return Err(whole(format!(
            "the zone `{origin}` is inside `{taken}`, which the registry answers; name it \
             otherwise or change `server.domain` or `consul.domain`"
        )));
    }
    let mut builder = Builder { master, origin, owners: HashMap::new(), warnings: Vec::new() };
    for record in &master.records {
        builder.add(record)?;
    }
    let soa = builder.check_apex()?;
    builder.check_dname_and_cuts()?;
    builder.check_servers();
    builder.check_targets();
    builder.check_shadowed(reserved);
    let zone = builder.zone(&soa);
    Ok((zone, builder.warnings))
}

/// A zone on its way.
pub(super) struct Builder<'m> {
    master: &'m Master,
    origin: DnsName,
    pub(super) owners: HashMap<Vec<u8>, Owner<'m>>,
    warnings: Vec<ZoneWarning>,
}

/// What one name owns, by type.
pub(super) type Owner<'m> = BTreeMap<u16, Group<'m>>;

/// The records of one name and type.
pub(super) struct Group<'m> {
    pub(super) first: &'m Record,
    ttl: u32,
    pub(super) rdata: Vec<Vec<u8>>,
    octets: usize,
}

// === impl Builder ===

impl<'m> Builder<'m> {
    fn place(&self, at: &Record) -> Place {
        Place::new(&self.master.files[at.file], at.line)
    }

    fn error(&self, at: &Record, problem: impl Into<String>) -> ZoneError {
        ZoneError::at(self.place(at), problem)
    }

    pub(super) fn warn(&mut self, at: &Record, problem: String) {
        if self.warnings.len() < WARNINGS_MAX {
            let place = self.place(at);
            self.warnings.push(ZoneWarning::new(place, problem));
        }
    }

    /// Adds a record to its name and type, checking it against what is there.
    fn add(&mut self, record: &'m Record) -> Result<(), ZoneError> {
        let name = DnsName::from_wire(&record.owner)
            .map_err(|problem| self.error(record, problem.to_string()))?;
        if !name.is_within(&self.origin) {
            let problem = format!("`{name}` is outside the zone `{}`", self.origin);
            return Err(self.error(record, problem));
        }
        self.check_kind(record, &name)?;
        self.check_beside(record, &name)?;
        let group = self.owners.entry(record.owner.clone()).or_default();
        let group = group.entry(record.rtype).or_insert_with(|| Group::new(record));
        if group.rdata.iter().any(|known| is_same(record.rtype, known, &record.rdata)) {
            return Ok(());
        }
        group.octets += RECORD_FIXED_OCTETS + record.rdata.len();
        group.rdata.push(record.rdata.clone());
        let (octets, ttl) = (group.octets, group.ttl);
        group.ttl = ttl.min(record.ttl);
        if octets > RRSET_OCTETS_MAX {
            let problem = format!(
                "the {} records of `{name}` take {octets} octets, above the limit of \
                 {RRSET_OCTETS_MAX}: they would not fit into one message",
                type_text(record.rtype)
            );
            return Err(self.error(record, problem));
        }
        if ttl != record.ttl {
            let problem = format!(
                "the {} records of `{name}` differ in TTL; the lowest, {}, is used for all \
                 (RFC 2181 §5.2)",
                type_text(record.rtype),
                ttl.min(record.ttl)
            );
            self.warn(record, problem);
        }
        Ok(())
    }

    /// What may not stand at this kind of name.
    fn check_kind(&self, record: &Record, name: &DnsName) -> Result<(), ZoneError> {
        let at_apex = *name == self.origin;
        if record.rtype == rtype::SOA && !at_apex {
            let problem = format!(
                "the SOA is of `{name}`, but the zone is `{}`; say `$ORIGIN {name}.` first, or \
                 name the file `{name}.zone`",
                self.origin
            );
            return Err(self.error(record, problem));
        }
        let is_wildcard = record.owner.starts_with(b"\x01*");
        if is_wildcard && matches!(record.rtype, rtype::NS | rtype::DNAME) {
            let problem = format!(
                "`{name}` has {} records, whose meaning at a wildcard is undefined (RFC 4592 §4)",
                type_text(record.rtype)
            );
            return Err(self.error(record, problem));
        }
        Ok(())
    }

    /// What may not stand beside what is already there (RFC 1034 §3.6.2, RFC 6672 §2.4).
    fn check_beside(&self, record: &Record, name: &DnsName) -> Result<(), ZoneError> {
        let Some(owner) = self.owners.get(&record.owner) else { return Ok(()) };
        for (&rtype, group) in owner {
            let same = rtype == record.rtype;
            let alone = |one: u16| (rtype == one || record.rtype == one) && !same;
            let single = matches!(rtype, rtype::CNAME | rtype::DNAME | rtype::SOA);
            let problem = if alone(rtype::CNAME) {
                "a CNAME stands alone (RFC 1034 §3.6.2)"
            } else if same && single && !is_same(rtype, &group.rdata[0], &record.rdata) {
                "there is only one of this type at a name"
            } else if alone(rtype::DNAME) && alone(rtype::NS) && *name != self.origin {
                "a DNAME does not stand beside a delegation (RFC 6672 §2.4)"
            } else {
                continue;
            };
            return Err(self.error(
                record,
                format!(
                    "`{name}` has {} here and {} at {}: {problem}",
                    type_text(record.rtype),
                    type_text(rtype),
                    self.place(group.first)
                ),
            ));
        }
        Ok(())
    }

    /// The apex has one SOA (checked on the way that it is not two) and NS records.
    fn check_apex(&self) -> Result<RrSet, ZoneError> {
        let file = &self.master.files[0];
        let apex = self.owners.get(self.origin.as_wire());
        let soa = apex.and_then(|apex| apex.get(&rtype::SOA)).ok_or_else(|| {
            let problem = format!("the zone `{}` has no SOA record", self.origin);
            ZoneError::new(file, 0, problem)
        })?;
        if apex.is_none_or(|apex| !apex.contains_key(&rtype::NS)) {
            let problem = format!("the zone `{}` has no NS record at its apex", self.origin);
            return Err(ZoneError::new(file, 0, problem));
        }
        Ok(soa.to_set(rtype::SOA))
    }

    /// Nothing is below a DNAME, and below a cut only glue is of use.
    fn check_dname_and_cuts(&mut self) -> Result<(), ZoneError> {
        let mut occluded: Vec<(&Record, String)> = Vec::new();
        for (owner, groups) in &self.owners {
            for above in ancestors(owner, self.origin.as_wire()) {
                let Some(above) = self.owners.get(above) else { continue };
                let first = first_record(groups.values());
                if let Some(dname) = above.get(&rtype::DNAME) {
                    let problem = format!(
                        "this name is below the DNAME at {}, which answers for all names below it \
                         (RFC 6672 §2.4)",
                        self.place(dname.first)
                    );
                    return Err(self.error(first, problem));
                }
                let is_cut = above.contains_key(&rtype::NS) && !above.contains_key(&rtype::SOA);
                let is_glue = |rtype: &u16| matches!(*rtype, rtype::A | rtype::AAAA);
                if is_cut && !groups.keys().all(is_glue) {
                    let problem = "this name is below a delegation; only its addresses are used";
                    occluded.push((first, problem.to_owned()));
                }
            }
        }
        occluded.sort_by_key(|(record, _)| (record.file, record.line));
        occluded.dedup_by_key(|(record, _)| (record.file, record.line));
        for (record, problem) in occluded {
            self.warn(record, problem);
        }
        Ok(())
    }

    /// Name servers inside the zone need addresses, else nobody finds them.
    fn check_servers(&mut self) {
        let mut missing: Vec<(&Record, String)> = Vec::new();
        for (owner, groups) in &self.owners {
            let Some(servers) = groups.get(&rtype::NS) else { continue };
            for target in &*servers.to_set(rtype::NS).targets {
                let known = self.owners.get(target.as_wire());
                let has_address = known
                    .is_some_and(|k| k.contains_key(&rtype::A) || k.contains_key(&rtype::AAAA));
                let cut = DnsName::from_wire(owner);
                if cut.is_ok_and(|cut| target.is_within(&cut)) && !has_address {
                    let problem = format!("the name server `{target}` has no address here");
                    missing.push((servers.first, problem));
                }
            }
        }
        missing.sort_by_key(|(record, _)| (record.file, record.line));
        for (record, problem) in missing {
            self.warn(record, problem);
        }
    }

    /// What is inside a zone of the registry is never asked for here, unless it is the delegation
    /// that tells other servers of it.
    fn check_shadowed(&mut self, reserved: &[DnsName]) {
        let mut shadowed: Vec<(&Record, String)> = Vec::new();
        for (owner, groups) in &self.owners {
            let Ok(name) = DnsName::from_wire(owner) else { continue };
            let Some(taken) = reserved.iter().find(|taken| name.is_within(taken)) else { continue };
            let delegation = self.owners.get(taken.as_wire());
            if delegation.is_none_or(|groups| !groups.contains_key(&rtype::NS)) {
                let problem = format!("the registry answers for `{taken}`; this is never seen");
                shadowed.push((first_record(groups.values()), problem));
            }
        }
        shadowed.sort_by_key(|(record, _)| (record.file, record.line));
        for (record, problem) in shadowed {
            self.warn(record, problem);
        }
    }

    fn zone(&self, soa: &RrSet) -> Zone {
        let mut nodes: hashbrown::HashMap<Box<[u8]>, Node> = hashbrown::HashMap::new();
        for (owner, groups) in &self.owners {
            for above in ancestors(owner, self.origin.as_wire()) {
                // What owns nothing itself is there nevertheless (RFC 4592 §2.2.2).
                if !nodes.contains_key(above) {
                    nodes.insert(above.into(), Node::default());
                }
            }
            let sets = groups.iter().map(|(&rtype, group)| group.to_set(rtype)).collect();
            let is_cut = groups.contains_key(&rtype::NS) && owner != self.origin.as_wire();
            nodes.insert(owner.as_slice().into(), Node { sets, is_cut });
        }
        let data = soa.rdata().next().unwrap_or_default();
        let number = |from_end: usize| {
            let field = data.len().checked_sub(from_end).and_then(|at| data.get(at..at + 4));
            field.and_then(|f| f.first_chunk()).map_or(0, |f| u32::from_be_bytes(*f))
        };
        Zone {
            origin: self.origin.clone(),
            file: self.master.files[0].clone(),
            // SERIAL is the first and MINIMUM the last of five numbers (RFC 1035 §3.3.13).
            serial: number(20),
            negative_ttl: number(4).min(soa.ttl),
            soa: soa.clone(),
            records: nodes.values().flat_map(|n| &n.sets).map(|set| set.rdata().count()).sum(),
            nodes,
        }
    }
}

// === impl Group ===

impl<'m> Group<'m> {
    fn new(first: &'m Record) -> Self {
        Self { first, ttl: first.ttl, rdata: Vec::new(), octets: 0 }
    }

    pub(super) fn to_set(&self, rtype: u16) -> RrSet {
        RrSet::new(rtype, self.ttl, &self.rdata)
    }
}

/// The first of these records in the order of their lines.
fn first_record<'m: 'a, 'a>(groups: impl Iterator<Item = &'a Group<'m>>) -> &'m Record {
    let first = groups.map(|group| group.first).min_by_key(|first| (first.file, first.line));
    first.expect("a name is known only by its records")
}

/// The names above `owner` up to and with `origin`, which it is within.
fn ancestors<'n>(owner: &'n [u8], origin: &[u8]) -> impl Iterator<Item = &'n [u8]> {
    let (mut rest, end) = (owner, origin.len());
    std::iter::from_fn(move || {
        if rest.len() <= end {
            return None;
        }
        rest = &rest[1 + usize::from(rest[0])..];
        Some(rest)
    })
}

/// Whether two records of a type are one: names compare without regard to case (RFC 4343 §3), also
/// in the data of the types of RFC 4034 §6.2.
fn is_same(rtype: u16, one: &[u8], other: &[u8]) -> bool {
    let at = name_offset(rtype, one).unwrap_or(one.len()).min(one.len());
    one.len() == other.len()
        && one[..at] == other[..at]
        && one[at..].eq_ignore_ascii_case(&other[at..])
}

/// Where the name that the data ends with begins.
fn name_offset(rtype: u16, data: &[u8]) -> Option<usize> {
    match rtype {
        rtype::PTR => Some(0),
        // Two numbers and three strings.
        rtype::NAPTR => (0..3).try_fold(4, |at, _| Some(at + 1 + usize::from(*data.get(at)?))),
        other => target_offset(other),
    }
}
