//! A reader of messages that forgives nothing: what a resolver might take amiss is an error here.

use std::ops::Range;

use crate::{
    dns::{code::rtype, query::HEADER_OCTETS},
    model::limit::NAME_OCTETS_MAX,
};

/// The OPT record's type (RFC 6891 §6.1.1).
const OPT: u16 = 41;

/// A message whose every octet was accounted for.
#[derive(Debug)]
pub(in crate::dns) struct Walked {
    /// Where the question stands, if there is one.
    pub question: Option<Range<usize>>,
    /// The records of all sections, in order.
    pub records: Vec<Seen>,
}

/// One record.
#[derive(Debug)]
pub(in crate::dns) struct Seen {
    /// 0 answer, 1 authority, 2 additional.
    pub section: usize,
    /// Its name in lower case, without compression.
    pub owner: Vec<u8>,
    /// Its type.
    pub rtype: u16,
    /// Its class; the UDP size of an OPT record.
    pub class: u16,
    /// Its TTL; code, version and flags of an OPT record.
    pub ttl: u32,
    /// Its data.
    pub data: Range<usize>,
}

/// Reads a whole message.
///
/// # Errors
/// Says what is wrong, and where.
pub(in crate::dns) fn walk(message: &[u8]) -> Result<Walked, String> {
    let Some((header, _)) = message.split_first_chunk::<HEADER_OCTETS>() else {
        return Err(format!("{} octets are no header", message.len()));
    };
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let mut at = HEADER_OCTETS;
    let question = match count(4) {
        0 => None,
        1 => {
            let end = name(message, at)?.1 + 4;
            message.get(at..end).ok_or("the question is cut")?;
            Some(std::mem::replace(&mut at, end)..end)
        }
        more => return Err(format!("{more} questions")),
    };
    let mut records = Vec::new();
    for section in 0..3 {
        for _ in 0..count(6 + 2 * section) {
            let seen =
                record(message, at, section).map_err(|problem| format!("{problem}, {at}"))?;
            at = seen.data.end;
            records.push(seen);
        }
    }
    if at != message.len() {
        return Err(format!("{} octets behind the last record", message.len() - at));
    }
    let opts: Vec<_> = records.iter().filter(|seen| seen.rtype == OPT).collect();
    match opts[..] {
        [] => {}
        [opt] if opt.section == 2 && opt.owner == [0] => {}
        _ => return Err(format!("OPT records: {opts:?}")),
    }
    Ok(Walked { question, records })
}

// === impl Walked ===

impl Walked {
    /// The OPT record.
    pub(in crate::dns) fn opt(&self) -> Option<&Seen> {
        self.records.iter().find(|seen| seen.rtype == OPT)
    }
}

fn record(message: &[u8], start: usize, section: usize) -> Result<Seen, String> {
    let (owner, at) = name(message, start)?;
    let fixed = message.get(at..at + 10).ok_or("a cut record")?;
    let pair = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let data = at + 10..at + 10 + usize::from(pair(8));
    message.get(data.clone()).ok_or("cut data")?;
    let seen = Seen { section, owner, rtype: pair(0), class: pair(2), ttl, data };
    if seen.rtype != OPT && ttl > i32::MAX.cast_unsigned() {
        return Err(format!("a TTL of {ttl} (RFC 2181 §8)"));
    }
    content(message, &seen)?;
    Ok(seen)
}

/// Checks the data of a record whose type is known.
fn content(message: &[u8], seen: &Seen) -> Result<(), String> {
    let Range { start, end } = seen.data;
    let data = &message[seen.data.clone()];
    let ends = |at: usize| {
        if at == end { Ok(()) } else { Err(format!("type {}: data ends at {at}", seen.rtype)) }
    };
    match seen.rtype {
        rtype::A => ends(start + 4),
        rtype::AAAA => ends(start + 16),
        rtype::NS | rtype::CNAME | rtype::PTR => ends(name(message, start)?.1),
        rtype::SOA => ends(name(message, name(message, start)?.1)?.1 + 20),
        rtype::SRV => {
            let (target, after) = name(message, start + 6)?;
            // RFC 2782: no compression.
            ends(after).and_then(|()| ends(start + 6 + target.len()))
        }
        rtype::TXT if data.is_empty() => Err("TXT without a string".into()),
        rtype::TXT => {
            let mut at = 0;
            while let Some(&length) = data.get(at) {
                at += 1 + usize::from(length);
            }
            ends(start + at)
        }
        OPT => ends(start + options(data).map(|(_, data)| 4 + data.len()).sum::<usize>()),
        _ => Ok(()),
    }
}

/// The options of an OPT record, code and data, as far as they are whole.
pub(in crate::dns) fn options(data: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&[code_high, code_low, high, low], tail) = rest.split_first_chunk()?;
        let (data, tail) = tail.split_at_checked(u16::from_be_bytes([high, low]).into())?;
        rest = tail;
        Some((u16::from_be_bytes([code_high, code_low]), data))
    })
}

/// Reads a name: in lower case without compression, and where it ends. A pointer leads to an
/// earlier place than any octet of the name that was read so far.
fn name(message: &[u8], start: usize) -> Result<(Vec<u8>, usize), String> {
    let (mut name, mut at, mut first, mut end) = (Vec::new(), start, start, None);
    loop {
        match *message.get(at).ok_or("a cut name")? {
            0 => break,
            length @ 1..=63 => {
                let label = message.get(at..=at + usize::from(length)).ok_or("a cut label")?;
                name.extend(label.to_ascii_lowercase());
                at += label.len();
            }
            high @ 0xC0.. => {
                let low = *message.get(at + 1).ok_or("a cut pointer")?;
                let to = usize::from(u16::from_be_bytes([high & 0x3F, low]));
                if to < HEADER_OCTETS || to >= first {
                    return Err(format!("a pointer at {at} to {to}"));
                }
                end = end.or(Some(at + 2));
                (at, first) = (to, to);
            }
            other => return Err(format!("a label of type {other:#x}")),
        }
        if name.len() >= NAME_OCTETS_MAX {
            return Err(format!("a name of {} octets", name.len() + 1));
        }
    }
    name.push(0);
    Ok((name, end.unwrap_or(at + 1)))
}
