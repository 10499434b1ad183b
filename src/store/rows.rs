//! Rows in a buffer: what the log keeps, and what is applied to the tables.
//!
//! One row after the other, without gaps:
//!
//! ```text
//! kind (1 octet) · octets of the key (2) · octets of the value (4) · key · value
//! ```
//!
//! Numbers are little endian. A value of `2³² − 1` octets is none: the row is removed.

use std::collections::BTreeMap;

use super::record::{RecordError, member_key, seal_member, seal_policy};
use crate::registry::Change;

/// A row as it is to be from now on; `None` removes it.
pub(super) type Value<'a> = Option<&'a [u8]>;

/// The table of a row, and its key in it.
pub(super) type Key<'a> = (Kind, &'a [u8]);

/// The last state of each row, by table and key: the order in which the tables are laid out.
pub(super) type Latest<'a> = BTreeMap<Key<'a>, Value<'a>>;

/// The table that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Instance,
    Policy,
}

/// Octets before a row's key.
const HEAD_OCTETS: usize = 7;
/// The length of a value that is none.
const REMOVED: u32 = u32::MAX;

/// Appends the row of each change to `out`.
///
/// # Errors
/// When a member contradicts itself.
pub(super) fn encode<'c>(
    changes: impl IntoIterator<Item = &'c Change>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    for change in changes {
        match change {
            Change::DeleteMember(key) => {
                begin(out, Kind::Instance, |out| member_key(key, out));
            }
            Change::DeletePolicy(service) => {
                begin(out, Kind::Policy, |out| out.extend(service.as_bytes()));
            }
            Change::PutMember(member) => {
                let row = begin(out, Kind::Instance, |out| member_key(&member.key(), out));
                seal_member(member, out, row + HEAD_OCTETS)?;
                end(out, row);
            }
            Change::PutPolicy(service, policy) => {
                let row = begin(out, Kind::Policy, |out| out.extend(service.as_bytes()));
                seal_policy(policy, out, row + HEAD_OCTETS);
                end(out, row);
            }
        }
    }
    Ok(())
}

/// Reads rows into `latest`; of several with one key the last one counts. `None` when the octets
/// are no rows.
pub(super) fn decode<'a>(mut octets: &'a [u8], latest: &mut Latest<'a>) -> Option<()> {
    while !octets.is_empty() {
        let (head, rest) = octets.split_first_chunk::<HEAD_OCTETS>()?;
        let [kind, key @ .., a, b, c, d] = *head;
        let kind = match kind {
            0 => Kind::Instance,
            1 => Kind::Policy,
            _ => return None,
        };
        let (key, rest) = rest.split_at_checked(u16::from_le_bytes(key).into())?;
        let (value, rest) = match u32::from_le_bytes([a, b, c, d]) {
            REMOVED => (None, rest),
            octets => {
                let (value, rest) = rest.split_at_checked(usize::try_from(octets).ok()?)?;
                (Some(value), rest)
            }
        };
        latest.insert((kind, key), value);
        octets = rest;
    }
    Some(())
}

/// Begins a row that removes; returns where it begins.
fn begin(out: &mut Vec<u8>, kind: Kind, write_key: impl FnOnce(&mut Vec<u8>)) -> usize {
    let row = out.len();
    out.push(match kind {
        Kind::Instance => 0,
        Kind::Policy => 1,
    });
    out.extend([0; 2]);
    out.extend(REMOVED.to_le_bytes());
    write_key(out);
    let key = out.len() - row - HEAD_OCTETS;
    let key = u16::try_from(key).expect("two names and an octet are below 128 octets");
    out[row + 1..row + 3].copy_from_slice(&key.to_le_bytes());
    row
}

/// Ends a row behind whose key its value was written.
fn end(out: &mut [u8], row: usize) {
    let key = usize::from(u16::from_le_bytes([out[row + 1], out[row + 2]]));
    let value = out.len() - row - HEAD_OCTETS - key;
    let value = u32::try_from(value).expect("the limits keep a record far below 4 GiB");
    out[row + 3..row + HEAD_OCTETS].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Kind, Latest, decode, encode};
    use crate::{
        registry::Change,
        store::testing::{plain, put},
    };

    #[test]
    fn of_several_rows_with_one_key_the_last_counts() {
        let service = plain(1).instance.service.clone();
        let changes = [
            put(1),
            Change::PutPolicy(service.clone(), Default::default()),
            Change::DeleteMember(plain(1).key()),
            put(8),
            Change::DeletePolicy(service),
        ];
        let mut octets = Vec::new();
        encode(&changes, &mut octets).unwrap();
        let mut latest = Latest::new();
        decode(&octets, &mut latest).unwrap();
        let found: Vec<_> =
            latest.iter().map(|((kind, key), value)| (*kind, *key, value.is_some())).collect();
        let expected = [
            (Kind::Instance, &b"service-1\0i-1"[..], false),
            (Kind::Instance, b"service-1\0i-8", true),
            (Kind::Policy, b"service-1", false),
        ];
        assert_eq!(found, expected);
        for cut in [1, 6, 8, octets.len() - 1] {
            assert!(decode(&octets[..cut], &mut Latest::new()).is_none(), "cut to {cut}");
        }
    }
}
