//! Which word of a record cannot be read, and what should stand there.
//!
//! hickory's reader says what it stumbled over without saying with which word. So when it has
//! refused a record, the words are looked at one by one; whoever wrote them gets theirs back.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::rr::{RData, RecordType};

use super::{Shape, hexadecimal, quoted};
use crate::dns::{code::rtype, zone::name::show};

/// What is wrong with the words of a record that was refused for `problem`.
pub(super) fn explain(shape: &Shape, fields: &[Vec<u8>], problem: &str) -> String {
    let names: Vec<&str> = shape.fields.split(' ').collect();
    let mut named = fields.iter().enumerate().map(|(index, field)| {
        // What is beyond the last field is more of it.
        (names[index.min(names.len() - 1)], field)
    });
    let found = named.find_map(|(name, field)| {
        let problem = fault(shape.rtype, name, field)?;
        let name = match name {
            "parameters" => "parameter",
            "types" => "type",
            name => name,
        };
        Some(format!("the {name} `{}` {problem}", show(field)))
    });
    found.unwrap_or_else(|| {
        let words: Vec<String> = fields.iter().map(|field| show(field)).collect();
        format!("`{}` cannot be read as `{}`: {problem}", words.join(" "), shape.fields)
    })
}

/// What is wrong with one field, if that is easily said.
fn fault(rtype: u16, name: &str, field: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(field).ok()?;
    let no_number = |limit: u32| {
        let is_one = text.parse::<u32>().is_ok_and(|number| number <= limit);
        (!is_one).then(|| format!("is no number up to {limit}"))
    };
    let plain = |is_right: bool, problem: &str| (!is_right).then(|| problem.to_owned());
    match (rtype, name) {
        (rtype::A, "address") => plain(text.parse::<Ipv4Addr>().is_ok(), "is no IPv4 address"),
        (_, "address") => plain(text.parse::<Ipv6Addr>().is_ok(), "is no IPv6 address"),
        (rtype::CSYNC, "flags") => no_number(u16::MAX.into()),
        (_, "order" | "port" | "preference" | "priority" | "weight") => no_number(u16::MAX.into()),
        (rtype::CAA, "flags") | (_, "matching" | "selector" | "usage") => no_number(u8::MAX.into()),
        (rtype::SSHFP, "algorithm" | "type") => no_number(u8::MAX.into()),
        (_, "key-tag") => no_number(u16::MAX.into()),
        (_, "serial") => no_number(u32::MAX),
        (_, "expire" | "minimum" | "refresh" | "retry") => {
            plain(is_time(text), "is no time: seconds, or `2h`, `1w3d` and the like")
        }
        (rtype::SMIMEA | rtype::TLSA, "certificate") | (_, "fingerprint") => {
            plain(hexadecimal(field).is_ok(), "is not hexadecimal")
        }
        (_, "certificate" | "key") => plain(STANDARD.decode(field).is_ok(), "is no base64"),
        (_, "types") => plain(text.parse::<RecordType>().is_ok(), "is no type of records"),
        (_, "parameters") => parameter(rtype, text),
        _ => None,
    }
}

/// Whether this is a time as zone files have it: a number, or numbers with units.
fn is_time(text: &str) -> bool {
    let is_unit = |char: char| "smhdw".contains(char.to_ascii_lowercase());
    let numbers = text.strip_suffix(is_unit).unwrap_or(text).split(is_unit);
    numbers.into_iter().all(|number| number.parse::<u32>().is_ok())
}

/// What is wrong with a parameter of a binding (RFC 9460 §2.1), which is read by itself for that.
fn parameter(rtype: u16, text: &str) -> Option<String> {
    let alone = ["1", ".", text].map(quoted).concat();
    RData::try_from_str(RecordType::from(rtype), &alone).err()?;
    let key = text.split('=').next().unwrap_or(text);
    Some(match key {
        "alpn" => "does not list protocols, as `alpn=h2,h3` does".to_owned(),
        "ech" => "is no base64".to_owned(),
        "ipv4hint" => "does not list IPv4 addresses, as `ipv4hint=192.0.2.1,192.0.2.2` does".into(),
        "ipv6hint" => "does not list IPv6 addresses, as `ipv6hint=2001:db8::1` does".to_owned(),
        "mandatory" => {
            "does not list keys that are known, as `mandatory=alpn,port` does".to_owned()
        }
        "no-default-alpn" => "has a value, and is written without".to_owned(),
        "port" => "is no number up to 65535".to_owned(),
        _ => format!(
            "begins with `{key}`, which is no key that is known; one without a name is written as \
             `key667=…` (RFC 9460 §2.1)"
        ),
    })
}
