//! What is not shown of what somebody wrote, where a mistake is pointed at: passwords.
//!
//! No key takes one, only the names of files that have one. But people write passwords where other
//! programs take them, into a URL or behind a user's name, and a mistake is shown with its line, in
//! a log perhaps.

use std::ops::Range;

/// The text with a star for each character of what may be a password, so that a caret below it
/// stands where it stood.
pub(super) fn masked(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> =
        text.match_indices("://").filter_map(user_of(text)).collect();
    hidden.extend(values_of(text, "password"));
    hidden.extend(values_of(text, "user").filter_map(|value| {
        let colon = text[value.clone()].find(':')?;
        Some(value.start + colon + 1..value.end)
    }));
    let is_hidden = |at: usize| hidden.iter().any(|range| range.contains(&at));
    text.char_indices().map(|(at, c)| if is_hidden(at) { '*' } else { c }).collect()
}

/// What stands before the last `@` of a URL whose scheme ends there (RFC 3986 §3.2.1).
fn user_of(text: &str) -> impl Fn((usize, &str)) -> Option<Range<usize>> {
    move |(at, separator)| {
        let start = at + separator.len();
        let rest = &text[start..];
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(rest.len());
        let user = rest[..end].rfind('@')?;
        Some(start..start + user)
    }
}

/// The values of a key, without their quotes; up to the end of the line where one has no end.
fn values_of(text: &str, key: &'static str) -> impl Iterator<Item = Range<usize>> {
    let value = move |(at, _): (usize, &str)| {
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let rest = quote.map_or(rest, |_| rest.trim_start_matches(['"', '\'']));
        let end = quote.and_then(|quote| rest.find(quote)).unwrap_or(rest.len());
        let start = text.len() - rest.len();
        Some(start..start + end)
    };
    text.match_indices(key).filter_map(value)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        for (text, shown) in [
            ("endpoints = [\"http://root:pä@a:1\"]", "endpoints = [\"http://*******@a:1\"]"),
            ("http://a:1,http://u:p@b:1", "http://**************@b:1"),
            ("password = \"secret\" # x", "password = \"******\" # x"),
            (
                "store = { \"password\"='se', user = \"u\" }",
                "store = { \"password\"='**', user = \"u\" }",
            ),
            ("password = secret # x", "password = **********"),
            ("password = \"sec", "password = \"***"),
            ("user = \"root:secret\"", "user = \"root:******\""),
            ("user = 'root'", "user = 'root'"),
            ("password_file = \"/run/secret\"", "password_file = \"/run/secret\""),
            (
                "endpoints = [\"https://a:1\"] # ask me@here",
                "endpoints = [\"https://a:1\"] # ask me@here",
            ),
            ("hostmaster = \"a@example.com\"", "hostmaster = \"a@example.com\""),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(masked(text).chars().count(), text.chars().count());
        }
    }
}
