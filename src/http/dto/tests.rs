//! What is shown can be sent: registrations over all their fields, there and back.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use proptest::{
    collection::{btree_map, vec},
    option::of,
    prelude::*,
};
use smol_str::SmolStr;

use super::{
    Check, CheckType, Expected, InstanceView, Period, Registration, StatusName,
    registration::Strings,
};
use crate::{
    http::json::parse,
    model::{CheckKind, CheckSpec, Instance, Revision, Timestamp},
    registry::{Member, testing::key},
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn period() -> impl Strategy<Value = Period> {
    (100_u64..86_400_000).prop_map(|millis| Period(Duration::from_millis(millis)))
}

fn status() -> impl Strategy<Value = StatusName> {
    prop_oneof![Just(StatusName::Passing), Just(StatusName::Warning), Just(StatusName::Critical)]
}

fn addresses() -> impl Strategy<Value = Vec<String>> {
    let ip = prop_oneof![
        (1_u32..0xdfff_ffff).prop_map(|bits| std::net::Ipv4Addr::from(bits).to_string()),
        any::<u64>().prop_map(
            |low| std::net::Ipv6Addr::from((0xfd_u128 << 120) | u128::from(low)).to_string()
        ),
    ];
    prop_oneof![
        proptest::collection::hash_set(ip, 1..=16).prop_map(|set| set.into_iter().collect()),
        "[A-Za-z][a-z0-9]{0,10}(\\.[a-z]{1,10}){0,3}".prop_map(|name| vec![name]),
    ]
}

fn strings(key: &'static str, most: usize) -> impl Strategy<Value = Strings> {
    btree_map(key, "[ -~]{0,40}", 0..most).prop_map(|map: BTreeMap<_, _>| Strings(map))
}

fn expected() -> impl Strategy<Value = Expected> {
    vec((100_u16..=599, 0_u16..50), 1..4).prop_map(|ranges| {
        let texts: Vec<_> = ranges
            .iter()
            .map(|(low, more)| format!("\"{low}-{}\"", (low + more).min(599)))
            .collect();
        parse(format!("[{}]", texts.join(",")).as_bytes()).unwrap()
    })
}

const TYPES: [CheckType; 7] = [
    CheckType::Grpc,
    CheckType::H2ping,
    CheckType::Http,
    CheckType::Https,
    CheckType::Tcp,
    CheckType::Ttl,
    CheckType::Udp,
];

prop_compose! {
    fn check()(
        kind in proptest::sample::select(TYPES.to_vec()),
        ttl in period(),
        (interval, patience) in (of(period()), 1_u32..=10),
        (rise, fall) in (of(1_u16..=100), of(1_u16..=100)),
        (host, port) in (of("[a-z]{1,10}"), of(1_u16..)),
        (path, method, body) in (
            of("/[a-z/?=&%]{0,20}".prop_filter("a path", |p| !p.contains('%'))),
            of("[A-Za-z]{1,6}"),
            of("\\PC{0,20}"),
        ),
        (headers, expect) in (of(strings("[a-z]{1,6}-[a-z]{1,6}", 4)), of(expected())),
        (warn, follow_redirects) in (of(expected()), of(any::<bool>())),
        (service, tls, skip, name) in (
            of("[a-z.]{0,20}"), of(any::<bool>()), of(any::<bool>()), of("[a-z]{1,10}"),
        ),
        (initial_status, deregister_after) in (of(status()), of(period())),
    ) -> Check {
        let active = kind != CheckType::Ttl;
        let http = matches!(kind, CheckType::Http | CheckType::Https);
        let grpc = kind == CheckType::Grpc;
        let may_use_tls = matches!(kind, CheckType::Grpc | CheckType::H2ping | CheckType::Tcp);
        let secure = kind == CheckType::Https
            || may_use_tls && tls.unwrap_or(kind == CheckType::H2ping);
        let interval = interval.filter(|_| active);
        let timeout = interval.map(|Period(interval)| interval / patience);
        let timeout = timeout.filter(|timeout| *timeout >= Duration::from_millis(100));
        Check {
            kind,
            ttl: (!active).then_some(ttl),
            interval,
            timeout: timeout.map(Period),
            rise: rise.filter(|_| active),
            fall: fall.filter(|_| active),
            warn_after: fall.filter(|fall| active && *fall > 1).map(|fall| fall - 1),
            host: host.filter(|_| active),
            port: port.filter(|_| active),
            path: path.filter(|_| http),
            method: method.filter(|method| http && !method.eq_ignore_ascii_case("connect")),
            headers: headers.filter(|_| http),
            body: body.filter(|_| http),
            follow_redirects: follow_redirects.filter(|_| http),
            expect: expect.filter(|_| http),
            warn: warn.filter(|_| http),
            service: service.filter(|_| grpc),
            tls: tls.filter(|_| may_use_tls),
            tls_skip_verify: skip.filter(|_| secure),
            tls_name: name.filter(|_| secure),
            initial_status,
            deregister_after,
        }
    }
}

prop_compose! {
    fn registration()(
        addresses in of(addresses()),
        (port, weight, priority) in (1_u16.., of(any::<u16>()), of(any::<u16>())),
        tags in of(proptest::collection::btree_set(
            "[a-z][a-z0-9]{0,8}".prop_filter("free", |t| t != "instance"),
            0..6,
        )),
        meta in of(strings("[a-zA-Z0-9._-]{1,20}", 6)),
        checks in of(vec(check(), 0..4)),
        deregister_after in of(period()),
        initial_status in of(status()),
    ) -> Registration {
        let tags = tags.map(|tags| tags.into_iter().map(SmolStr::from).collect());
        let short = |texts: Vec<String>| texts.into_iter().map(SmolStr::from).collect();
        let addresses = addresses.map(short);
        Registration {
            addresses, port: Some(port), weight, warning_weight: weight, priority, tags, meta,
            checks, deregister_after, initial_status,
        }
    }
}

fn model(registration: Registration) -> Instance {
    registration.into_model(key("web/a"), PEER).unwrap_or_else(|refusal| panic!("{refusal}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A registration, as JSON, as the model has it, as it is shown, as JSON, and back: the same.
    #[test]
    fn what_is_registered_is_what_is_shown(registration in registration()) {
        let sent = serde_json::to_vec(&registration).unwrap();
        let read: Registration = parse(&sent).unwrap_or_else(|p| panic!("{p:?}"));
        prop_assert_eq!(&read, &registration);
        let instance = model(registration);

        let member = Member::new(instance.clone().into(), Revision(7), Timestamp(0));
        let shown = serde_json::to_vec(&InstanceView::new(&member, true)).unwrap();
        let view: InstanceView = serde_json::from_slice(&shown).unwrap();
        prop_assert_eq!(&view, &InstanceView::new(&member, true));
        let again = serde_json::to_vec(&view.into_registration()).unwrap();
        let again: Registration = parse(&again).unwrap_or_else(|p| panic!("{p:?}"));
        prop_assert_eq!(model(again), instance);
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let instance = model(
        parse(br#"{"port": 80, "checks": [{"type": "http"}, {"type": "tcp", "interval": "1s"}]}"#)
            .unwrap(),
    );
    let shown = serde_json::to_value(Registration::from(&instance)).unwrap();
    assert_eq!(
        shown["checks"],
        serde_json::json!([
            {"type": "http", "interval": "10s", "timeout": "2s", "rise": 1, "fall": 2,
             "path": "/", "method": "GET", "expect": "200-299"},
            // Patience never outlives the interval.
            {"type": "tcp", "interval": "1s", "timeout": "1s", "rise": 1, "fall": 2},
        ])
    );
    assert_eq!((shown["weight"].as_u64(), shown["priority"].as_u64()), (Some(1), Some(1)));
}

/// What nobody can register here is shown all the same when it is there.
#[test]
fn a_manual_check_is_shown_and_not_taken() {
    let check = Check::from(&CheckSpec::new(CheckKind::Manual));
    assert_eq!(serde_json::to_value(&check).unwrap(), serde_json::json!({"type": "manual"}));
    assert_eq!(check.into_model().unwrap_err().field, "type");
}

#[test]
fn expected_codes_are_read_in_every_spelling_and_shown_in_the_shortest() {
    for (text, shown) in [
        ("200", "200"),
        ("\"200\"", "200"),
        ("\"200-299\"", "\"200-299\""),
        ("[200, \"300-399\"]", "[200,\"300-399\"]"),
        ("[204]", "204"),
    ] {
        let expected: Expected = parse(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&expected).unwrap(), shown, "{text}");
    }
}

#[test]
fn a_whole_number_is_one_however_it_is_spelled() {
    for (text, weight) in [("1.0", 1), ("1e2", 100), ("65535.0", 65_535), ("-0", 0), ("0e9", 0)] {
        let body = format!("{{\"weight\": {text}}}");
        let registration: Registration = parse(body.as_bytes()).unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!(registration.weight, Some(weight), "{text}");
    }
    let policy: super::PolicyBody = parse(br#"{"ttl": 5.0}"#).unwrap_or_else(|p| panic!("{p:?}"));
    assert_eq!(policy.ttl, Some(5));
}
