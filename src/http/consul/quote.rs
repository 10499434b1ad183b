//! Text between double quotes as Go's `%q` writes it, and its way back.

/// `text` between double quotes; quotes, backslashes and what cannot be printed are escaped.
pub(in crate::http) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\0'..=' ' if character != ' ' => push_hex(&mut quoted, "\\x", character, 2),
            '\x7f' => quoted.push_str("\\x7f"),
            _ if character.is_control() => push_hex(&mut quoted, "\\u", character, 4),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn push_hex(text: &mut String, escape: &str, character: char, digits: usize) {
    use std::fmt::Write;
    text.push_str(escape);
    // Writing to a string cannot fail.
    let _ = write!(text, "{:0digits$x}", u32::from(character));
}

/// What Go's string literal with this between its double quotes means; nothing when it is none.
///
/// Octets that are escaped one by one (`\xff`) and make no UTF-8 are replaced by U+FFFD: there is
/// no text in the registry that they could be compared with.
pub(in crate::http) fn unescaped(inner: &str) -> Option<String> {
    if !inner.contains('\\') {
        return (!inner.contains(['\n', '"'])).then(|| inner.to_owned());
    }
    let mut octets = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '\n' | '"' => return None,
            '\\' => escape(&mut rest, &mut octets)?,
            _ => push(&mut octets, character),
        }
    }
    Some(match String::from_utf8(octets) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn escape(rest: &mut std::str::Chars<'_>, octets: &mut Vec<u8>) -> Option<()> {
    let octet = match rest.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(digits(rest, 16, 2)?).ok()?,
        first @ '0'..='7' => {
            let number = first.to_digit(8)? * 64 + digits(rest, 8, 2)?;
            u8::try_from(number).ok()?
        }
        'u' => return digits(rest, 16, 4).and_then(char::from_u32).map(|c| push(octets, c)),
        'U' => return digits(rest, 16, 8).and_then(char::from_u32).map(|c| push(octets, c)),
        _ => return None,
    };
    octets.push(octet);
    Some(())
}

fn digits(rest: &mut std::str::Chars<'_>, radix: u32, count: usize) -> Option<u32> {
    let mut number = 0_u32;
    for _ in 0..count {
        number = number.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)?;
    }
    Some(number)
}

fn push(octets: &mut Vec<u8>, character: char) {
    octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{quoted, unescaped};

    #[test]
    fn text_is_quoted_as_go_quotes_it() {
        for (text, expected) in [
            ("", r#""""#),
            ("web", r#""web""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\tb\nc\u{1}", r#""a\tb\nc\x01""#),
            ("é µ", r#""é µ""#),
            ("\u{7f}\u{85}", r#""\x7f\u0085""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn escapes_are_those_of_a_go_literal() {
        for (inner, expected) in [
            ("web", Some("web")),
            (r"web\x2d1", Some("web-1")),
            (r"\\d", Some(r"\d")),
            (r"\u00e9\U0001F600\101", Some("é😀A")),
            (r"\xc3\xa9", Some("é")),
            (r"\xff", Some("\u{fffd}")),
            (r"\d", None),
            (r"\'", None),
            (r"\400", None),
            (r"\ud800", None),
            (r"\x4", None),
            ("\\", None),
            ("a\nb", None),
        ] {
            assert_eq!(unescaped(inner).as_deref(), expected, "{inner}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in any::<String>()) {
            let quoted = quoted(&text);
            prop_assert_eq!(unescaped(&quoted[1..quoted.len() - 1]), Some(text));
        }
    }
}
