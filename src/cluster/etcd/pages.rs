//! Listing many keys, page by page, as of one revision.

use std::sync::atomic::Ordering;

use super::{Client, EtcdError, KeyRange, Late, Listing, Range};

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
        let page = page.min(client.page().load(Ordering::Relaxed)).max(1);
        Self { client, keys, page, revision: 0, is_over: false }
    }

    /// The revision that is listed; zero before the first page.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The next page, with the keys in their order; nothing behind the last one.
    ///
    /// Where values are so large that a page is more than is read here, or so slow to come that one
    /// takes too long, smaller ones are asked for; also of the next list where nothing came at all,
    /// for perhaps a page is too much work for etcd.
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
                Err(error) => {
                    let late = late(&error);
                    if late.is_some() {
                        self.page = (self.page / 2).max(1);
                        self.client.page().store(self.page, Ordering::Relaxed);
                    }
                    if late != Some(Late::Slow) || limit == 1 {
                        return Err(error);
                    }
                }
                Ok(listing) => {
                    if self.revision == 0 {
                        self.revision = listing.header.revision;
                    }
                    match listing.kvs.last() {
                        Some(last) if listing.more => self.keys = self.keys.behind(&last.key),
                        _ => {
                            self.is_over = true;
                            // In a better hour larger ones may come in time.
                            let next = self.page.saturating_mul(2);
                            self.client.page().fetch_max(next, Ordering::Relaxed);
                        }
                    }
                    return Ok(Some(listing));
                }
            }
        }
        Ok(None)
    }
}

/// Whether a page was late, and if anything came of it.
fn late(error: &EtcdError) -> Option<Late> {
    let EtcdError::Unreachable { attempts } = error else { return None };
    let mut late = attempts.iter().filter_map(|attempt| attempt.late);
    late.next()
}
