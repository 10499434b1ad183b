//! What can be read of a message that is refused: enough to echo its question, and to speak EDNS to
//! who speaks it (RFC 6891 §7), however broken the rest is. hickory gives up a message as a whole,
//! so this reads octets.

use crate::{
    dns::{
        Query,
        query::{Edns, HEADER_OCTETS, OPT_OCTETS},
    },
    model::limit::NAME_OCTETS_MAX,
};

/// Questions and records that are stepped over on the way to the OPT record: no message that is
/// meant to be understood has more in front of it.
const STEPS_MAX: u16 = 16;

/// Octets of a question's type and class.
const QUESTION_TAIL: usize = 4;

/// Octets of a record between its name and its data.
const RECORD_FIXED: usize = 10;

/// Operations whose first section has the form of a question: QUERY, NOTIFY (RFC 1996 §3.7), UPDATE
/// (RFC 2136 §2.3). What others mean by it is not known (RFC 8906 §8.1.4).
const WITH_QUESTION: [u8; 3] = [0, 4, 5];

/// Where a name ends, which may be behind the end of the message.
struct End {
    at: usize,
    is_compressed: bool,
}

/// Reads what can be read of `message`, which has a whole header.
pub(in crate::dns) fn salvage(message: &[u8]) -> Query<'_> {
    let count = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let opcode = message[2] >> 3 & 0x0F;
    let end = question_end(message, HEADER_OCTETS);
    let question = match end {
        Some(end) if count(4) == 1 && WITH_QUESTION.contains(&opcode) => {
            &message[HEADER_OCTETS..end]
        }
        _ => &[],
    };
    let opt = opt(message, [count(4), count(6), count(8), count(10)]);
    Query::unread(message, question, opt)
}

/// The first OPT record of the additional section.
fn opt(message: &[u8], [questions, answers, authorities, additionals]: [u16; 4]) -> Option<Edns> {
    let in_front = answers.checked_add(authorities)?;
    if questions > STEPS_MAX || in_front > STEPS_MAX {
        return None;
    }
    let mut at = HEADER_OCTETS;
    for _ in 0..questions {
        // A compressed name is no question of ours, but there is something behind it.
        at = name_end(message, at)?.at + QUESTION_TAIL;
    }
    for _ in 0..in_front {
        at = record_end(message, at)?;
    }
    for _ in 0..additionals.min(STEPS_MAX) {
        if let Some(edns) = opt_at(message, at) {
            return Some(edns);
        }
        at = record_end(message, at)?;
    }
    None
}

/// The OPT record that begins there. Of one that is longer than the message its fixed part counts:
/// who sent it speaks EDNS.
fn opt_at(message: &[u8], at: usize) -> Option<Edns> {
    let record = message.get(at..)?;
    let fixed = record.first_chunk::<OPT_OCTETS>()?;
    let [.., high, low] = *fixed;
    let whole = record.get(..OPT_OCTETS + usize::from(u16::from_be_bytes([high, low])));
    let mut without_options = *fixed;
    without_options[OPT_OCTETS - 2..].fill(0);
    Edns::read(whole.unwrap_or(&without_options))
}

/// Where the question ends that begins there, if its name is uncompressed.
fn question_end(message: &[u8], at: usize) -> Option<usize> {
    let name = name_end(message, at).filter(|name| !name.is_compressed)?;
    let is_short = name.at - at <= NAME_OCTETS_MAX;
    Some(name.at + QUESTION_TAIL).filter(|end| is_short && *end <= message.len())
}

fn record_end(message: &[u8], at: usize) -> Option<usize> {
    let fixed = name_end(message, at)?.at;
    let length = message.get(fixed..fixed + RECORD_FIXED)?;
    Some(fixed + RECORD_FIXED + usize::from(u16::from_be_bytes([length[8], length[9]])))
}

/// Where the name ends that begins there: behind its zero, or behind its pointer, which is not
/// followed.
fn name_end(message: &[u8], mut at: usize) -> Option<End> {
    loop {
        match *message.get(at)? {
            0 => return Some(End { at: at + 1, is_compressed: false }),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xC0.. => return Some(End { at: at + 2, is_compressed: true }),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::salvage;

    const NAME: &[u8] = b"\x01a\0";
    const KIND: &[u8] = b"\0\x01\0\x01";
    const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0";
    const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x02hi";

    /// What is salvaged of a message with these counts: the question, and the size in its OPT.
    fn salvaged(flags: u8, counts: [u8; 4], parts: &[&[u8]]) -> (Vec<u8>, Option<u16>) {
        let [questions, answers, authorities, additionals] = counts;
        let header = [0, 7, flags, 0, 0, questions, 0, answers, 0, authorities, 0, additionals];
        let message = [&header[..], &parts.concat()].concat();
        let query = salvage(&message);
        (query.question().to_vec(), query.edns.map(|edns| edns.udp_size))
    }

    /// Flags, counts, what follows the header, and what is salvaged of it.
    type Case<'c> = (u8, [u8; 4], &'c [&'c [u8]], (&'c [u8], Option<u16>));

    #[test]
    fn question_and_opt_are_found_in_what_is_broken() {
        let asked = [NAME, KIND].concat();
        let (nothing, size) = (Vec::new(), Some(1_232));
        let cut = &OPT[..10];
        let cases: &[Case<'_>] = &[
            (0, [1, 0, 0, 0], &[NAME, KIND, b"behind"], (&asked, None)),
            (0, [1, 0, 0, 2], &[NAME, KIND, OPT, OPT], (&asked, size)),
            (0, [1, 1, 1, 2], &[NAME, KIND, RECORD, RECORD, RECORD, OPT], (&asked, size)),
            (0, [1, 1, 0, 0], &[NAME, KIND, OPT], (&asked, None)),
            (0, [1, 0, 0, 1], &[NAME, KIND, cut], (&asked, None)),
            (0, [1, 0, 0, 1], &[NAME, KIND, cut, b"\x09"], (&asked, size)),
            (0, [1, 0, 0, 1], &[NAME, KIND, b"\x01a", OPT], (&asked, None)),
            (0, [2, 0, 0, 1], &[NAME, KIND, NAME, KIND, OPT], (&nothing, size)),
            (0, [0, 0, 0, 1], &[OPT], (&nothing, size)),
            (0, [1, 0, 0, 1], &[b"\xc0\x0c", KIND, OPT], (&nothing, size)),
            (0, [1, 0, 0, 0], &[b"\x40aaaa", KIND], (&nothing, None)),
            (0, [1, 0, 0, 0], &[NAME, &KIND[..3]], (&nothing, None)),
            (0, [1, 0, 0, 0], &[b"\xc0"], (&nothing, None)),
            (0, [1, 0, 0, 0], &[b"\x01a\xfa\0", KIND], (&nothing, None)),
            (0, [1, 0, 0, 0], &[&[b'?'; 64].repeat(4), b"\0", KIND], (&nothing, None)),
            (0, [1, 0, 0, 20], &[NAME, KIND, &RECORD.repeat(16), OPT], (&asked, None)),
            (0, [1, 17, 0, 1], &[NAME, KIND, &RECORD.repeat(17), OPT], (&asked, None)),
            (0x20, [1, 0, 0, 1], &[NAME, KIND, OPT], (&asked, size)),
            (0x28, [1, 0, 0, 1], &[NAME, KIND, OPT], (&asked, size)),
            (0x78, [1, 0, 0, 1], &[NAME, KIND, OPT], (&nothing, size)),
        ];
        for &(flags, counts, parts, (question, size)) in cases {
            let expected = (question.to_vec(), size);
            assert_eq!(salvaged(flags, counts, parts), expected, "{counts:?} {parts:02x?}");
        }
    }
}
