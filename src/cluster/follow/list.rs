//! Reading everything, as it was at one revision.

use crate::cluster::{
    etcd::{Client, EtcdError, Header, KeyValue},
    layout::KeyRange,
};

/// Rows of a page: a few megabytes, which etcd has ready in some 10 ms, so that others wait no
/// longer.
const PAGE_ROWS: u64 = 5_000;

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
        // In this order: the next page is asked for before this one is read.
        let (next, ()) = tokio::join!(pages.next(), async { take(listing.kvs) });
        page = next?;
    }
    Ok(header)
}
