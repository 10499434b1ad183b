//! Random questions to a world: mostly for names that are there, and for those next to them.

use super::{
    data::{
        A, AAAA, CAA, CNAME, DNAME, DS, HINFO, HTTPS, MX, NAPTR, NS, PRIVATE, PTR, SOA, SRV, SVCB,
        TXT, Type,
    },
    name::{Name, pick},
    zone::{World, Zone},
};

/// One question, with all that its message says.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) rtype: Type,
    pub(crate) tcp: bool,
    pub(crate) edns: Option<Edns>,
    recursion_desired: bool,
    authentic_data: bool,
    checking_disabled: bool,
}

/// What the OPT record says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edns {
    size: u16,
    dnssec_ok: bool,
}

/// Types to ask for. Not ANY, which each server answers with what it thinks is least (RFC 8482),
/// nor transfers, nor the types of signatures, of which there are none.
const TYPES: &[(u32, Type)] = &[
    (26, A),
    (10, AAAA),
    (8, CNAME),
    (9, NS),
    (6, SOA),
    (9, DS),
    (6, DNAME),
    (5, MX),
    (6, TXT),
    (4, SRV),
    (2, PTR),
    (2, CAA),
    (3, SVCB),
    (3, HTTPS),
    (2, NAPTR),
    (2, PRIVATE),
    (1, HINFO),
    (1, Type(48)),
    (1, Type(256)),
    (1, Type(1000)),
];

const SIZES: &[(u32, u16)] =
    &[(1, 0), (2, 512), (1, 600), (1, 800), (6, 1232), (1, 1400), (2, 4096), (1, 65_535)];

// === impl Question ===

impl Question {
    pub(crate) fn random(world: &World, rng: &mut fastrand::Rng) -> Self {
        let zone = &world.zones[rng.usize(..world.zones.len())];
        let name = name(world, zone, rng);
        let there = world.zone_of(&name).map(|zone| zone.types(&name)).unwrap_or_default();
        let rtype = rng.choice(there).filter(|_| rng.u8(..5) < 2);
        let rtype = rtype.unwrap_or_else(|| pick(rng, TYPES));
        let name = if rng.u8(..3) == 0 { name.in_mixed_case(rng) } else { name };
        let edns = Edns { size: pick(rng, SIZES), dnssec_ok: rng.bool() };
        Self {
            name,
            rtype,
            tcp: rng.u8(..7) == 0,
            edns: Some(edns).filter(|_| rng.u8(..5) < 3),
            recursion_desired: rng.bool(),
            authentic_data: rng.u8(..8) == 0,
            checking_disabled: rng.u8(..8) == 0,
        }
    }

    /// The same question for another name, over TCP.
    pub(crate) fn of(&self, name: Name) -> Self {
        Self { name, tcp: true, ..self.clone() }
    }

    /// A plain question for the SOA of a zone.
    pub(crate) fn soa(origin: &Name) -> Self {
        Self {
            name: origin.clone(),
            rtype: SOA,
            tcp: false,
            edns: None,
            recursion_desired: false,
            authentic_data: false,
            checking_disabled: false,
        }
    }

    /// The message, under this id.
    pub(crate) fn to_wire(&self, id: u16) -> Vec<u8> {
        let bit = |is_set: bool, mask: u8| if is_set { mask } else { 0 };
        let [high, low] = id.to_be_bytes();
        let first = bit(self.recursion_desired, 0x01);
        let second = bit(self.authentic_data, 0x20) | bit(self.checking_disabled, 0x10);
        let count = u8::from(self.edns.is_some());
        let mut wire = vec![high, low, first, second, 0, 1, 0, 0, 0, 0, 0, count];
        wire.extend(self.octets());
        if let Some(edns) = self.edns {
            let [high, low] = edns.size.to_be_bytes();
            wire.extend([0, 0, 41, high, low, 0, 0, bit(edns.dnssec_ok, 0x80), 0, 0, 0]);
        }
        wire
    }

    /// The question as it stands in the message: name, type, class.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut octets = self.name.to_wire();
        octets.extend(self.rtype.0.to_be_bytes());
        octets.extend([0, 1]);
        octets
    }

    /// The longest reply over UDP, as far as the client decides (RFC 6891 §6.2.3).
    pub(crate) fn udp_octets_max(&self) -> usize {
        usize::from(self.edns.map_or(512, |edns| edns.size.max(512)))
    }
}

/// As a command line of dig.
impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let no = |is_set: bool| if is_set { "" } else { "no" };
        write!(f, "dig @127.0.0.1 -p 5300 +ignore +nocookie +{}tcp", no(self.tcp))?;
        match self.edns {
            Some(Edns { size, dnssec_ok }) => {
                write!(f, " +bufsize={size} +{}dnssec", no(dnssec_ok))?;
            }
            None => f.write_str(" +noedns")?,
        }
        write!(f, " +{}recurse", no(self.recursion_desired))?;
        write!(f, " +{}adflag", no(self.authentic_data))?;
        write!(f, " +{}cdflag", no(self.checking_disabled))?;
        write!(f, " -q '{}' -t {}", self.name, self.rtype)
    }
}

fn name(world: &World, zone: &Zone, rng: &mut fastrand::Rng) -> Name {
    let owner = rng.choice(zone.owners()).expect("a zone has an apex").clone();
    let target = rng.choice(&world.targets).cloned().unwrap_or_else(|| owner.clone());
    let below = |name: &Name, rng: &mut fastrand::Rng| name.random_child(rng);
    let wildcards: Vec<&Name> = zone.owners().filter(|name| name.is_wildcard()).collect();
    if let Some(wildcard) = rng.choice(&wildcards).filter(|_| rng.u8(..10) == 0) {
        let name = wildcard.parent().and_then(|above| below(&above, rng));
        let deeper = name.as_ref().filter(|_| rng.u8(..4) == 0).and_then(|name| below(name, rng));
        return deeper.or(name).unwrap_or_else(|| (*wildcard).clone());
    }
    let trees: Vec<&Name> =
        zone.owners().filter(|name| zone.types(name).contains(&DNAME)).collect();
    if let Some(tree) = rng.choice(&trees).filter(|_| rng.u8(..16) == 0) {
        // Many of these are too long below the DNAME's target.
        let name = tree.child(&[b'z'; 50]).and_then(|name| name.child(&[b'z'; 60]));
        return name.unwrap_or_else(|| (*tree).clone());
    }
    let name = match rng.u8(..100) {
        0..=31 => Some(owner.clone()),
        32..=44 => below(&owner, rng),
        45..=50 => below(&owner, rng).and_then(|name| below(&name, rng)),
        51..=60 => owner.parent().filter(|above| above.is_within(&zone.origin)),
        61..=70 => Some(owner.clone().with_random_label(0, rng)),
        71..=77 => {
            let index = rng.usize(..owner.depth());
            Some(owner.clone().with_random_label(index, rng))
        }
        78..=86 => Some(target),
        87..=90 => below(&target, rng),
        91..=97 => below(&zone.origin, rng),
        _ => Some(Name::plain(if rng.bool() { "outside.test" } else { "" })),
    };
    name.unwrap_or(owner).to_lower()
}
