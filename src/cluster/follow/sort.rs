//! What a key and its value mean, and for whom.

use bytes::Bytes;

use super::unreadable::Fault;
use crate::{
    cluster::{
        etcd::{Event, KeyValue},
        layout::{Key, Layout, Marker, Part, PartId, RowKey, Stray},
        members::Server,
        meta::{self, Found},
    },
    model::Invalid,
    registry::{ServerId, SharedRow},
};

/// What a marker does that cannot be read.
const HELD_UP: &str = "no server changes anything: one of the version that wrote it has to finish \
                       it, or, if it is nobody's, somebody has to delete it";

/// A change, or a row of a list.
#[derive(Debug, PartialEq)]
pub(super) enum Sorted {
    /// For the registry; with the fields that this version does not know.
    Row(SharedRow, Vec<String>),
    /// Of a server; `None` when it is gone.
    Server(ServerId, Option<Server>),
    /// What all servers have agreed on; `None` when that is gone.
    Meta(Option<Found>),
    /// Heartbeats that a server has for others.
    Beats(ServerId, Bytes),
    /// The marker of bulks; `None` when it is gone.
    Bulk(Option<Marker>),
    /// A part of a bulk; `None` when it is gone.
    Part(PartId, Option<Part>),
    /// A row that cannot be read.
    Unreadable(String, Fault),
    /// Nothing of ours: a later version's, or nobody's.
    Stray(String),
    /// Nothing to do.
    Nothing,
}

// === impl Sorted ===

impl Sorted {
    /// Takes out the names of what this version does not know.
    pub(super) fn take_later(&mut self) -> Vec<String> {
        match self {
            Self::Row(_, later) => std::mem::take(later),
            Self::Stray(what) => vec![std::mem::take(what)],
            _ => Vec::new(),
        }
    }
}

/// Sorts one change.
pub(super) fn sort(layout: &Layout, event: Event, now: &str) -> Sorted {
    match event {
        Event::Put(kv) => sort_row(layout, &kv, now),
        Event::Delete { key, .. } => match layout.parse(&key) {
            Ok(Key::Row(row)) => Sorted::Row(Layout::deleted(&row), Vec::new()),
            Ok(Key::Server(id)) => Sorted::Server(id, None),
            Ok(Key::Meta) => Sorted::Meta(None),
            Ok(Key::Bulk) => Sorted::Bulk(None),
            Ok(Key::Part(bulk, number)) => Sorted::Part((bulk, number), None),
            Ok(Key::Beats(_)) | Err(_) => Sorted::Nothing,
        },
    }
}

/// Sorts one row that is there.
pub(super) fn sort_row(layout: &Layout, kv: &KeyValue, now: &str) -> Sorted {
    let fault = |about: Option<RowKey>, problem: String| {
        Sorted::Unreadable(shown(&kv.key), Fault { about, problem, since: now.to_owned() })
    };
    match layout.parse(&kv.key) {
        Ok(Key::Row(row)) => match layout.decode(&row, &kv.value, kv.mod_revision) {
            Ok(decoded) => Sorted::Row(decoded.row, decoded.later),
            Err(unreadable) => fault(Some(row), unreadable.to_string()),
        },
        Ok(Key::Server(id)) => {
            let row = layout.decode_server(&id, &kv.value, kv.mod_revision).ok();
            Sorted::Server(id, Some(Server { row, since: kv.create_revision }))
        }
        Ok(Key::Meta) => Sorted::Meta(Some(meta::found(layout, kv))),
        Ok(Key::Beats(from)) => Sorted::Beats(from, kv.value.clone()),
        Ok(Key::Bulk) => match layout.decode_marker(&kv.value, kv.mod_revision) {
            Ok(marker) => Sorted::Bulk(Some(marker)),
            Err(unreadable) => fault(None, format!("{unreadable}; while it is there {HELD_UP}")),
        },
        Ok(Key::Part(bulk, number)) => {
            let part = layout.decode_part(bulk, number, &kv.value, kv.mod_revision);
            Sorted::Part((bulk, number), Some(part))
        }
        Err(Stray::Malformed(refusal)) => fault(None, stray(&kv.key, &refusal)),
        Err(Stray::Later(what)) => Sorted::Stray(what),
        Err(Stray::Foreign) => Sorted::Nothing,
    }
}

fn stray(key: &[u8], refusal: &Invalid) -> String {
    format!("`{}` is no key of Rollcall: {refusal}", shown(key))
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Fault, Layout, Server, Sorted, sort, sort_row};
    use crate::{
        cluster::{etcd::Event, follow::testing::kv, layout::RowKey},
        registry::{SharedRow, testing::key},
    };

    fn sorted(name: &str, value: &str) -> Sorted {
        let layout = Layout::new("/rollcall").unwrap();
        sort_row(&layout, &kv(&format!("/rollcall/v1/{name}"), value, 7), "now")
    }

    fn deleted(name: &str) -> Sorted {
        let layout = Layout::new("/rollcall").unwrap();
        let key = format!("/rollcall/v1/{name}").into();
        sort(&layout, Event::Delete { key, revision: 9 }, "now")
    }

    #[test]
    fn a_row_that_cannot_be_read_says_what_it_is_about() {
        let about = Some(RowKey::Registration(key("web/web-1")));
        match sorted("instances/web/web-1/registration", "{}") {
            Sorted::Unreadable(key, Fault { about: found, problem, since }) => {
                assert_eq!((found, &*since), (about, "now"));
                assert_eq!(key, "/rollcall/v1/instances/web/web-1/registration");
                assert!(problem.contains("revision 7"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        let Sorted::Unreadable(_, fault) = sorted("instances/w_b/a/health", "{}") else { panic!() };
        assert!(fault.about.is_none() && fault.problem.contains("'_'"), "{}", fault.problem);
        assert_eq!(deleted("instances/w_b/a/health"), Sorted::Nothing);
    }

    #[test]
    fn what_is_deleted_is_gone() {
        let row = SharedRow::Registration { key: key("web/web-1"), to: None };
        assert_eq!(deleted("instances/web/web-1/registration"), Sorted::Row(row, Vec::new()));
        assert_eq!(deleted("servers/a"), Sorted::Server("a".into(), None));
        assert_eq!(deleted("beats/a"), Sorted::Nothing);
    }

    #[test]
    fn a_server_whose_row_cannot_be_read_is_alive_all_the_same() {
        for value in ["", "{}", "not JSON", r#"{"http":7}"#] {
            let alive = Some(Server { row: None, since: 7 });
            assert_eq!(sorted("servers/a", value), Sorted::Server("a".into(), alive), "{value}");
        }
    }

    #[test]
    fn what_a_later_version_keeps_is_passed_over() {
        assert_eq!(sorted("zones/a", "{}"), Sorted::Stray("zones".into()));
        assert_eq!(sorted("beats/a", "x"), Sorted::Beats("a".into(), "x".into()));
        assert_eq!(deleted("meta"), Sorted::Meta(None));
    }
}
