//! A DNS name in the one form that everything compares: lower-case labels, each behind its length
//! octet, closed by the root's zero (RFC 1035 §3.1).

use std::{fmt, sync::Arc};

use super::{Invalid, limit};

/// An absolute name as lower-case wire labels, at most 255 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<[u8]>);

// === impl DnsName ===

impl DnsName {
    /// Parses dotted text; a final dot is optional. Any octet but a dot may stand in a label, so
    /// that zones may use `_tcp` and the like; host names are checked by [`DnsName::parse_host`].
    ///
    /// # Errors
    /// When a label is empty or above 63 octets, or the name is above 255 octets.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = |problem: String| Err(Invalid::new("name", text, problem));
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(trimmed.len() + 2);
        if text.is_empty() {
            return refuse("is empty".into());
        }
        for label in trimmed.split('.').filter(|_| !trimmed.is_empty()) {
            if label.is_empty() {
                return refuse("has an empty label".into());
            }
            if label.len() > limit::LABEL_OCTETS_MAX {
                return refuse(format!(
                    "has a label of {} octets, above the limit of {}",
                    label.len(),
                    limit::LABEL_OCTETS_MAX
                ));
            }
            wire.push(u8::try_from(label.len()).expect("a label was just held to 63 octets"));
            wire.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
        }
        wire.push(0);
        if wire.len() > limit::NAME_OCTETS_MAX {
            return refuse(format!(
                "has {} octets on the wire, above the limit of {}",
                wire.len(),
                limit::NAME_OCTETS_MAX
            ));
        }
        Ok(Self(wire.into()))
    }

    /// Parses the name of a host: labels of letters, digits and inner hyphens (RFC 1123 §2.1).
    ///
    /// # Errors
    /// As [`DnsName::parse`], and when a label has another character.
    pub fn parse_host(text: &str) -> Result<Self, Invalid> {
        let bad = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.'));
        if let Some(bad) = bad {
            let problem = format!("has the character {bad:?}, which no host name has");
            return Err(Invalid::new("name", text, problem));
        }
        if text.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) {
            let problem = "has a label that begins or ends with a hyphen";
            return Err(Invalid::new("name", text, problem));
        }
        Self::parse(text)
    }

    /// Takes a name that is already in wire form, folding it to lower case.
    ///
    /// # Errors
    /// When the octets are not one whole uncompressed name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, Invalid> {
        let refuse = || Invalid::new("name", format!("{wire:?}"), "is not a name in wire form");
        if wire.len() > limit::NAME_OCTETS_MAX {
            return Err(refuse());
        }
        let mut at = 0;
        loop {
            match wire.get(at) {
                Some(0) if at + 1 == wire.len() => break,
                Some(&length @ 1..=63) => at += 1 + usize::from(length),
                _ => return Err(refuse()),
            }
        }
        // Length octets are below `A`, so folding every octet leaves them as they are.
        Ok(Self(wire.to_ascii_lowercase().into()))
    }

    /// The name of one label more in front of this one.
    ///
    /// # Errors
    /// When the label is empty or above 63 octets, or the name is above 255 octets.
    pub fn child(&self, label: impl AsRef<[u8]>) -> Result<Self, Invalid> {
        let label = label.as_ref();
        // A length that does not go into an octet is refused as one above 63.
        let length = u8::try_from(label.len()).unwrap_or(u8::MAX);
        Self::from_wire(&[&[length], label, self.as_wire()].concat())
    }

    /// The wire form in lower case, the root's zero included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.as_wire();
        std::iter::from_fn(move || {
            let (&length, tail) = rest.split_first()?;
            let (label, tail) =
                tail.split_at_checked(usize::from(length)).filter(|_| length > 0)?;
            rest = tail;
            Some(label)
        })
    }

    /// Whether this name is `other` or below it.
    pub fn is_within(&self, other: &Self) -> bool {
        let mut rest = self.as_wire();
        while rest.len() > other.0.len() {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        rest == other.as_wire()
    }
}

/// Presentation form without the final dot, octets outside letters, digits, `-` and `_` escaped
/// as RFC 1035 §5.1 has it; the root is `.`.
impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    b'!'..=b'~' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::DnsName;

    #[test]
    fn text_becomes_lower_case_labels_and_back() {
        let name = DnsName::parse("Payment.Service.INTERNAL.").unwrap();
        assert_eq!(name.as_wire(), b"\x07payment\x07service\x08internal\x00");
        assert_eq!(name.to_string(), "payment.service.internal");
        assert_eq!(DnsName::parse(".").unwrap().to_string(), ".");
        assert_eq!(DnsName::from_wire(name.as_wire()).unwrap(), name);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "..", "a..b", ".a", &"a".repeat(64), &"a.".repeat(128)] {
            assert!(DnsName::parse(text).is_err(), "{text}");
        }
        for text in ["a_b.c", "-a.b", "a-.b", "a b"] {
            assert!(DnsName::parse_host(text).is_err(), "{text}");
        }
        for wire in [&b""[..], b"\x01a", b"\x01a\x00\x00", b"\xc0\x0c", b"\x40"] {
            assert!(DnsName::from_wire(wire).is_err(), "{wire:?}");
        }
    }

    #[test]
    fn a_child_has_one_label_more() {
        let zone = DnsName::parse("internal").unwrap();
        assert_eq!(zone.child("Service").unwrap(), DnsName::parse("service.internal").unwrap());
        assert_eq!(DnsName::parse(".").unwrap().child("a").unwrap().to_string(), "a");
        for octets in [0, 64, 255, 256, 300] {
            assert!(zone.child("a".repeat(octets)).is_err(), "{octets}");
        }
        let long = DnsName::parse(&format!("{}abc", "a.".repeat(124))).unwrap();
        assert_eq!(long.child("a").unwrap().as_wire().len(), 255);
        assert!(long.child("aa").is_err());
    }

    #[test]
    fn within_is_by_whole_labels() {
        let zone = DnsName::parse("service.internal").unwrap();
        for (name, expected) in
            [("a.service.internal", true), ("service.internal", true), ("aservice.internal", false)]
        {
            assert_eq!(DnsName::parse(name).unwrap().is_within(&zone), expected, "{name}");
        }
        assert!(zone.is_within(&DnsName::parse(".").unwrap()));
    }
}
