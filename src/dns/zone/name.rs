//! Names on their way from a master file to the wire, and names put together while answering.
//!
//! hickory's reader of names is not used: it takes `\DDD` for octal, folds case and refuses `_` in
//! a target (it applies the rules of international names), none of which RFC 1035 §5.1 does.

use crate::model::limit::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

/// A name on the stack: wire labels with the root's zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameBuf {
    octets: [u8; NAME_OCTETS_MAX],
    len: u8,
}

// === impl NameBuf ===

impl NameBuf {
    /// Puts `front` before `back`; nothing when the result is no name because it is too long.
    pub(super) fn join(front: &[u8], back: &[u8]) -> Option<Self> {
        let len = front.len() + back.len();
        let mut octets = [0; NAME_OCTETS_MAX];
        octets.get_mut(..front.len())?.copy_from_slice(front);
        octets.get_mut(front.len()..len)?.copy_from_slice(back);
        Some(Self { octets, len: u8::try_from(len).ok()? })
    }

    /// The octets of the name.
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// The same name in lower case.
    pub(super) fn to_lower(mut self) -> Self {
        // Length octets are below `A`, so folding every octet leaves them as they are.
        self.octets.make_ascii_lowercase();
        self
    }
}

/// Parses the text of a name (RFC 1035 §5.1): relative to `origin` unless it ends with a dot, `@`
/// is the origin itself. Letters keep their case.
///
/// # Errors
/// With the problem, when it is no name.
pub(super) fn parse(text: &[u8], origin: &[u8]) -> Result<Vec<u8>, String> {
    let refuse = |problem: &str| Err(format!("the name `{}` {problem}", show(text)));
    match text {
        b"" => return refuse("is empty"),
        b"@" => return Ok(origin.to_vec()),
        b"." => return Ok(vec![0]),
        _ => {}
    }
    let (mut wire, mut label) = (Vec::with_capacity(text.len() + 2), Vec::new());
    let mut rest = text;
    let mut absolute = false;
    while let Some((octet, escaped, tail)) = next_octet(rest)? {
        rest = tail;
        absolute = octet == b'.' && !escaped;
        if !absolute {
            if !escaped && !octet.is_ascii_graphic() {
                return refuse(
                    "has an octet outside ASCII; write it in its `xn--` form, or as \\DDD",
                );
            }
            label.push(octet);
        } else if label.is_empty() {
            return refuse("has an empty label");
        }
        if absolute || rest.is_empty() {
            if label.len() > LABEL_OCTETS_MAX {
                return refuse("has a label above 63 octets");
            }
            wire.push(u8::try_from(label.len()).expect("a label was just held to 63 octets"));
            wire.append(&mut label);
        }
    }
    wire.extend_from_slice(if absolute { &[0] } else { origin });
    if wire.len() > NAME_OCTETS_MAX {
        return refuse("is above 255 octets");
    }
    Ok(wire)
}

/// An octet, whether it was escaped, and what follows it.
type NextOctet<'t> = (u8, bool, &'t [u8]);

/// Takes the first octet off `text`, resolving `\X` and `\DDD`; says whether it was escaped.
///
/// # Errors
/// When a backslash is followed by nothing, or by digits that are no octet.
pub(super) fn next_octet(text: &[u8]) -> Result<Option<NextOctet<'_>>, String> {
    Ok(Some(match text {
        [] => return Ok(None),
        [b'\\', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
            let octet = digits
                .first_chunk::<3>()
                .and_then(|ddd| std::str::from_utf8(ddd).ok())
                .and_then(|ddd| ddd.parse::<u8>().ok());
            let octet = octet.ok_or_else(|| {
                format!("in `{}` a backslash needs three digits up to 255", show(text))
            })?;
            (octet, true, &digits[3..])
        }
        [b'\\', octet, rest @ ..] => (*octet, true, rest),
        [b'\\'] => return Err("a backslash stands at the end of a word".into()),
        [octet, rest @ ..] => (*octet, false, rest),
    }))
}

/// Text for a message: what is no UTF-8 is replaced, and long text is cut.
pub(super) fn show(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 80;
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN_MAX)]).into_owned();
    if text.len() > SHOWN_MAX { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::{NameBuf, parse};

    const ORIGIN: &[u8] = b"\x07example\x00";

    #[test]
    fn names_are_relative_unless_they_end_with_a_dot() {
        for (text, expected) in [
            ("@", &b"\x07example\x00"[..]),
            (".", b"\x00"),
            ("www", b"\x03www\x07example\x00"),
            ("WWW.", b"\x03WWW\x00"),
            ("a.b.", b"\x01a\x01b\x00"),
            ("a\\.b", b"\x03a.b\x07example\x00"),
            ("a\\.", b"\x02a.\x07example\x00"),
            ("\\065\\255.", b"\x02A\xff\x00"),
            ("*._tcp", b"\x01*\x04_tcp\x07example\x00"),
        ] {
            assert_eq!(parse(text.as_bytes(), ORIGIN).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_text() {
        let (long_label, long_name) = ("a".repeat(64), "a.".repeat(128));
        for (text, problem) in [
            ("", "is empty"),
            ("..", "empty label"),
            ("a..b", "empty label"),
            (".a", "empty label"),
            ("\\1", "three digits"),
            ("\\256", "three digits"),
            ("a\\", "end of a word"),
            ("é", "xn--"),
            (&long_label, "63 octets"),
            (&long_name, "255 octets"),
        ] {
            let refused = parse(text.as_bytes(), ORIGIN).unwrap_err();
            assert!(refused.contains(problem), "{text}: {refused}");
        }
    }

    #[test]
    fn a_joined_name_ends_at_255_octets() {
        let back = parse("a.".repeat(100).as_bytes(), ORIGIN).unwrap();
        assert!(NameBuf::join(&[0; 54], &back).is_some());
        assert!(NameBuf::join(&[0; 55], &back).is_none());
    }
}
