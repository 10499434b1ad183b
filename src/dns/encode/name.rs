//! Names in front of records, and their compression (RFC 1035 §4.1.4).

use super::{Full, Reply, read::after_name};
use crate::dns::query::HEADER_OCTETS;

/// Offsets that a compression pointer can say (RFC 1035 §4.1.4).
pub(in crate::dns) const POINTER_REACH: usize = 0x4000;

/// Names that are remembered as targets of compression. A reply of ours names a zone, a handful of
/// servers and their glue; more names than this are written out, which is right, only longer.
const SUFFIXES: usize = 24;

/// Hops that are followed through compression pointers: names have at most 127 labels, and each
/// pointer of ours goes back by at least one of them.
const HOPS_MAX: usize = 128;

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

/// The names that are remembered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Suffixes {
    known: [Suffix; SUFFIXES],
    pub(super) count: usize,
}

/// A name in the reply, by where it begins and how long it is when written out.
#[derive(Debug, Clone, Copy, Default)]
struct Suffix {
    at: u16,
    octets: u16,
}

// === impl Reply ===

impl Reply<'_> {
    /// Remembers the name that stands uncompressed at `offset` (inside record data, for example),
    /// so that later owners are compressed against it.
    pub fn remember_name(&mut self, offset: usize) {
        let mut at = offset;
        let mut octets = self.name_len_at(offset);
        while let Some(&length @ 1..=63) = self.buffer[..self.at].get(at)
            && at < POINTER_REACH
            && let Some(slot) = self.suffixes.known.get_mut(self.suffixes.count)
        {
            let place = u16::try_from(at).expect("below the reach of a pointer");
            *slot = Suffix { at: place, octets };
            self.suffixes.count += 1;
            at += 1 + usize::from(length);
            octets = octets.saturating_sub(1 + u16::from(length));
        }
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

    fn put_pointer(&mut self, to: usize) -> Result<(), Full> {
        let to = u16::try_from(to).expect("the caller held it to the reach of a pointer");
        self.put(&(0xC000 | to).to_be_bytes())
    }

    pub(super) fn owner(&mut self, owner: Owner<'_>) -> Result<(), Full> {
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
        if self.suffixes.count == 0 {
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
        let candidates = &self.suffixes.known[..self.suffixes.count];
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
