//! Reading everything, as it was at one revision.

use crate::cluster::{
    etcd::{Client, EtcdError, Header, KeyValue},
    layout::KeyRange,
};

/// Rows of a page: some eight megabytes, an eighth of what is read in one reply. For each page etcd
/// walks through the keys of all rows that are still to come, to count them; with a million rows
/// that is most of its work, and in pages of 5,000 it was four times as much.
const PAGE_ROWS: u64 = 20_000;

/// Everything of a range at the revision of its first page. Each page is given to `take` while the
/// next one is on its way.
///
/// # Errors
/// When a page cannot be had; also because its revision was compacted meanwhile, which is a reason
/// to begin again.
pub(super) async fn list(
    client: &Client,
    keys: KeyRange,
    mut take: impl FnMut(Vec<KeyValue>),
) -> Result<Header, EtcdError> {
    let mut pages = client.list(keys.into(), PAGE_ROWS);
    let mut page = pages.next().await?;
    let header = page.as_ref().map(|page| page.header).unwrap_or_default();
    while let Some(listing) = page {
        let Header { cluster, .. } = listing.header;
        if cluster != header.cluster {
            let endpoint = client.leave(listing.header);
            let problem = format!(
                "it is of etcd's cluster {cluster:x}, not of {:x}: let `store.endpoints` name \
                 members of one etcd only",
                header.cluster
            );
            return Err(EtcdError::Foreign { endpoint, problem });
        }
        // In this order: the next page is asked for before this one is read.
        let (next, ()) = tokio::join!(pages.next(), async { take(listing.kvs) });
        page = next?;
    }
    Ok(header)
}
