//! Text in bodies that is no text: Go's decoder takes it, serde's does not.

use std::borrow::Cow;

/// The body as Go reads it: what is no UTF-8 in it, and halves of characters that need two escapes,
/// are replaced (U+FFFD), and no fault. Clients cut long outputs, and cut characters with them.
pub(super) fn readable(body: &[u8]) -> Cow<'_, [u8]> {
    let text = match std::str::from_utf8(body) {
        Ok(_) => Cow::Borrowed(body),
        Err(_) => Cow::Owned(replaced(body).into_bytes()),
    };
    let is_half = |window: &[u8]| matches!(window, [b'\\', b'u', b'd' | b'D', ..]);
    if text.windows(3).any(is_half) { Cow::Owned(whole_escapes(&text)) } else { text }
}

fn replaced(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        // Each octet by itself, unlike std.
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The same with `\ufffd` in place of each escape of half a character that stands by itself.
fn whole_escapes(body: &[u8]) -> Vec<u8> {
    const LENGTH: usize = "\\uXXXX".len();
    let unit = |at: usize| -> Option<u16> {
        let digits = body.get(at..at + LENGTH)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut whole = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let length = match (unit(at), unit(at + LENGTH)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * LENGTH,
            (Some(0xD800..=0xDFFF), _) => {
                whole.extend_from_slice(b"\\ufffd");
                at += LENGTH;
                continue;
            }
            (Some(_), _) => LENGTH,
            // What is escaped is no beginning of an escape itself.
            (None, _) if body[at] == b'\\' => 2,
            (None, _) => 1,
        };
        let end = (at + length).min(body.len());
        whole.extend_from_slice(&body[at..end]);
        at = end;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn what_is_no_text_is_replaced_by_the_character_for_that() {
        for (body, expected) in [
            (&br#"{"a":"b"}"#[..], r#"{"a":"b"}"#),
            (b"\"a\xff\xe2\x82b\"", "\"a\u{fffd}\u{fffd}\u{fffd}b\""),
            (br#""\ud83d""#, r#""\ufffd""#),
            (br#""\uD83D!""#, r#""\ufffd!""#),
            (br#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (br#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
            (br#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            // What is escaped is a backslash, and then there are letters.
            (br#""\\ud83d""#, r#""\\ud83d""#),
            (br#""\\\ud83d""#, r#""\\\ufffd""#),
            (br#""\ud83"#, r#""\ud83"#),
            (br#"\ud8zz\"#, r#"\ud8zz\"#),
        ] {
            let read = readable(body);
            assert_eq!(String::from_utf8_lossy(&read), expected);
        }
    }
}
