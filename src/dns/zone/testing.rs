//! For tests: zones from text, questions to them, and replies as lines.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use hickory_proto::{
    op::Message,
    rr::{Name, RData, Record, RecordType},
    serialize::binary::BinDecodable,
};

use super::{Answered, Writing, build, master, set::Zones, source::Source};
use crate::{
    dns::{
        encode::{Owner, Reply, Section},
        guard::{Access, Visitor},
        query::{Parsed, parse},
    },
    model::DnsName,
};

/// Files in memory.
pub(super) struct Files<'t>(pub HashMap<&'t str, Vec<u8>>);

impl Source for Files<'_> {
    fn read(&self, path: &str, octets_max: usize) -> Result<Vec<u8>, String> {
        let text = self.0.get(path).cloned().ok_or_else(|| format!("cannot read `{path}`"))?;
        if text.len() > octets_max { Err("above the limit".into()) } else { Ok(text) }
    }
}

// === impl Zones ===

impl Zones {
    /// Zones of a name and a text each, beside a registry that answers for `reserved`.
    pub(crate) fn of_texts(texts: &[(&str, &str)], reserved: &[&str]) -> Self {
        let reserved: Arc<[DnsName]> =
            reserved.iter().map(|name| DnsName::parse(name).unwrap()).collect();
        let zones = texts.iter().map(|(origin, text)| {
            let text = format!("$ORIGIN {origin}.\n$TTL 300\n{text}");
            let files = Files(HashMap::from([("z", text.into_bytes())]));
            let master = master::read(&files, "z", b"\x00").unwrap();
            Arc::new(build::build(&master, &reserved).unwrap().0)
        });
        Self::new(zones.collect::<Vec<_>>(), Arc::clone(&reserved))
    }
}

/// The zones of these texts, the first named `example`, the next `other`, beside a registry that
/// answers for `service.example`.
pub(super) fn zones(texts: &[&str]) -> Zones {
    let origins = ["example", "other", "sub.example"];
    let texts: Vec<_> = origins.into_iter().zip(texts.iter().copied()).collect();
    Zones::of_texts(&texts, &["service.example"])
}

/// Chance by which records stand as in the file: its first draw is the lowest.
fn file_order() -> fastrand::Rng {
    let mut seeds = (0..).map(fastrand::Rng::with_seed);
    seeds.find(|rng| rng.clone().usize(..1_000) == 0).expect("one in a thousand")
}

/// Asks, and says whether the answer went on in the registry.
pub(super) fn ask_wire(zones: &Zones, name: &str, rtype: &str, octets: usize) -> (Vec<u8>, bool) {
    let rtype = rtype.parse::<RecordType>().map_or_else(|_| rtype.parse().unwrap(), u16::from);
    let mut packet = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend([rtype.to_be_bytes(), [0, 1]].concat());
    let Parsed::Query(query) = parse(&packet) else { panic!("a plain query") };
    let mut buffer = vec![0; 65_535];
    let mut reply = Reply::new(&query, octets, None, &mut buffer);
    let mut rng = file_order();
    let (access, client) = (Access::default(), Ipv4Addr::LOCALHOST.into());
    let visitor = Visitor::new(&access, client);
    let mut writing =
        Writing { reply: &mut reply, rng: &mut rng, visitor, leaves_delegated: false };
    let leaves = match zones.answer(query.name(), query.qtype, &mut writing) {
        Answered::Delegated(_) | Answered::Elsewhere => panic!("{name} is in no zone"),
        Answered::Endless | Answered::Exits(_) | Answered::Whole => false,
        Answered::Leaves(departure) => {
            // What the registry would do: go on at the target.
            let owner = Owner::At(departure.position);
            reply.record(Section::Answer, owner, (1, 5), &[&[10, 0, 0, 1]]).unwrap();
            assert_eq!(departure.target(), b"\x03web\x07service\x07example\x00");
            true
        }
    };
    let octets = reply.finish();
    buffer.truncate(octets);
    (buffer, leaves)
}

/// The reply in lines: flags, then `an`, `ns` and `ar` records without their class.
pub(super) fn ask_within(zones: &Zones, question: &str, octets: usize) -> String {
    let (name, rtype) = question.split_once(' ').unwrap();
    let (wire, _) = ask_wire(zones, name, rtype, octets);
    let message = Message::from_vec(&wire).expect("hickory reads every reply");
    assert!(wire.len() <= octets, "{question}: {} octets", wire.len());
    let mut lines = vec![format!("{:?}", message.metadata.response_code)];
    for (is_set, flag) in
        [(message.metadata.authoritative, " aa"), (message.metadata.truncation, " tc")]
    {
        lines[0].push_str(if is_set { flag } else { "" });
    }
    for (section, records) in
        [("an", &message.answers), ("ns", &message.authorities), ("ar", &message.additionals)]
    {
        lines.extend(records.iter().map(|record: &Record| {
            let Record { name, ttl, data, .. } = record;
            format!("{section} {name} {ttl} {} {}", record.record_type(), text_of(data))
        }));
    }
    lines.join("\n")
}

/// The data as text; that of a DNAME is a name, which hickory does not know.
fn text_of(data: &RData) -> String {
    match data {
        RData::Unknown { code: RecordType::DNAME, rdata } => {
            Name::from_bytes(&rdata.anything).unwrap().to_string()
        }
        data => data.to_string(),
    }
}
