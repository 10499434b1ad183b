//! Replies, read from the wire into what is compared: RRSets, names without compression and in
//! lower case.
//!
//! Not by hickory, which Rollcall is built with: what both read alike would be thought right. And
//! strictly: what is left behind the last record, or a pointer that goes forward, is an error.

use super::name::Name;

/// One reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The two octets of flags, without the response code.
    pub(crate) flags: u16,
    /// With the upper bits of the OPT record.
    pub(crate) rcode: u16,
    /// The question as it came.
    pub(crate) question: Vec<u8>,
    /// In the order of their first records.
    pub(crate) answer: Vec<Set>,
    /// Sorted.
    pub(crate) authority: Vec<Set>,
    /// Sorted, without the OPT record.
    pub(crate) additional: Vec<Set>,
    pub(crate) edns: Option<Edns>,
    pub(crate) octets: usize,
}

/// The records of one name, type and TTL, in no order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set {
    pub(crate) owner: Name,
    pub(crate) rtype: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<Vec<u8>>,
}

/// What is compared of the OPT record; the size is each server's own, and options were not asked
/// for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edns {
    version: u8,
    flags: u16,
}

/// TC, in [`Reply::flags`].
pub(crate) const TRUNCATED: u16 = 0x0200;

/// AA, in [`Reply::flags`].
pub(crate) const AUTHORITATIVE: u16 = 0x0400;

const OPT: u16 = 41;

// === impl Reply ===

impl Reply {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn read(message: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { message, at: 0 };
        let _id = reader.number()?;
        let flags = reader.number()?;
        let [questions, answers, authorities, additionals] =
            [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
        let begin = reader.at;
        for _ in 0..questions {
            reader.name()?;
            reader.take(4)?;
        }
        let question = message[begin..reader.at].to_vec();
        let answer = reader.section(answers)?;
        let [mut authority, mut additional] =
            [reader.section(authorities)?, reader.section(additionals)?];
        if reader.at != message.len() {
            return Err(format!("{} octets are left over", message.len() - reader.at));
        }
        let opts: Vec<_> = additional.iter().filter(|set| set.rtype == OPT).cloned().collect();
        additional.retain(|set| set.rtype != OPT);
        authority.sort();
        additional.sort();
        let edns = match &opts[..] {
            [] => None,
            [Set { ttl, data, .. }] if data.len() == 1 => Some(*ttl),
            _ => return Err("there are several OPT records".into()),
        };
        let [high, version, ..] = edns.unwrap_or_default().to_be_bytes();
        let edns = edns.map(|ttl| Edns { version, flags: (ttl & 0xFFFF) as u16 });
        let rcode = u16::from(high) << 4 | flags & 0xF;
        let octets = message.len();
        let flags = flags & 0xFFF0;
        Ok(Self { flags, rcode, question, answer, authority, additional, edns, octets })
    }

    /// Whether it was cut.
    pub(crate) fn is_truncated(&self) -> bool {
        self.flags & TRUNCATED != 0
    }

    /// Whether its server is in charge.
    pub(crate) fn is_authoritative(&self) -> bool {
        self.flags & AUTHORITATIVE != 0
    }
}

/// As lines, like dig's.
impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rcode {}, flags {:04x}, {} octets", self.rcode, self.flags, self.octets)?;
        for (flag, name) in [(AUTHORITATIVE, "aa"), (TRUNCATED, "tc")] {
            if self.flags & flag != 0 {
                write!(f, ", {name}")?;
            }
        }
        if let Some(Edns { version, flags }) = self.edns {
            write!(f, ", edns {version} {flags:04x}")?;
        }
        let sections = [("an", &self.answer), ("ns", &self.authority), ("ar", &self.additional)];
        for (section, sets) in sections {
            for set in sets {
                write!(f, "\n  {section} {set}")?;
            }
        }
        Ok(())
    }
}

// === impl Set ===

impl Set {
    /// How long it is at the most, its owner written out.
    pub(crate) fn octets(&self) -> usize {
        let one = |data: &Vec<u8>| self.owner.octets() + 10 + data.len();
        self.data.iter().map(one).sum()
    }

    /// The names that its data refers to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Name> {
        let at = match self.rtype {
            2 | 5 => Some(0),
            15 | 64 | 65 => Some(2),
            33 => Some(6),
            _ => None,
        };
        let names = self.data.iter().filter_map(move |data| data.get(at?..));
        names.map(Name::from_wire)
    }
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, rtype, ttl, data } = self;
        write!(f, "{owner} {ttl} {}", super::data::Type(*rtype))?;
        for data in data {
            match (rtype, &data[..]) {
                (2 | 5 | 12 | 39, name) => write!(f, " {}", Name::from_wire(name))?,
                (1, &[a, b, c, d]) => write!(f, " {a}.{b}.{c}.{d}")?,
                _ => write!(f, " {}", data.escape_ascii())?,
            }
        }
        Ok(())
    }
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

// === impl Reader ===

impl<'m> Reader<'m> {
    fn take(&mut self, octets: usize) -> Result<&'m [u8], String> {
        let taken = self.message.get(self.at..self.at + octets);
        self.at += octets;
        taken.ok_or_else(|| "it ends within a field".to_owned())
    }

    fn number(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().unwrap()))
    }

    /// Reads a name, in lower case.
    fn name(&mut self) -> Result<Vec<u8>, String> {
        let (mut name, mut resume) = (Vec::new(), None);
        loop {
            let begin = self.at;
            match self.take(1)?[0] {
                0 => break,
                length @ 1..=63 => {
                    name.push(length);
                    name.extend(self.take(usize::from(length))?.to_ascii_lowercase());
                }
                high @ 0xC0.. => {
                    let to = usize::from(high & 0x3F) << 8 | usize::from(self.take(1)?[0]);
                    resume.get_or_insert(self.at);
                    if to >= begin {
                        return Err(format!("the pointer at {begin} leads to {to}"));
                    }
                    self.at = to;
                }
                other => return Err(format!("a label of the kind {other:#x}")),
            }
        }
        name.push(0);
        self.at = resume.unwrap_or(self.at);
        if name.len() > 255 { Err("a name is too long".into()) } else { Ok(name) }
    }

    fn section(&mut self, records: u16) -> Result<Vec<Set>, String> {
        let mut sets: Vec<Set> = Vec::new();
        for _ in 0..records {
            let owner = Name::from_wire(&self.name()?);
            let (rtype, class) = (self.number()?, self.number()?);
            let ttl = u32::from_be_bytes(self.take(4)?.try_into().unwrap());
            let length = usize::from(self.number()?);
            let end = self.at + length;
            let data = self.data(rtype, end)?;
            if self.at != end {
                return Err(format!("data of type {rtype} has another length than it says"));
            }
            if class != 1 && rtype != OPT {
                return Err(format!("a record of class {class}"));
            }
            let same = |set: &&mut Set| (set.rtype, set.ttl) == (rtype, ttl) && set.owner == owner;
            match sets.iter_mut().find(same) {
                Some(set) => set.data.push(data),
                None => sets.push(Set { owner, rtype, ttl, data: vec![data] }),
            }
        }
        sets.iter_mut().for_each(|set| set.data.sort());
        Ok(sets)
    }

    /// Reads the data of a record, the names in it written out.
    fn data(&mut self, rtype: u16, end: usize) -> Result<Vec<u8>, String> {
        let mut data = Vec::new();
        let before = match rtype {
            2 | 5 | 6 | 12 | 39 => Some(0),
            15 | 64 | 65 => Some(2),
            33 => Some(6),
            35 => Some(self.naptr_head()?),
            _ => None,
        };
        if let Some(before) = before {
            data.extend(self.take(before)?);
            data.extend(self.name()?);
        }
        if rtype == 6 {
            data.extend(self.name()?);
        }
        let rest = end.checked_sub(self.at).ok_or("data ends within a name")?;
        data.extend(self.take(rest)?);
        Ok(data)
    }

    /// Octets of the data of a NAPTR record before its name.
    fn naptr_head(&mut self) -> Result<usize, String> {
        let begin = self.at;
        self.take(4)?;
        for _ in 0..3 {
            let length = self.take(1)?[0];
            self.take(usize::from(length))?;
        }
        let octets = self.at - begin;
        self.at = begin;
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;

    /// A reply with one record of `A.` in its answer, whose data is this.
    fn reply(rtype: u8, data: &[u8]) -> Result<Reply, String> {
        let head = [0, 7, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, b'A', 0, 0, rtype, 0, 1];
        let length = u8::try_from(data.len()).unwrap();
        let record = [0xC0, 12, 0, rtype, 0, 1, 0, 0, 0, 9, 0, length];
        Reply::read(&[&head[..], &record, data].concat())
    }

    #[test]
    fn names_in_data_are_written_out_in_lower_case() {
        for (rtype, data, expected) in [
            (2, &b"\x01B\xc0\x0c"[..], &b"\x01b\x01a\x00"[..]),
            (6, b"\xc0\x0c\x00SERIALetc", b"\x01a\x00\x00SERIALetc"),
            (15, b"\x00A\xc0\x0c", b"\x00A\x01a\x00"),
            (16, b"\x01A", b"\x01A"),
            (33, b"WPRIOT\x01B\x00", b"WPRIOT\x01b\x00"),
            (35, b"\x00A\x00B\x01S\x01T\x00\xc0\x0c", b"\x00A\x00B\x01S\x01T\x00\x01a\x00"),
            (65, b"\x00A\x01B\x00\x00A", b"\x00A\x01b\x00\x00A"),
        ] {
            assert_eq!(reply(rtype, data).unwrap().answer[0].data, [expected], "{rtype}");
        }
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        for (rtype, data) in [(2, &b"\x01B"[..]), (2, b"\xc0\xff"), (2, b"\x41"), (15, b"\x00")] {
            assert!(reply(rtype, data).is_err(), "{rtype} {}", data.escape_ascii());
        }
    }
}
