//! Listing many keys, page by page, as of one revision.

use super::{Client, EtcdError, KeyRange, Listing, Range};

/// All keys of a range as of the revision of the first page.
#[derive(Debug)]
pub struct Pages {
    client: Client,
    keys: KeyRange,
    page: u64,
    revision: u64,
    is_over: bool,
}

// === impl Pages ===

impl Pages {
    pub(super) fn new(client: Client, keys: KeyRange, page: u64) -> Self {
        Self { client, keys, page: page.max(1), revision: 0, is_over: false }
    }

    /// The revision that is listed; zero before the first page.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The next page, with the keys in their order; nothing behind the last one.
    ///
    /// Where values are so large that a page is more than is read here, smaller ones are asked for.
    ///
    /// # Errors
    /// As [`EtcdError`] says. With [`EtcdError::Compacted`] when the revision was compacted
    /// meanwhile: begin again.
    pub async fn next(&mut self) -> Result<Option<Listing>, EtcdError> {
        while !self.is_over {
            let keys = self.keys.clone();
            let (limit, revision) = (self.page, self.revision);
            match self.client.range(Range { limit, revision, ..Range::of(keys) }).await {
                Err(EtcdError::TooLarge { .. }) if self.page > 1 => self.page /= 2,
                Err(error) => return Err(error),
                Ok(listing) => {
                    if self.revision == 0 {
                        self.revision = listing.header.revision;
                    }
                    match listing.kvs.last() {
                        Some(last) if listing.more => self.keys = self.keys.behind(&last.key),
                        _ => self.is_over = true,
                    }
                    return Ok(Some(listing));
                }
            }
        }
        Ok(None)
    }
}
