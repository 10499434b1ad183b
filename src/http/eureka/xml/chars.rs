//! The characters that XML 1.0 can carry, and how text is escaped.

use std::borrow::Cow;

/// Whether XML 1.0 can carry it, escaped or not (XML 1.0 §2.2).
pub(super) fn is_carried(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// Text as the content of an element. What cannot be carried becomes U+FFFD: one instance with such
/// a character would else make the whole list unreadable for every client.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let is_plain =
        |character: char| !matches!(character, '&' | '<' | '>' | '\r') && is_carried(character);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"), // readers take a bare one for a line's end
            _ if !is_carried(character) => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}
