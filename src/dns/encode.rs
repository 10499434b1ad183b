//! The reply, written into a buffer that is there already: header, question, records, OPT.
//!
//! Nothing is allocated. A record is written whole or not at all, room for the OPT record is kept
//! from the start, and the writer never passes the limit: a reply that would be too long is cut
//! where RFC 2181 §9 allows it, and says so where it demands it. Names in front of records are
//! compressed against the question and against what the caller points to; names inside record
//! data are written as they are given (RFC 2782 and RFC 3597 §4 forbid more for most types).

use super::{
    code::rtype,
    query::{Edns, HEADER_OCTETS, OPT_OCTETS, Query},
};

/// The IN class, the only one that is answered.
pub const CLASS_IN: u16 = 1;

/// The offset of the question's name: the owner of most records.
pub const QUESTION: u16 = 12;

/// Offsets that a compression pointer can say (RFC 1035 §4.1.4).
const POINTER_REACH: usize = 0x4000;

/// Names that are remembered as targets of compression. A reply of ours names a zone, a handful of
/// servers and their glue; more names than this are written out, which is right, only longer.
const SUFFIXES: usize = 24;

/// Hops that are followed through compression pointers: names have at most 127 labels, and each
/// pointer of ours goes back by at least one of them.
const HOPS_MAX: usize = 128;

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
    truncated: bool,
    recursion_desired: bool,
    checking_disabled: bool,
    edns: Option<Edns>,
    id: u16,
    own_udp_size: u16,
    suffixes: [Suffix; SUFFIXES],
    suffix_count: usize,
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

/// The name in front of a record.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'n> {
    /// The name that stands at this offset of the reply, uncompressed or compressed by this writer.
    At(usize),
    /// A name: lower-case wire labels with the root's zero. Compressed where possible.
    Name(&'n [u8]),
    /// The name that was asked for, in the letters in which it was asked.
    Question,
}

/// The record did not fit, and nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply has no room for the record")]
pub struct Full;

/// The data of a record in the making.
#[derive(Debug)]
pub struct Data<'r, 'b>(&'r mut Reply<'b>);

/// A state of a reply to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: usize,
    counts: [u16; 3],
    section: Section,
    suffix_count: usize,
}

/// How large replies may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest reply, octets.
    pub reply: usize,
    /// The size that our own OPT record states, octets.
    pub own_udp_size: u16,
}

/// A name in the reply, by where it begins and how long it is when written out.
#[derive(Debug, Clone, Copy, Default)]
struct Suffix {
    at: u16,
    octets: u16,
}

// === impl Reply ===

impl<'b> Reply<'b> {
    /// Begins the reply to `query`: NOERROR, not authoritative, no records. `buffer` holds at least
    /// 512 octets; the reply ends where the smaller of `buffer` and the limit does.
    pub fn new(query: &Query<'_>, limits: Limits, buffer: &'b mut [u8]) -> Self {
        let question = query.question();
        let at = HEADER_OCTETS + question.len();
        let reserved = if query.edns.is_some() { OPT_OCTETS } else { 0 };
        let end = limits.reply.min(buffer.len()).saturating_sub(reserved);
        debug_assert!(at <= end, "a reply has room for the longest question");
        buffer[HEADER_OCTETS..at].copy_from_slice(question);
        Self {
            buffer,
            at,
            end,
            counts: [0; 3],
            section: Section::Answer,
            rcode: 0,
            authoritative: false,
            truncated: false,
            recursion_desired: query.recursion_desired,
            checking_disabled: query.checking_disabled,
            edns: query.edns,
            id: query.id,
            own_udp_size: limits.own_udp_size,
            suffixes: [Suffix::default(); SUFFIXES],
            suffix_count: 0,
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

    /// Says whether this server is in charge of the name (AA).
    pub fn set_authoritative(&mut self, authoritative: bool) {
        self.authoritative = authoritative;
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
            suffix_count: self.suffix_count,
        }
    }

    /// Takes back every record since `mark`. Response code and flags stay.
    pub fn rollback(&mut self, mark: Mark) {
        self.at = mark.at;
        self.counts = mark.counts;
        self.section = mark.section;
        self.suffix_count = mark.suffix_count;
    }

    /// Writes one record of class IN whose data is the parts one after the other, and returns the
    /// offset of its data, so that later owners may point to a name inside. Sections come in order.
    ///
    /// # Errors
    /// When it does not fit. Then nothing is written, and the reply is marked as cut unless the
    /// record was for the additional section (RFC 2181 §9).
    pub fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        (rtype, ttl): (u16, u32),
        data: &[&[u8]],
    ) -> Result<usize, Full> {
        self.record_with(section, owner, (rtype, ttl), |written| {
            data.iter().try_for_each(|part| written.put(part))
        })
    }

    /// Writes one record whose data `write` puts together, otherwise as [`Reply::record`].
    ///
    /// # Errors
    /// As [`Reply::record`].
    pub fn record_with(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        (rtype, ttl): (u16, u32),
        write: impl FnOnce(&mut Data<'_, 'b>) -> Result<(), Full>,
    ) -> Result<usize, Full> {
        let mark = self.mark();
        self.written(section, owner, (rtype, ttl), write).inspect_err(|_| {
            self.rollback(mark);
            self.truncated |= section != Section::Additional;
        })
    }

    /// Writes one address record of class IN, as [`Reply::record`]; the shortest way for the
    /// records that most replies consist of. `owner` is an offset that a pointer can say.
    ///
    /// # Errors
    /// As [`Reply::record`].
    #[inline]
    pub fn address<const N: usize>(
        &mut self,
        section: Section,
        owner: u16,
        (rtype, ttl): (u16, u32),
        address: &[u8; N],
    ) -> Result<(), Full> {
        const FIXED: usize = 12;
        debug_assert!(usize::from(owner) < POINTER_REACH, "a pointer has 14 bits");
        let end = self.at + FIXED + N;
        if end > self.end {
            self.truncated |= section != Section::Additional;
            return Err(Full);
        }
        let [pointer_high, pointer_low] = (owner | 0xC000).to_be_bytes();
        let [type_high, type_low] = rtype.to_be_bytes();
        let [t0, t1, t2, t3] = ttl.to_be_bytes();
        let [class_high, class_low] = CLASS_IN.to_be_bytes();
        let length = if N == 4 { 4 } else { 16 };
        let fixed = [
            pointer_high,
            pointer_low,
            type_high,
            type_low,
            class_high,
            class_low,
            t0,
            t1,
            t2,
            t3,
            0,
            length,
        ];
        let room = &mut self.buffer[self.at..end];
        room[..FIXED].copy_from_slice(&fixed);
        room[FIXED..].copy_from_slice(address);
        self.at = end;
        self.entered(section);
        Ok(())
    }

    /// Writes the address records of one name, as [`Reply::address`].
    ///
    /// # Errors
    /// As [`Reply::record`], at the first that does not fit.
    pub fn addresses<const N: usize>(
        &mut self,
        section: Section,
        owner: u16,
        kind: (u16, u32),
        addresses: &[[u8; N]],
    ) -> Result<(), Full> {
        addresses.iter().try_for_each(|address| self.address(section, owner, kind, address))
    }

    /// Writes the addresses of the name at the offset `owner` into the additional section, each
    /// family whole or not at all: a part of a set must not look like the set (RFC 2181 §5).
    pub fn additional_addresses(
        &mut self,
        owner: usize,
        ttl: u32,
        (v4, v6): (&[[u8; 4]], &[[u8; 16]]),
    ) {
        self.additional_set(owner, (rtype::A, ttl), v4);
        self.additional_set(owner, (rtype::AAAA, ttl), v6);
    }

    /// Writes a set of records for the name at the offset `owner` into the additional section,
    /// whole or not at all. Returns whether it was written.
    pub fn additional_set(
        &mut self,
        owner: usize,
        kind: (u16, u32),
        data: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> bool {
        let mark = self.mark();
        let written = data.into_iter().try_for_each(|data| {
            self.record(Section::Additional, Owner::At(owner), kind, &[data.as_ref()]).map(|_| ())
        });
        if written.is_err() {
            self.rollback(mark);
        }
        written.is_ok()
    }

    /// Remembers the name that stands uncompressed at `offset` (inside record data, for example),
    /// so that later owners are compressed against it.
    pub fn remember_name(&mut self, offset: usize) {
        let mut at = offset;
        let mut octets = self.name_len_at(offset);
        while let Some(&length @ 1..=63) = self.buffer[..self.at].get(at)
            && at < POINTER_REACH
            && let Some(slot) = self.suffixes.get_mut(self.suffix_count)
        {
            let place = u16::try_from(at).expect("below the reach of a pointer");
            *slot = Suffix { at: place, octets };
            self.suffix_count += 1;
            at += 1 + usize::from(length);
            octets = octets.saturating_sub(1 + u16::from(length));
        }
    }

    /// The data of the record that begins at the offset `record`: where it begins, how it reads.
    pub fn data_at(&self, record: usize) -> Option<(usize, &[u8])> {
        let written = &self.buffer[..self.at];
        let fixed = after_name(written, record)?;
        let length = written.get(fixed + 8..fixed + 10)?;
        let start = fixed + 10;
        let end = start + usize::from(u16::from_be_bytes([length[0], length[1]]));
        Some((start, written.get(start..end)?))
    }

    /// The data of all records from the one that begins at the offset `since`.
    pub fn data_since(&self, since: usize) -> impl Iterator<Item = (usize, &[u8])> {
        let mut record = since;
        std::iter::from_fn(move || {
            let (start, data) = self.data_at(record)?;
            record = start + data.len();
            Some((start, data))
        })
    }

    /// Whether the last record, whose data begins at `start`, says what another one says that was
    /// written from the offset `since` on. All these are of one name and type.
    pub fn repeats(&self, since: usize, start: usize) -> bool {
        let last = &self.buffer[start..self.at];
        self.data_since(since).any(|(other, data)| other != start && data == last)
    }

    /// Whether the name at `offset` is `name` (lower-case wire labels), without regard to case.
    pub fn is_at(&self, offset: usize, name: &[u8]) -> bool {
        let mut rest = name;
        self.labels_at(offset).all(|label| {
            let same = rest.get(..label.len()).is_some_and(|own| own.eq_ignore_ascii_case(label));
            rest = rest.get(label.len()..).unwrap_or_default();
            same
        }) && rest == [0]
    }

    /// Writes the header and the OPT record, and returns the length of the whole reply.
    pub fn finish(self) -> usize {
        let Self { buffer, mut at, counts, rcode, .. } = self;
        let mut additional = counts[Section::Additional as usize];
        if let Some(edns) = self.edns {
            let [size_high, size_low] = self.own_udp_size.to_be_bytes();
            let [rcode_high, _] = (rcode << 4).to_be_bytes();
            let flags = if edns.dnssec_ok { 0x80 } else { 0 };
            let opt = [0, 0, 41, size_high, size_low, rcode_high, 0, flags, 0, 0, 0];
            buffer[at..at + OPT_OCTETS].copy_from_slice(&opt);
            at += OPT_OCTETS;
            additional += 1;
        }
        let [id_high, id_low] = self.id.to_be_bytes();
        let [_, rcode_low] = (rcode & 0x0F).to_be_bytes();
        let bit = |flag: bool, mask: u8| if flag { mask } else { 0 };
        let first = 0x80
            | bit(self.authoritative, 0x04)
            | bit(self.truncated, 0x02)
            | bit(self.recursion_desired, 0x01);
        // RA and AD stay zero: this server neither recurses nor validates.
        let second = bit(self.checking_disabled, 0x10) | rcode_low;
        let [answer, authority] = [counts[0].to_be_bytes(), counts[1].to_be_bytes()];
        let additional = additional.to_be_bytes();
        let header = [
            id_high,
            id_low,
            first,
            second,
            0,
            1,
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

    fn written(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        (rtype, ttl): (u16, u32),
        write: impl FnOnce(&mut Data<'_, 'b>) -> Result<(), Full>,
    ) -> Result<usize, Full> {
        self.owner(owner)?;
        self.put(&rtype.to_be_bytes())?;
        self.put(&CLASS_IN.to_be_bytes())?;
        self.put(&ttl.to_be_bytes())?;
        self.put(&[0, 0])?;
        let start = self.at;
        write(&mut Data(self))?;
        let length = u16::try_from(self.at - start).map_err(|_| Full)?;
        self.buffer[start - 2..start].copy_from_slice(&length.to_be_bytes());
        self.entered(section);
        Ok(start)
    }

    /// Counts a record that was just written.
    #[inline]
    fn entered(&mut self, section: Section) {
        debug_assert!(section >= self.section, "sections come in order");
        self.section = section;
        self.counts[section as usize] += 1;
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

    fn put_pointer(&mut self, to: usize) -> Result<(), Full> {
        let to = u16::try_from(to).expect("the caller held it to the reach of a pointer");
        self.put(&(0xC000 | to).to_be_bytes())
    }

    fn owner(&mut self, owner: Owner<'_>) -> Result<(), Full> {
        match owner {
            Owner::Question => self.put_pointer(HEADER_OCTETS),
            Owner::At(offset) if offset < POINTER_REACH => self.put_pointer(offset),
            Owner::At(offset) => self.copy_name(offset),
            Owner::Name(name) => self.compressed(name),
        }
    }

    /// Writes again the labels of a name that no pointer reaches.
    fn copy_name(&mut self, offset: usize) -> Result<(), Full> {
        let end = after_name(self.buffer, offset).ok_or(Full)?;
        let to = self.at + (end - offset);
        if to > self.end {
            return Err(Full);
        }
        self.buffer.copy_within(offset..end, self.at);
        self.at = to;
        Ok(())
    }

    /// Writes a name, its longest known suffix as a pointer, and remembers what is new of it.
    fn compressed(&mut self, name: &[u8]) -> Result<(), Full> {
        if self.suffix_count == 0 {
            self.remember_name(HEADER_OCTETS);
        }
        let start = self.at;
        let mut rest = name;
        while let Some(&length @ 1..) = rest.first() {
            if let Some(known) = self.known(rest) {
                self.put_pointer(known)?;
                self.remember_name(start);
                return Ok(());
            }
            let (label, tail) = rest.split_at(1 + usize::from(length));
            self.put(label)?;
            rest = tail;
        }
        self.put(&[0])?;
        self.remember_name(start);
        Ok(())
    }

    /// Where `name` stands already.
    fn known(&self, name: &[u8]) -> Option<usize> {
        let candidates = &self.suffixes[..self.suffix_count];
        let same = |suffix: &&Suffix| {
            usize::from(suffix.octets) == name.len() && self.is_at(usize::from(suffix.at), name)
        };
        candidates.iter().find(same).map(|suffix| usize::from(suffix.at))
    }

    /// The length of the name at `offset` when it is written out.
    fn name_len_at(&self, offset: usize) -> u16 {
        let octets = self.labels_at(offset).map(<[u8]>::len).sum::<usize>() + 1;
        u16::try_from(octets).unwrap_or(u16::MAX)
    }

    /// The labels of the name at `offset`, with their length octets, through pointers.
    fn labels_at(&self, offset: usize) -> impl Iterator<Item = &[u8]> {
        let written = &self.buffer[..self.at];
        let (mut at, mut hops) = (offset, 0);
        std::iter::from_fn(move || {
            loop {
                match *written.get(at)? {
                    0 => return None,
                    length @ 1..=63 => {
                        let label = written.get(at..=at + usize::from(length))?;
                        at += label.len();
                        return Some(label);
                    }
                    high => {
                        hops += 1;
                        let low = *written.get(at + 1)?;
                        at = usize::from(u16::from_be_bytes([high & 0x3F, low]));
                        if hops > HOPS_MAX {
                            return None;
                        }
                    }
                }
            }
        })
    }
}

// === impl Data ===

impl Data<'_, '_> {
    /// Appends octets.
    ///
    /// # Errors
    /// When there is no room; pass it on, and the record is taken back.
    #[inline]
    pub fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        self.0.put(octets)
    }

    /// Appends a label with its length octet, or a character-string (RFC 1035 §3.3), which has the
    /// same form; at most 255 octets.
    ///
    /// # Errors
    /// When there is no room; pass it on, and the record is taken back.
    #[inline]
    pub fn put_label(&mut self, label: &[u8]) -> Result<(), Full> {
        self.put(&[u8::try_from(label.len()).map_err(|_| Full)?])?;
        self.put(label)
    }
}

/// Where the name at `offset` ends: behind its zero, or behind its pointer.
fn after_name(message: &[u8], offset: usize) -> Option<usize> {
    let mut at = offset;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return Some(at + 2),
        }
    }
}

#[cfg(test)]
mod tests;
