//! Random zones: worlds of two or three that refer to one another, small enough to be read when a
//! test has failed.
//!
//! What one of the four servers would refuse is not made: records beside a CNAME, names below a
//! DNAME, NS and DNAME at wildcards. Neither are RRSets whose TTLs differ.

use super::{
    data::{A, AAAA, CNAME, DNAME, DS, NS, ORDINARY, SOA, TXT, Type, random},
    name::{Name, pick},
    zone::{World, Zone},
};

/// What a name is for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Alias,
    Big,
    Cut,
    Plain,
    Tree,
}

const KINDS: &[(u32, Kind)] =
    &[(52, Kind::Plain), (18, Kind::Alias), (16, Kind::Cut), (9, Kind::Tree), (3, Kind::Big)];

/// A wildcard is neither a cut nor the root of a renamed tree (RFC 4592 §4).
const WILDCARD_KINDS: &[(u32, Kind)] = &[(62, Kind::Plain), (35, Kind::Alias), (3, Kind::Big)];

const TTLS: &[(u32, u32)] = &[(1, 0), (1, 1), (2, 60), (4, 300), (2, 3600), (1, 86_400)];

// === impl World ===

impl World {
    /// The world of this number, whose names no other has.
    pub(crate) fn random(number: usize, rng: &mut fastrand::Rng) -> Self {
        let main = Name::plain(&format!("w{number}"));
        let mut origins = vec![main.clone(), Name::plain(&format!("zone.v{number}"))];
        let label = pick(rng, &[(2, b"a"), (2, b"b"), (1, b"n")]);
        origins.extend(main.child(label).filter(|_| rng.bool()));
        let names: Vec<Vec<Name>> = origins.iter().map(|origin| names(origin, rng)).collect();
        let (zones, targets) = (Vec::new(), Vec::new());
        let mut draft = Draft { rng, origins: &origins, names: &names, zones, targets };
        for index in 0..origins.len() {
            let zone = draft.zone(index);
            draft.zones.push(zone);
        }
        Self { zones: draft.zones, targets: draft.targets }
    }
}

/// Random names of a zone, many of them below others.
fn names(origin: &Name, rng: &mut fastrand::Rng) -> Vec<Name> {
    let mut names = Vec::new();
    for _ in 0..rng.usize(4..16) {
        let above = rng.choice(&names).filter(|_| rng.bool()).unwrap_or(origin).clone();
        let mut name = Some(above);
        for _ in 0..rng.usize(1..3) {
            name = name.and_then(|name| name.random_child(rng));
        }
        names.extend(name);
    }
    names.sort_by_key(Name::depth);
    names.dedup();
    names
}

/// Zones in the making.
struct Draft<'a> {
    rng: &'a mut fastrand::Rng,
    origins: &'a [Name],
    names: &'a [Vec<Name>],
    /// Those that are made.
    zones: Vec<Zone>,
    targets: Vec<Name>,
}

// === impl Draft ===

impl Draft<'_> {
    fn zone(&mut self, index: usize) -> Zone {
        let origin = &self.origins[index];
        let mut zone = Zone::new(origin.clone());
        let server = self.apex(&mut zone);
        // A renamed apex has nothing below.
        if self.rng.u8(..30) == 0 {
            self.name(&mut zone, origin, Kind::Tree);
        }
        for inside in self.origins {
            let is_inside = inside != origin && inside.is_within(origin);
            if is_inside && self.rng.u8(..5) > 0 {
                self.cut(&mut zone, inside);
            }
        }
        for name in &self.names[index] {
            let kinds = if name.is_wildcard() { WILDCARD_KINDS } else { KINDS };
            let kind = match pick(self.rng, kinds) {
                // Its server has to be found by who loads the zone.
                _ if *name == server => Kind::Plain,
                // Who has the zone below asks nobody about an alias of its name.
                Kind::Alias if self.origins.contains(name) => Kind::Cut,
                kind => kind,
            };
            self.name(&mut zone, name, kind);
        }
        zone
    }

    /// Adds what each zone has; returns the name that its server would have within.
    fn apex(&mut self, zone: &mut Zone) -> Name {
        let origin = zone.origin.clone();
        let server = origin.child(b"ns").expect("an origin is short");
        let outside = Name::plain("ns.outside.test");
        let (ttl, minimum) = (self.ttl(), self.ttl());
        let soa = format!("{server} hostmaster.{origin} 7 3600 600 86400 {minimum}");
        self.add(zone, &origin, (SOA, ttl), vec![soa]);
        let mut servers = vec![outside.to_string()];
        // Without it a zone may be renamed as a whole.
        if self.rng.u8(..5) > 0 {
            self.address(zone, &server);
            servers.push(server.to_string());
        }
        let ttl = self.ttl();
        self.add(zone, &origin, (NS, ttl), servers);
        if self.rng.bool() {
            self.plain(zone, &origin);
        }
        server
    }

    fn name(&mut self, zone: &mut Zone, name: &Name, kind: Kind) {
        let ttl = self.ttl();
        match kind {
            Kind::Alias | Kind::Tree => {
                let rtype = if matches!(kind, Kind::Alias) { CNAME } else { DNAME };
                let mut target = self.target();
                if matches!(kind, Kind::Tree) && self.rng.u8(..4) == 0 {
                    // So long that not all that is below goes there (RFC 6672 §2.2).
                    let longer = |name: Name| name.child(&[b'y'; 60]);
                    target = longer(target.clone()).and_then(longer).unwrap_or(target);
                }
                self.add(zone, name, (rtype, ttl), vec![target.to_string()]);
            }
            Kind::Big => {
                let rtype = pick(self.rng, &[(1, A), (1, AAAA), (1, TXT)]);
                let count = self.rng.usize(10..60);
                let data = (0..count).map(|_| random(rtype, name, self.rng)).collect();
                self.add(zone, name, (rtype, ttl), data);
            }
            Kind::Cut => self.cut(zone, name),
            Kind::Plain => self.plain(zone, name),
        }
    }

    /// Adds ordinary records.
    fn plain(&mut self, zone: &mut Zone, name: &Name) {
        for _ in 0..self.rng.usize(1..4) {
            let (rtype, ttl) = (pick(self.rng, ORDINARY), self.ttl());
            let mut data = Vec::new();
            for _ in 0..self.rng.usize(1..4) {
                let target = self.target();
                data.push(random(rtype, &target, self.rng));
            }
            self.add(zone, name, (rtype, ttl), data);
        }
    }

    /// Delegates: to servers inside with and without glue, beside, and elsewhere.
    fn cut(&mut self, zone: &mut Zone, name: &Name) {
        let many = if self.rng.u8(..8) == 0 { 9 } else { 4 };
        let mut servers = Vec::new();
        for number in 1..self.rng.usize(2..=many) {
            let server = match self.rng.u8(..7) {
                0 => Some(self.target()),
                1 => Some(Name::plain("ns.outside.test")),
                2 => name.child(b"deep").and_then(|name| name.child(b"ns")),
                // As the server of the zone that is delegated is called, if we have that as well.
                3 => name.child(b"ns"),
                _ => name.child(format!("ns{number}").as_bytes()),
            };
            let Some(server) = server else { continue };
            if server.is_within(name) && self.rng.u8(..8) > 0 {
                self.address(zone, &server);
            }
            servers.push(server.to_string());
        }
        let ttl = self.ttl();
        if servers.is_empty() || !self.add(zone, name, (NS, ttl), servers) {
            return;
        }
        if self.rng.u8(..3) == 0 {
            let (ttl, data) = (self.ttl(), random(DS, name, self.rng));
            self.add(zone, name, (DS, ttl), vec![data]);
        }
        // What nobody may see.
        if let Some(hidden) = name.random_child(self.rng).filter(|_| self.rng.u8(..3) == 0) {
            let kind = if self.rng.bool() { Kind::Plain } else { Kind::Alias };
            self.name(zone, &hidden, kind);
        }
    }

    /// Adds records, unless they may not stand there. NSD wants nothing below a DNAME, not even in
    /// another zone.
    fn add(
        &mut self,
        zone: &mut Zone,
        owner: &Name,
        (rtype, ttl): (Type, u32),
        data: Vec<String>,
    ) -> bool {
        let zones = self.zones.iter().chain([&*zone]);
        let beside_tree = zones.into_iter().any(|zone| zone.has_beside_tree(owner, rtype));
        let is_above = self.origins.iter().any(|o| *o != zone.origin && o.is_within(owner));
        if !zone.admits(owner, rtype) || beside_tree || (rtype == DNAME && is_above) {
            return false;
        }
        let is_mixed = self.rng.u8(..8) == 0;
        let owner = owner.clone();
        let owner = if is_mixed { owner.in_mixed_case(self.rng) } else { owner };
        zone.add(owner, (rtype, ttl), data);
        true
    }

    fn address(&mut self, zone: &mut Zone, name: &Name) {
        for rtype in pick(self.rng, &[(2, &[A][..]), (1, &[AAAA]), (2, &[A, AAAA])]) {
            let (ttl, data) = (self.ttl(), random(*rtype, name, self.rng));
            self.add(zone, name, (*rtype, ttl), vec![data]);
        }
    }

    fn ttl(&mut self) -> u32 {
        pick(self.rng, TTLS)
    }

    /// A name for a record to refer to: one that is there, below one that is there, one that is
    /// not, or nobody's.
    fn target(&mut self) -> Name {
        let zone = self.rng.usize(..self.names.len());
        let there = self.rng.choice(&self.names[zone]).unwrap_or(&self.origins[zone]);
        let name = match self.rng.u8(..20) {
            0..=11 => Some(there.clone()),
            12..=14 => there.random_child(self.rng),
            15 => there.random_child(self.rng).and_then(|name| name.random_child(self.rng)),
            16 => self.origins[zone].random_child(self.rng),
            17 => self.origins[zone].child(b"ns").filter(|_| self.rng.bool()),
            18 => Some(Name::plain("")),
            _ => Some(Name::plain("www.outside.test")),
        };
        let mut name = name.unwrap_or_else(|| self.origins[zone].clone());
        self.targets.push(name.clone());
        if self.rng.u8(..5) == 0 {
            name = name.in_mixed_case(self.rng);
        }
        name
    }
}
