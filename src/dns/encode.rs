//! The reply, written into a buffer that is there already: header, question, records, OPT.
//!
//! Nothing is allocated. A record is written whole or not at all, room for the OPT record is kept
//! from the start, and the writer never passes the limit: a reply that would be too long is cut
//! where RFC 2181 §9 allows it, and says so where it demands it. Names in front of records are
//! compressed against the question and against what the caller points to; names inside record
//! data are written as they are given (RFC 2782 and RFC 3597 §4 forbid more for most types).
//!
//! Records are in `record`, names in `name`, and looking back at what is written in `read`.

mod name;
mod opt;
mod read;
mod record;
pub(super) mod short;

pub use name::Owner;
pub(super) use name::POINTER_REACH;
pub use opt::{ExtendedError, Opt};
pub(super) use read::after_name;
pub use record::Data;

use self::name::Suffixes;
use super::query::{HEADER_OCTETS, Query, UDP_OCTETS_WITHOUT_EDNS};

/// The IN class, the only one that is answered.
pub const CLASS_IN: u16 = 1;

/// The offset of the question's name: the owner of most records.
pub const QUESTION: u16 = 12;

/// A reply in the making.
#[derive(Debug)]
pub struct Reply<'b> {
    buffer: &'b mut [u8],
    /// Where the next record goes.
    at: usize,
    /// The first octet that no record may touch: the limit, less the room kept for the OPT record.
    end: usize,
    counts: [u16; 3],
    section: Section,
    rcode: u16,
    authoritative: bool,
    recursion_available: bool,
    truncated: bool,
    recursion_desired: bool,
    checking_disabled: bool,
    question_octets: usize,
    opt: Option<Opt<'b>>,
    extended_error: Option<ExtendedError>,
    id: u16,
    suffixes: Suffixes,
}

/// The section of a record, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is in charge; of a negative answer, the SOA.
    Authority,
    /// What will be asked for next.
    Additional,
}

/// The record did not fit, and nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply has no room for the record")]
pub struct Full;

/// A state of a reply to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: usize,
    counts: [u16; 3],
    section: Section,
    suffix_count: usize,
}

// === impl Reply ===

impl<'b> Reply<'b> {
    /// Begins the reply to `query`: NOERROR, not authoritative, no records. `buffer` holds at least
    /// 512 octets; the reply ends where the smaller of `buffer` and `octets_max` does, which is at
    /// least 512 too. `opt` is the OPT record that it gets, if it gets one.
    #[inline]
    pub fn new(
        query: &Query<'_>,
        octets_max: usize,
        opt: Option<Opt<'b>>,
        buffer: &'b mut [u8],
    ) -> Self {
        let question = query.question();
        let at = HEADER_OCTETS + question.len();
        let reserved = opt.as_ref().map_or(0, Opt::octets);
        let end = octets_max.min(buffer.len()).saturating_sub(reserved);
        debug_assert!(at <= end, "a reply has room for the longest question");
        short::copy(&mut buffer[HEADER_OCTETS..at], question);
        Self {
            buffer,
            at,
            end,
            counts: [0; 3],
            section: Section::Answer,
            rcode: 0,
            authoritative: false,
            recursion_available: false,
            truncated: false,
            recursion_desired: query.recursion_desired,
            checking_disabled: query.checking_disabled,
            question_octets: question.len(),
            opt,
            extended_error: None,
            id: query.id,
            suffixes: Suffixes::default(),
        }
    }

    /// Sets the response code; above 15 it needs the OPT record (RFC 6891 §6.1.3), and a client
    /// without EDNS sees the lower four bits.
    pub fn set_rcode(&mut self, rcode: u16) {
        self.rcode = rcode;
    }

    /// The response code.
    pub fn rcode(&self) -> u16 {
        self.rcode
    }

    /// Says why, to a client that speaks EDNS and as far as there is room (RFC 8914).
    pub fn set_extended_error(&mut self, code: u16, text: &'static str) {
        self.extended_error = Some(ExtendedError { code, text });
    }

    /// Says whether this server is in charge of the name (AA).
    pub fn set_authoritative(&mut self, authoritative: bool) {
        self.authoritative = authoritative;
    }

    /// Says whether this client may ask this server for names that are not its own (RA).
    #[inline]
    pub fn set_recursion_available(&mut self, available: bool) {
        self.recursion_available = available;
    }

    /// Says that the reply was cut (TC), so that the client asks again over TCP.
    pub fn set_truncated(&mut self) {
        self.truncated = true;
    }

    /// Whether the reply was cut.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// How many records a section has.
    pub fn count(&self, section: Section) -> u16 {
        self.counts[section as usize]
    }

    /// Where the next record will begin.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The state of now, to go back to.
    pub fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            counts: self.counts,
            section: self.section,
            suffix_count: self.suffixes.count,
        }
    }

    /// Takes back every record since `mark`. Response code and flags stay.
    pub fn rollback(&mut self, mark: Mark) {
        self.at = mark.at;
        self.counts = mark.counts;
        self.section = mark.section;
        self.suffixes.count = mark.suffix_count;
    }

    /// Octets that the reply has as it is, padding aside.
    pub fn octets(&self) -> usize {
        let Some(opt) = &self.opt else { return self.at };
        let error = self.extended_error.as_ref().map_or(0, ExtendedError::octets);
        self.at + opt.octets() + error
    }

    /// Whether it is for a client over UDP that says nothing of EDNS, as the smallest ones are.
    pub fn is_of_the_smallest(&self) -> bool {
        self.opt.is_none() && self.end <= usize::from(UDP_OCTETS_WITHOUT_EDNS)
    }

    /// Whether the client gets a cookie.
    pub fn has_cookie(&self) -> bool {
        self.opt.is_some_and(|opt| opt.cookie.is_some())
    }

    /// Takes everything back but the question and the OPT record, of which only a cookie stays:
    /// what is left is no longer than a question, or by the server's part of that.
    pub fn take_back(&mut self) {
        self.at = HEADER_OCTETS + self.question_octets;
        (self.counts, self.section) = ([0; 3], Section::Answer);
        self.suffixes.count = 0;
        (self.rcode, self.authoritative, self.truncated) = (0, false, false);
        self.extended_error = None;
        if let Some(opt) = &mut self.opt {
            opt.nsid = &[];
        }
    }

    /// Writes the header and the OPT record, and returns the length of the whole reply.
    pub fn finish(mut self) -> usize {
        if let Some(opt) = self.opt.take() {
            self.put_opt(&opt);
            self.counts[Section::Additional as usize] += 1;
        }
        let Self { buffer, at, counts, rcode, .. } = self;
        let [id_high, id_low] = self.id.to_be_bytes();
        let [_, rcode_low] = (rcode & 0x0F).to_be_bytes();
        let bit = |flag: bool, mask: u8| if flag { mask } else { 0 };
        let first = 0x80
            | bit(self.authoritative, 0x04)
            | bit(self.truncated, 0x02)
            | bit(self.recursion_desired, 0x01);
        // AD stays zero: this server validates nothing.
        let second =
            bit(self.recursion_available, 0x80) | bit(self.checking_disabled, 0x10) | rcode_low;
        let [answer, authority, additional] = counts.map(u16::to_be_bytes);
        let header = [
            id_high,
            id_low,
            first,
            second,
            0,
            (self.question_octets > 0).into(),
            answer[0],
            answer[1],
            authority[0],
            authority[1],
            additional[0],
            additional[1],
        ];
        buffer[..HEADER_OCTETS].copy_from_slice(&header);
        at
    }

    #[inline]
    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.at + octets.len();
        if end > self.end {
            return Err(Full);
        }
        self.buffer[self.at..end].copy_from_slice(octets);
        self.at = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
