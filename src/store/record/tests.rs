//! The records: round trips, and the octets of version 1.

use proptest::prelude::*;

use super::{
    Head, Interner, RecordError, Totals, decode_member, decode_policy, seal::CHECKSUM_OCTETS,
};
use crate::{
    model::{Policy, Revision, ServiceName},
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
        let mut value = [&[1], octets.as_slice()].concat();
        let checksum = crc32c(&[b"web\0a", &value]);
        value.extend(checksum.to_le_bytes());
        let _ = decode_member(b"web\0a", &value, &mut Interner::default());
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
