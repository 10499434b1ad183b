//! What all servers have agreed on once, as it is found and written in the store.

use bytes::Bytes;

use super::{
    etcd::{Client, Compare, EtcdError, Header, KeyRange, KeyValue, Op, OpReply, Range, Txn},
    layout::{Key, Layout, Meta},
};

/// The name of a shared state whose row cannot be read: none that is drawn has it.
pub(super) const UNKNOWN: &str = "?";

/// The row as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// What it says.
    pub(super) meta: Meta,
    /// Octet by octet; no slice of the reply, which would stay with it.
    pub(super) row: Bytes,
    /// The revision that wrote it last.
    pub(super) at: u64,
}

/// A new shared state.
pub(super) fn drawn(rng: &mut fastrand::Rng) -> Meta {
    Meta { schema: Meta::SCHEMA, cluster: format!("{:016x}", rng.u64(..)), imported: None }
}

/// Reads the row. One that cannot be read is of no schema that is known here.
pub(super) fn read(layout: &Layout, kv: &KeyValue) -> Meta {
    let later = |_| Meta { schema: u32::MAX, cluster: UNKNOWN.to_owned(), imported: None };
    layout.decode_meta(&kv.value, kv.mod_revision).unwrap_or_else(later)
}

/// The row as it was found there.
pub(super) fn found(layout: &Layout, kv: &KeyValue) -> Found {
    let row = Bytes::copy_from_slice(&kv.value);
    Found { meta: read(layout, kv), row, at: kv.mod_revision }
}

/// Whether the row could be read.
pub(super) fn is_readable(meta: &Meta) -> bool {
    meta.schema != u32::MAX
}

/// Why this version must not write, if it must not.
pub(super) fn refusal(layout: &Layout, meta: &Meta) -> Option<String> {
    let key = layout.key(&Key::Meta);
    match meta.schema {
        0..=Meta::SCHEMA => None,
        u32::MAX => Some(format!(
            "the row `{key}` of etcd cannot be read, so nothing is written: a later version of \
             Rollcall may have written it; upgrade this server"
        )),
        later => Some(format!(
            "the shared state is of schema {later} (`{key}` of etcd), this version of Rollcall \
             writes schema {}: it goes on reading and writes nothing; upgrade this server",
            Meta::SCHEMA
        )),
    }
}

/// Finds the row in the store; with what the reply says of etcd's cluster.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn look(
    client: &Client,
    layout: &Layout,
) -> Result<(Option<Found>, Header), EtcdError> {
    let found = client.range(Range::of(KeyRange::key(layout.key(&Key::Meta)))).await?;
    Ok((found.kvs.first().map(|kv| self::found(layout, kv)), found.header))
}

/// Writes the row unless there is one; says which one is there then.
///
/// # Errors
/// When the store does not take it.
pub(super) async fn agree(client: &Client, layout: &Layout, new: Meta) -> Result<Found, EtcdError> {
    let (key, row) = (layout.key(&Key::Meta), Bytes::from(new.encode()));
    let reply = client
        .txn(Txn {
            compare: vec![Compare::absent(key.clone())],
            then: vec![Op::put(key.clone(), row.clone())],
            otherwise: vec![Op::Range(Range::of(KeyRange::key(key)))],
        })
        .await?;
    let found = reply.replies.iter().find_map(|reply| match reply {
        OpReply::Range(listing) => listing.kvs.first(),
        OpReply::Deleted(_) | OpReply::Put => None,
    });
    let at = reply.header.revision;
    Ok(found.map_or(Found { meta: new, row, at }, |kv| self::found(layout, kv)))
}

#[cfg(test)]
mod tests {
    use super::{Layout, Meta, read, refusal};
    use crate::cluster::{follow::testing::kv, testing::shared};

    #[test]
    fn a_later_schema_is_read_and_not_written() {
        let layout = Layout::new("/rollcall").unwrap();
        for (row, told) in [
            (r#"{"schema":1,"cluster":"a"}"#, ""),
            (r#"{"schema":1,"cluster":"a","zone":"b"}"#, ""),
            (r#"{"schema":2,"cluster":"a"}"#, "is of schema 2 (`/rollcall/v1/meta` of etcd)"),
            (r#"{"schema":"new"}"#, "cannot be read"),
            ("\u{7f}", "cannot be read"),
        ] {
            let meta = read(&layout, &kv("/rollcall/v1/meta", row, 1));
            match refusal(&layout, &meta) {
                None => assert!(told.is_empty() && meta.schema == Meta::SCHEMA, "{row}"),
                Some(text) => assert!(!told.is_empty() && text.contains(told), "{text}"),
            }
        }
    }

    #[tokio::test]
    async fn the_first_server_decides_and_the_others_agree() {
        let (client, prefix) = shared();
        let layout = Layout::new(prefix.trim_end_matches('/')).unwrap();
        let (one, other) =
            (super::drawn(&mut fastrand::Rng::new()), super::drawn(&mut fastrand::Rng::new()));
        assert_ne!(one, other);
        assert_eq!(super::look(&client, &layout).await.unwrap().0, None);
        let written = super::agree(&client, &layout, one.clone()).await.unwrap();
        assert_eq!(written.meta, one);
        assert_eq!(super::agree(&client, &layout, other).await.as_ref(), Ok(&written));
        assert_eq!(super::look(&client, &layout).await.unwrap().0, Some(written));
    }
}
