//! Looking back at what is written already.

use super::Reply;

// === impl Reply ===

impl Reply<'_> {
    /// The data of the record that begins at the offset `record`: where it begins, how it reads.
    pub fn data_at(&self, record: usize) -> Option<(usize, &[u8])> {
        let written = &self.buffer[..self.at];
        let fixed = after_name(written, record)?;
        let length = written.get(fixed + 8..fixed + 10)?;
        let start = fixed + 10;
        let end = start + usize::from(u16::from_be_bytes([length[0], length[1]]));
        Some((start, written.get(start..end)?))
    }

    /// All records of a type from the one that begins at the offset `since`: where their data
    /// begins, how it reads.
    pub fn data_of(&self, rtype: u16, since: usize) -> impl Iterator<Item = (usize, &[u8])> {
        // The type stands ten octets in front of the data (RFC 1035 §4.1.3).
        let is_of = move |start: usize| self.buffer[start - 10..start - 8] == rtype.to_be_bytes();
        self.data_since(since).filter(move |(start, _)| is_of(*start))
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

    /// The name at an offset, if it stands there uncompressed.
    pub fn name_at(&self, offset: usize) -> Option<&[u8]> {
        let written = &self.buffer[..self.at];
        let end = after_name(written, offset)?;
        written.get(offset..end).filter(|name| name.ends_with(&[0]))
    }

    /// Whether the last record, whose data begins at `start`, says what another one says that was
    /// written from the offset `since` on, and with how many it was compared to know. All these are
    /// of one name and type.
    pub fn repeats(&self, since: usize, start: usize) -> (bool, usize) {
        let last = &self.buffer[start..self.at];
        let mut compared = 0;
        let is_double = self.data_since(since).any(|(other, data)| {
            compared += 1;
            other != start && data == last
        });
        (is_double, compared)
    }
}

/// Where the name at `offset` ends: behind its zero, or behind its pointer.
pub(in crate::dns) fn after_name(message: &[u8], offset: usize) -> Option<usize> {
    let mut at = offset;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return Some(at + 2),
        }
    }
}
