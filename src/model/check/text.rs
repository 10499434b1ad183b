//! The texts of a check, held to what the prober can send and a backup can hold.
//!
//! All doors make them here: what one has taken, another one shows and a backup takes back.

use std::{net::IpAddr, ops::RangeInclusive, sync::Arc};

use crate::model::{Invalid, limit};

/// What may stand in a word of a request, and in the value of a header.
const VISIBLE: RangeInclusive<char> = '!'..='~';
const PRINTABLE: RangeInclusive<char> = ' '..='~';

/// Octets of a method: the longest that is registered with IANA has 17.
const METHOD_OCTETS_MAX: usize = 32;

/// What frames the message is the prober's own business.
const FRAMING: [&str; 6] =
    ["connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"];

/// The method of a request, in upper case.
///
/// # Errors
/// When it is no token (RFC 9110 §5.6.2), or one that asks for a tunnel.
pub fn method(text: &str) -> Result<Arc<str>, Invalid> {
    let method = text.to_ascii_uppercase();
    if !is_token(&method) || method == "CONNECT" || method.len() > METHOD_OCTETS_MAX {
        return Err(Invalid::new("method", text, "is no method of a request, such as GET"));
    }
    Ok(method.into())
}

/// The path of a request with its query.
///
/// # Errors
/// When it does not begin with `/`, has a blank or the like, or is above its limit.
pub fn path(text: &str) -> Result<Arc<str>, Invalid> {
    if !text.starts_with('/') {
        return Err(Invalid::new("path", text, "does not begin with `/`"));
    }
    word("path", text)
}

/// The name of a header in lower case, and its value.
///
/// # Errors
/// When it is no header that a check may send, or above its limit.
pub fn header(name: &str, value: &str) -> Result<(Arc<str>, Arc<str>), Invalid> {
    let lower = name.to_ascii_lowercase();
    if !is_token(&lower) || frames(&lower) {
        let problem = "is no name of a header that a check may send";
        return Err(Invalid::new("headers", name, problem));
    }
    within("headers", &lower, limit::CHECK_TEXT_OCTETS_MAX)?;
    let field = format!("headers.{name}");
    if !value.chars().all(|c| PRINTABLE.contains(&c) || c == '\t') {
        let problem = "is no value of a header: visible characters";
        return Err(Invalid::new(field, value, problem));
    }
    within(&field, value, limit::CHECK_TEXT_OCTETS_MAX)?;
    Ok((lower.into(), value.into()))
}

/// Whether a header of that name says where the message ends or how the connection goes on.
pub fn frames(name: &str) -> bool {
    FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

/// A host: an address, or any name that resolvers may know, such as `my_service`.
///
/// # Errors
/// When it has a blank or the like, or is above the limit of names.
pub fn host(field: &str, text: &str) -> Result<Arc<str>, Invalid> {
    if text.is_empty() || text.parse::<IpAddr>().is_ok() {
        return Ok(text.into());
    }
    within(field, text, limit::NAME_OCTETS_MAX)?;
    of(field, text, VISIBLE)
}

/// A text without blanks, such as the name of a gRPC service.
///
/// # Errors
/// When it has one, or the like, or is above its limit.
pub fn word(field: &str, text: &str) -> Result<Arc<str>, Invalid> {
    within(field, text, limit::CHECK_TEXT_OCTETS_MAX)?;
    of(field, text, VISIBLE)
}

fn of(field: &str, text: &str, allowed: RangeInclusive<char>) -> Result<Arc<str>, Invalid> {
    match text.chars().find(|c| !allowed.contains(c)) {
        Some(bad) => Err(Invalid::new(field, text, format!("has the character {bad:?}"))),
        None => Ok(text.into()),
    }
}

fn within(field: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.len() <= most {
        return Ok(());
    }
    let problem = format!("has {} octets, above the limit of {most}", text.len());
    Err(Invalid::new(field, text, problem))
}

fn is_token(text: &str) -> bool {
    let is = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    !text.is_empty() && text.bytes().all(is)
}

#[cfg(test)]
mod tests {
    use super::{header, host, method, path, word};

    #[test]
    fn a_text_is_what_a_prober_can_send() {
        let long = "a".repeat(2_049);
        assert_eq!(&*method("get").unwrap(), "GET");
        for text in ["", "GE T", "CONNECT", "connect", "GÜT", "G\n", &long] {
            assert!(method(text).is_err(), "{text}");
        }
        for text in ["/", "/a?b=%20", "/~x"] {
            assert_eq!(&*path(text).unwrap(), text);
        }
        for text in ["", "a", "/a b", "/ü", "/\t", &format!("/{long}")] {
            assert!(path(text).is_err(), "{text}");
        }
        let (name, value) = header("X-A", "a\tb c").unwrap();
        assert_eq!((&*name, &*value), ("x-a", "a\tb c"));
        for (name, value) in [
            ("", "a"),
            ("a b", "a"),
            ("a:", "a"),
            ("Content-Length", "5"),
            ("transfer-encoding", "chunked"),
            ("a", "grün"),
            ("a", "b\r\nc: d"),
            ("a", &long),
            (&long, "a"),
        ] {
            assert!(header(name, value).is_err(), "{name} {value}");
        }
        for text in ["10.0.0.1", "fe80::1", "my_service", "Web.Example."] {
            assert_eq!(&*host("host", text).unwrap(), text);
        }
        for text in ["a b", "ü", &"a".repeat(256)] {
            assert!(host("host", text).is_err(), "{text}");
        }
        assert_eq!(&*word("service", "a.B/c").unwrap(), "a.B/c");
        let refusal = word("service", &long).unwrap_err().to_string();
        assert!(refusal.ends_with("has 2049 octets, above the limit of 2048"), "{refusal}");
    }
}
