//! The client: what can be asked of etcd.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

#[cfg(test)]
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Alarm, EtcdError, EtcdOptions, Granted, Header, KeepAlive, KeyRange, LeaseId, Listing, Member,
    Pages, Range, Txn, TxnReply, Watch, WatchStream,
    auth::Auth,
    call::{Method, Shared},
    failure::Asked,
    lease::{seconds, whole_seconds},
    pool::Pool,
    proto,
};

/// A client of one etcd cluster; clones share its connections. Nothing is connected before it is
/// used.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

const RANGE: Method =
    Method { path: "/etcdserverpb.KV/Range", is_repeatable: true, needs_leader: true };
const TXN: Method =
    Method { path: "/etcdserverpb.KV/Txn", is_repeatable: false, needs_leader: true };
#[cfg(test)]
const PUT: Method =
    Method { path: "/etcdserverpb.KV/Put", is_repeatable: false, needs_leader: true };
#[cfg(test)]
const COMPACT: Method =
    Method { path: "/etcdserverpb.KV/Compact", is_repeatable: true, needs_leader: true };
/// Repeatable: of two leases the one that nobody knows of runs out by itself.
const LEASE_GRANT: Method =
    Method { path: "/etcdserverpb.Lease/LeaseGrant", is_repeatable: true, needs_leader: true };
const LEASE_REVOKE: Method =
    Method { path: "/etcdserverpb.Lease/LeaseRevoke", is_repeatable: true, needs_leader: true };
#[cfg(test)]
const LEASE_TIME_TO_LIVE: Method =
    Method { path: "/etcdserverpb.Lease/LeaseTimeToLive", is_repeatable: true, needs_leader: true };
const STATUS: Method =
    Method { path: "/etcdserverpb.Maintenance/Status", is_repeatable: true, needs_leader: false };
const ALARM: Method =
    Method { path: "/etcdserverpb.Maintenance/Alarm", is_repeatable: true, needs_leader: true };

// === impl Client ===

impl Client {
    /// A client with these options, not yet connected.
    ///
    /// # Errors
    /// With [`EtcdError::Options`] when they cannot be used.
    pub fn new(options: EtcdOptions) -> Result<Self, EtcdError> {
        let EtcdOptions { endpoints, tls, user, deadline, begin_with } = options;
        let auth = Auth::new(user, tls.certificate_file.is_some());
        let pool = Pool::new(&endpoints, tls, begin_with)?;
        let page = AtomicU64::new(u64::MAX);
        Ok(Self(Arc::new(Shared { pool, auth, deadline, page })))
    }

    /// All endpoints, as they were given.
    pub(in crate::cluster) fn endpoints(&self) -> Vec<&str> {
        self.0.pool.shown()
    }

    /// Why etcd refuses our certificate at a time (seconds since the Unix epoch), or soon will,
    /// because of until when it is valid; nothing when all is well, or there is none.
    pub fn certificate_problem(&self, now: i64) -> Option<String> {
        self.0.pool.certificate_problem(now)
    }

    /// Which of the certificates' files cannot be used as it is now, and why; nothing when all that
    /// they have is in use. They are read if they have changed.
    pub(in crate::cluster) async fn certificate_fault(&self) -> Option<String> {
        self.0.pool.certificate_fault().await
    }

    /// Reads keys.
    ///
    /// # Errors
    /// As [`EtcdError`] says; [`EtcdError::TooLarge`] when the reply is more than 64 MiB.
    pub async fn range(&self, range: Range) -> Result<Listing, EtcdError> {
        let what = format!("read {}", range.keys);
        let asked = Asked { what, revision: range.revision, ..Asked::default() };
        let reply: proto::RangeResponse = self.0.call(RANGE, range.message(), asked).await?;
        Ok(reply.into())
    }

    /// Lists keys as of one revision, so many to a page at most; nothing is sent yet.
    pub fn list(&self, keys: KeyRange, page: u64) -> Pages {
        Pages::new(self.clone(), keys, page)
    }

    /// Turns to the next endpoint, because of what was answered; says which one is left. Nothing
    /// happens if another one is used by now.
    pub(in crate::cluster) fn leave(&self, answered: Header) -> String {
        self.0.pool.leave(answered)
    }

    /// For tests that make connections of their own.
    #[cfg(test)]
    pub(super) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Rows of a page that came in time, where larger ones did not.
    pub(super) fn page(&self) -> &AtomicU64 {
        &self.0.page
    }

    /// Carries out a transaction. It is sent once: see [`EtcdError::Unsure`].
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub async fn txn(&self, txn: Txn) -> Result<TxnReply, EtcdError> {
        self.txn_until(txn, None).await
    }

    /// The same, given up at that moment: only what was sent by then may have been done.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub(in crate::cluster) async fn txn_until(
        &self,
        txn: Txn,
        until: Option<Instant>,
    ) -> Result<TxnReply, EtcdError> {
        let method = Method { is_repeatable: txn.is_read_only(), ..TXN };
        let asked = Asked { what: txn.what(), lease: txn.lease(), until, ..Asked::default() };
        let reply: proto::TxnResponse = self.0.call(method, txn.message(), asked).await?;
        Ok(reply.into())
    }

    /// Writes a key. It is sent once: see [`EtcdError::Unsure`].
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    #[cfg(test)]
    pub async fn put(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: Option<LeaseId>,
    ) -> Result<Header, EtcdError> {
        let (key, value) = (key.into(), value.into());
        let what = format!("write {}", KeyRange::key(key.clone()));
        let request = proto::PutRequest { key, value, lease: lease.map_or(0, LeaseId::get) };
        let asked = Asked { what, lease, ..Asked::default() };
        let reply: proto::PutResponse = self.0.call(PUT, request, asked).await?;
        Ok(reply.header.into())
    }

    /// Forgets all that was before `revision`, and answers when the disk has forgotten it too.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    #[cfg(test)]
    pub(in crate::cluster) async fn compact(&self, revision: u64) -> Result<Header, EtcdError> {
        let asked = Asked { what: "compact".to_owned(), revision, ..Asked::default() };
        let request = proto::CompactionRequest { revision, physical: true };
        let reply: proto::CompactionResponse = self.0.call(COMPACT, request, asked).await?;
        Ok(reply.header.into())
    }

    /// A new lease for `ttl`, rounded up to seconds.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub async fn grant(&self, ttl: Duration) -> Result<Granted, EtcdError> {
        let asked = Asked { what: "take a lease".to_owned(), ..Asked::default() };
        let request = proto::LeaseGrantRequest { ttl: whole_seconds(ttl), id: 0 };
        let reply: proto::LeaseGrantResponse = self.0.call(LEASE_GRANT, request, asked).await?;
        match LeaseId::of(reply.id) {
            Some(lease) => Ok(Granted { lease, ttl: seconds(reply.ttl) }),
            None => Err(EtcdError::Other {
                endpoint: "etcd".to_owned(),
                code: "no lease".to_owned(),
                message: reply.error,
            }),
        }
    }

    /// What keeps a lease alive; nothing is sent yet.
    pub fn keep_alive(&self, granted: Granted) -> KeepAlive {
        KeepAlive::new(Arc::clone(&self.0), granted)
    }

    /// Ends a lease with all that is bound to it. That it is gone already is as good.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub async fn revoke(&self, lease: LeaseId) -> Result<(), EtcdError> {
        let what = format!("end the lease {lease}");
        let asked = Asked { what, lease: Some(lease), ..Asked::default() };
        let request = proto::LeaseRevokeRequest { id: lease.get() };
        match self.0.call::<_, proto::LeaseRevokeResponse>(LEASE_REVOKE, request, asked).await {
            Ok(_) | Err(EtcdError::LeaseGone { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What is left of a lease, with the keys that are bound to it if they are asked for.
    ///
    /// # Errors
    /// With [`EtcdError::LeaseGone`] when nothing is, and as it says otherwise.
    #[cfg(test)]
    pub(in crate::cluster) async fn time_to_live(
        &self,
        lease: LeaseId,
        keys: bool,
    ) -> Result<super::TimeToLive, EtcdError> {
        let what = format!("look at the lease {lease}");
        let asked = Asked { what, lease: Some(lease), ..Asked::default() };
        let request = proto::LeaseTimeToLiveRequest { id: lease.get(), keys };
        let reply: proto::LeaseTimeToLiveResponse =
            self.0.call(LEASE_TIME_TO_LIVE, request, asked).await?;
        if reply.ttl <= 0 {
            return Err(EtcdError::LeaseGone { lease });
        }
        let (left, granted) = (seconds(reply.ttl), seconds(reply.granted_ttl));
        Ok(super::TimeToLive { left, granted, keys: reply.keys })
    }

    /// Watches keys: what changes comes out of the stream.
    ///
    /// # Errors
    /// As [`EtcdError`] says. That the beginning was compacted comes out of the stream.
    pub async fn watch(&self, watch: Watch) -> Result<WatchStream, EtcdError> {
        WatchStream::open(Arc::clone(&self.0), watch).await
    }

    /// Asks a member, the one that is used now, what it says of itself.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub async fn status(&self) -> Result<Member, EtcdError> {
        let asked = Asked { what: "say who it is".to_owned(), ..Asked::default() };
        let mut tour = self.0.tour(true);
        for slot in self.0.pool.in_turn() {
            let reply = self.0.attempt(slot, STATUS, proto::StatusRequest {}, &asked).await;
            match reply {
                Ok(reply) => {
                    let member = Member::new(slot.shown.clone(), reply);
                    slot.learn(member.clone());
                    return Ok(member);
                }
                Err(failure) => tour.failed(slot, failure)?,
            }
        }
        Err(tour.in_vain())
    }

    /// What the members said of themselves last, those that were ever connected to.
    #[cfg(test)]
    pub fn members(&self) -> Vec<Member> {
        self.0.pool.members()
    }

    /// What etcd holds to be wrong with itself.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, EtcdError> {
        let asked = Asked { what: "list the alarms".to_owned(), ..Asked::default() };
        let request = proto::AlarmRequest { action: 0, member_id: 0, alarm: 0 };
        let reply: proto::AlarmResponse = self.0.call(ALARM, request, asked).await?;
        Ok(reply.alarms.into_iter().map(Into::into).collect())
    }
}
