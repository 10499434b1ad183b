//! A small world for tests: instances in, questions asked, replies read by hickory.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query as HickoryQuery, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType},
};

use super::{
    Answered, Caller, ConsulSpec, Parsed, Settings, SettingsSpec, Sources, Summary, Transport,
    answer, answer::TCP_REPLY_OCTETS_MAX, parse, zone::Zones,
};
use crate::{
    model::{
        Addresses, DnsName, Instance, Meta, Node, Origin, Policy, Revision, Scope, ServiceName,
        Status, Tag, Timestamp,
    },
    registry::{Holders, Member, ServiceEntry, Snapshot, testing},
};

/// Everything that is asked, and chance that repeats itself.
pub(crate) struct World {
    pub snapshot: Snapshot,
    pub zones: Zones,
    pub settings: Settings,
    pub rng: fastrand::Rng,
}

/// Who asks.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));

/// When they ask, seconds since the Unix epoch.
pub(crate) const NOW: u32 = 1_800_000_000;

/// A question and how it is put.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub name: Name,
    pub rtype: RecordType,
    pub class: DNSClass,
    pub edns: Option<u16>,
    pub transport: Transport,
    pub may_allocate: bool,
    /// When, since the server's start.
    pub since_start: Duration,
}

/// A reply, as hickory reads it.
#[derive(Debug)]
pub(crate) struct Told {
    pub message: Message,
    pub summary: Summary,
    pub octets: Vec<u8>,
}

/// An instance `SERVICE/ID` at `ip`.
pub(crate) fn member(name: &str, ip: &str) -> Member {
    of(testing::instance(name, ip))
}

/// An instance as it is right after its registration.
pub(crate) fn of(instance: Instance) -> Member {
    Member::new(Arc::new(instance), Revision(1), Timestamp(0))
}

// === impl Member ===

/// Short ways to make members that differ.
impl Member {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Instance)) -> Self {
        change(Arc::make_mut(&mut self.instance));
        self
    }

    pub(crate) fn weight(self, weight: u16) -> Self {
        self.with(|instance| instance.weight = weight)
    }

    pub(crate) fn priority(self, priority: u16) -> Self {
        self.with(|instance| instance.priority = priority)
    }

    pub(crate) fn at(self, ips: &[&str]) -> Self {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        self.with(|instance| instance.addresses = Addresses::ips(ips).unwrap())
    }

    pub(crate) fn host(self, name: &str) -> Self {
        self.with(|i| i.addresses = Addresses::Host(DnsName::parse(name).unwrap()))
    }

    pub(crate) fn tags(self, tags: &[&str]) -> Self {
        let mut tags: Vec<Tag> = tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        tags.sort();
        self.with(|instance| instance.tags = tags.into())
    }

    pub(crate) fn meta(self, pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        self.with(|instance| instance.meta = Meta::new(pairs).unwrap())
    }

    /// As registered through Consul's interface on a node at `ip`, whose address it may have.
    pub(crate) fn on_node(self, node: &str, ip: &str, other_tags: &[&str]) -> Self {
        let addresses = Addresses::parse(&[ip]).unwrap();
        self.with(|instance| {
            let lends_address = instance.addresses == addresses;
            instance.origin = Some(Arc::new(Origin {
                scope: Scope::node(node),
                id: instance.id.as_str().into(),
                document: "{}".into(),
                other_tags: other_tags.iter().map(|tag| (*tag).into()).collect(),
                service: None,
                node: Some(Node { addresses, lends_address }),
            }));
        })
    }

    pub(crate) fn critical(self) -> Self {
        Self { status: Status::Critical, ..self }
    }

    pub(crate) fn drained(self) -> Self {
        Self { drained: true, ..self }
    }
}

// === impl World ===

/// Who is registered; the rest follows from it.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let services = self.snapshot.services.iter().map(|(_, service)| service);
        f.debug_list().entries(services.map(|s| (&s.name, &s.policy, &s.members))).finish()
    }
}

impl World {
    /// A world with these instances, `service.internal`, and 10.0.0.0/8 and fd00::/8 in reverse.
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self::with_policies(members, &[])
    }

    /// The same with policies for some services.
    pub(crate) fn with_policies(members: Vec<Member>, policies: &[(&str, Policy)]) -> Self {
        Self {
            snapshot: snapshot(members, policies),
            zones: Zones::default(),
            settings: Settings::new(&spec()).unwrap(),
            rng: fastrand::Rng::with_seed(5),
        }
    }

    /// All of it, to answer from.
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources {
            snapshot: &self.snapshot,
            zones: &self.zones,
            settings: &self.settings,
            forward: None,
        }
    }

    /// Asks over UDP with EDNS, at the size that we advertise, on the full path.
    pub(crate) fn ask(&mut self, name: &str, rtype: RecordType) -> Told {
        self.put(&Ask::new(name, rtype)).expect("the full path answers everything")
    }

    /// Puts a question; `None` when it is for the full path, or the client has had its share.
    pub(crate) fn put(&mut self, ask: &Ask) -> Option<Told> {
        self.put_packet(&ask.packet(), ask)
    }

    /// Puts a question that is a packet already.
    pub(crate) fn put_packet(&mut self, packet: &[u8], ask: &Ask) -> Option<Told> {
        let Parsed::Query(query) = parse(packet) else { panic!("{packet:?} is no plain query") };
        let caller = ask.caller();
        let sources = Sources {
            snapshot: &self.snapshot,
            zones: &self.zones,
            settings: &self.settings,
            forward: None,
        };
        let room = match ask.transport.is_datagram() {
            false => TCP_REPLY_OCTETS_MAX,
            true => usize::from(self.settings.udp_size()),
        };
        let mut out = vec![0xEE; room];
        match answer(&sources, &query, caller, &mut self.rng, &mut out) {
            Answered::Limited | Answered::NeedsFull => None,
            Answered::NeedsForward => panic!("nothing is forwarded"),
            Answered::Reply(summary) => {
                let octets = out[..summary.octets].to_vec();
                let message = Message::from_vec(&octets).expect("hickory reads every reply");
                Some(Told { message, summary, octets })
            }
        }
    }
}

/// The choices of its operator: two name servers, two prefixes in reverse, and Consul's names.
pub(crate) fn spec() -> SettingsSpec {
    let mut spec = SettingsSpec::new(DnsName::parse("internal").unwrap());
    spec.nameservers = vec![
        vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        vec!["192.0.2.2".parse().unwrap()],
    ];
    spec.reverse = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    spec.consul = Some(ConsulSpec {
        node: "Agent-1".into(),
        node_address: "192.0.2.77".parse().unwrap(),
        ..ConsulSpec::new(DnsName::parse("consul").unwrap())
    });
    spec
}

/// A snapshot as the registry's writer would build it.
fn snapshot(members: Vec<Member>, policies: &[(&str, Policy)]) -> Snapshot {
    let mut snapshot = Snapshot { revision: Revision(77), ..Snapshot::default() };
    let mut services: BTreeMap<ServiceName, Vec<Arc<Member>>> = BTreeMap::new();
    for (name, _) in policies {
        services.entry(ServiceName::parse(name).unwrap()).or_default();
    }
    snapshot.origins = testing::origins(members.iter().map(|member| &member.instance));
    for member in members {
        let is_node = member.instance.service.is_nodes();
        for ip in member.instance.addresses.as_ips().iter().filter(|_| !is_node) {
            let (key, all) = (member.key(), snapshot.by_address.get(ip));
            let all = all.map_or_else(|| Holders::of(&key), |all| all.with(&key));
            snapshot.by_address.insert(*ip, all);
        }
        services.entry(member.instance.service.clone()).or_default().push(Arc::new(member));
    }
    // Nodes are no service.
    if let Some(nodes) = services.remove(&ServiceName::nodes()) {
        for node in nodes {
            snapshot.nodes.insert(node.instance.id.clone(), node);
        }
    }
    for (name, mut members) in services {
        members.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
        let own = policies.iter().find(|(service, _)| *service == name.as_str()).map(|(_, p)| *p);
        let default = Policy::default();
        let entry = ServiceEntry::new(
            name.clone(),
            own,
            default,
            (Revision(1), Revision(1)),
            members.into(),
        );
        for (tag, _) in entry.tags() {
            let count = snapshot.tags.get(tag).copied().unwrap_or(0);
            snapshot.tags.insert(tag.clone(), count + 1);
        }
        snapshot.services.insert(name, Arc::new(entry));
    }
    snapshot
}

// === impl Ask ===

impl Ask {
    /// Over UDP with EDNS, at the size that we advertise, on the full path. A name without a dot
    /// at its end is one under `service.internal.`.
    pub(crate) fn new(name: &str, rtype: RecordType) -> Self {
        let name = match name {
            "" => "service.internal.".to_owned(),
            _ if name.ends_with('.') => name.to_owned(),
            _ => format!("{name}.service.internal."),
        };
        Self {
            name: Name::from_ascii(name).unwrap(),
            rtype,
            class: DNSClass::IN,
            edns: Some(SettingsSpec::UDP_SIZE_DEFAULT),
            transport: Transport::Udp,
            may_allocate: true,
            since_start: Duration::ZERO,
        }
    }

    /// Who asks it.
    pub(crate) fn caller(&self) -> Caller {
        let caller = Caller::new(CLIENT, self.transport, NOW);
        let Self { may_allocate, since_start, .. } = *self;
        Caller { may_allocate, since_start, ..caller }
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut message = Message::new(0x4D2, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        let mut question = HickoryQuery::query(self.name.clone(), self.rtype);
        question.set_query_class(self.class);
        message.add_query(question);
        if let Some(size) = self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            message.set_edns(edns);
        }
        message.to_vec().unwrap()
    }
}

// === impl Told ===

impl Told {
    pub(crate) fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The data of the answers as text, in their order.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.message.answers.iter().map(|record| record.data.to_string()).collect()
    }

    /// The answers sorted, for sets in random order.
    pub(crate) fn sorted(&self) -> Vec<String> {
        let mut answers = self.answers();
        answers.sort();
        answers
    }

    /// The additional records as `name type data`.
    pub(crate) fn additionals(&self) -> Vec<String> {
        let text =
            |record: &Record| format!("{} {} {}", record.name, record.record_type(), record.data);
        self.message.additionals.iter().map(text).collect()
    }

    /// Whether the name has an alias.
    pub(crate) fn is_alias(&self) -> bool {
        self.message.answers.iter().any(|record| record.record_type() == RecordType::CNAME)
    }

    /// Whether it is negative with the SOA of `zone`, and the zone's negative TTL.
    pub(crate) fn has_soa_of(&self, zone: &str) -> bool {
        matches!(&self.message.authorities[..], [soa]
            if matches!(&soa.data, RData::SOA(data) if data.minimum == soa.ttl)
                && soa.name == Name::from_ascii(zone).unwrap())
    }

    /// NOERROR without answer, with SOA and AA (RFC 2308 §2.2).
    pub(crate) fn is_nodata(&self) -> bool {
        self.rcode() == ResponseCode::NoError
            && self.message.answers.is_empty()
            && self.message.metadata.authoritative
            && self.has_soa_of("service.internal.")
    }

    /// NXDOMAIN with SOA and AA (RFC 2308 §2.1).
    pub(crate) fn is_nxdomain(&self) -> bool {
        self.rcode() == ResponseCode::NXDomain
            && self.message.answers.is_empty()
            && self.message.metadata.authoritative
            && self.has_soa_of("service.internal.")
    }
}
