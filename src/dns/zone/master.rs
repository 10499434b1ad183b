//! Master files (RFC 1035 §5) to records: `$ORIGIN`, `$TTL`, `$INCLUDE`, inherited owners and TTLs.
//!
//! hickory's zone parser is not used for this: it names no line in its errors, follows `$INCLUDE`
//! anywhere, takes one owner's records for another's after an include, and stops at the types that
//! it cannot sign. Record data is where it does the work (see [`super::rdata`]).

use super::{
    error::ZoneError,
    name, rdata,
    source::Source,
    token::{Entry, Fault, Lexer, Word},
};
use crate::{dns::code::rtype, model::limit};

/// The records of a zone as they are written, before anything is asked of them as a whole.
#[derive(Debug)]
pub(super) struct Master {
    /// The zone's name: wire labels in lower case.
    pub origin: Vec<u8>,
    /// The records in the order of their lines.
    pub records: Vec<Record>,
    /// The files that were read, the zone file first.
    pub files: Vec<String>,
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// Whose it is: wire labels in lower case.
    pub owner: Vec<u8>,
    /// Its type.
    pub rtype: u16,
    /// Its TTL, seconds.
    pub ttl: u32,
    /// Its data in wire form, uncompressed.
    pub rdata: Vec<u8>,
    /// The file it is in, by its place in [`Master::files`].
    pub file: usize,
    /// The line it begins on.
    pub line: u32,
}

/// Reads the zone file `file` and what it includes. `origin` is the zone's name unless a `$ORIGIN`
/// before the first record says another.
///
/// # Errors
/// At the first mistake.
pub(super) fn read(source: &dyn Source, file: &str, origin: &[u8]) -> Result<Master, ZoneError> {
    let mut reader = Reader {
        source,
        files: Vec::new(),
        octets: 0,
        records: Vec::new(),
        default_ttl: None,
        last_ttl: None,
        zone_origin: origin.to_vec(),
    };
    let mut main = Place { file: 0, depth: 0, origin: origin.to_vec(), owner: None };
    let read = reader.read_file(file, &mut main).map_err(|stop| match stop {
        Stop::Here(fault) => ZoneError::new(file, fault.line, fault.problem),
        Stop::At(error) => error,
    });
    read.map_err(|error| error.of_zone(&reader.zone_origin))?;
    let Reader { files, records, zone_origin, .. } = reader;
    Ok(Master { origin: zone_origin.to_ascii_lowercase(), records, files })
}

struct Reader<'s> {
    source: &'s dyn Source,
    files: Vec<String>,
    octets: usize,
    records: Vec<Record>,
    /// What `$TTL` said last (RFC 2308 §4); it stays in force across files.
    default_ttl: Option<u32>,
    /// The TTL that was written last, which holds where there was no `$TTL` (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    /// The zone's name: the zone file's origin at the first record.
    zone_origin: Vec<u8>,
}

/// What is in force at a place in a file. An included file has its own: its `$ORIGIN` and its
/// owners end with it (RFC 1035 §5.1).
struct Place {
    file: usize,
    depth: usize,
    origin: Vec<u8>,
    owner: Option<Vec<u8>>,
}

/// Why reading stopped: in the file at hand, or in one that it includes.
enum Stop {
    Here(Fault),
    At(ZoneError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Here(fault)
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn read_file(&mut self, file: &str, place: &mut Place) -> Result<(), Stop> {
        let whole = |problem: String| Stop::Here(Fault { line: 0, problem });
        place.file = self.files.len();
        self.files.push(file.to_owned());
        if self.files.len() > limit::ZONE_FILES_MAX {
            return Err(whole(format!("is above the limit of {} files", limit::ZONE_FILES_MAX)));
        }
        let room = limit::ZONE_OCTETS_MAX - self.octets;
        let text = self.source.read(file, room).map_err(whole)?;
        self.octets += text.len();
        let mut lexer = Lexer::new(&text);
        while let Some(entry) = lexer.next_entry()? {
            self.read_entry(&entry, place)?;
        }
        Ok(())
    }

    fn read_entry(&mut self, entry: &Entry, place: &mut Place) -> Result<(), Stop> {
        let first = &entry.words[0];
        let at_line = |problem: String| Stop::Here(Fault { line: entry.line, problem });
        if entry.indented || first.quoted || !first.text.starts_with(b"$") {
            return self.read_record(entry, place).map_err(at_line);
        }
        match (
            String::from_utf8_lossy(&first.text).to_ascii_uppercase().as_str(),
            entry.words.len(),
        ) {
            ("$ORIGIN", 2) => self.set_origin(&entry.words[1], place).map_err(at_line),
            ("$TTL", 2) => {
                let ttl = parse_ttl(&entry.words[1]).unwrap_or_else(|| {
                    Err(format!("`{}` is no time", name::show(&entry.words[1].text)))
                });
                self.default_ttl = Some(ttl.map_err(at_line)?);
                Ok(())
            }
            ("$INCLUDE", 2 | 3) => self.include(entry, place),
            ("$GENERATE", _) => Err(at_line(
                "$GENERATE is not supported; write the records out, or have a script do it".into(),
            )),
            ("$ORIGIN" | "$TTL" | "$INCLUDE", _) => Err(at_line(
                "write `$ORIGIN name.`, `$TTL time` or `$INCLUDE file [origin]`".into(),
            )),
            (directive, _) => Err(at_line(format!(
                "`{}` is no directive; an owner that begins with $ is written as \\$",
                name::show(directive.as_bytes())
            ))),
        }
    }

    fn set_origin(&mut self, word: &Word, place: &mut Place) -> Result<(), String> {
        let origin = name::parse(&word.text, &place.origin)?;
        let at_head = place.depth == 0 && self.records.is_empty();
        if at_head && !word.text.ends_with(b".") {
            return Err(format!(
                "`{}` names the zone and has no final dot; write `$ORIGIN {0}.`",
                name::show(&word.text)
            ));
        }
        if at_head {
            self.zone_origin.clone_from(&origin);
        }
        place.origin = origin;
        Ok(())
    }

    fn include(&mut self, entry: &Entry, place: &Place) -> Result<(), Stop> {
        let here = |problem: String| Stop::Here(Fault { line: entry.line, problem });
        if place.depth == limit::ZONE_INCLUDE_DEPTH_MAX {
            return Err(here(format!(
                "$INCLUDE is nested above the limit of {}; does a file include itself?",
                limit::ZONE_INCLUDE_DEPTH_MAX
            )));
        }
        let file = entry.words[1].octets().map_err(here)?;
        let file =
            String::from_utf8(file).map_err(|_| here("the file's name is no UTF-8".into()))?;
        let origin = match entry.words.get(2) {
            Some(word) => name::parse(&word.text, &place.origin).map_err(here)?,
            None => place.origin.clone(),
        };
        let depth = place.depth + 1;
        let mut included = Place { file: 0, depth, origin, owner: place.owner.clone() };
        self.read_file(&file, &mut included).map_err(|stop| match stop {
            // A file that cannot be read at all is the includer's mistake.
            Stop::Here(Fault { line: 0, problem }) => here(problem),
            Stop::Here(fault) => Stop::At(ZoneError::new(&file, fault.line, fault.problem)),
            at @ Stop::At(_) => at,
        })
    }

    /// Reads `[owner] [ttl] [class] type data`, ttl and class in either order.
    fn read_record(&mut self, entry: &Entry, place: &mut Place) -> Result<(), String> {
        let mut words = entry.words.as_slice();
        if !entry.indented {
            place.owner = Some(name::parse(&words[0].text, &place.origin)?.to_ascii_lowercase());
            words = &words[1..];
        }
        let owner = place.owner.clone();
        let owner = owner.ok_or("the first record of a file has no owner to inherit")?;
        let (mut ttl, mut class) = (None, None);
        let (rtype, data) = loop {
            let (word, rest) = words.split_first().ok_or("a record has a type and data")?;
            if word.quoted {
                return Err(format!("expected a type, found \"{}\"", name::show(&word.text)));
            } else if let (None, Some(parsed)) = (ttl, parse_ttl(word)) {
                ttl = Some(parsed?);
            } else if let (None, Some(parsed)) = (class, parse_class(word)) {
                class = Some(parsed?);
            } else {
                break (rdata::parse_type(word)?, rest);
            }
            words = rest;
        };
        let rdata = rdata::parse(rtype, data, &place.origin)?;
        let ttl = self.ttl(ttl, rtype, &rdata)?;
        if self.records.len() == limit::ZONE_RECORDS_MAX {
            return Err(format!("is above the limit of {} records", limit::ZONE_RECORDS_MAX));
        }
        self.records.push(Record { owner, rtype, ttl, rdata, file: place.file, line: entry.line });
        Ok(())
    }

    /// The TTL of a record: its own, that of `$TTL`, the last one written, and for a SOA without
    /// any of these its own minimum, as everybody does it.
    fn ttl(&mut self, own: Option<u32>, rtype: u16, rdata: &[u8]) -> Result<u32, String> {
        let minimum = || {
            let minimum = rdata.last_chunk::<4>().filter(|_| rtype == rtype::SOA)?;
            Some(u32::from_be_bytes(*minimum))
        };
        let ttl = own.or(self.default_ttl).or(self.last_ttl).or_else(minimum);
        let ttl = ttl.ok_or("has no TTL; put a line such as `$TTL 1h` before the first record")?;
        self.last_ttl = own.or(self.last_ttl).or(Some(ttl));
        Ok(ttl)
    }
}

/// Reads a TTL: seconds, or units as in `1h30m`. `None` when the word is something else.
fn parse_ttl(word: &Word) -> Option<Result<u32, String>> {
    if word.quoted || !word.text.first()?.is_ascii_digit() {
        return None;
    }
    let text = String::from_utf8_lossy(&word.text);
    // RFC 2181 §8: a TTL has 31 bits.
    let ttl = hickory_proto::serialize::txt::parse_ttl(&text).ok();
    let ttl = ttl.filter(|ttl| i32::try_from(*ttl).is_ok());
    Some(ttl.ok_or_else(|| {
        format!("the TTL `{text}` is no time up to 2147483647 seconds, such as `300` or `1h30m`")
    }))
}

/// Reads a class. `None` when the word is something else.
fn parse_class(word: &Word) -> Option<Result<(), String>> {
    if word.is("IN") || word.is("CLASS1") {
        return Some(Ok(()));
    }
    let other = ["CH", "CS", "HS"].iter().any(|class| word.is(class));
    let numbered = || {
        let (class, number) = word.text.split_at_checked(5)?;
        let number = class.eq_ignore_ascii_case(b"CLASS").then_some(number)?;
        std::str::from_utf8(number).ok()?.parse::<u16>().ok()
    };
    (other || numbered().is_some())
        .then(|| Err(format!("class {} is not served, only IN is", name::show(&word.text))))
}

#[cfg(test)]
mod tests;
