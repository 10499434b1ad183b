//! The records: round trips, and the octets of both versions.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    Head, Interner, RecordError, Totals, decode_member, decode_policy, seal::CHECKSUM_OCTETS,
};
use crate::{
    model::{
        Addresses, CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra,
        Instance, Node, Origin, Policy, Revision, Scope, ServiceName, Status, Target, TcpCheck,
        Thresholds, Timestamp, UdpCheck,
    },
    registry::Member,
    store::{
        checksum::crc32c,
        testing::{self, encode_member, encode_policy, member_key},
    },
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_member_is_read_as_it_was_written(member in testing::member()) {
        let key = member_key(&member.key());
        let value = encode_member(&key, &member).unwrap();
        prop_assert_eq!(decode_member(&key, &value, &mut Interner::default()).unwrap(), member);
    }

    #[test]
    fn a_policy_is_read_as_it_was_written(policy in testing::policy()) {
        let service = ServiceName::parse("web").unwrap();
        let value = encode_policy(&service, &policy);
        prop_assert_eq!(decode_policy(b"web", &value).unwrap(), (service, policy));
    }

    #[test]
    fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        // With a right checksum, so that the reader gets to see them.
        for version in [1, 2] {
            let mut value = [&[version], octets.as_slice()].concat();
            let checksum = crc32c(&[b"web\0a", &value]);
            value.extend(checksum.to_le_bytes());
            let _ = decode_member(b"web\0a", &value, &mut Interner::default());
        }
    }

    /// What version 1 has words for is written in version 1, so that an older Rollcall reads it.
    #[test]
    fn version_2_is_written_for_what_is_new_only(member in testing::member()) {
        let value = encode_member(b"k", &member).unwrap();
        let is_new = |spec: &CheckSpec| {
            let warns = spec.thresholds().is_some_and(|thresholds| thresholds.warn_after > 0);
            let says_more = warns || spec.start.is_some() || spec.deregister_after.is_some();
            says_more || match &spec.kind {
                CheckKind::Alias(_)
                | CheckKind::H2ping(_)
                | CheckKind::Manual
                | CheckKind::Udp(_) => true,
                CheckKind::Grpc(check) => check.tls_name.is_some(),
                CheckKind::Http(check) => {
                    check.extra.is_some() || check.warn.is_some() || check.follow_redirects
                }
                CheckKind::Tcp(check) => {
                    check.tls || check.tls_skip_verify || check.tls_name.is_some()
                }
                CheckKind::Ttl { .. } => false,
            }
        };
        let instance = &member.instance;
        let is_rare = instance.origin.is_some() || instance.warning_weight.is_some();
        let expected = if is_rare || instance.checks.iter().any(is_new) { 2 } else { 1 };
        prop_assert_eq!(value[0], expected);
    }
}

#[test]
fn the_octets_of_version_1_are_fixed() {
    // If this fails, stores in the field are no longer readable: make a new version instead.
    let member = testing::plain(3);
    let key = member_key(&member.key());
    assert_eq!(key, b"service-3\0i-3");
    let value = encode_member(&key, &member).unwrap();
    let expected = concat!(
        "010101000a010203903f030101027631010776657273696f6e05312e342e3201030f00000a72656769737465",
        "72656480bcd9f29e3401d80400000080bcd9f29e34000380bcd9f29e3403e5d9d181",
    );
    assert_eq!(hex(&value), expected);
    let service = ServiceName::parse("web").unwrap();
    assert_eq!(hex(&encode_policy(&service, &Policy::default())), "0105080100bfc2f18a");
    let totals = Totals { instances: 300, policies: 2, sum: 1 << 40 };
    let head = Head { store: u64::MAX, sequence: 7, revision: Revision(9), totals };
    assert_eq!(hex(&head.encode()), "01ffffffffffffffffff010709ac02028080808080206dff2e58");
    assert_eq!(Head::decode(&head.encode()), Ok(head));
}

/// One check of each kind, with all that a check can have.
fn checked_in_every_way() -> Member {
    let (target, thresholds) =
        (Target { host: Some("h".into()), port: Some(9) }, Thresholds::DEFAULT);
    let tls_name = Some(Arc::from("n"));
    let kinds = [
        CheckKind::Grpc(Box::new(GrpcCheck {
            target: target.clone(),
            tls: true,
            tls_skip_verify: false,
            tls_name: tls_name.clone(),
            service: "s".into(),
            thresholds,
        })),
        CheckKind::Http(Box::new(HttpCheck {
            target: target.clone(),
            tls: true,
            tls_skip_verify: true,
            follow_redirects: true,
            method: "PUT".into(),
            path: "/".into(),
            headers: [("a".into(), "b".into())].into(),
            expect: Expect::default(),
            warn: Some(Expect::new(vec![(429, 429)]).unwrap()),
            extra: HttpExtra::new(Some("q".into()), tls_name.clone()),
            thresholds,
        })),
        CheckKind::Tcp(Box::new(TcpCheck {
            tls: true,
            tls_name: tls_name.clone(),
            ..TcpCheck::new(target.clone(), thresholds)
        })),
        CheckKind::H2ping(Box::new(H2pingCheck {
            target: target.clone(),
            tls: false,
            tls_skip_verify: true,
            tls_name,
            thresholds,
        })),
        CheckKind::Manual,
        CheckKind::Udp(Box::new(UdpCheck { target, thresholds })),
    ];
    let mut checks = kinds.map(CheckSpec::new);
    checks[4].start = Some(Status::Warning);
    checks[5].deregister_after = Some(Duration::from_secs(60));
    let instance =
        Instance { checks: checks.into(), ..Instance::clone(&testing::plain(3).instance) };
    Member::new(Arc::new(instance), Revision(3), Timestamp(1_795_000_000_000))
}

#[test]
fn the_octets_of_version_2_are_fixed() {
    // If this fails, stores in the field are no longer readable: what is new goes behind the facts
    // that there are.
    let member = checked_in_every_way();
    let key = member_key(&member.key());
    let value = encode_member(&key, &member).unwrap();
    let expected = concat!(
        "020101000a010203903f030101027631010776657273696f6e05312e342e32060001016801090201730a0002",
        "000102020f6e6f7420636865636b65642079657480bcd9f29e340106016e0101016801090103505554012f01",
        "0161016201c801ab020a0002000102020f6e6f7420636865636b65642079657480bcd9f29e34040201710304",
        "01ad03ad0306016e0201016801090a0002000102020f6e6f7420636865636b65642079657480bcd9f29e3402",
        "050206016e040101680109030a0002000102020f6e6f7420636865636b65642079657480bcd9f29e34010601",
        "6e05010e696e697469616c2073746174757380bcd9f29e340100010601016801090a0002000102020f6e6f74",
        "20636865636b65642079657480bcd9f29e3401013c0001d80400000280bcd9f29e34000380bcd9f29e340300",
        "338b2d2b",
    );
    assert_eq!(hex(&value), expected);
    assert_eq!(decode_member(&key, &value, &mut Interner::default()).unwrap(), member);
}

#[test]
fn the_octets_of_what_few_instances_have_are_fixed() {
    let mut member = testing::plain(3);
    let instance = Arc::make_mut(&mut member.instance);
    (instance.checks, instance.warning_weight) = (Arc::default(), Some(300));
    instance.origin = Some(Arc::new(Origin {
        scope: Scope::application("web"),
        id: "host:web".into(),
        document: "{}".into(),
        other_tags: ["v1.2".into()].into(),
        service: Some("w_b".into()),
        node: Some(Node {
            addresses: Addresses::ips(vec![[10, 0, 0, 1].into()]).unwrap(),
            lends_address: true,
        }),
    }));
    (member.checks, member.created) = (Box::default(), Revision(2));
    let key = member_key(&member.key());
    let value = encode_member(&key, &member).unwrap();
    let facts = "0500ac0201010357454208686f73743a776562027b7d010476312e32020101000a00000101\
                 03020403775f62";
    assert!(hex(&value).contains(facts), "{}", hex(&value));
    assert_eq!(value[0], 2);
    assert_eq!(decode_member(&key, &value, &mut Interner::default()).unwrap(), member);
}

#[test]
fn of_what_came_by_the_native_door_it_is_not_kept_when_it_first_did() {
    let member = Member { created: Revision(1), ..testing::plain(3) };
    let key = member_key(&member.key());
    let value = encode_member(&key, &member).unwrap();
    let read = decode_member(&key, &value, &mut Interner::default()).unwrap();
    assert_eq!((value[0], read.created), (1, member.registered), "an older Rollcall reads it");
}

#[test]
fn a_node_is_read_as_it_was_written() {
    let mut member = testing::plain(3);
    Arc::make_mut(&mut member.instance).service = ServiceName::nodes();
    let key = member_key(&member.key());
    let value = encode_member(&key, &member).unwrap();
    assert_eq!(decode_member(&key, &value, &mut Interner::default()).unwrap(), member);
}

#[test]
fn any_turned_bit_is_noticed() {
    let member = testing::plain(3);
    let key = member_key(&member.key());
    let value = encode_member(&key, &member).unwrap();
    let read = |key: &[u8], value: &[u8]| decode_member(key, value, &mut Interner::default());
    for bit in 0..value.len() * 8 {
        let mut turned = value.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(read(&key, &turned), Err(RecordError::Checksum), "bit {bit}");
    }
    for length in 0..value.len() {
        assert_eq!(read(&key, &value[..length]), Err(RecordError::Checksum), "length {length}");
    }
    assert_eq!(read(b"service-3\0i-4", &value), Err(RecordError::Checksum), "another's row");
}

#[test]
fn a_later_version_is_named() {
    let service = ServiceName::parse("web").unwrap();
    let mut value = encode_policy(&service, &Policy::default());
    value.truncate(value.len() - CHECKSUM_OCTETS);
    value[0] = 9;
    let checksum = crc32c(&[b"web", &value]);
    value.extend(checksum.to_le_bytes());
    let refusal = decode_policy(b"web", &value).unwrap_err();
    assert_eq!(refusal, RecordError::Version(9));
    assert!(refusal.to_string().contains("version 9"), "{refusal}");
}

#[test]
fn a_member_whose_checks_have_no_states_is_not_written() {
    let mut member = testing::plain(3);
    member.checks = Box::default();
    let refusal = encode_member(b"k", &member).unwrap_err();
    assert_eq!(refusal, RecordError::States { states: 0, checks: 1 });
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
