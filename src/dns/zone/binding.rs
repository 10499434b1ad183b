//! The data of SVCB and HTTPS records (RFC 9460), in wire form: where it leads, and whether clients
//! would take it. hickory's reader of text lets pass what they refuse, as keys that stand twice;
//! one such record has a client ignore the whole set (§2.2).

use std::borrow::Cow;

/// The data in its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding<'d> {
    /// Zero for an alias (§2.4.2).
    pub priority: u16,
    /// Wire labels with the root's zero; the root alone stands for the owner (§2.5).
    pub target: &'d [u8],
    parameters: &'d [u8],
}

/// Keys of parameters (§14.3.2).
mod key {
    pub(super) const MANDATORY: u16 = 0;
    pub(super) const ALPN: u16 = 1;
    pub(super) const NO_DEFAULT_ALPN: u16 = 2;
    pub(super) const PORT: u16 = 3;
    pub(super) const IPV4HINT: u16 = 4;
    pub(super) const IPV6HINT: u16 = 6;
    pub(super) const INVALID: u16 = u16::MAX;
}

// === impl Binding ===

impl<'d> Binding<'d> {
    /// Takes the data apart; `None` when it is none.
    pub(super) fn read(data: &'d [u8]) -> Option<Self> {
        let (priority, rest) = data.split_first_chunk::<2>()?;
        let mut end = 0;
        while let Some(length @ 1..) = rest.get(end).copied() {
            end += 1 + usize::from(length);
        }
        let (target, parameters) = rest.split_at_checked(end + 1)?;
        Some(Self { priority: u16::from_be_bytes(*priority), target, parameters })
    }

    /// Whether it is only another name for the same (§2.4.2).
    pub(super) fn is_alias(self) -> bool {
        self.priority == 0
    }

    /// Whether the service is where the record is (§2.5.2).
    pub(super) fn is_at_owner(self) -> bool {
        !self.is_alias() && self.target == [0]
    }

    /// Whether it has parameters.
    pub(super) fn has_parameters(self) -> bool {
        !self.parameters.is_empty()
    }

    /// Keys and values; ends early where the data is cut.
    fn parameters(self) -> impl Iterator<Item = (u16, &'d [u8])> {
        let mut rest = self.parameters;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (value, tail) = tail.split_at_checked(length)?;
            rest = tail;
            Some((u16::from_be_bytes([head[0], head[1]]), value))
        })
    }

    fn value(self, wanted: u16) -> Option<&'d [u8]> {
        self.parameters().find(|(key, _)| *key == wanted).map(|(_, value)| value)
    }

    /// Holds the parameters to what clients demand of them.
    ///
    /// # Errors
    /// With the problem.
    pub(super) fn check(self) -> Result<(), String> {
        let octets: usize = self.parameters().map(|(_, value)| 4 + value.len()).sum();
        if octets != self.parameters.len() {
            return Err("its last parameter is cut".to_owned());
        }
        let mut last = None;
        for (key, value) in self.parameters() {
            if last.is_some_and(|last| last >= key) {
                let name = name(key);
                return Err(format!("`{name}` stands twice, or not by its number (RFC 9460 §2.2)"));
            }
            last = Some(key);
            if let Some(problem) = self.fault(key, value) {
                return Err(format!("`{}` {problem}", name(key)));
            }
        }
        Ok(())
    }

    fn fault(self, key: u16, value: &[u8]) -> Option<String> {
        let missing = |key: &u16| self.value(*key).is_none();
        match key {
            key::MANDATORY => {
                let keys: Vec<u16> =
                    value.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
                let is_list = value.len().is_multiple_of(2) && !keys.is_empty();
                if !is_list || !keys.windows(2).all(|two| two[0] < two[1]) || keys[0] == 0 {
                    return Some("lists other keys, each once (RFC 9460 §8)".to_owned());
                }
                let absent = keys.into_iter().find(missing)?;
                let name = name(absent);
                Some(format!("demands `{name}`, which is not there (RFC 9460 §8)"))
            }
            key::ALPN if !is_list_of_protocols(value) => {
                Some("lists protocols of 1 to 255 octets (RFC 9460 §7.1.1)".to_owned())
            }
            key::NO_DEFAULT_ALPN if !value.is_empty() || missing(&key::ALPN) => {
                Some("has no value, and needs `alpn` beside it (RFC 9460 §7.1.1)".to_owned())
            }
            key::PORT if value.len() != 2 => Some("is one number (RFC 9460 §7.2)".to_owned()),
            key::IPV4HINT if value.is_empty() || !value.len().is_multiple_of(4) => {
                Some("lists IPv4 addresses (RFC 9460 §7.3)".to_owned())
            }
            key::IPV6HINT if value.is_empty() || !value.len().is_multiple_of(16) => {
                Some("lists IPv6 addresses (RFC 9460 §7.3)".to_owned())
            }
            key::INVALID => Some("is reserved (RFC 9460 §14.3.2)".to_owned()),
            _ => None,
        }
    }
}

fn is_list_of_protocols(mut rest: &[u8]) -> bool {
    let is_empty = rest.is_empty();
    while let [length, tail @ ..] = rest {
        let behind = tail.get(usize::from(*length)..).filter(|_| *length > 0);
        let Some(behind) = behind else { return false };
        rest = behind;
    }
    !is_empty && rest.is_empty()
}

/// A key as a zone file has it.
fn name(number: u16) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        key::MANDATORY => "mandatory",
        key::ALPN => "alpn",
        key::NO_DEFAULT_ALPN => "no-default-alpn",
        key::PORT => "port",
        key::IPV4HINT => "ipv4hint",
        key::IPV6HINT => "ipv6hint",
        _ => return Cow::Owned(format!("key{number}")),
    })
}

#[cfg(test)]
mod tests {
    use super::Binding;

    type Parameters<'p> = &'p [(u16, &'p [u8])];

    /// Priority 1, target `.`, and these parameters.
    fn fault(parameters: Parameters<'_>) -> Option<String> {
        let mut data = vec![0, 1, 0];
        for (key, value) in parameters {
            data.extend(key.to_be_bytes());
            data.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            data.extend(*value);
        }
        Binding::read(&data).unwrap().check().err()
    }

    #[test]
    fn what_clients_would_ignore_is_refused() {
        let cases: &[(Parameters<'_>, &str)] = &[
            (&[(3, b"\0\x50"), (3, b"\0\x51")], "`port` stands twice"),
            (&[(3, b"\0\x50"), (1, b"\x02h2")], "`alpn` stands twice, or not by its number"),
            (&[(0, b"\0\x03")], "demands `port`"),
            (&[(0, b"\x02\x9b")], "demands `key667`"),
            (&[(0, b""), (3, b"\0\x50")], "lists other keys"),
            (&[(0, b"\0\0")], "lists other keys"),
            (&[(0, b"\0\x03\0\x03"), (3, b"\0\x50")], "lists other keys"),
            (&[(0, b"\0\x03\0"), (3, b"\0\x50")], "lists other keys"),
            (&[(1, b"")], "lists protocols"),
            (&[(1, b"\0")], "lists protocols"),
            (&[(1, b"\x03h2")], "lists protocols"),
            (&[(2, b"")], "needs `alpn`"),
            (&[(1, b"\x02h2"), (2, b"x")], "has no value"),
            (&[(3, b"\0")], "one number"),
            (&[(4, b"")], "IPv4"),
            (&[(4, b"\x0a\0\0")], "IPv4"),
            (&[(6, b"\x0a\0\0\x01")], "IPv6"),
            (&[(6, b"")], "IPv6"),
            (&[(65_535, b"")], "reserved"),
        ];
        for (parameters, problem) in cases {
            let found = fault(parameters).unwrap_or_default();
            assert!(found.contains(problem), "{parameters:?}: {found}");
        }
        let whole: Parameters<'_> = &[
            (0, b"\0\x01\0\x03"),
            (1, b"\x02h2\x02h3"),
            (2, b""),
            (3, b"\0\x50"),
            (4, b"\x0a\0\0\x01\x0a\0\0\x02"),
            (6, &[0xFD; 16]),
            (667, b"hello"),
        ];
        assert_eq!(fault(whole), None);
        assert_eq!(fault(&[]), None);
        assert!(Binding::read(b"\0\x01\0\0\x03\0\x09").unwrap().check().is_err(), "cut");
        assert!(Binding::read(b"\0\x01\x03ab").is_none() && Binding::read(b"\0").is_none());
    }
}
