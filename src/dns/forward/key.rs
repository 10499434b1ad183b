//! What is asked of an upstream, as the key of the cache.

use std::borrow::Borrow;

use arrayvec::ArrayVec;

use crate::model::{DnsName, limit::NAME_OCTETS_MAX};

/// Octets in front of the name: the type, and the two flags that an upstream's reply depends on.
const HEAD: usize = 3;

const DNSSEC_OK: u8 = 1;
const CHECKING_DISABLED: u8 = 2;

/// A question: name in lower-case wire labels, type, DO (RFC 3225) and CD (RFC 4035 §3.2.2), as one
/// string of octets. The class is IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::dns) struct Key(Box<[u8]>);

/// A key that is only looked up with, without an allocation.
#[derive(Debug)]
pub(in crate::dns) struct KeyRef(ArrayVec<u8, { HEAD + NAME_OCTETS_MAX }>);

// === impl KeyRef ===

impl KeyRef {
    /// The question for `name`, lower-case wire labels.
    pub(in crate::dns) fn new(name: &[u8], qtype: u16, (dnssec_ok, cd): (bool, bool)) -> Self {
        let flags = if dnssec_ok { DNSSEC_OK } else { 0 } | if cd { CHECKING_DISABLED } else { 0 };
        let [high, low] = qtype.to_be_bytes();
        let mut octets = ArrayVec::new();
        let parts: [&[u8]; 2] = [&[flags, high, low], name];
        for part in parts {
            octets.try_extend_from_slice(part).expect("a name has at most 255 octets");
        }
        Self(octets)
    }

    /// The same to be kept.
    pub(in crate::dns) fn to_key(&self) -> Key {
        Key(self.0.as_slice().into())
    }

    pub(super) fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

// === impl Key ===

impl Key {
    /// The name: lower-case wire labels with the root's zero.
    pub(in crate::dns) fn name(&self) -> &[u8] {
        &self.0[HEAD..]
    }

    /// The type.
    pub(super) fn qtype(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]])
    }

    /// Whether DNSSEC records are wanted (DO).
    pub(super) fn dnssec_ok(&self) -> bool {
        self.0[0] & DNSSEC_OK != 0
    }

    /// Whether the client does without validation (CD).
    pub(super) fn checking_disabled(&self) -> bool {
        self.0[0] & CHECKING_DISABLED != 0
    }

    /// What it takes, octets.
    pub(super) fn octets(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the same question.
    pub(in crate::dns) fn is(&self, other: &KeyRef) -> bool {
        *self.0 == *other.as_octets()
    }

    /// The question for a log line.
    pub(super) fn shown(&self) -> String {
        let name = DnsName::from_wire(self.name()).map(|name| name.to_string());
        format!("{} type {}", name.unwrap_or_default(), self.qtype())
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::KeyRef;

    #[test]
    fn a_key_tells_its_question() {
        let name = b"\x07example\x03com\x00";
        for flags in [(false, false), (true, false), (false, true), (true, true)] {
            let asked = KeyRef::new(name, 257, flags);
            let key = asked.to_key();
            assert!(key.is(&asked));
            assert_eq!((key.name(), key.qtype()), (&name[..], 257));
            assert_eq!((key.dnssec_ok(), key.checking_disabled()), flags);
        }
        assert!(!KeyRef::new(name, 1, (true, false)).to_key().is(&KeyRef::new(
            name,
            1,
            (false, true)
        )));
    }
}
