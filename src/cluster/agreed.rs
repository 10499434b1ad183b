//! Whose state the store has: whatever this server writes depends on that it is the one which is
//! followed here.
//!
//! An etcd of somebody else, named among the endpoints by mistake or put in the place of ours,
//! takes writes like any other, until whoever follows looks at it. What it has taken by then is
//! lost to everybody who was told that it was written. So each transaction compares the row that
//! names the state, octet by octet; and whoever is refused looks at what is there instead.
//!
//! Rejected: the id of etcd's cluster in the reply, which comes when it is too late; and the
//! revision of the row, which is another one on each server that has not heard of an import yet.

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    common::{Common, Doubt},
    etcd::{
        Compare, EtcdError, Header, KeyRange, KeyValue, Op, OpReply, Range, Relation, Txn, TxnReply,
    },
    layout::Key,
    meta::{self, Found},
    metrics::ClusterMetrics,
};

/// How often a transaction is sent that meets a row which was written anew meanwhile, as an import
/// does once: more than that is no change but a quarrel.
const TRIES: usize = 4;

/// The row that names the state which is followed, as it was found last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Octet by octet.
    pub(super) row: Bytes,
    /// The state's name.
    pub(super) cluster: String,
}

/// Measures a transaction, also one that nobody waits for any more.
struct Timed<'a> {
    metrics: &'a ClusterMetrics,
    began: Instant,
}

// === impl Common ===

impl Common {
    /// Carries out a transaction on condition that the store has the state that is followed here.
    /// The answer is that of the transaction itself.
    ///
    /// # Errors
    /// With [`EtcdError::Foreign`] when the store has another state, or none: then nothing was
    /// done, who follows looks at it, and the next call goes to the next endpoint.
    pub(super) async fn txn(&self, txn: Txn) -> Result<TxnReply, EtcdError> {
        self.txn_until(txn, None).await
    }

    /// The same, given up at that moment: only what was sent by then may have been done.
    ///
    /// # Errors
    /// As [`Common::txn`].
    pub(super) async fn txn_until(
        &self,
        txn: Txn,
        until: Option<Instant>,
    ) -> Result<TxnReply, EtcdError> {
        let own = KeyRange::key(self.layout.key(&Key::Meta));
        for _ in 0..TRIES {
            let agreed = self.agreed();
            let mut guarded = txn.clone();
            let row = agreed.as_ref().map(|agreed| agreed.row.clone()).unwrap_or_default();
            guarded.compare.insert(0, Compare::value(own.clone(), Relation::Equal, row.clone()));
            guarded.otherwise.insert(0, Op::Range(Range::of(own.clone())));
            let timed = Timed { metrics: &self.metrics, began: Instant::now() };
            let reply = self.client.txn_until(guarded, until).await;
            drop(timed);
            let mut reply = reply?;
            if reply.succeeded {
                return Ok(reply);
            }
            let first = (!reply.replies.is_empty()).then(|| reply.replies.remove(0));
            let found = match first {
                Some(OpReply::Range(listing)) => listing.kvs.into_iter().next(),
                _ => None,
            };
            match (&found, &agreed) {
                (Some(found), Some(_)) if found.value == row => return Ok(reply),
                _ => self.reconsider(found.as_ref(), agreed.as_ref(), reply.header)?,
            }
        }
        let key = self.layout.key(&Key::Meta);
        let problem = format!("the row `{key}` is written again and again; nothing was changed");
        Err(EtcdError::Foreign { endpoint: "etcd".to_owned(), problem })
    }

    /// The row is another one than expected: the same state may have it now.
    fn reconsider(
        &self,
        row: Option<&KeyValue>,
        agreed: Option<&Agreed>,
        header: Header,
    ) -> Result<(), EtcdError> {
        let key = self.layout.key(&Key::Meta);
        let found = row.map(|row| meta::found(&self.layout, row));
        let problem = match (&found, agreed) {
            (_, None) => format!("nothing was read of the row `{key}` yet, so nothing is written"),
            (Some(found), Some(agreed)) if found.meta.cluster == agreed.cluster => {
                match meta::refusal(&self.layout, &found.meta) {
                    None => {
                        self.set_agreed(found);
                        return Ok(());
                    }
                    Some(refusal) => refusal,
                }
            }
            (Some(found), Some(_)) if !meta::is_readable(&found.meta) => {
                meta::refusal(&self.layout, &found.meta).unwrap_or_default()
            }
            (found, Some(agreed)) => {
                let has = match found {
                    Some(found) => format!("it has the state of cluster `{}`", found.meta.cluster),
                    None => format!("it has no row `{key}`, which names a state"),
                };
                format!(
                    "{has}, and this server shows that of `{}`: it is another etcd, or was \
                     exchanged or emptied. Nothing was written. Let `store.endpoints` name members \
                     of one etcd only, or restore a backup",
                    agreed.cluster
                )
            }
        };
        let endpoint = self.client.leave(header);
        self.doubt(Doubt::State);
        Err(EtcdError::Foreign { endpoint, problem })
    }
}

#[cfg(test)]
impl Common {
    /// As if nobody had told of the row that is there now.
    pub(super) fn forget_import(&self, before: &Agreed) {
        let meta = self.layout.decode_meta(&before.row, 0).expect("it was read before");
        self.set_agreed(&Found { meta, row: before.row.clone(), at: 0 });
    }
}

// === impl Agreed ===

impl From<&Found> for Agreed {
    fn from(found: &Found) -> Self {
        Self { row: found.row.clone(), cluster: found.meta.cluster.clone() }
    }
}

// === impl Timed ===

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.metrics.answered(self.began.elapsed());
    }
}
