//! Record data of random zones, as text; the servers' readers are held against one another too.

use super::name::{Name, pick};

/// A type of record, by number and by how master files write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Type(pub(crate) u16);

pub(crate) const A: Type = Type(1);
pub(crate) const NS: Type = Type(2);
pub(crate) const CNAME: Type = Type(5);
pub(crate) const SOA: Type = Type(6);
pub(crate) const PTR: Type = Type(12);
pub(crate) const HINFO: Type = Type(13);
pub(crate) const MX: Type = Type(15);
pub(crate) const TXT: Type = Type(16);
pub(crate) const AAAA: Type = Type(28);
pub(crate) const SRV: Type = Type(33);
pub(crate) const NAPTR: Type = Type(35);
pub(crate) const DNAME: Type = Type(39);
pub(crate) const DS: Type = Type(43);
pub(crate) const SSHFP: Type = Type(44);
pub(crate) const TLSA: Type = Type(52);
pub(crate) const SVCB: Type = Type(64);
pub(crate) const HTTPS: Type = Type(65);
pub(crate) const CAA: Type = Type(257);
pub(crate) const PRIVATE: Type = Type(65_534);

const MNEMONICS: &[(Type, &str)] = &[
    (A, "A"),
    (NS, "NS"),
    (CNAME, "CNAME"),
    (SOA, "SOA"),
    (PTR, "PTR"),
    (HINFO, "HINFO"),
    (MX, "MX"),
    (TXT, "TXT"),
    (AAAA, "AAAA"),
    (SRV, "SRV"),
    (NAPTR, "NAPTR"),
    (DNAME, "DNAME"),
    (DS, "DS"),
    (SSHFP, "SSHFP"),
    (TLSA, "TLSA"),
    (SVCB, "SVCB"),
    (HTTPS, "HTTPS"),
    (CAA, "CAA"),
];

/// Types of ordinary records, by how often.
pub(crate) const ORDINARY: &[(u32, Type)] = &[
    (24, A),
    (12, AAAA),
    (7, MX),
    (8, TXT),
    (6, SRV),
    (4, PTR),
    (3, CAA),
    (4, SVCB),
    (4, HTTPS),
    (4, NAPTR),
    (3, PRIVATE),
    (1, HINFO),
    (1, SSHFP),
    (1, TLSA),
];

// === impl Type ===

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match MNEMONICS.iter().find(|(known, _)| known == self) {
            Some((_, mnemonic)) => f.write_str(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// Random data of an ordinary type, which refers to `target` if it refers to a name.
pub(crate) fn random(rtype: Type, target: &Name, rng: &mut fastrand::Rng) -> String {
    let small = rng.u16(..4);
    match rtype {
        A => format!("192.0.2.{}", rng.u8(..)),
        AAAA => ipv6(rng),
        NS | CNAME | DNAME | PTR => target.to_string(),
        MX => format!("{small} {target}"),
        SRV => format!("{small} {} {} {target}", rng.u16(..), rng.u16(..)),
        TXT => (0..=small).map(|_| text(rng)).collect::<Vec<_>>().join(" "),
        HINFO => format!("{} {}", text(rng), text(rng)),
        CAA => format!("{} {} \"ca.test; a=b\"", rng.u8(..2) * 128, pick(rng, TAGS)),
        SVCB | HTTPS if small == 0 => format!("0 {target}"),
        SVCB | HTTPS => format!("{small} {target} {}", parameters(rng)),
        NAPTR if small == 0 => {
            format!("1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b.test!\" {}", Name::plain(""))
        }
        NAPTR => format!("{small} 2 \"S\" \"SIP+D2U\" \"\" {target}"),
        DS => format!("{} 13 2 {}", rng.u16(..), hexadecimal(32, rng)),
        SSHFP => format!("4 2 {}", hexadecimal(32, rng)),
        TLSA => format!("3 1 1 {}", hexadecimal(32, rng)),
        other => {
            assert_eq!(other, PRIVATE, "data of this type has no form here");
            let octets = rng.usize(..20);
            format!("\\# {octets} {}", hexadecimal(octets, rng))
        }
    }
}

const TAGS: &[(u32, &str)] = &[(2, "issue"), (1, "issuewild"), (1, "iodef")];

/// One of the many forms of an address (RFC 4291 §2.2).
fn ipv6(rng: &mut fastrand::Rng) -> String {
    let last = rng.u16(..);
    match rng.u8(..4) {
        0 => format!("2001:DB8::{last:X}"),
        1 => format!("2001:db8:0:0:{last:x}:0:0:1"),
        2 => format!("::ffff:192.0.2.{}", last & 0xff),
        _ => format!("fd00:{last:04x}::"),
    }
}

/// A character-string in quotes, with escapes.
fn text(rng: &mut fastrand::Rng) -> String {
    let mut out = String::from("\"");
    for _ in 0..rng.usize(..12) {
        match rng.u8(..12) {
            0 => out.push_str(&format!("\\{:03}", rng.u8(..))),
            1 => out.push_str("\\\""),
            2 => out.push_str("\\\\"),
            3 => out.push(pick(rng, &[(1, ';'), (1, ' '), (1, '('), (1, '='), (1, ',')])),
            _ => out.push(rng.alphanumeric()),
        }
    }
    out + "\""
}

/// Parameters of SVCB (RFC 9460 §2.1) in any order.
fn parameters(rng: &mut fastrand::Rng) -> String {
    let mut parameters = vec![
        format!("port={}", rng.u16(..)),
        "alpn=h2,h3".to_owned(),
        format!("ipv4hint=192.0.2.{},192.0.2.7", rng.u8(..)),
        "ipv6hint=2001:db8::1".to_owned(),
        "no-default-alpn".to_owned(),
        "key65333=abc".to_owned(),
        "mandatory=alpn".to_owned(),
    ];
    parameters.retain(|_| rng.bool());
    let has = |name: &str| parameters.iter().any(|parameter| parameter.starts_with(name));
    // Both need it beside them (RFC 9460 §7.1.1, §8).
    if !has("alpn") {
        parameters.retain(|p| !p.starts_with("no-default-alpn") && !p.starts_with("mandatory"));
    }
    rng.shuffle(&mut parameters);
    parameters.join(" ")
}

fn hexadecimal(octets: usize, rng: &mut fastrand::Rng) -> String {
    (0..octets).map(|_| format!("{:02x}", rng.u8(..))).collect()
}
