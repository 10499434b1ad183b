//! Zone files of any text: refused on one line, or served by replies that may be sent.

use std::{path::Path, sync::Arc};

use super::{
    build, master,
    set::Zones,
    source::{Folder, Source},
};
use crate::{
    dns::{
        Sources, Transport,
        answer::TCP_REPLY_OCTETS_MAX,
        code::rtype,
        full::{Responded, respond},
        fuzzing::{
            check,
            world::{self, WORLD},
        },
    },
    model::{DnsName, limit},
};

/// The name of the first part; those behind it are its includes.
const FILES: [&str; 4] = ["z.zone", "a.inc", "b.inc", "c.inc"];

/// Records whose names and types are asked for: as many as an input's length makes likely.
const ASKED_MAX: usize = 8;

/// The texts of one input. Everything else is looked for in the folder of the shipped zones, so
/// that the real guard decides which paths lead out of it.
struct Parts<'t> {
    texts: Vec<&'t [u8]>,
    folder: Folder,
}

impl Source for Parts<'_> {
    fn read(&self, path: &str, octets_max: usize) -> Result<Vec<u8>, String> {
        if let Some(place) = FILES.iter().position(|file| *file == path) {
            let text = self.texts.get(place).ok_or_else(|| format!("cannot read `{path}`"))?;
            return Ok(text[..octets_max.min(text.len())].to_vec());
        }
        let read = self.folder.read(path, octets_max);
        if read.is_ok() {
            let is_inside = !path.starts_with('/') && path.split('/').all(|part| part != "..");
            assert!(is_inside, "`{path}` was read");
        }
        read
    }
}

/// Loads the text up to the first zero octet as a zone; the texts behind it are what it may
/// include, `a.inc`, `b.inc` and `c.inc`. Then asks the zone for what it has.
///
/// # Panics
/// When a refusal is not one line that names its place, or a reply may not be sent.
pub fn zone_file(octets: &[u8]) {
    let texts = octets.splitn(FILES.len(), |octet| *octet == 0).collect();
    let folder = Folder::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("zones"));
    let parts = Parts { texts, folder };
    let origin = DnsName::parse("example").expect("it is a name");
    let reserved: Arc<[DnsName]> = Arc::new([WORLD.settings.origin().clone()]);
    let read = master::read(&parts, FILES[0], origin.as_wire());
    let built = read.and_then(|master| Ok((build::build(&master, &reserved)?, master)));
    let ((zone, warnings), master) = match built {
        Ok(built) => built,
        Err(error) => return is_one_line(&error.to_string()),
    };
    for warning in warnings {
        is_one_line(&format!("{}: {}", warning.place, warning.problem));
    }
    assert!(master.records.len() <= limit::ZONE_RECORDS_MAX);
    assert!(master.files.len() <= limit::ZONE_FILES_MAX);
    let zones = Zones::new([Arc::new(zone)], reserved);
    for record in master.records.iter().take(ASKED_MAX) {
        assert!(record.ttl <= i32::MAX.cast_unsigned(), "RFC 2181 §8");
        let below = [b"\x01x", &record.owner[..]].concat();
        for (name, qtype) in
            [(&record.owner, record.rtype), (&record.owner, rtype::ANY), (&below, rtype::A)]
        {
            ask(&zones, name, qtype);
        }
    }
}

/// Whether a person can read it in a log, and a log has no other line of it.
fn is_one_line(text: &str) {
    let odd = text.chars().find(|c| c.is_control());
    assert!(odd.is_none() && text.starts_with(|c: char| !c.is_whitespace()), "{text:?}");
}

/// Asks over UDP and TCP, with and without EDNS.
fn ask(zones: &Zones, name: &[u8], qtype: u16) {
    if name.len() > limit::NAME_OCTETS_MAX {
        return;
    }
    let sources = Sources { zones, ..WORLD.sources() };
    let opt: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
    for (transport, opt) in
        [(Transport::Udp, &[][..]), (Transport::Udp, opt), (Transport::Tcp, opt)]
    {
        let count = u8::from(!opt.is_empty());
        let head = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, count];
        let query = [&head, name, &qtype.to_be_bytes(), &[0, 1], opt].concat();
        let (mut rng, mut out) = (world::rng(), vec![0xAA; TCP_REPLY_OCTETS_MAX]);
        let caller = world::caller(transport, false).unhurried();
        let Responded::With(replied) = respond(&sources, caller, &query, &mut rng, &mut out) else {
            unreachable!("no reply to a plain query")
        };
        check(&query, transport, &out[..replied.summary.octets]);
    }
}
