//! Reading everything, page by page, as it was at one revision.

use crate::cluster::{
    etcd::{Client, EtcdError, Header, KeyRange, KeyValue, Listing, Range},
    layout,
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
    keys: layout::KeyRange,
    mut take: impl FnMut(Vec<KeyValue>),
) -> Result<Header, EtcdError> {
    let mut rows = PAGE_ROWS;
    let mut page = page(client, keys.clone().into(), 0, &mut rows).await?;
    let header = page.header;
    while page.more
        && let Some(last) = page.kvs.last()
    {
        let behind = [&last.key[..], b"\0"].concat();
        let rest = KeyRange::between(behind, keys.to.clone());
        let next = self::page(client, rest, header.revision, &mut rows);
        let read = std::mem::take(&mut page.kvs);
        // In this order: the question is sent before the page is read.
        let (next, ()) = tokio::join!(next, async { take(read) });
        page = next?;
    }
    take(page.kvs);
    Ok(header)
}

/// One page, of so many rows as fit into a reply.
async fn page(
    client: &Client,
    keys: KeyRange,
    revision: u64,
    rows: &mut u64,
) -> Result<Listing, EtcdError> {
    loop {
        let range = Range { limit: *rows, revision, ..Range::of(keys.clone()) };
        match client.range(range).await {
            Err(EtcdError::TooLarge { .. }) if *rows > 1 => *rows = (*rows / 8).max(1),
            answer => return answer,
        }
    }
}
