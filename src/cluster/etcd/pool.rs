//! The endpoints of a cluster, the connection to each, and which of them is used.
//!
//! One is used until it fails; then it is the next one's turn. Spreading calls over all of them
//! would make each failure of a member everybody's, and gain nothing: members that do not lead pass
//! writes on to the one that does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    EtcdError, EtcdTls, Header, Member, auth::Auth, connection::Connection, endpoint::Endpoint,
    failure::Failure, options::ENDPOINTS_MAX, tls::Tls,
};

/// All endpoints.
#[derive(Debug)]
pub(super) struct Pool {
    slots: Box<[Slot]>,
    preferred: AtomicUsize,
    /// From one endpoint to the one that is next: to that after it, or to that before it.
    step: usize,
    /// There is one if any endpoint is of https.
    tls: Option<Tls>,
}

/// One endpoint, with the connection to it if there is one.
#[derive(Debug)]
pub(super) struct Slot {
    endpoint: Endpoint,
    pub(super) shown: String,
    pub(super) index: usize,
    connection: tokio::sync::Mutex<Option<Connection>>,
    member: Mutex<Option<Member>>,
    warned: AtomicBool,
    made: AtomicU64,
    /// Connections with numbers below this one are used for nothing new.
    oldest: AtomicU64,
}

// === impl Pool ===

impl Pool {
    /// Reads the endpoints.
    ///
    /// # Errors
    /// When there is none, too many, or one that is no URL; when the files for TLS cannot be used,
    /// or no endpoint would use them.
    pub(super) fn new(
        texts: &[String],
        tls: EtcdTls,
        begin_with: usize,
    ) -> Result<Self, EtcdError> {
        let refuse = |problem: String| EtcdError::Options { field: "store.endpoints", problem };
        if texts.is_empty() {
            return Err(refuse("none is given; write http://10.0.0.1:2379".to_owned()));
        }
        if texts.len() > ENDPOINTS_MAX {
            let given = texts.len();
            return Err(refuse(format!("{given} are given, the limit is {ENDPOINTS_MAX}")));
        }
        let slots = texts.iter().enumerate().map(|(index, text)| Slot::new(text, index));
        let slots = slots.collect::<Result<Box<[Slot]>, EtcdError>>()?;
        let is_https = slots.iter().any(|slot| slot.endpoint.tls);
        if !is_https && (tls.ca_file.is_some() || tls.certificate_file.is_some()) {
            let problem = "certificates are given, and all endpoints are http; write https";
            return Err(refuse(problem.to_owned()));
        }
        let count = slots.len();
        let preferred = AtomicUsize::new(begin_with % count);
        // Else all servers that have left one member would be at the same one from then on.
        let is_backward = (begin_with / count) % 2 == 1;
        let step = if is_backward { count - 1 } else { 1 };
        let tls = is_https.then(|| Tls::new(tls)).transpose()?;
        Ok(Self { slots, preferred, step, tls })
    }

    /// All endpoints, as they are shown.
    pub(super) fn shown(&self) -> Vec<&str> {
        self.slots.iter().map(|slot| slot.shown.as_str()).collect()
    }

    /// What is wrong with the time of our certificate, or will soon be.
    pub(super) fn certificate_problem(&self, now: i64) -> Option<String> {
        self.tls.as_ref()?.problem(now)
    }

    /// Why the certificates' files cannot be used as they are now, if so.
    pub(super) async fn certificate_fault(&self) -> Option<String> {
        self.tls.as_ref()?.fault().await
    }

    /// All endpoints, in the order in which they are tried now.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &Slot> {
        let first = self.preferred.load(Ordering::Relaxed);
        let count = self.slots.len();
        (0..count).map(move |next| &self.slots[(first + next * self.step) % count])
    }

    /// The connection to an endpoint, which is made if there is none.
    ///
    /// # Errors
    /// When none comes about until the deadline.
    pub(super) async fn connection(
        &self,
        slot: &Slot,
        auth: &Auth,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        slot.connection(self.tls.as_ref().filter(|_| slot.endpoint.tls), auth, deadline).await
    }

    /// The endpoint with this number.
    pub(super) fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)
    }

    /// After a failure of this endpoint it is another one's turn.
    pub(super) fn avoid(&self, slot: &Slot) {
        let next = (slot.index + self.step) % self.slots.len();
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        // Not if somebody else has moved on already.
        let _ = self.preferred.compare_exchange(slot.index, next, success, failure);
    }

    /// It is another endpoint's turn than of the one that has answered so, as far as is known who
    /// that was.
    pub(super) fn leave(&self, answered: Header) -> String {
        let slot = &self.slots[self.preferred.load(Ordering::Relaxed) % self.slots.len()];
        let who = |header: Header| (header.cluster, header.member);
        let known = slot.member.lock().as_ref().map(|member| who(member.header));
        if known.is_none_or(|known| known == who(answered)) {
            self.avoid(slot);
            return slot.shown.clone();
        }
        let is_it = |slot: &&Slot| {
            let member = slot.member.lock();
            member.as_ref().is_some_and(|member| who(member.header) == who(answered))
        };
        self.slots.iter().find(is_it).map_or("etcd", |slot| &slot.shown).to_owned()
    }

    /// What each member said of itself last.
    #[cfg(test)]
    pub(super) fn members(&self) -> Vec<Member> {
        self.slots.iter().filter_map(|slot| slot.member.lock().clone()).collect()
    }
}

// === impl Slot ===

impl Slot {
    fn new(text: &str, index: usize) -> Result<Self, EtcdError> {
        let endpoint = Endpoint::parse(text)?;
        Ok(Self {
            shown: endpoint.to_string(),
            endpoint,
            index,
            connection: tokio::sync::Mutex::new(None),
            member: Mutex::new(None),
            warned: AtomicBool::new(false),
            made: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
        })
    }

    /// Whoever comes while a connection is made waits for that one.
    async fn connection(
        &self,
        tls: Option<&Tls>,
        auth: &Auth,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let late = |_| Failure::unsent("no connection within the time for a call");
        let mut held =
            tokio::time::timeout_at(deadline, self.connection.lock()).await.map_err(late)?;
        if let Some(connection) = &*held
            && !connection.is_closed()
            && connection.number >= self.oldest.load(Ordering::Relaxed)
        {
            return Ok(connection.clone());
        }
        *held = None;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let opened = Connection::open(&self.endpoint, tls, auth, number, deadline);
        let (connection, member) = opened.await?;
        match member {
            Some(member) => {
                self.greet(&connection, &member);
                self.learn(member);
            }
            None => self.greet_unknown(),
        }
        *held = Some(connection.clone());
        Ok(connection)
    }

    /// Uses this connection for nothing new: it did not answer. What runs on it goes on.
    pub(super) fn forget(&self, number: u64) {
        self.oldest.fetch_max(number + 1, Ordering::Relaxed);
        // Whoever has it looks at the number, or makes a new one already.
        let Ok(mut held) = self.connection.try_lock() else { return };
        if held.as_ref().is_some_and(|connection| connection.number <= number) {
            *held = None;
        }
    }

    /// Uses a connection that a test has made.
    #[cfg(test)]
    pub(super) async fn put(&self, connection: Connection) {
        *self.connection.lock().await = Some(connection);
    }

    /// Keeps what the member said of itself.
    pub(super) fn learn(&self, member: Member) {
        *self.member.lock() = Some(member);
    }

    fn greet_unknown(&self) {
        let endpoint = &self.shown;
        tracing::info!(endpoint, "connected to etcd, which tells its version to `root` alone");
    }

    fn greet(&self, connection: &Connection, member: &Member) {
        let (endpoint, version) = (&self.shown, &member.version);
        tracing::info!(
            endpoint,
            version,
            cluster = format!("{:x}", member.header.cluster),
            member = format!("{:x}", member.header.member),
            "connected to etcd"
        );
        if let Some(defect) = connection.version.defects()
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                endpoint,
                version,
                "this version of etcd has a defect: {defect}; use 3.4.31, 3.5.13, 3.6 or later"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::time::Instant;

    use super::Pool;
    use crate::cluster::{
        etcd::{EtcdTls, auth::Auth},
        testing::{PATIENCE, shared_url},
    };

    /// When one member failed, all of its servers were at the next one, and at one in the end.
    #[test]
    fn servers_that_leave_an_endpoint_go_to_different_ones_and_each_comes_to_all() {
        let urls: Vec<String> = (1..=5).map(|n| format!("http://10.0.0.{n}:2379")).collect();
        for count in 1..=urls.len() {
            let mut next = BTreeSet::new();
            for begin_with in 0..2 * count {
                let pool = Pool::new(&urls[..count], EtcdTls::default(), begin_with).unwrap();
                let order = || pool.in_turn().map(|slot| slot.index).collect::<Vec<_>>();
                let before = order();
                assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), count);
                pool.avoid(pool.slot(before[0]).unwrap());
                assert_eq!(order()[0], before[1 % count], "in the same order");
                next.extend((before[0] == 0).then(|| order()[0]));
            }
            assert_eq!(next.len(), count.saturating_sub(1).clamp(1, 2), "of {count}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_did_not_answer_is_left_also_while_somebody_else_looks_for_one() {
        let pool = Pool::new(&[shared_url().to_owned()], EtcdTls::default(), 0).unwrap();
        let (slot, auth) = (pool.slot(0).unwrap(), Auth::new(None, false));
        let number = async || {
            let made = pool.connection(slot, &auth, Instant::now() + PATIENCE).await;
            made.unwrap().number
        };
        assert_eq!([number().await, number().await], [0, 0]);
        let looking = slot.connection.lock().await;
        slot.forget(0);
        drop(looking);
        assert_eq!([number().await, number().await], [1, 1]);
        slot.forget(0);
        assert_eq!(number().await, 1, "that was another one");
        slot.forget(1);
        assert_eq!(number().await, 2);
    }
}
