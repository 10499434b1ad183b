//! What tests of what stands in etcd share: any change, and what it is written as.

use std::sync::Arc;

use proptest::{option, prelude::*, sample::select};

use super::{Author, Decoded, Key, Layout, RowKey, Write};
use crate::{
    model::{CheckState, InstanceId, InstanceKey, Revision, ServiceName, Status, Timestamp},
    registry::{Edit, Guard, Health, Member, Opinion, Registration, SharedRow},
    store::testing,
};

/// Who writes, and when.
pub(crate) const AUTHOR: Author<'_> = Author { server: "host-1", at: Timestamp(1_795_000_000_000) };

pub(crate) fn layout() -> Layout {
    Layout::new(Layout::DEFAULT_PREFIX).unwrap()
}

pub(crate) fn web() -> InstanceKey {
    InstanceKey::new(ServiceName::parse("web").unwrap(), InstanceId::parse("web-1").unwrap())
}

/// What an operation puts, and the row that it is of.
pub(crate) fn put(write: Write) -> (RowKey, Vec<u8>) {
    match write {
        Write::Put { key, value } => match layout().parse(key.as_bytes()) {
            Ok(Key::Row(row)) => (row, value),
            other => panic!("{key}: {other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(crate) fn written(edit: &Edit) -> (RowKey, String) {
    let (row, value) = put(layout().encode(edit, &AUTHOR).unwrap());
    (row, String::from_utf8(value).unwrap())
}

pub(crate) fn decode(row: &RowKey, value: &str) -> Result<Decoded, String> {
    layout().decode(row, value.as_bytes(), 12).map_err(|fault| fault.to_string())
}

pub(crate) fn registration(member: Member, given: (Option<u64>, Option<u64>)) -> Registration {
    let begins = Member::new(Arc::clone(&member.instance), Revision(0), member.registered_at);
    Registration {
        registered: given.0.map(Revision),
        registered_at: member.registered_at,
        created: given.1.map(Revision),
        since: (member.since != member.registered_at).then_some(member.since),
        checks: (begins.checks != member.checks).then_some(member.checks),
        instance: member.instance,
    }
}

pub(crate) fn plain() -> Registration {
    let mut member = testing::plain(10);
    let InstanceKey { service, id } = web();
    let instance = Arc::make_mut(&mut member.instance);
    (instance.service, instance.id) = (service, id);
    registration(member, (None, None))
}

pub(crate) fn health(output: &str) -> Health {
    let state = CheckState { status: Status::Critical, output: output.into(), since: AUTHOR.at };
    Health {
        of: Revision::shared(12),
        checks: [state].into(),
        suspect: false,
        since: Some(AUTHOR.at),
    }
}

/// Any change; in half of them the conditions are on the same few rows.
pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let all = vec![Guard::None, Guard::Present, Guard::PresentUnchanged, Guard::Unchanged];
    let given = (option::of(any::<u64>()), option::of(any::<u64>()));
    let parts =
        (testing::member(), given, select(all), any::<bool>(), option::of(testing::policy()));
    (0..6, parts).prop_map(|(kind, (member, given, guard, on, policy))| {
        let key = member.key();
        match kind {
            0 => Edit::Register { key, to: registration(member, given).into(), guard },
            1 => Edit::Deregister { key, guard },
            2 => Edit::Drain { key, on, guard },
            3 => {
                let (of, checks) = (member.registered, member.checks);
                Edit::Health {
                    key,
                    to: Health { of, checks, suspect: on, since: on.then_some(AUTHOR.at) },
                }
            }
            4 => {
                let found =
                    member.checks.into_iter().enumerate().filter(|(check, _)| check % 2 == 0);
                let (of, checks) = (member.registered, found.collect());
                Edit::Opinion { key, by: "host-2".into(), to: on.then_some(Opinion { of, checks }) }
            }
            _ => Edit::Policy { service: key.service, to: policy },
        }
    })
}

/// The row after an operation.
pub(crate) fn row_after(write: Write) -> SharedRow {
    match write {
        Write::Put { .. } => {
            let (row, value) = put(write);
            let decoded = layout().decode(&row, &value, 7).unwrap();
            assert!(decoded.later.is_empty(), "{decoded:?}");
            decoded.row
        }
        Write::Delete { key } => match layout().parse(key.as_bytes()) {
            Ok(Key::Row(row)) => Layout::deleted(&row),
            other => panic!("{key}: {other:?}"),
        },
        Write::DeleteAll(range) => {
            match layout().parse(format!("{}registration", range.from).as_bytes()) {
                Ok(Key::Row(row)) => Layout::deleted(&row),
                other => panic!("{range:?}: {other:?}"),
            }
        }
    }
}
