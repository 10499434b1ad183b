//! The fast path and the full one side by side, where strangers are counted, cookies prove
//! addresses and zones are kept from some: a message gets one reply, whichever way it takes and
//! however it is written, and that reply is no more than its sender may have.

mod sent;

use std::{collections::HashMap, net::IpAddr};

use hickory_proto::{
    op::Message,
    rr::{Name, RData, rdata::opt::EdnsCode},
};
use ipnet::IpNet;
use proptest::{collection::vec, prelude::*, sample::select};

use self::sent::{EXEMPT, Said, Sent, a_message, secrets};
use super::properties::a_world;
use crate::{
    dns::{
        AccessRule, Answered, Parsed, RateLimit, Settings, Sources, Summary,
        answer::{Guarded, TCP_REPLY_OCTETS_MAX, answer},
        code::rcode,
        full::{Replied, Responded, respond},
        guard::{Access, Strangers},
        parse,
        testing::World,
        zone::Zones,
    },
    model::DnsName,
};

/// Rules by their zones: the closer ones take and give what the wider ones do not.
const RULES: [(&str, &[&str], &[&str]); 4] = [
    ("service.internal", &["192.0.2.0/24", "2001:db8::/32", "10.0.0.0/8"], &["192.0.2.200/32"]),
    ("web.service.internal", &[], &["192.0.2.0/25", "2001:db8::/48"]),
    ("corp.test", &[], &["2001:db8::/32", "198.51.100.0/24"]),
    ("open.corp.test", &["0.0.0.0/0", "::/0"], &["198.51.100.7/32"]),
];

const CORP: &str = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
    www CNAME web.service.internal.\nopen A 192.0.2.7\n*.open A 192.0.2.8\n\
    *.alias CNAME api.service.internal.\n@ MX 1 web.service.internal.\n@ MX 2 open\n\
    loop CNAME www\nlong TXT \"0123456789012345678901234567890123456789\"\n";

/// A reply, and what statistics know of it.
type Got = (Message, Summary);

fn a_rate_limit() -> impl Strategy<Value = RateLimit> {
    let rates = (select(vec![0, 1, 2, 5]), select(vec![0, 0, 4]), 0..=3_u8);
    let prefixes = (select(vec![16, 24, 32]), select(vec![32, 56, 128]));
    (rates, prefixes, select(vec![0, 300, 512])).prop_map(
        |((responses_per_second, all_per_second, slip), (ipv4_prefix, ipv6_prefix), size)| {
            RateLimit {
                responses_per_second,
                all_per_second,
                slip,
                ipv4_prefix,
                ipv6_prefix,
                unproven_udp_size: size,
                exempt: networks(&[EXEMPT]),
            }
        },
    )
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What the server says, as its doors have it said: what is not answered at once is handed on.
fn serve(sources: &Sources<'_>, sent: &Sent) -> Option<(Vec<u8>, Summary)> {
    let (message, caller) = (sent.octets(), sent.caller());
    let rng = fastrand::Rng::with_seed(sent.seed);
    let mut out = room(sources.settings, sent);
    if let Parsed::Query(query) = parse(&message) {
        match answer(sources, &query, caller, &mut rng.clone(), &mut out) {
            Answered::Limited => return None,
            Answered::Reply(summary) => return Some((out[..summary.octets].to_vec(), summary)),
            Answered::NeedsForward | Answered::NeedsFull => {}
        }
    }
    for caller in [caller, caller.unhurried()] {
        match respond(sources, caller, &message, &mut rng.clone(), &mut out) {
            Responded::Limited => return None,
            Responded::With(Replied { summary, .. }) => {
                return Some((out[..summary.octets].to_vec(), summary));
            }
            Responded::NeedsForward | Responded::Silence => panic!("{sent:?}"),
            Responded::TakesLong => {}
        }
    }
    panic!("nobody answers {sent:?}");
}

/// What is to be said: what the answer is to the simple form, however long that takes.
fn expected(sources: &Sources<'_>, sent: &Sent) -> Option<Vec<u8>> {
    let message = sent.plain();
    let Parsed::Query(query) = parse(&message) else { panic!("{sent:?} is not plain") };
    let (mut rng, mut out) = (fastrand::Rng::with_seed(sent.seed), room(sources.settings, sent));
    match answer(sources, &query, sent.caller().unhurried(), &mut rng, &mut out) {
        Answered::Limited => None,
        Answered::Reply(summary) => Some(out[..summary.octets].to_vec()),
        other => panic!("{other:?} to {sent:?}"),
    }
}

fn room(settings: &Settings, sent: &Sent) -> Vec<u8> {
    let octets = match sent.ask.transport.is_datagram() {
        true => settings.udp_size().into(),
        false => TCP_REPLY_OCTETS_MAX,
    };
    vec![0xEE; octets]
}

/// Whether these rules let a client see a name, worked out the slow way.
fn may_see(rules: &[AccessRule], name: &Name, client: IpAddr) -> bool {
    let zone = |rule: &AccessRule| Name::from_ascii(format!("{}.", rule.zone)).unwrap();
    let own = rules.iter().filter(|rule| zone(rule).zone_of(name));
    own.max_by_key(|rule| zone(rule).num_labels()).is_none_or(|rule| {
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        !is_in(&rule.deny) && (rule.allow.is_empty() || is_in(&rule.allow))
    })
}

/// Whether a name is one of the service `web`: its own rule is for `_web._tcp` as well.
fn is_of_web(name: &Name) -> bool {
    let services = Name::from_ascii("service.internal.").unwrap();
    let is_web = |label: &[u8]| label.eq_ignore_ascii_case(b"web");
    services.zone_of(name)
        && name.iter().any(|label| is_web(label.strip_prefix(b"_").unwrap_or(label)))
}

/// The names of a reply that tell of somebody: owners, and what PTR records lead to. The name
/// servers of our zones are known to everybody.
fn told_of(message: &Message) -> impl Iterator<Item = &Name> {
    let records = message.answers.iter().chain(&message.additionals);
    let names = records.flat_map(|record| {
        let target = match &record.data {
            RData::PTR(target) => Some(&target.0),
            _ => None,
        };
        [Some(&record.name), target].into_iter().flatten()
    });
    names.filter(|name| !name.iter().next().is_some_and(|label| label.starts_with(b"ns")))
}

/// What strangers have got so far.
#[derive(Debug, Default)]
struct Shares {
    /// Messages of each network.
    asked: HashMap<IpNet, u32>,
    /// Whole replies to each network, and those to one name with one code and any answer or none.
    all: HashMap<IpNet, u32>,
    alike: HashMap<(IpNet, Name, u16, bool), u32>,
}

// === impl Shares ===

impl Shares {
    /// Counts a stranger's message and the reply to it, and holds them to the limits.
    fn count(
        &mut self,
        limits: &RateLimit,
        sent: &Sent,
        reply: Option<&Got>,
    ) -> Result<(), TestCaseError> {
        let bits = if sent.client.is_ipv4() { limits.ipv4_prefix } else { limits.ipv6_prefix };
        let network = IpNet::new(sent.client, bits).unwrap().trunc();
        let asked = self.asked.entry(network).or_default();
        *asked += 1;
        let rates = [limits.responses_per_second, limits.all_per_second];
        let [alike_max, all_max] = rates.map(|rate| if rate == 0 { u32::MAX } else { rate });
        let is_within = *asked <= alike_max.min(all_max);
        let Some((message, summary)) = reply else {
            prop_assert!(!is_within && limits.slip != 1, "left out: {:?}", sent);
            return Ok(());
        };
        prop_assert!(!is_within || summary.guarded != Some(Guarded::Slipped), "{:?}", sent);
        prop_assert!(summary.guarded != Some(Guarded::Slipped) || limits.slip > 0);
        let most = usize::from(limits.unproven_udp_size).max(sent.plain().len() + 16);
        prop_assert!(summary.octets <= most, "{} of {}: {:?}", summary.octets, most, sent);
        if is_whole((message, summary)) {
            let name = Name::from_ascii(sent.ask.name.to_ascii().to_lowercase()).unwrap();
            let all = self.all.entry(network).or_default();
            let what = (network, name, summary.rcode, message.answers.is_empty());
            let alike = self.alike.entry(what).or_default();
            (*all, *alike) = (*all + 1, *alike + 1);
            prop_assert!(*all <= all_max && *alike <= alike_max, "one too many: {:?}", sent);
        }
        Ok(())
    }
}

/// Holds a reply to what its sender may have, whoever that is.
fn hold(rules: &[AccessRule], sent: &Sent, (message, summary): &Got) -> Result<(), TestCaseError> {
    let is_held = matches!(summary.guarded, Some(Guarded::Slipped | Guarded::Unproven));
    prop_assert!(!is_held || sent.is_a_strangers(), "held back: {:?}", sent);
    // A cookie for who sends one, and BADCOOKIE only to who has one now.
    let edns = message.edns.as_ref();
    let has_cookie = edns.is_some_and(|edns| edns.option(EdnsCode::Cookie).is_some());
    let has_sent = sent.cookie().is_some() && sent.said != Said::Broken;
    prop_assert_eq!(has_cookie, has_sent && sent.version == 0, "{:?}", sent);
    let is_bad_cookie = summary.rcode == rcode::BADCOOKIE;
    prop_assert!(!is_bad_cookie || has_cookie && sent.is_a_strangers(), "{:?}", sent);
    // Nobody is told of what it may not ask for.
    let web = Name::from_ascii("web.service.internal.").unwrap();
    let may_see_web = may_see(rules, &web, sent.client);
    for name in told_of(message) {
        prop_assert!(may_see(rules, name, sent.client), "{}: {:?}", name, sent);
        prop_assert!(may_see_web || !is_of_web(name), "{}: {:?}", name, sent);
    }
    let refusals = [rcode::REFUSED, rcode::BADVERS, rcode::FORMERR];
    let is_refused = refusals.contains(&summary.rcode);
    let may_ask = may_see(rules, &sent.ask.name, sent.client);
    prop_assert!(may_ask || is_refused || !is_whole((message, summary)), "{:?}", sent);
    Ok(())
}

/// Whether a reply is all that there is to say.
fn is_whole((message, summary): (&Message, &Summary)) -> bool {
    !message.metadata.truncation && summary.rcode != rcode::BADCOOKIE
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_message_gets_one_reply_whichever_way_it_takes(
        mut world in a_world(),
        limits in a_rate_limit(),
        rules in proptest::sample::subsequence(RULES.to_vec(), 0..=RULES.len()),
        messages in vec(a_message(), 1..40),
    ) {
        let rule = |(zone, allow, deny): &(&str, &[&str], &[&str])| AccessRule {
            zone: DnsName::parse(zone).unwrap(),
            allow: networks(allow),
            deny: networks(deny),
        };
        let rules: Vec<AccessRule> = rules.iter().map(rule).collect();
        world.zones = Zones::of_texts(&[("corp.test", CORP)], &["service.internal"]);
        world.settings.access = Access::new(&rules).unwrap();
        world.settings.cookies = Some(secrets());
        // Each side counts for itself.
        let settings = [(), ()].map(|()| {
            let strangers = Some(Strangers::new(&limits).unwrap());
            Settings { strangers, ..world.settings.clone() }
        });
        let [first, second] = settings.each_ref().map(|settings| {
            let World { snapshot, zones, .. } = &world;
            Sources { snapshot, zones, settings, forward: None }
        });
        let mut shares = Shares::default();
        for sent in messages {
            let reply = serve(&first, &sent);
            let other = expected(&second, &sent);
            prop_assert_eq!(reply.as_ref().map(|it| &it.0), other.as_ref(), "{:?}", sent);
            let reply = reply.map(|(octets, summary)| {
                (Message::from_vec(&octets).expect("hickory reads every reply"), summary)
            });
            match &reply {
                Some(reply) => hold(&rules, &sent, reply)?,
                None => prop_assert!(sent.is_a_strangers(), "left out: {:?}", sent),
            }
            if sent.is_a_strangers() {
                shares.count(&limits, &sent, reply.as_ref())?;
            }
        }
    }
}
