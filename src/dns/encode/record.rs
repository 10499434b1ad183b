//! Records: whole or not at all.

use super::{CLASS_IN, Full, Owner, Reply, Section, name::POINTER_REACH, short};
use crate::dns::code::rtype;

/// Octets in front of the data of a record whose owner is a pointer (RFC 1035 §4.1.3).
const FIXED: usize = 12;

/// The data of a record in the making.
#[derive(Debug)]
pub struct Data<'r, 'b>(&'r mut Reply<'b>);

// === impl Reply ===

impl<'b> Reply<'b> {
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
        let end = self.at + FIXED + N;
        if end > self.end {
            self.truncated |= section != Section::Additional;
            return Err(Full);
        }
        let room = &mut self.buffer[self.at..end];
        room[..FIXED].copy_from_slice(&fixed(owner, (rtype, ttl), N));
        room[FIXED..].copy_from_slice(address);
        self.at = end;
        self.entered(section);
        Ok(())
    }

    /// Writes one SRV record into the answer section, as [`Reply::record`]: priority, weight and
    /// port, and the target in two parts. `owner` is an offset that a pointer can say.
    ///
    /// # Errors
    /// As [`Reply::record`].
    #[inline]
    pub fn service(
        &mut self,
        owner: u16,
        ttl: u32,
        numbers: &[u8; 6],
        target: [&[u8]; 2],
    ) -> Result<usize, Full> {
        let length = numbers.len() + target[0].len() + target[1].len();
        let start = self.at + FIXED;
        let end = start + length;
        if end > self.end {
            self.truncated = true;
            return Err(Full);
        }
        let room = &mut self.buffer[self.at..end];
        room[..FIXED].copy_from_slice(&fixed(owner, (rtype::SRV, ttl), length));
        room[FIXED..FIXED + numbers.len()].copy_from_slice(numbers);
        let (first, second) = room[FIXED + numbers.len()..].split_at_mut(target[0].len());
        short::copy(first, target[0]);
        short::copy(second, target[1]);
        self.at = end;
        self.entered(Section::Answer);
        Ok(start)
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

    /// Writes the addresses of one family of the name at the offset `owner` into the additional
    /// section, whole or not at all. Returns whether they were written.
    #[inline]
    pub fn additional_set<const N: usize>(
        &mut self,
        owner: usize,
        kind: (u16, u32),
        addresses: &[[u8; N]],
    ) -> bool {
        let mark = self.mark();
        let written = match u16::try_from(owner) {
            Ok(near) if owner < POINTER_REACH => {
                self.addresses(Section::Additional, near, kind, addresses)
            }
            _ => addresses.iter().try_for_each(|address| {
                self.record(Section::Additional, Owner::At(owner), kind, &[address]).map(|_| ())
            }),
        };
        if written.is_err() {
            self.rollback(mark);
        }
        written.is_ok()
    }

    /// Writes one character-string as the TXT record of the question, in the class CHAOS. Nobody is
    /// to keep it (RFC 4892 §2).
    ///
    /// # Errors
    /// As [`Reply::record`].
    pub fn chaos_text(&mut self, text: &str) -> Result<(), Full> {
        const TYPE_CLASS_TTL: [u8; 8] = [0, 16, 0, 3, 0, 0, 0, 0];
        let mark = self.mark();
        let length = u16::try_from(text.len()).map_err(|_| Full)?;
        let written = self.owner(Owner::Question).and_then(|()| {
            self.put(&TYPE_CLASS_TTL)?;
            self.put(&(length + 1).to_be_bytes())?;
            Data(self).put_label(text.as_bytes())
        });
        match written {
            Ok(()) => self.entered(Section::Answer),
            Err(Full) => {
                self.rollback(mark);
                self.truncated = true;
            }
        }
        written
    }

    /// Makes additional records of the answers that `write` writes if it says that they are worth
    /// it. A set that does not fit is left out as a whole, without a mark (RFC 2181 §9).
    pub fn additionally<T>(&mut self, write: impl FnOnce(&mut Self) -> (bool, T)) -> T {
        let (mark, truncated, error) = (self.mark(), self.truncated, self.extended_error);
        (self.section, self.truncated) = (Section::Answer, false);
        let (is_wanted, told) = write(self);
        if is_wanted && !self.truncated {
            let answers = &mut self.counts[Section::Answer as usize];
            let moved = *answers - mark.counts[Section::Answer as usize];
            *answers -= moved;
            self.counts[Section::Additional as usize] += moved;
            self.section = Section::Additional;
        } else {
            self.rollback(mark);
        }
        // What is said of these is not said of the answer.
        (self.truncated, self.extended_error) = (truncated, error);
        told
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
}

/// What stands in front of the data: a pointer to the owner, type, class, TTL, length.
#[inline]
fn fixed(owner: u16, (rtype, ttl): (u16, u32), length: usize) -> [u8; FIXED] {
    debug_assert!(usize::from(owner) < POINTER_REACH, "a pointer has 14 bits");
    let [pointer_high, pointer_low] = (owner | 0xC000).to_be_bytes();
    let [type_high, type_low] = rtype.to_be_bytes();
    let [class_high, class_low] = CLASS_IN.to_be_bytes();
    let [t0, t1, t2, t3] = ttl.to_be_bytes();
    let [.., length_high, length_low] = length.to_be_bytes();
    [
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
        length_high,
        length_low,
    ]
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
