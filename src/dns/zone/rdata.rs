//! Record data from words to wire form.
//!
//! hickory's text reader does the fields, this module does what it gets wrong or leaves out:
//! names (see [`name`]; they are handed over as the root and put in afterwards), `\DDD` in strings,
//! superfluous words, DNAME, DS, HINFO, and the form of RFC 3597 for any other type.

use hickory_proto::{
    rr::{
        RData, RecordType,
        rdata::{SVCB, TXT, svcb::SvcParamValue},
    },
    serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict},
};

mod fault;

use super::{binding::Binding, name, token::Word};
use crate::dns::code::rtype;

/// Octets of one character-string (RFC 1035 §3.3).
const STRING_OCTETS_MAX: usize = 255;

/// How the data of a type is written.
struct Shape {
    rtype: u16,
    mnemonic: &'static str,
    /// The fields' names, for messages; their number is the number of words.
    fields: &'static str,
    /// What words beyond the last field are.
    tail: Tail,
    /// Which fields are domain names.
    names: &'static [usize],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Parts of the last field: long hexadecimal or base64 may be broken up.
    Joined,
    /// More of the last field.
    Repeated,
    /// A mistake.
    Superfluous,
}

/// Every type that has a text form here. Sorted by mnemonic.
const SHAPES: &[Shape] = &[
    shape(rtype::A, "A", "address", Tail::Superfluous, &[]),
    shape(rtype::AAAA, "AAAA", "address", Tail::Superfluous, &[]),
    shape(rtype::CAA, "CAA", "flags tag value", Tail::Superfluous, &[]),
    shape(rtype::CERT, "CERT", "type key-tag algorithm certificate", Tail::Joined, &[]),
    shape(rtype::CNAME, "CNAME", "target", Tail::Superfluous, &[0]),
    shape(rtype::CSYNC, "CSYNC", "serial flags types", Tail::Repeated, &[]),
    shape(rtype::DNAME, "DNAME", "target", Tail::Superfluous, &[0]),
    shape(rtype::DS, "DS", "key-tag algorithm digest-type digest", Tail::Joined, &[]),
    shape(rtype::HINFO, "HINFO", "cpu os", Tail::Superfluous, &[]),
    shape(rtype::HTTPS, "HTTPS", "priority target parameters", Tail::Repeated, &[1]),
    shape(rtype::MX, "MX", "preference exchange", Tail::Superfluous, &[1]),
    shape(
        rtype::NAPTR,
        "NAPTR",
        "order preference flags services regexp replacement",
        Tail::Superfluous,
        &[5],
    ),
    shape(rtype::NS, "NS", "server", Tail::Superfluous, &[0]),
    shape(rtype::OPENPGPKEY, "OPENPGPKEY", "key", Tail::Joined, &[]),
    shape(rtype::PTR, "PTR", "target", Tail::Superfluous, &[0]),
    shape(rtype::SMIMEA, "SMIMEA", "usage selector matching certificate", Tail::Joined, &[]),
    shape(
        rtype::SOA,
        "SOA",
        "server mailbox serial refresh retry expire minimum",
        Tail::Superfluous,
        &[0, 1],
    ),
    shape(rtype::SRV, "SRV", "priority weight port target", Tail::Superfluous, &[3]),
    shape(rtype::SSHFP, "SSHFP", "algorithm type fingerprint", Tail::Joined, &[]),
    shape(rtype::SVCB, "SVCB", "priority target parameters", Tail::Repeated, &[1]),
    shape(rtype::TLSA, "TLSA", "usage selector matching certificate", Tail::Joined, &[]),
    shape(rtype::TXT, "TXT", "text", Tail::Repeated, &[]),
];

const fn shape(
    rtype: u16,
    mnemonic: &'static str,
    fields: &'static str,
    tail: Tail,
    names: &'static [usize],
) -> Shape {
    Shape { rtype, mnemonic, fields, tail, names }
}

/// Reads the name of a type, also as `TYPE65534` (RFC 3597 §5).
///
/// # Errors
/// With the problem, when such records cannot be in a master file.
pub(super) fn parse_type(word: &Word) -> Result<u16, String> {
    let text = String::from_utf8_lossy(&word.text).to_ascii_uppercase();
    let numbered = || text.strip_prefix("TYPE")?.parse::<u16>().ok();
    let known = SHAPES.iter().find(|shape| shape.mnemonic == text);
    let Some(number) = known.map(|shape| shape.rtype).or_else(numbered) else {
        let signed = ["RRSIG", "DNSKEY", "NSEC", "NSEC3", "NSEC3PARAM", "CDS", "CDNSKEY"];
        if signed.contains(&text.as_str()) {
            return Err(format!("{text} records belong to signed zones, which are not served"));
        }
        let known = SHAPES.iter().map(|shape| shape.mnemonic).collect::<Vec<_>>().join(", ");
        return Err(format!(
            "`{}` is not a record type that is read here; these are: {known}; any other is \
             written as `TYPE65534 \\# length hexadecimal` (RFC 3597)",
            name::show(&word.text)
        ));
    };
    match number {
        0 | 41 | 128..=255 | u16::MAX => {
            Err(format!("{text} stands for no record that a zone could hold"))
        }
        24 | 25 | 30 | 46..=48 | 50 | 51 | 59 | 60 => {
            Err(format!("{text} records belong to signed zones, which are not served"))
        }
        _ => Ok(number),
    }
}

/// The mnemonic of a type, for messages.
pub(super) fn type_text(number: u16) -> String {
    let known = SHAPES.iter().find(|shape| shape.rtype == number);
    known.map_or_else(|| format!("TYPE{number}"), |shape| shape.mnemonic.to_owned())
}

/// Reads the data of a record; names relative to `origin`. The result holds no compression.
///
/// # Errors
/// With the problem, when the words are no such data.
pub(super) fn parse(rtype: u16, words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    let data = match words {
        [first, rest @ ..] if first.is("\\#") => generic(rtype, rest),
        words => match SHAPES.iter().find(|shape| shape.rtype == rtype) {
            Some(shape) => described(shape, words, origin),
            None => Err("the data of this type is written as `\\# length hexadecimal`".into()),
        },
    };
    let data = data.and_then(|data| match rtype {
        rtype::HTTPS | rtype::SVCB => {
            Binding::read(&data).ok_or("is not the data of this type")?.check().map(|()| data)
        }
        _ => Ok(data),
    });
    let data = data.map_err(|problem| format!("{} record: {problem}", type_text(rtype)))?;
    if data.len() > usize::from(u16::MAX) {
        return Err(format!("{} record: the data is above 65535 octets", type_text(rtype)));
    }
    Ok(data)
}

fn described(shape: &Shape, words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    let wanted = shape.fields.split(' ').count();
    // The parameters of SVCB may be none at all.
    let least = wanted - usize::from(matches!(shape.rtype, rtype::SVCB | rtype::HTTPS));
    if words.len() < least || (shape.tail == Tail::Superfluous && words.len() > wanted) {
        return Err(format!(
            "has the fields `{}`, but {} {} here",
            shape.fields,
            words.len(),
            if words.len() == 1 { "stands" } else { "stand" },
        ));
    }
    let mut fields = words.iter().map(Word::octets).collect::<Result<Vec<_>, _>>()?;
    if shape.tail == Tail::Joined {
        let joined = fields.split_off(wanted - 1).concat();
        fields.push(joined);
    }
    if let Some(long) = fields.iter().find(|f| is_strings(shape) && f.len() > STRING_OCTETS_MAX) {
        return Err(format!(
            "a string of {} octets is above the limit of {STRING_OCTETS_MAX}; break it up into \
             several, each in quotes",
            long.len()
        ));
    }
    match shape.rtype {
        rtype::TXT => to_wire(&RData::TXT(TXT::from_bytes(fields.iter().map(|f| &**f).collect()))),
        rtype::DS => ds(&fields),
        rtype::HINFO => Ok(fields.iter().flat_map(|field| string(field)).collect()),
        rtype::CAA if !fields[1].iter().all(u8::is_ascii_alphanumeric) => {
            let tag = name::show(&fields[1]);
            Err(format!("the tag `{tag}` has other characters than letters and digits"))
        }
        _ => {
            let wire = by_hickory(shape, words, &fields, origin)?;
            // It writes some things that it does not read, and then nobody else has to.
            by_decoder(shape.rtype, &wire).map(|_| wire)
        }
    }
}

fn is_strings(shape: &Shape) -> bool {
    matches!(shape.rtype, rtype::TXT | rtype::HINFO)
}

/// A character-string (RFC 1035 §3.3), of any octets; its length was held to the limit.
fn string(field: &[u8]) -> impl Iterator<Item = u8> {
    let length = u8::try_from(field.len()).expect("held to 255 octets");
    std::iter::once(length).chain(field.iter().copied())
}

/// Has hickory read the fields, with the root in every name's place, and puts the names in.
fn by_hickory(
    shape: &Shape,
    words: &[Word],
    fields: &[Vec<u8>],
    origin: &[u8],
) -> Result<Vec<u8>, String> {
    let (mut text, mut names) = (String::new(), Vec::new());
    for (index, field) in fields.iter().enumerate() {
        if shape.names.contains(&index) {
            names.push(name::parse(&words[index].text, origin)?);
            text.push_str("\".\" ");
        } else {
            let field = std::str::from_utf8(field).map_err(|_| {
                format!("`{}` is not UTF-8, which this type must be here", name::show(field))
            })?;
            text.push_str(&quoted(field));
        }
    }
    // DNAME has the form of CNAME (RFC 6672 §2.1), and hickory reads only that.
    let read_as = if shape.rtype == rtype::DNAME { rtype::CNAME } else { shape.rtype };
    let mut data = RData::try_from_str(RecordType::from(read_as), &text)
        .map_err(|problem| fault::explain(shape, fields, &problem.to_string()))?;
    match &mut data {
        RData::HTTPS(https) => sort_parameters(&mut https.0)?,
        RData::SVCB(svcb) => sort_parameters(svcb)?,
        _ => {}
    }
    let mut wire = to_wire(&data)?;
    let first = first_name_offset(shape.rtype, wire.len());
    // From the last to the first, so that the roots of those before still stand side by side.
    for (index, name) in names.into_iter().enumerate().rev() {
        wire.splice(first + index..=first + index, name);
    }
    Ok(wire)
}

/// Puts the parameters, and the list of the mandatory ones, in the order that the wire demands
/// (RFC 9460 §2.2 and §8); a file may have them as it likes, but each only once.
fn sort_parameters(svcb: &mut SVCB) -> Result<(), String> {
    svcb.svc_params.sort_by_key(|(key, _)| *key);
    if let Some(twice) = svcb.svc_params.windows(2).find(|two| two[0].0 == two[1].0) {
        return Err(format!("`{}` stands twice (RFC 9460 §2.2)", twice[0].0));
    }
    for (_, value) in &mut svcb.svc_params {
        if let SvcParamValue::Mandatory(keys) = value {
            keys.0.sort();
        }
    }
    Ok(())
}

/// A word as hickory's reader takes it, whatever is in it.
fn quoted(word: &str) -> String {
    format!("\"{}\" ", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Where the first name begins in data that has only roots for names.
fn first_name_offset(rtype: u16, octets: usize) -> usize {
    match rtype {
        rtype::MX | rtype::SVCB | rtype::HTTPS => 2,
        rtype::SRV => 6,
        rtype::NAPTR => octets - 1,
        _ => 0,
    }
}

/// A name, or the data of a record, as on the wire, with its names uncompressed.
///
/// # Errors
/// With the problem, when there is no such form.
pub(in crate::dns) fn to_wire(item: &impl BinEncodable) -> Result<Vec<u8>, String> {
    let mut wire = Vec::new();
    let mut encoder = BinEncoder::new(&mut wire);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    item.emit(&mut encoder).map_err(|problem| problem.to_string())?;
    Ok(wire)
}

/// DS (RFC 4034 §5.3); hickory reads it only where it can also sign.
fn ds(fields: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let number = |index: usize| {
        let text = String::from_utf8_lossy(&fields[index]);
        text.parse::<u16>().map_err(|_| format!("`{text}` is not a number up to 65535"))
    };
    let octet = |index: usize| {
        let number = number(index)?;
        let refused = |_| format!("`{number}`: algorithm and digest type are at most 255");
        u8::try_from(number).map_err(refused)
    };
    let mut wire = number(0)?.to_be_bytes().to_vec();
    wire.extend([octet(1), octet(2)].into_iter().collect::<Result<Vec<u8>, String>>()?);
    wire.extend(hexadecimal(&fields[3])?);
    Ok(wire)
}

/// `\# length hexadecimal` (RFC 3597 §5), checked by hickory's decoder where the type is known.
fn generic(rtype: u16, words: &[Word]) -> Result<Vec<u8>, String> {
    let [length, hex @ ..] = words else {
        return Err("`\\#` is followed by the length in octets".into());
    };
    let text = String::from_utf8_lossy(&length.text);
    let octets = text.parse::<u16>().map_err(|_| format!("`{text}` is not a length in octets"))?;
    let wire = hexadecimal(&hex.iter().flat_map(|word| word.text.clone()).collect::<Vec<_>>())?;
    if wire.len() != usize::from(octets) {
        return Err(format!("says {octets} octets, but {} stand here", wire.len()));
    }
    if rtype == rtype::DS || SHAPES.iter().all(|shape| shape.rtype != rtype) {
        return Ok(wire);
    }
    to_wire(&by_decoder(rtype, &wire)?)
}

/// Has hickory read the data of a type that it knows.
fn by_decoder(rtype: u16, wire: &[u8]) -> Result<RData, String> {
    let octets = u16::try_from(wire.len()).map_err(|_| "is above 65535 octets".to_owned())?;
    let read_as = if rtype == rtype::DNAME { rtype::CNAME } else { rtype };
    let mut decoder = BinDecoder::new(wire);
    RData::read(&mut decoder, RecordType::from(read_as), Restrict::new(octets))
        .map_err(|problem| format!("is not the data of this type: {problem}"))
}

fn hexadecimal(text: &[u8]) -> Result<Vec<u8>, String> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Option<Vec<u8>> = text.iter().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
    let digits = digits.ok_or_else(|| format!("`{}` is not hexadecimal", name::show(text)))?;
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;
