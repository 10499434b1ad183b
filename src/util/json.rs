//! What serde says of JSON that is not acceptable, in words of JSON.

use std::borrow::Cow;

/// What serde says, in words of JSON; others as they are, which are ours. They go on from the name
/// of the field, or from its value.
pub fn json_words(message: &str) -> Cow<'_, str> {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let some = expected.strip_prefix("one of ").unwrap_or(expected).replace(" or ", ", ");
    let most = most_of(expected);
    match what.split([' ', ':']).take(2).collect::<Vec<_>>()[..] {
        ["missing", "field"] => "is missing".into(),
        ["duplicate", "field"] => "is there twice".into(),
        ["unknown", "field"] if some.is_empty() => "is unknown, as no field is expected".into(),
        ["unknown", "field"] => format!("is unknown; there are {some}").into(),
        ["unknown", "variant"] => format!("is none of {some}").into(),
        ["invalid", "type"] | ["invalid", "value"] => {
            let found = what.split_once(": ").map_or(what, |(_, found)| found);
            match most {
                Some(most) if found.starts_with("integer") => {
                    format!("is outside the limits of 0 to {most}").into()
                }
                _ => format!("is {}, not {}", of_json(found), of_json(expected)).into(),
            }
        }
        _ => message.into(),
    }
}

/// What JSON calls what serde calls `map` or `string "x"`, or what Rust calls `u16`.
fn of_json(kind: &str) -> &str {
    let (first, rest) = kind.split_once(' ').unwrap_or((kind, ""));
    match (first, rest) {
        ("boolean", _) | ("a", "boolean") => "a boolean",
        ("character" | "string", _) => "a string",
        ("floating" | "integer" | "number", _) | ("f32" | "f64", _) => "a number",
        ("i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize", _) => {
            "a whole number"
        }
        ("map" | "struct", _) | ("a", "map") => "an object",
        ("null" | "unit", _) => "null",
        ("sequence", _) | ("a", "sequence") => "a list",
        _ => kind,
    }
}

/// The largest of Rust's whole numbers of a kind, if serde is about to say no more than the kind.
fn most_of(kind: &str) -> Option<u64> {
    match kind {
        "u8" => Some(u8::MAX.into()),
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" => Some(u64::MAX),
        _ => None,
    }
}

/// The field that serde's own messages about fields name.
pub fn named_field(message: &str) -> Option<&str> {
    let rest = ["unknown", "duplicate", "missing"]
        .iter()
        .find_map(|kind| message.strip_prefix(kind)?.strip_prefix(" field `"))?;
    rest.split_once('`').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::json_words;

    #[test]
    fn no_word_of_rust_is_left() {
        for (said, words) in [
            ("missing field `port`", "is missing"),
            ("duplicate field `port`", "is there twice"),
            (
                "unknown field `prot`, expected `port` or `tag`",
                "is unknown; there are `port`, `tag`",
            ),
            ("unknown variant `x`, expected `a` or `b`", "is none of `a`, `b`"),
            ("invalid type: string \"80\", expected u16", "is a string, not a whole number"),
            ("invalid type: map, expected a sequence", "is an object, not a list"),
            ("invalid value: integer `70000`, expected u16", "is outside the limits of 0 to 65535"),
            ("is no duration", "is no duration"),
        ] {
            assert_eq!(json_words(said), words, "{said}");
        }
    }
}
