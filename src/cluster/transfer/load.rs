//! Reading a registry out of etcd.

use std::collections::BTreeSet;

use super::TransferError;
use crate::{
    cluster::{
        etcd::{Client, KeyRange, KeyValue},
        layout::{self, Alike, Decoded, Key, Layout, Meta, Stray, Unreadable},
    },
    registry::{self, Loaded, SharedRow},
};

/// A registry as it is in etcd.
#[derive(Debug)]
pub struct Found {
    /// The registry, as of one revision.
    pub loaded: Loaded,
    /// What else is there and means nothing to this version, by name: fields and rows of a later
    /// one, keys that somebody has mistyped. Each once, and no more than some.
    pub passed_over: BTreeSet<String>,
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    rows: Vec<(u64, SharedRow)>,
    alike: Alike,
    unreadable: usize,
    first_unreadable: Option<Unreadable>,
    passed_over: BTreeSet<String>,
    /// Whether there is anything that only a registry has.
    is_there: bool,
}

/// Rows of a page: as many as a server reads when it lists, see `cluster::follow`.
pub(super) const PAGE_ROWS: u64 = 20_000;

/// Names of what is passed over that are kept: enough to see what it is.
const PASSED_OVER_MAX: usize = 16;

/// Reads all that is below the layout's prefix, as of one revision.
///
/// # Errors
/// When etcd does not answer, when nothing is there, when a row cannot be read, and while a bulk is
/// under way.
pub async fn load(client: &Client, layout: &Layout) -> Result<Found, TransferError> {
    let mut reader = Reader::default();
    let mut pages = client.list(keys_of(layout.all()), PAGE_ROWS);
    while let Some(page) = pages.next().await? {
        page.kvs.iter().try_for_each(|kv| reader.take(layout, kv))?;
    }
    if let Some(first) = reader.first_unreadable {
        return Err(TransferError::Unreadable { count: reader.unreadable, first: first.into() });
    }
    if !reader.is_there {
        return Err(TransferError::Nothing { prefix: layout.all().from });
    }
    // An import takes one origin once.
    let loaded = registry::loaded(reader.rows, pages.revision()).without_rivals();
    Ok(Found { loaded, passed_over: reader.passed_over })
}

// === impl Reader ===

impl Reader {
    fn take(&mut self, layout: &Layout, kv: &KeyValue) -> Result<(), TransferError> {
        let at = kv.mod_revision;
        let key = layout.parse(&kv.key);
        self.is_there |= matches!(key, Ok(Key::Row(_) | Key::Meta));
        match key {
            Ok(Key::Row(row)) => match layout.decode(&row, &kv.value, at) {
                Ok(Decoded { mut row, later }) => {
                    self.alike.share(&mut row);
                    self.rows.push((at, row));
                    later.into_iter().for_each(|field| self.pass_over(field));
                }
                Err(fault) => {
                    self.unreadable += 1;
                    self.first_unreadable.get_or_insert(fault);
                }
            },
            Ok(Key::Meta) => check_schema(layout, kv)?,
            Ok(Key::Bulk) => return Err(under_way(kv)),
            Ok(Key::Server(_) | Key::Beats(_) | Key::Part(..)) | Err(Stray::Foreign) => {}
            Err(Stray::Later(row)) => self.pass_over(row),
            Err(Stray::Malformed(_)) => self.pass_over(shown(&kv.key)),
        }
        Ok(())
    }

    fn pass_over(&mut self, name: String) {
        if self.passed_over.len() < PASSED_OVER_MAX {
            self.passed_over.insert(name);
        }
    }
}

/// Refuses a state that this version would misunderstand.
pub(super) fn check_schema(layout: &Layout, kv: &KeyValue) -> Result<(), TransferError> {
    let meta = layout.decode_meta(&kv.value, kv.mod_revision);
    let meta = meta.map_err(|first| TransferError::Unreadable { count: 1, first: first.into() })?;
    if meta.schema > Meta::SCHEMA {
        let (prefix, known) = (layout.all().from, Meta::SCHEMA);
        return Err(TransferError::Later { prefix, schema: meta.schema, known });
    }
    Ok(())
}

pub(super) fn under_way(kv: &KeyValue) -> TransferError {
    TransferError::UnderWay { key: shown(&kv.key) }
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// A range in etcd's words.
pub(super) fn keys_of(layout::KeyRange { from, to }: layout::KeyRange) -> KeyRange {
    KeyRange::between(from, to)
}
