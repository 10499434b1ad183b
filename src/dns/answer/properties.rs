//! What is true of every reply, whatever is registered and asked.

use std::collections::BTreeSet;

use hickory_proto::{
    op::ResponseCode,
    rr::{DNSClass, Name, RData, RecordType},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    dns::{
        Transport,
        testing::{Ask, Told, World, member},
    },
    model::{Policy, Share, WhenNoneHealthy},
    registry::Member,
};

const SERVICES: [&str; 3] = ["web", "api", "far"];
const TAGS: [&str; 3] = ["v1", "v2", "eu"];
const CONSUL: [&str; 12] = [
    "",
    "service.",
    "service.",
    "service.",
    "web.service.",
    "service.dc1.",
    "service.dc1.dc.",
    "service.dc2.",
    "node.",
    "addr.",
    "_tcp.",
    "0a000001.addr.dc1.",
];
const HOSTS: [&str; 4] = [
    "db.example.com",
    "api.service.internal",
    "web.service.internal",
    "i1.instance.web.service.internal",
];

fn a_member() -> impl Strategy<Value = Member> {
    let place = (select(&SERVICES[..]), 0..40_u8);
    let addresses = prop_oneof![
        9 => vec((any::<bool>(), 0..30_u8), 1..5).prop_map(Ok),
        1 => select(&HOSTS[..]).prop_map(Err),
    ];
    let share = (select(&[0, 1, 1, 5, u16::MAX][..]), select(&[1, 1, 1, 2, 9][..]));
    let tags = proptest::sample::subsequence(&TAGS[..], 0..=3);
    let meta = vec((select(&["a", "b", "key"][..]), "[ -~]{0,80}"), 0..4);
    let state = (prop::bool::weighted(0.3), prop::bool::weighted(0.1));
    (place, addresses, share, tags, meta, state).prop_map(
        |((service, id), addresses, (weight, priority), tags, meta, (sick, drained))| {
            let mut member = member(&format!("{service}/i{id}"), "10.0.0.1");
            member = match addresses {
                Ok(ips) => {
                    let text = |&(v4, n): &(bool, u8)| {
                        if v4 { format!("10.0.0.{n}") } else { format!("fd00::{n:x}1") }
                    };
                    let ips: BTreeSet<String> = ips.iter().map(text).collect();
                    member.at(&ips.iter().map(String::as_str).collect::<Vec<_>>())
                }
                Err(host) => member.host(host),
            };
            let meta: std::collections::BTreeMap<_, _> = meta.into_iter().collect();
            let meta: Vec<(&str, &str)> = meta.iter().map(|(k, v)| (*k, v.as_str())).collect();
            member = member.weight(weight).priority(priority).tags(&tags).meta(&meta);
            member = if sick { member.critical() } else { member };
            member = match id {
                0..8 => member.on_node("n1", "10.0.0.1", &["v1.2", "a_b"]),
                8..10 => member.on_node("n2.far", "fd00::1", &["x.v1.2"]),
                _ => member,
            };
            if drained { member.drained() } else { member }
        },
    )
}

fn a_policy() -> impl Strategy<Value = Policy> {
    let limits = (0..3_u32, select(&[1, 2, 8, 8, 1_000][..]));
    (limits, select(&WhenNoneHealthy::ALL[..]), select(&[0.0, 0.0, 0.5, 1.0][..])).prop_map(
        |((ttl_seconds, answer_limit), when_none_healthy, share)| Policy {
            ttl_seconds,
            answer_limit,
            when_none_healthy,
            min_healthy: Share::new(share).unwrap(),
        },
    )
}

/// Registrations of any kind; of two with one name the first stays.
pub(super) fn a_world() -> impl Strategy<Value = World> {
    let few_or_many = prop_oneof![3 => vec(a_member(), 0..12), 1 => vec(a_member(), 12..90)];
    (few_or_many, vec(a_policy(), SERVICES.len()), any::<u64>()).prop_map(
        |(members, policies, seed)| {
            let mut seen = BTreeSet::new();
            let members = members.into_iter().filter(|m| seen.insert(m.key())).collect();
            let policies: Vec<_> = SERVICES.iter().copied().zip(policies).collect();
            let mut world = World::with_policies(members, &policies);
            world.rng = fastrand::Rng::with_seed(seed);
            world
        },
    )
}

fn a_name() -> impl Strategy<Value = String> {
    let word = || {
        select(
            &[
                "web",
                "api",
                "far",
                "none",
                "v1",
                "v2",
                "eu",
                "v9",
                "instance",
                "i1",
                "i2",
                "i3",
                "_tcp",
                "_udp",
                "_v1",
                "_v9",
                "_web",
                "_api",
                "ns1",
                "ns2",
                "ns3",
                "in-addr",
                "10",
                "_dns-sd",
                "_services",
                "_sub",
                "b",
                "2",
                "a_b",
                "my_web",
                "n1",
                "far",
                "consul",
            ][..],
        )
    };
    let services = vec(word(), 0..5).prop_map(|words| {
        words.iter().fold("service.internal.".to_owned(), |name, word| format!("{word}.{name}"))
    });
    let reverse = vec(0..3_u8, 0..5).prop_map(|octets| {
        let parent = "10.in-addr.arpa.".to_owned();
        octets.iter().fold(parent, |name, octet| format!("{octet}.{name}"))
    });
    let usual = [
        "web",
        "api",
        "_web._tcp",
        "v1.web",
        "i1.instance.web",
        "i1._web._tcp",
        "_v1._sub._web._tcp",
        "_services._dns-sd._udp",
    ];
    let usual = select(usual.to_vec()).prop_map(|name| format!("{name}.service.internal."));
    let consul = (vec(word(), 0..4), select(&CONSUL[..]));
    let consul = consul.prop_map(|(words, end)| {
        words.iter().fold(format!("{end}consul."), |name, word| format!("{word}.{name}"))
    });
    let other = select(&[".", "internal.", "example.com.", "arpa."][..]).prop_map(str::to_owned);
    prop_oneof![4 => usual, 4 => services, 3 => consul, 2 => reverse, 1 => other]
}

pub(super) fn an_ask() -> impl Strategy<Value = Ask> {
    use RecordType as T;
    let types = [
        T::A,
        T::A,
        T::AAAA,
        T::SRV,
        T::SRV,
        T::TXT,
        T::PTR,
        T::PTR,
        T::SOA,
        T::NS,
        T::CNAME,
        T::ANY,
        T::HTTPS,
        T::MX,
        T::AXFR,
        T::Unknown(4_711),
    ];
    let edns = option::of(prop_oneof![select(&[0, 512, 1232, 4096][..]), any::<u16>()]);
    let class = prop_oneof![20 => Just(DNSClass::IN), 1 => Just(DNSClass::CH)];
    let transport = prop_oneof![3 => Just(Transport::Udp), 1 => Just(Transport::Tcp)];
    (a_name(), any::<u64>(), select(types.to_vec()), edns, class, transport).prop_map(
        |(name, letters, rtype, edns, class, transport)| {
            let mixed: String = name
                .char_indices()
                .map(
                    |(at, c)| {
                        if letters >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c }
                    },
                )
                .collect();
            let name = Name::from_ascii(mixed).unwrap();
            Ask { name, rtype, class, edns, transport, ..Ask::new("", rtype) }
        },
    )
}

/// Where the question ends in a packet of ours.
fn question_end(packet: &[u8]) -> usize {
    let mut at = 12;
    while packet[at] > 0 {
        at += 1 + usize::from(packet[at]);
    }
    at + 5
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_reply_is_in_order(mut world in a_world(), asks in vec(an_ask(), 8)) {
        for ask in asks {
            let packet = ask.packet();
            let before = world.rng.clone();
            let told = world.put(&ask).unwrap();
            // It is to this question, in these letters.
            let end = question_end(&packet);
            prop_assert_eq!(&told.octets[..2], &packet[..2]);
            prop_assert_eq!(&told.octets[12..end], &packet[12..end]);
            let metadata = &told.message.metadata;
            prop_assert!(metadata.recursion_desired && !metadata.recursion_available);
            prop_assert_eq!(told.summary.rcode, u16::from(metadata.response_code));
            prop_assert_eq!(told.summary.truncated, metadata.truncation);
            // It fits (RFC 6891 §6.2.5), and has an OPT record where it should.
            let limit = match ask.transport.is_datagram() {
                false => 65_535,
                true => usize::from(ask.edns.unwrap_or(0).clamp(512, 1232)),
            };
            prop_assert!(told.octets.len() <= limit);
            let own = told.message.edns.as_ref().map(hickory_proto::op::Edns::max_payload);
            prop_assert_eq!(own, ask.edns.map(|_| 1232));
            // It speaks for our names only, and no set has a record twice (RFC 2181 §5).
            let is_ours = !matches!(
                metadata.response_code, ResponseCode::Refused | ResponseCode::ServFail
            );
            prop_assert_eq!(metadata.authoritative, is_ours);
            let records: Vec<_> = told.message.answers.iter().map(ToString::to_string).collect();
            let distinct: BTreeSet<_> = records.iter().collect();
            prop_assert_eq!(distinct.len(), records.len(), "{:?}", records);
            // Of nothing, there is an SOA (RFC 2308 §2).
            let is_negative = told.message.answers.last().is_none_or(|last| {
                last.record_type() == RecordType::CNAME && ask.rtype != RecordType::CNAME
            });
            if !is_negative {
                prop_assert!(told.message.authorities.is_empty());
            } else if is_ours && told.message.answers.is_empty() && !metadata.truncation {
                prop_assert_eq!(told.message.authorities.len(), 1);
            }
            // The fast path says the same from the same chance, or leaves it.
            world.rng = before;
            if let Some(fast) = world.put(&Ask { may_allocate: false, ..ask.clone() }) {
                prop_assert_eq!(fast.octets, told.octets);
            }
        }
    }

    /// A name is there for all types or for none: NXDOMAIN to one would hide the others.
    #[test]
    fn types_never_disagree_on_the_name(mut world in a_world(), name in a_name()) {
        use RecordType as T;
        let types = [T::A, T::AAAA, T::SRV, T::PTR, T::TXT, T::HTTPS];
        let rcodes: BTreeSet<u16> = types
            .into_iter()
            .map(|rtype| world.ask(&name, rtype))
            // An alias ends at another name.
            .filter(|told| !told.is_alias())
            .map(|told| u16::from(told.rcode()))
            .collect();
        prop_assert!(rcodes.len() <= 1, "{name}: {rcodes:?}");
    }

    /// A resolver that was told that a name is not there asks for nothing below it (RFC 8020), so
    /// a name with something below it is there; unless its policy says otherwise.
    #[test]
    fn what_has_names_below_it_is_there(mut world in a_world(), name in a_name()) {
        let says_nxdomain = |world: &World, name: &str| {
            let service = world.snapshot.service(name).unwrap();
            matches!(service.policy.when_none_healthy, WhenNoneHealthy::Nxdomain)
        };
        if SERVICES.iter().any(|service| says_nxdomain(&world, service)) {
            return Ok(());
        }
        let is_there = |told: &Told| !matches!(
            told.rcode(), ResponseCode::NXDomain | ResponseCode::Refused
        );
        let mut below = &*name;
        while let Some((_, parent)) = below.split_once('.').filter(|(_, rest)| !rest.is_empty()) {
            if is_there(&world.ask(below, RecordType::PTR)) {
                let told = world.ask(parent, RecordType::PTR);
                prop_assert_ne!(told.rcode(), ResponseCode::NXDomain, "{} {}", parent, below);
            }
            below = parent;
        }
    }

    /// Addresses by the book: what is answered, worked out the slow way.
    #[test]
    fn addresses_are_those_of_the_lowest_healthy_tier(mut world in a_world(), v4 in any::<bool>()) {
        for name in SERVICES {
            let service = world.snapshot.service(name).unwrap().clone();
            let policy = service.policy;
            let up: Vec<_> = service.members.iter().filter(|m| m.is_answered()).collect();
            let has_hosts = service.members.iter().any(|m| m.instance.addresses.host().is_some());
            if policy.min_healthy != Share::default() || up.is_empty() || has_hosts {
                continue;
            }
            let tier = up.iter().map(|m| m.instance.priority).min().unwrap();
            let tier = up.iter().filter(|m| m.instance.priority == tier);
            let ips: BTreeSet<String> = tier
                .flat_map(|m| m.instance.addresses.as_ips())
                .filter(|ip| ip.is_ipv4() == v4)
                .map(ToString::to_string)
                .collect();
            let rtype = if v4 { RecordType::A } else { RecordType::AAAA };
            let told =
                world.put(&Ask { transport: Transport::Tcp, ..Ask::new(name, rtype) }).unwrap();
            let answers: BTreeSet<String> = told.answers().into_iter().collect();
            prop_assert!(answers.is_subset(&ips));
            prop_assert_eq!(answers.len(), ips.len().min(usize::from(policy.answer_limit)));
        }
    }

    /// SRV carries every answered instance, in ascending priority, stand-bys last.
    #[test]
    fn srv_is_complete_and_in_order(mut world in a_world()) {
        for name in SERVICES {
            let service = world.snapshot.service(name).unwrap().clone();
            let told = world
                .put(&Ask { transport: Transport::Tcp, ..Ask::new(name, RecordType::SRV) })
                .unwrap();
            let places: Vec<(u16, bool)> = told
                .message
                .answers
                .iter()
                .map(|record| match &record.data {
                    RData::SRV(srv) => (srv.priority, srv.weight == 0),
                    other => panic!("{other}"),
                })
                .collect();
            prop_assert!(places.is_sorted(), "{:?}", places);
            let hosts = service.members.iter().any(|m| m.instance.addresses.host().is_some());
            if service.policy.min_healthy == Share::default() && !hosts {
                let up = service.members.iter().filter(|m| m.is_answered()).count();
                if up > 0 {
                    prop_assert_eq!(places.len(), up);
                }
            }
        }
    }
}
