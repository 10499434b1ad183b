//! Keeps this server's own row, and the lease that holds it.

use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{row::Server, views::Views};
use crate::{
    cluster::{
        common::{self, Common, Refusing},
        etcd::{
            Compare, EtcdError, Granted, KeyRange, LeaseId, Op, Range, Relation, Txn, TxnReply,
        },
        follow::Backoff,
        layout::{Key, ServerRow},
        pins::Reminder,
    },
    registry::ServerId,
};

/// The name of the condition that says that another server has this one's name.
const TWICE: &str = "server id";

/// The name of the condition that this server is not in.
const UNKNOWN: &str = "etcd membership";

/// How long taking leave may take: the lease runs out by itself if it takes longer.
const LEAVE: Duration = Duration::from_secs(2);

/// Why a server may not be known any more: leases have been seen to end early where a member of
/// etcd was paused.
const GONE: &str = "its row in etcd is gone: the lease has ended, or somebody deleted it";

/// How soon the own row is looked for again, when that had no answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a server known as alive.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) common: Common,
    pub(super) id: ServerId,
    pub(super) row: ServerRow,
    /// How long a lease is asked for.
    pub(super) lease: Duration,
    pub(super) views: Views,
    /// The store's history in which there was a row of this life already.
    pub(super) was_in: Option<u64>,
    /// What was granted and not given back, whatever became of the row.
    pub(super) granted: Option<LeaseId>,
    pub(super) rng: fastrand::Rng,
}

/// A row that is there.
#[derive(Debug, Clone, Copy)]
struct Held {
    lease: LeaseId,
    /// How long it lives without a beat.
    ttl: Duration,
    /// The revision that made the row.
    fence: u64,
}

/// What came of an attempt to be known as alive.
enum Joined {
    /// The row is there.
    In(Held),
    /// Nothing may be written, for this reason.
    Barred(Arc<str>),
    /// Another server's row is in the way.
    Twin,
    /// Another row was written between a look and the next.
    Raced,
}

/// Why this server is not known as alive any more.
enum Lost {
    /// Its lease, or its row, is gone.
    Gone(String),
    /// Another server has put its row there.
    Taken(Server),
    /// It may write nothing any more, so its tasks are to be those of others.
    Barred(Arc<str>),
}

// === impl Keeper ===

impl Keeper {
    /// Keeps the row until it is told to stop; then takes it away, so that others take over at
    /// once.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        // It may end in the middle of anything: a row may be there of which nobody has said so yet.
        stop.run_until_cancelled(self.keep()).await;
        self.views.left();
        if let Some(lease) = self.granted {
            match timeout(LEAVE, self.common.client.revoke(lease)).await {
                Ok(Ok(())) => info!("this server has taken leave of the others"),
                Ok(Err(error)) => warn!(%error, "could not take leave; the lease runs out"),
                Err(_) => warn!("could not take leave in time; the lease runs out"),
            }
        }
    }

    async fn keep(&mut self) {
        let (mut backoff, mut failing) = (Backoff::new(self.rng.fork()), Reminder::default());
        loop {
            match self.join().await {
                Ok(Joined::In(joined)) => {
                    backoff.reset();
                    failing.is_over();
                    self.common.board.clear(UNKNOWN);
                    info!(server = &*self.id, "this server is known to the others");
                    let Held { lease, fence, .. } = joined;
                    self.views.joined(common::Held { revision: fence, lease });
                    let lost = self.until_lost(joined).await;
                    // Before anything else: nothing more is written as owner.
                    self.views.left();
                    self.give_up(lost, joined).await;
                }
                // Whoever knows why nothing may be written has the log told of it.
                Ok(Joined::Barred(why)) => {
                    self.common.board.clear(TWICE);
                    self.note_unknown(&why);
                }
                Ok(Joined::Twin) => self.common.board.clear(UNKNOWN),
                Ok(Joined::Raced) => {
                    let why = "another row of its name was written at the same moment";
                    self.note_unknown(why);
                    debug!(why, "this server tries again to make itself known to the others");
                }
                Err(error) => {
                    let message = self.note_unknown(&error.to_string());
                    match failing.is_due() {
                        true => warn!("{message}"),
                        false => debug!("{message}"),
                    }
                }
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Pins why this server is not known to the others; gives the words.
    fn note_unknown(&self, why: &str) -> String {
        let message = format!(
            "this server cannot make itself known to the others, so it checks everything itself, \
             for its own answers: {why}"
        );
        self.common.board.note(UNKNOWN, &message);
        message
    }

    /// Takes a lease and writes the row, if nothing is in the way.
    async fn join(&mut self) -> Result<Joined, EtcdError> {
        let denied = || self.common.refusing().and_then(Refusing::denied);
        if let Some(why) = self.common.read_only().or_else(denied) {
            return Ok(Joined::Barred(why));
        }
        let client = self.common.client.clone();
        let key = self.common.layout.key(&Key::Server(self.id.clone()));
        let own = KeyRange::key(key.clone());
        let found = client.range(Range::of(own.clone())).await?;
        if let Some(old) = found.kvs.first() {
            let layout = &self.common.layout;
            let row = layout.decode_server(&self.id, &old.value, old.mod_revision).ok();
            if !self.may_replace(row.as_ref()) {
                return Ok(Joined::Twin);
            }
            // In two steps, so that the row is made anew: what is written in the name of the old
            // one is refused from now on.
            let same = Compare::mod_revision(own.clone(), Relation::Equal, old.mod_revision);
            let then = vec![Op::Delete(own)];
            let delete = Txn { compare: vec![same], then, ..Txn::default() };
            if self.common.txn(delete).await?.succeeded {
                self.tell_of_one_before(row.as_ref());
            }
        }
        // Whoever had this server's name has it no more.
        self.common.board.clear(TWICE);
        let Granted { lease, ttl } = client.grant(self.lease).await?;
        self.granted = Some(lease);
        let (compare, value) = (vec![Compare::absent(key.clone())], self.row.encode());
        let then = vec![Op::Put { key: key.into(), value: value.into(), lease: Some(lease) }];
        // In an etcd of another state, or of none, there is nothing that it could have a part in.
        let written = self.common.txn(Txn { compare, then, ..Txn::default() }).await;
        let is_in = |reply: &TxnReply| reply.succeeded;
        let Some(reply) = written.as_ref().ok().filter(|reply| is_in(reply)) else {
            self.give_back(lease).await;
            return written.map(|_| Joined::Raced);
        };
        self.was_in = Some(self.common.history());
        Ok(Joined::In(Held { lease, ttl, fence: reply.header.revision }))
    }

    /// Whether a row that is there may be put away: it is this server's own, or of the life before.
    /// Once this server was in, another row is that of a server with the same name.
    fn may_replace(&self, row: Option<&ServerRow>) -> bool {
        let is_own = row.is_some_and(|row| row.token == self.row.token);
        // A backup may have a row of an earlier life.
        let was_in = self.was_in == Some(self.common.history());
        if was_in && !is_own {
            self.tell_of_twin(row);
        }
        is_own || !was_in
    }

    /// A server that is started again takes its place of before, and cannot tell itself from
    /// another one of its name. But one that is reached elsewhere may be another one, which has no
    /// task from now on; and who has just started something looks here.
    fn tell_of_one_before(&self, row: Option<&ServerRow>) {
        let id = &*self.id;
        match row {
            Some(row) if row.token == self.row.token => {}
            Some(row) if row.http == self.row.http => {
                info!(server = id, "this server takes the place of its life before");
            }
            _ => {
                let at = row.map_or_else(|| "unknown".to_owned(), |row| row.http.join(", "));
                warn!(
                    server = id,
                    at,
                    "this server has taken the place of another one, which was reached at that \
                     address and known as `{id}` too. If it is not this one from before, it has no \
                     task now: give one of the two another `cluster.server_id`, and restart it"
                );
            }
        }
    }

    async fn until_lost(&mut self, held: Held) -> Lost {
        let rng = self.rng.fork();
        tokio::select! {
            lost = self.renew(held, rng) => lost,
            lost = self.mind(held) => lost,
            why = self.until_barred() => Lost::Barred(why),
            why = self.common.until_denied_alone(self.lease) => Lost::Barred(why),
        }
    }

    /// Waits until this server may write nothing. In a store that is not believed nobody may, and
    /// nothing is to be gained by leaving it.
    async fn until_barred(&self) -> Arc<str> {
        loop {
            let why = self.common.until_read_only().await;
            if !*self.common.strayed().borrow() {
                return why;
            }
            sleep(PAUSE).await;
        }
    }

    /// Renews the lease, three times in its life, until it is gone.
    async fn renew(&self, held: Held, mut rng: fastrand::Rng) -> Lost {
        // etcd may have given more time than was asked for; the others count on what was.
        let ttl = held.ttl.min(self.lease);
        let mut lease = self.common.client.keep_alive(Granted { lease: held.lease, ttl });
        let every = ttl / 3;
        let mut backoff = Backoff::new(rng.fork());
        let mut due = Instant::now() + every.mul_f64(rng.f64());
        loop {
            sleep_until(due).await;
            let wait = match lease.beat().await {
                Ok(_) => {
                    self.views.renewed();
                    backoff.reset();
                    // Servers that were started together do not beat together.
                    every.mul_f64(0.8 + 0.2 * rng.f64())
                }
                Err(error @ EtcdError::LeaseGone { .. }) => return Lost::Gone(error.to_string()),
                Err(error) => {
                    debug!(%error, "the lease was not renewed");
                    backoff.wait().min(every)
                }
            };
            due = Instant::now() + wait;
        }
    }

    /// Looks whether the row is there, until it is not.
    async fn mind(&self, held: Held) -> Lost {
        let mut roster = self.common.roster();
        loop {
            let is_told = |own: &Server| own.since == held.fence;
            let is_there = roster.borrow_and_update().servers.get(&self.id).is_some_and(is_told);
            // What is told may be from before the row was made, or of a store that was another one.
            if !is_there {
                match self.find().await {
                    Ok(Some(own)) if own.since == held.fence => {}
                    Ok(Some(other)) => return Lost::Taken(other),
                    Ok(None) => return Lost::Gone(GONE.to_owned()),
                    Err(error) => {
                        debug!(%error, "this server cannot look for its row");
                        sleep(PAUSE).await;
                        continue;
                    }
                }
            }
            if roster.changed().await.is_err() {
                return std::future::pending().await; // nobody looks any more: the end is near
            }
        }
    }

    /// The row of this server's name, as it is in the store.
    async fn find(&self) -> Result<Option<Server>, EtcdError> {
        let Common { client, layout, .. } = &self.common;
        let key = KeyRange::key(layout.key(&Key::Server(self.id.clone())));
        let found = client.range(Range::of(key)).await?;
        Ok(found.kvs.first().map(|kv| Server {
            row: layout.decode_server(&self.id, &kv.value, kv.mod_revision).ok(),
            since: kv.create_revision,
        }))
    }

    async fn give_up(&mut self, lost: Lost, held: Held) {
        match lost {
            Lost::Gone(why) => {
                warn!(why, "this server was not known to the others any more; it joins anew");
            }
            Lost::Taken(twin) => self.tell_of_twin(twin.row.as_ref()),
            Lost::Barred(why) => warn!(%why, "this server leaves its tasks to the others"),
        }
        // It may live on without its row.
        self.give_back(held.lease).await;
    }

    /// Ends a lease that holds nothing any more; else it runs out.
    async fn give_back(&mut self, lease: LeaseId) {
        let _runs_out = timeout(LEAVE, self.common.client.revoke(lease)).await;
        self.granted = None;
    }

    fn tell_of_twin(&self, twin: Option<&ServerRow>) {
        let (id, at) = (&self.id, twin.map(|row| row.http.join(", ")).unwrap_or_default());
        let message = format!(
            "another server, at {at}, is known as `{id}` too: each needs a name of its own \
             (`[cluster] server_id`). Until that name is free this one has no task among \
             the others, and checks everything itself, for its own answers"
        );
        if self.common.board.note(TWICE, &message) {
            warn!("{message}");
        }
    }
}
