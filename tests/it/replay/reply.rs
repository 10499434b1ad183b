//! A reply, read: hickory gives the records their text, the rest is looked at octet by octet.

use hickory_proto::{
    op::Query,
    rr::{Name, RData, Record, RecordType},
    serialize::binary::{BinDecodable, BinDecoder},
};

use super::ask::type_text;

/// A whole reply.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) octets: Vec<u8>,
    /// The question as it stands there; nothing when there is none.
    pub(super) question: Vec<u8>,
    /// The records of the three sections, without the OPT records.
    pub(super) sections: [Vec<Line>; 3],
    pub(super) opts: Vec<Opt>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) owner: String,
    pub(super) ttl: u32,
    pub(super) class: u16,
    pub(super) rtype: String,
    pub(super) text: String,
    pub(super) data: Vec<u8>,
}

/// An OPT record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Opt {
    pub(super) size: u16,
    pub(super) rcode_high: u8,
    pub(super) version: u8,
    pub(super) flags: u16,
    pub(super) options: Vec<(u16, Vec<u8>)>,
}

// === impl Reply ===

impl Reply {
    /// Reads a message.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub(super) fn read(octets: Vec<u8>) -> Result<Self, String> {
        let header = octets.first_chunk::<12>().ok_or("it is shorter than a header")?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let mut reply = Self::default();
        let mut decoder = BinDecoder::new(&octets);
        decoder.read_slice(12).map_err(|e| e.to_string())?;
        for _ in 0..count(4) {
            Query::read(&mut decoder).map_err(|e| format!("its question: {e}"))?;
        }
        reply.question = octets[12..decoder.index()].to_vec();
        for (section, at) in [6, 8, 10].into_iter().enumerate() {
            for _ in 0..count(at) {
                reply.record(section, &octets, &mut decoder)?;
            }
        }
        if !decoder.is_empty() {
            return Err(format!("{} octets stand behind its end", decoder.len()));
        }
        reply.octets = octets;
        Ok(reply)
    }

    fn record(
        &mut self,
        section: usize,
        octets: &[u8],
        decoder: &mut BinDecoder<'_>,
    ) -> Result<(), String> {
        let start = decoder.index();
        let record = Record::read(decoder).map_err(|e| format!("the record at {start}: {e}"))?;
        // The fixed fields stand in front of the data, whose length is the last of them.
        let end = decoder.index();
        let mut owner = BinDecoder::new(octets).clone(u16::try_from(start).unwrap());
        Name::read(&mut owner).map_err(|e| e.to_string())?;
        let fixed = &octets[owner.index()..];
        let data = octets[owner.index() + 10..end].to_vec();
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        if record.record_type() == RecordType::OPT {
            if section != 2 || octets[start] != 0 {
                return Err("an OPT record stands where it must not".to_owned());
            }
            let (size, flags) = (word(2), word(6));
            let options = options(&data).ok_or("an option is cut")?;
            self.opts.push(Opt { size, rcode_high: fixed[4], version: fixed[5], flags, options });
            return Ok(());
        }
        self.sections[section].push(Line {
            owner: name_text(&record.name),
            ttl: u32::from(word(4)) << 16 | u32::from(word(6)),
            class: word(2),
            rtype: type_text(word(0)),
            text: text(&record.data, &data),
            data,
        });
        Ok(())
    }

    /// The word with the flags, the operation's code and the lower half of the response code.
    pub(super) fn word(&self) -> u16 {
        u16::from_be_bytes([self.octets[2], self.octets[3]])
    }

    /// The whole response code (RFC 6891 §6.1.3).
    pub(super) fn rcode(&self) -> u16 {
        let high = self.opts.first().map_or(0, |opt| u16::from(opt.rcode_high));
        high << 4 | self.word() & 0x0F
    }

    /// The data of an option.
    pub(super) fn option(&self, code: u16) -> Option<&[u8]> {
        let mut options = self.opts.iter().flat_map(|opt| &opt.options);
        options.find(|(known, _)| *known == code).map(|(_, data)| &**data)
    }
}

// === impl Line ===

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, ttl, class, rtype, text, .. } = self;
        match class {
            1 => write!(f, "{owner} {ttl} {rtype} {text}"),
            class => write!(f, "{owner} {ttl} CLASS{class} {rtype} {text}"),
        }
    }
}

/// A name as RFC 1035 §5.1 writes it; hickory has octets in octal.
fn name_text(name: &Name) -> String {
    let mut out = String::new();
    for label in name {
        for octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b';' | b'@' => out.extend(['\\', char::from(*octet)]),
                b'!'..=b'~' => out.push(char::from(*octet)),
                _ => out.push_str(&format!("\\{octet:03}")),
            }
        }
        out.push('.');
    }
    if out.is_empty() { ".".to_owned() } else { out }
}

fn options(mut rest: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut options = Vec::new();
    while let [code_high, code_low, length_high, length_low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        options.push((u16::from_be_bytes([*code_high, *code_low]), tail.get(..length)?.to_vec()));
        rest = &tail[length..];
    }
    rest.is_empty().then_some(options)
}

/// The data as a zone file has it; where hickory has no such text, octets (RFC 3597 §5).
fn text(data: &RData, octets: &[u8]) -> String {
    match data {
        RData::TXT(_) | RData::HINFO(_) => strings(octets),
        RData::Unknown { code: RecordType::DNAME, .. } => {
            Name::from_bytes(octets).map_or_else(|e| e.to_string(), |name| name_text(&name))
        }
        RData::HTTPS(_) | RData::SVCB(_) | RData::Unknown { .. } | RData::Update0(_) => {
            let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("\\# {} {hex}", octets.len()).trim_end().to_owned()
        }
        known => known.to_string(),
    }
}

fn strings(mut rest: &[u8]) -> String {
    let mut out = Vec::new();
    while let [length, tail @ ..] = rest {
        let (string, behind) = tail.split_at(usize::from(*length).min(tail.len()));
        out.push(format!("\"{}\"", string.escape_ascii()));
        rest = behind;
    }
    out.join(" ")
}
