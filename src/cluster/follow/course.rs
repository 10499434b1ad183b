//! Whether what was known of the store still goes for the store that answers. Pure.
//!
//! The revision that a server has come to means something in one history only. An etcd whose data
//! were restored from a backup has another one, which may have overtaken the old number already;
//! and one that was emptied has nothing of ours at all. Both look like any other connection.

use bytes::Bytes;

use crate::cluster::{
    etcd::{Client, EtcdError, Header, KeyRange, Range},
    layout::{Key, Layout, Meta},
    meta::{Found, UNKNOWN, is_readable},
};

/// How far this server has come, and in which history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// All changes up to this revision are known.
    pub(super) revision: u64,
    /// The id of etcd's cluster.
    pub(super) cluster: u64,
    /// The number of etcd's last election that was heard of.
    pub(super) term: u64,
    /// The name of the shared state.
    pub(super) state: String,
    /// A key, and the revision at which it was seen to be written: there it has to stand for ever.
    pub(super) mark: Option<(Bytes, u64)>,
}

/// What there is below the prefix beside the row that names the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Others {
    /// Rows that are there.
    now: u64,
    /// Rows that there were when this server had come as far as it has; nothing if etcd does not
    /// say that any more.
    before: Option<u64>,
}

/// How to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// From where this server has come to.
    Resume,
    /// From a new list, because the store has another history now, for this reason.
    List(String),
    /// Not at all: this is not the state that is shown. What is shown stays.
    Hold(String),
}

/// An etcd that is not believed, as it was found first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Astray {
    /// The id of etcd's cluster.
    cluster: u64,
    /// Its revision.
    revision: u64,
}

// === impl Position ===

impl Position {
    /// How to go on, by what was read, not from a member's own memory, which may be behind.
    ///
    /// # Errors
    /// When it takes more, and that cannot be read.
    pub(super) async fn course(
        &self,
        client: &Client,
        layout: &Layout,
        found: Option<&Found>,
        header: Header,
    ) -> Result<Course, EtcdError> {
        let others = match found {
            None => self.others(client, layout).await?,
            Some(_) => Others::default(),
        };
        Ok(self.judge(found.map(|found| &found.meta), others, layout, header))
    }

    fn judge(
        &self,
        meta: Option<&Meta>,
        others: Others,
        layout: &Layout,
        header: Header,
    ) -> Course {
        match meta {
            None if others.now > 0 && header.cluster == self.cluster => {
                Course::Hold(self.gone(others, &layout.key(&Key::Meta)))
            }
            None => Course::Hold(
                "etcd has nothing of this cluster any more: it was emptied, or is another one. \
                 What was known stays in the answers. Restore a backup; or, to begin anew, \
                 restart the servers"
                    .to_owned(),
            ),
            // Who began with a row that could not be read takes it when it can be.
            Some(meta) if !is_readable(meta) && self.state != UNKNOWN => {
                Course::Hold(self.unreadable())
            }
            Some(meta) if meta.cluster != self.state && self.state != UNKNOWN => {
                Course::Hold(self.another(&meta.cluster))
            }
            Some(_) if header.cluster != self.cluster => Course::List(format!(
                "etcd's cluster is {:x}, before it was {:x}: its data were restored from a backup",
                header.cluster, self.cluster
            )),
            Some(_) if header.revision < self.revision => Course::List(format!(
                "etcd's revision went back from {} to {}: its data were restored from a backup",
                self.revision, header.revision
            )),
            Some(_) if header.term < self.term => Course::List(format!(
                "etcd's elections are counted anew ({}, before {}): its data were restored from a \
                 backup",
                header.term, self.term
            )),
            Some(_) => Course::Resume,
        }
    }

    /// What to do about a name that is gone alone, or nearly so.
    fn gone(&self, Others { now, before }: Others, key: &str) -> String {
        let missing = match before {
            Some(before) if now >= before => ", and nothing else is missing".to_owned(),
            Some(before) => format!(", where there were {before}"),
            None => String::new(),
        };
        let is_less = before.is_none_or(|before| now < before);
        let first = if is_less {
            "Restore a backup of all of it; or, if no more is gone, put"
        } else {
            "Put"
        };
        format!(
            "the row `{key}` of etcd, which names the state that it has, was deleted; of \
             other rows there are {now}{missing}. What was known stays in the answers, until that \
             row is there again. {first} it back before any server is restarted: etcdctl put {key} \
             '{}'",
            self.row()
        )
    }

    /// The row that names the state, as it is without an import.
    fn row(&self) -> String {
        let (schema, cluster) = (Meta::SCHEMA, self.state.clone());
        let row = Meta { schema, cluster, imported: None }.encode();
        String::from_utf8_lossy(&row).into_owned()
    }

    /// What to do about another name.
    fn another(&self, found: &str) -> String {
        format!(
            "etcd has the state of another cluster (`{found}`, before it was `{}`): it was emptied \
             and begun anew, or is another one. What was known stays in the answers. Restore a \
             backup (`rollcall import --replace`); or restart this server, to take what is there",
            self.state
        )
    }

    /// What to do about a name that cannot be read any more.
    fn unreadable(&self) -> String {
        format!(
            "the row `meta` of etcd, which names the state that it has, cannot be read any more: a \
             later version of Rollcall may have written it, or somebody by hand. What was known \
             stays in the answers. Upgrade this server, or put the row as it was: {}",
            self.row()
        )
    }

    /// What there is besides, of a state whose name is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn others(&self, client: &Client, layout: &Layout) -> Result<Others, EtcdError> {
        let rows = |revision| {
            let range = Range::of(layout.all().into());
            client.range(Range { revision, limit: 1, keys_only: true, ..range })
        };
        let now = rows(0).await?.count;
        let before = match rows(self.revision).await {
            // Without the name itself.
            Ok(listing) => listing.count.checked_sub(1),
            Err(EtcdError::Compacted { .. } | EtcdError::Future { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Others { now, before })
    }

    /// Whether the store has, as of the mark's revision, what was seen there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn is_in(&self, client: &Client) -> Result<bool, EtcdError> {
        let Some((key, revision)) = &self.mark else { return Ok(true) };
        let range =
            Range { revision: *revision, keys_only: true, ..Range::of(KeyRange::key(key.clone())) };
        match client.range(range).await {
            Ok(found) => Ok(found.kvs.first().is_some_and(|kv| kv.mod_revision == *revision)),
            // It was seen once; whether the rest is there the watch finds out.
            Err(EtcdError::Compacted { .. }) => Ok(true),
            Err(EtcdError::Future { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

// === impl Astray ===

impl Astray {
    /// What is not believed from now on, or is not yet.
    pub(super) fn found(known: Option<Self>, Header { cluster, revision, .. }: Header) -> Self {
        let known = known.filter(|known| known.cluster == cluster && known.revision <= revision);
        known.unwrap_or(Self { cluster, revision })
    }

    /// Whether somebody has put a registry there since it is not believed: an import says when it
    /// is done. An etcd that had one all the time may be the wrong one.
    pub(super) fn is_over(self, found: &Found, header: Header) -> bool {
        let is_same = header.cluster == self.cluster && header.revision >= self.revision;
        is_same && found.meta.imported.is_some() && found.at > self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::{Astray, Course, Found, Header, Layout, Meta, Others, Position};
    use crate::model::Timestamp;

    fn meta(cluster: &str) -> Meta {
        Meta { schema: Meta::SCHEMA, cluster: cluster.to_owned(), imported: None }
    }

    #[test]
    fn an_import_is_believed_if_it_came_after_the_loss() {
        let header = |cluster, revision| Header { cluster, revision, term: 1, member: 1 };
        let astray = Astray::found(None, header(7, 20));
        assert_eq!(Astray::found(Some(astray), header(7, 30)), astray, "since it was found first");
        assert_ne!(Astray::found(Some(astray), header(8, 30)), astray, "another one");
        for (imported, at, cluster, is_over) in [
            (true, 25, 7, true),
            (false, 25, 7, false),
            (true, 20, 7, false), // it was there before
            (true, 25, 8, false), // and this is elsewhere
        ] {
            let imported = imported.then_some(Timestamp(1));
            let meta = Meta { imported, ..meta("b") };
            let found = Found { row: meta.encode().into(), meta, at };
            assert_eq!(astray.is_over(&found, header(cluster, 30)), is_over, "{at} {cluster}");
        }
    }

    #[test]
    fn a_history_that_is_another_one_is_noticed() {
        let state = "a".to_owned();
        let known = Position { revision: 100, cluster: 7, term: 3, state, mark: None };
        let layout = Layout::new("/rollcall").unwrap();
        let judge = |meta: Option<Meta>, cluster, revision, term| {
            let header = Header { cluster, revision, term, member: 1 };
            known.judge(meta.as_ref(), Others::default(), &layout, header)
        };
        assert_eq!(judge(Some(meta("a")), 7, 100, 3), Course::Resume);
        assert_eq!(judge(Some(meta("a")), 7, 5_000, 4), Course::Resume);
        for (cluster, revision, term, told) in [
            (7, 99, 3, "went back from 100 to 99"),
            (8, 5_000, 3, "cluster is 8, before it was 7"),
            (7, 5_000, 2, "counted anew (2, before 3)"),
        ] {
            let course = judge(Some(meta("a")), cluster, revision, term);
            let Course::List(why) = course else { panic!("{told}") };
            assert!(why.contains(told), "{why}");
        }
        let unreadable = Meta { schema: u32::MAX, ..meta("?") };
        for (meta, told) in [
            (None, "was emptied"),
            (Some(meta("b")), "`b`, before it was `a`"),
            (Some(unreadable), r#"as it was: {"schema":1,"cluster":"a"}"#),
        ] {
            let Course::Hold(why) = judge(meta, 7, 5_000, 3) else { panic!("{told}") };
            assert!(why.contains(told), "{why}");
        }
        let known = Position { state: super::UNKNOWN.to_owned(), ..known };
        let header = Header { cluster: 7, revision: 100, term: 3, member: 1 };
        let course = known.judge(Some(&meta("a")), Others::default(), &layout, header);
        assert_eq!(course, Course::Resume, "it was mended");
    }
}
