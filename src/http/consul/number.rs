//! Numbers and truth values as Go's `strconv` reads them.

/// Reads a whole number of 64 bits; `0x`, `0o`, `0b` and a leading `0` say its base.
///
/// # Errors
/// What Go says of it.
pub(in crate::http) fn integer(text: &str) -> Result<i64, &'static str> {
    const SYNTAX: &str = "invalid syntax";
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    // `1_000` is a number of Go's where a base may be said.
    let separated = digits.contains('_');
    let lone = digits.starts_with('_') && radix == 10 || digits.ends_with('_');
    if separated && (lone || digits.contains("__")) {
        return Err(SYNTAX);
    }
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(SYNTAX);
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| "value out of range")
}

/// Reads a truth value; nothing when it is none.
pub(in crate::http) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{integer, truth};

    #[test]
    fn a_truth_value_is_one_of_gos_spellings() {
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(truth(text), Some(true), "{text}");
        }
        for text in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(truth(text), Some(false), "{text}");
        }
        for text in ["", "yes", "tRUE", "2"] {
            assert_eq!(truth(text), None, "{text}");
        }
    }

    #[test]
    fn the_base_of_a_number_is_said_by_its_beginning() {
        for (text, expected) in [
            ("80", Ok(80)),
            ("-1", Ok(-1)),
            ("+5", Ok(5)),
            ("0", Ok(0)),
            ("0x50", Ok(80)),
            ("0X5F", Ok(95)),
            ("0120", Ok(80)),
            ("0o120", Ok(80)),
            ("0b11", Ok(3)),
            ("1_000", Ok(1_000)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err("value out of range")),
            ("", Err("invalid syntax")),
            ("-", Err("invalid syntax")),
            ("08", Err("invalid syntax")),
            ("0x", Err("invalid syntax")),
            ("1__0", Err("invalid syntax")),
            ("80.5", Err("invalid syntax")),
            ("--1", Err("invalid syntax")),
            ("0x-5", Err("invalid syntax")),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
    }
}
