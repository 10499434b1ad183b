//! Faults of JSON's syntax, in the words of Go's decoder as far as the two see the same fault.

/// What is wrong with a body that is no JSON.
pub(in crate::http) fn text(body: &[u8], fault: &serde_json::Error) -> String {
    if fault.is_eof() {
        return "unexpected EOF".to_owned();
    }
    let own = fault.to_string();
    let before = before(body, fault);
    let found = body.get(before.len()..).and_then(first);
    let is = |theirs: &str| own.starts_with(theirs);
    let (found, place) = if is("control character") {
        // serde's place is that of the character before it.
        let octet = body[before.len()..].iter().find(|octet| **octet < b' ');
        (octet.map(|octet| char::from(*octet)), IN_TEXT)
    } else if is("expected ident") {
        return format!("invalid character {} {}", shown(found), in_literal(before));
    } else if is("invalid number") {
        (found, in_number(before))
    } else if is("trailing comma") && found == Some(']') {
        (found, VALUE)
    } else if let Some((_, place)) = PLACES.iter().find(|(theirs, _)| is(theirs)) {
        (found, *place)
    } else {
        return own;
    };
    format!("invalid character {} {place}", shown(found))
}

const IN_TEXT: &str = "in string literal";
const VALUE: &str = "looking for beginning of value";

/// The beginnings of serde's texts, and where Go says that the fault is.
const PLACES: &[(&str, &str)] = &[
    ("expected value", VALUE),
    ("key must be a string", "looking for beginning of object key string"),
    ("trailing comma", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("invalid escape", "in string escape code"),
];

/// What stands before the character that the fault is at.
fn before<'b>(body: &'b [u8], fault: &serde_json::Error) -> &'b [u8] {
    let lines = body.split_inclusive(|octet| *octet == b'\n');
    let above: usize = lines.take(fault.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let end = (above + fault.column()).saturating_sub(1);
    &body[..end.min(body.len())]
}

fn first(octets: &[u8]) -> Option<char> {
    let head = &octets[..octets.len().min(4)];
    match std::str::from_utf8(head) {
        Ok(text) => text.chars().next(),
        Err(error) => {
            let valid = std::str::from_utf8(&head[..error.valid_up_to()]).ok();
            valid.and_then(|text| text.chars().next()).or(Some(char::REPLACEMENT_CHARACTER))
        }
    }
}

/// `in literal true (expecting 'r')`
fn in_literal(before: &[u8]) -> String {
    for word in ["true", "false", "null"] {
        for length in (1..word.len()).rev() {
            if before.ends_with(&word.as_bytes()[..length]) {
                let next = &word[length..=length];
                return format!("in literal {word} (expecting '{next}')");
            }
        }
    }
    "in literal".to_owned()
}

fn in_number(before: &[u8]) -> &'static str {
    let unsigned = before.strip_suffix(b"+").or_else(|| before.strip_suffix(b"-"));
    if before.ends_with(b".") {
        "after decimal point in numeric literal"
    } else if unsigned.unwrap_or(before).ends_with(b"e")
        || unsigned.unwrap_or(before).ends_with(b"E")
    {
        "in exponent of numeric literal"
    } else if before.ends_with(b"0") {
        "after object key:value pair" // no number begins with a zero and goes on
    } else {
        "in numeric literal"
    }
}

fn shown(found: Option<char>) -> String {
    match found {
        None => "at the end".to_owned(),
        Some('\'') => r"'\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(found) => format!("'{}'", found.escape_debug()),
    }
}
