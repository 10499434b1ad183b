//! Names as XStream escapes them, so that any key of the metadata can be an element.
//!
//! `_` is `__`, `$` is `_-`, and what no name of XML may have is `_.` and the four hexadecimal
//! digits of each UTF-16 unit. `versions__delta` is nothing else than `versions_delta` so escaped.
//! Letters beyond ASCII and colons are escaped too, though XML has them: readers with namespaces
//! trip over a colon.

use std::borrow::Cow;

/// The name of an element for a key.
pub(super) fn encode(key: &str) -> Cow<'_, str> {
    let is_plain = |at: usize, octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' => true,
        b'0'..=b'9' | b'-' | b'.' => at > 0,
        _ => false,
    };
    if key.bytes().enumerate().all(|(at, octet)| is_plain(at, octet)) {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len() + 8);
    for (at, character) in key.char_indices() {
        match character {
            '_' => name.push_str("__"),
            '$' => name.push_str("_-"),
            _ if u8::try_from(character).is_ok_and(|octet| is_plain(at, octet)) => {
                name.push(character);
            }
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    name.push_str(&format!("_.{unit:04x}"));
                }
            }
        }
    }
    Cow::Owned(name)
}

/// The key of an element's name. What is no escape stands for itself: not every producer has
/// heard of them.
pub(super) fn decode(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut key = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('_') {
        key.push_str(before);
        if let Some(left) = after.strip_prefix('_') {
            key.push('_');
            rest = left;
        } else if let Some(left) = after.strip_prefix('-') {
            key.push('$');
            rest = left;
        } else if let Some((character, left)) = escaped_char(after) {
            key.push(character);
            rest = left;
        } else {
            key.push('_');
            rest = after;
        }
    }
    key.push_str(rest);
    Cow::Owned(key)
}

/// The character that stands after an underscore as one UTF-16 unit or two, and what follows.
fn escaped_char(text: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, rest));
    }
    let (second, rest) = unit(rest.strip_prefix('_')?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, rest))
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.strip_prefix('.')?.split_at_checked(4)?;
    let is_hex = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((unit, rest))
}
