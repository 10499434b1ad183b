//! A shared store in memory, for tests of several registries: it judges conditions, gives each
//! change back to all, and can be cut off, made to hang, to fail, or to lose its answers.

mod judge;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{mpsc, watch};

use super::{
    Beat, Contact, Edit, Followed, Opinion, Proposal, Refused, Share, SharedRow, SharedSetup,
    Weather, fold::gathered,
};
use crate::{
    model::{Instance, InstanceKey, ServiceName},
    registry::{
        Keeping, Member, Options, Ownership, Peer, ServerId, Setup, View, loaded, start,
        testing::{Kept, Running},
    },
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Heartbeats for others that wait to be taken.
pub(crate) const BEATS_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RowKey {
    Registration(InstanceKey),
    Health(InstanceKey),
    Drained(InstanceKey),
    Opinion(InstanceKey, ServerId),
    Policy(ServiceName),
}

#[derive(Debug, Default)]
struct Inner {
    revision: u64,
    rows: BTreeMap<RowKey, (u64, SharedRow)>,
    /// What was asked for, as of each revision from the first.
    history: Vec<Asked>,
    servers: Vec<Server>,
    /// How many servers check each instance, if more than one.
    checkers: usize,
    /// How long a server is taken for alive, if not for ten seconds.
    lease: Option<Duration>,
    /// Changes of a proposal at the most, if there is a limit.
    edits_max: Option<usize>,
    /// How long a proposal hangs before it is given up, if it ever is, and as what.
    patience: Option<(Duration, Refused)>,
}

#[derive(Debug)]
struct Server {
    followed: mpsc::Sender<Followed>,
    ownership: Ownership,
    is_cut: bool,
    is_buried: bool,
    /// What it has not been told yet, while it is behind.
    untold: Option<Vec<Followed>>,
    failure: Option<Refused>,
    beats_left_out: Counter,
}

/// Who is registered as what, and whether it is drained.
pub(crate) type Asked = BTreeMap<InstanceKey, (Arc<Instance>, bool)>;

/// The store; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commons {
    inner: Arc<Mutex<Inner>>,
    hangs: Arc<watch::Sender<bool>>,
}

/// The store as one server reaches it.
struct End {
    commons: Commons,
    server: usize,
}

// === impl Commons ===

impl Commons {
    /// One whose servers check each instance together.
    pub(crate) fn with_checkers(checkers: usize) -> Self {
        let commons = Self::default();
        commons.inner.lock().checkers = checkers;
        commons
    }

    /// One whose servers are taken for alive for so long.
    pub(crate) fn with_lease(lease: Duration) -> Self {
        let commons = Self::default();
        commons.inner.lock().lease = Some(lease);
        commons
    }

    /// Starts a registry that shares what is here, and says where the heartbeats for others go.
    pub(crate) fn join(&self, options: Options) -> (Running, mpsc::Receiver<Beat>) {
        let (followed, receiver) = mpsc::channel(10_000);
        let mut inner = self.inner.lock();
        let server = inner.servers.len();
        let ownership = Ownership::of(view(server, server + 1, inner.checkers));
        let is_opinion = |(_, row): &(u64, SharedRow)| matches!(row, SharedRow::Opinion { .. });
        let all = inner.rows.values().cloned();
        let (opinions, rows): (Vec<_>, Vec<_>) = all.partition(is_opinion);
        let loaded = loaded(rows, inner.revision);
        let told = Followed::Changes { rows: opinions, upto: inner.revision };
        followed.try_send(told).expect("it is empty");
        let count = server + 1;
        for (index, other) in inner.servers.iter().enumerate() {
            other.ownership.set(view(index, count, inner.checkers));
        }
        let (beats, heard) = mpsc::channel(BEATS_MAX);
        let clock = Clock::starting_at(Duration::from_secs(1_800_000_000));
        let beats_left_out = Counter::default();
        let keeping = Keeping::Shared(SharedSetup {
            share: Box::new(End { commons: self.clone(), server }),
            followed: receiver,
            ownership: ownership.clone(),
            contact: self.contact(server, &clock),
            beats,
            beats_left_out: beats_left_out.clone(),
            lease: inner.lease.unwrap_or(Duration::from_secs(10)),
            life: 100 * u16::try_from(count).expect("they are few"),
        });
        inner.servers.push(Server {
            followed,
            ownership,
            is_cut: false,
            is_buried: false,
            untold: None,
            failure: None,
            beats_left_out,
        });
        drop(inner);
        let (board, metrics) = (Board::default(), Metrics::new());
        let (options, receiver) = watch::channel(options);
        let setup = Setup {
            loaded,
            keeping,
            options: receiver,
            clock: clock.clone(),
            board: board.clone(),
            metrics: metrics.clone(),
        };
        let (registry, writer) = start(setup).expect("what is shared is whole");
        let stop = tokio_util::sync::CancellationToken::new();
        tokio::spawn(writer.run(stop.clone()));
        let kept = Kept::default();
        (Running { registry, kept, board, metrics, clock, options, stop }, heard)
    }

    /// The questions of a server, which are answered unless it is cut off.
    fn contact(&self, server: usize, clock: &Clock) -> Contact {
        let (contact, inner) = (Contact::new(clock.clone()), Arc::downgrade(&self.inner));
        let answering = contact.clone();
        tokio::spawn(async move {
            loop {
                let asked = answering.asked().await;
                let Some(inner) = inner.upgrade() else { return };
                match inner.lock().servers[server].is_cut {
                    false => answering.answered(asked),
                    true => answering.failed(asked),
                }
            }
        });
        contact
    }

    /// Makes each proposal hang from now on, the one under way too, or go on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// Has proposals that hang be given up after so long.
    pub(crate) fn give_up_after(&self, patience: Duration, refused: Refused) {
        self.inner.lock().patience = Some((patience, refused));
    }

    /// Makes the proposals of a server fail from now on, or succeed again.
    pub(crate) fn fail(&self, server: usize, failure: Option<Refused>) {
        self.inner.lock().servers[server].failure = failure;
    }

    /// Takes no changes of anybody from now on, though it tells of them, or takes them again; all
    /// know of it.
    pub(crate) fn refuse(&self, refuses: bool) {
        for server in &mut self.inner.lock().servers {
            let full = || Refused::Full("database space exceeded".into());
            server.failure = refuses.then(full);
            let mut view = server.ownership.view().expect("there is one");
            (view.is_cut_off, view.hears_all) = (refuses, refuses);
            server.ownership.set(view);
            if !refuses {
                server.tell(Followed::Writable);
            }
        }
    }

    /// Takes no more changes at once from now on.
    pub(crate) fn limit(&self, edits_max: usize) {
        self.inner.lock().edits_max = Some(edits_max);
    }

    /// Cuts a server off, or lets it come back: it is given a list then.
    pub(crate) fn cut(&self, server: usize, is_cut: bool) {
        self.set_cut(server, is_cut, true);
    }

    fn set_cut(&self, server: usize, is_cut: bool, lists: bool) {
        let mut inner = self.inner.lock();
        let (rows, at) = (inner.rows.values().cloned().collect(), inner.revision);
        let server = &mut inner.servers[server];
        let mut view = server.ownership.view().expect("there is one");
        if server.is_cut == is_cut && view.is_cut_off == is_cut {
            return;
        }
        server.is_cut = is_cut;
        view.is_cut_off = is_cut;
        server.ownership.set(view);
        if is_cut {
            server.tell(Followed::Weather(Weather::Lost("cut off".into())));
        } else {
            if lists {
                server.tell(Followed::Whole { rows, kept: super::Kept::default(), at });
            }
            server.tell(Followed::Weather(Weather::Fair));
        }
    }

    /// Lets a server that was cut off, and is gone for the others, come back and go on where it
    /// was, as nothing has changed; it misses that it was gone.
    pub(crate) fn resume(&self, server: usize) {
        self.bury_for(server, server);
        self.set_cut(server, false, false);
        self.join_again(server);
    }

    /// Takes the store away from a server that does not know for how long yet.
    pub(crate) fn lose(&self, server: usize) {
        let mut inner = self.inner.lock();
        let server = &mut inner.servers[server];
        server.is_cut = true;
        server.tell(Followed::Weather(Weather::Lost("no reply".into())));
    }

    /// Lets a server that was cut off, and is gone for the others, come back: it first hears that
    /// nothing is its task, or misses that, and then that all know of it again.
    pub(crate) fn come_back(&self, server: usize, hears_of_it: bool) {
        self.bury_for(server, server);
        self.cut(server, false);
        if hears_of_it {
            return;
        }
        self.join_again(server);
    }

    /// Makes a server that was gone known to all again.
    pub(crate) fn join_again(&self, server: usize) {
        let mut inner = self.inner.lock();
        inner.servers[server].is_buried = false;
        let is_living = |index: &usize| !inner.servers[*index].is_buried;
        let living: Vec<usize> = (0..inner.servers.len()).filter(is_living).collect();
        let peers = living.iter().map(|index| Peer { id: name(*index), http: [].into() });
        let peers: Vec<Peer> = peers.collect();
        for index in living {
            let ownership = &inner.servers[index].ownership;
            let mut view = ownership.view().expect("there is one");
            view.servers.clone_from(&peers);
            ownership.set(view);
        }
    }

    /// Takes a server out of the view of another, or of its own.
    fn bury_for(&self, server: usize, other: usize) {
        let inner = self.inner.lock();
        let ownership = &inner.servers[other].ownership;
        let mut view = ownership.view().expect("there is one");
        view.servers.retain(|peer| peer.id != name(server));
        ownership.set(view);
    }

    /// Gives each server a list of all there is, as after a compaction.
    pub(crate) fn list_again(&self) {
        let mut inner = self.inner.lock();
        let (rows, at): (Vec<_>, _) = (inner.rows.values().cloned().collect(), inner.revision);
        for server in inner.servers.iter_mut().filter(|server| !server.is_cut) {
            let kept = super::Kept::default();
            server.tell(Followed::Whole { rows: rows.clone(), kept, at });
        }
    }

    /// Has a server hear of changes late from now on, or of all of them at once and then in time.
    pub(crate) fn lag(&self, server: usize, lags: bool) {
        let server = &mut self.inner.lock().servers[server];
        let untold = std::mem::replace(&mut server.untold, lags.then(Vec::new));
        untold.into_iter().flatten().for_each(|followed| server.tell(followed));
    }

    /// Goes back to an earlier revision, with what is there now, and tells all.
    pub(crate) fn go_back(&self, revision: u64) {
        let mut inner = self.inner.lock();
        inner.revision = revision;
        inner.rows.values_mut().for_each(|(at, _)| *at = (*at).min(revision));
        drop(inner);
        self.list_again();
    }

    /// The instances that are shared, by name.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        let rows = self.inner.lock().rows.values().cloned().collect();
        gathered(rows).0.into_values().collect()
    }

    /// What servers find otherwise than is shared.
    pub(crate) fn opinions(&self) -> Vec<(InstanceKey, Opinion)> {
        let rows: Vec<_> = self.inner.lock().rows.values().cloned().collect();
        let opinion = |(_, row)| match row {
            SharedRow::Opinion { key, to: Some(to), .. } => Some((key, to)),
            _ => None,
        };
        rows.into_iter().filter_map(opinion).collect()
    }

    /// The servers that check the instance, the one that writes first.
    pub(crate) fn jury(&self, key: &InstanceKey) -> Vec<usize> {
        let inner = self.inner.lock();
        let living = inner.servers.iter().find(|server| !server.is_buried).expect("one lives");
        let place = |id: &ServerId| (0..inner.servers.len()).find(|at| name(*at) == *id);
        living.ownership.jury(key).iter().filter_map(place).collect()
    }

    /// Writes edits in the place of somebody who is no server of this test.
    pub(crate) fn write(&self, edits: Vec<Edit>) -> u64 {
        let mut inner = self.inner.lock();
        let base = inner.revision;
        inner
            .take(Proposal { base, edits, kept: Vec::new(), as_owner: false })
            .expect("nothing stands against it")
    }

    /// How many heartbeats for others a server had no room for.
    pub(crate) fn beats_left_out(&self, server: usize) -> u64 {
        self.inner.lock().servers[server].beats_left_out.get()
    }

    /// The revision of the last change.
    pub(crate) fn revision(&self) -> u64 {
        self.inner.lock().revision
    }

    /// What was asked for up to a revision.
    pub(crate) fn asked_up_to(&self, revision: u64) -> Asked {
        let index = usize::try_from(revision).unwrap();
        index
            .checked_sub(1)
            .map(|index| self.inner.lock().history[index].clone())
            .unwrap_or_default()
    }

    /// Whose task the instance is, as the first server that lives sees it.
    pub(crate) fn owner(&self, key: &InstanceKey) -> usize {
        let inner = self.inner.lock();
        let keeps = |server: &Server| !server.is_buried && server.ownership.keeps(key);
        inner.servers.iter().position(keeps).expect("somebody's")
    }

    /// Whose task the instance is when its owner is gone.
    pub(crate) fn next_owner(&self, key: &InstanceKey) -> usize {
        let owner = self.owner(key);
        let mut view = self.inner.lock().servers[owner].ownership.view().expect("there is one");
        view.servers.retain(|peer| peer.id != name(owner));
        self.place(&Ownership::of(view).owner(key).expect("another one").id)
    }

    /// Which server has this name.
    pub(crate) fn place(&self, id: &ServerId) -> usize {
        let count = self.inner.lock().servers.len();
        (0..count).find(|at| name(*at) == *id).expect("one of them")
    }

    /// Whether a server checks the instance.
    pub(crate) fn checks(&self, server: usize, key: &InstanceKey) -> bool {
        self.inner.lock().servers[server].ownership.checks(key)
    }

    /// Has `server` be gone: what was its task is that of others.
    pub(crate) fn bury(&self, server: usize) {
        let mut inner = self.inner.lock();
        inner.servers[server].is_buried = true;
        for (index, other) in inner.servers.iter().enumerate() {
            let mut view = other.ownership.view().expect("there is one");
            view.servers.retain(|peer| *peer.id != *format!("server-{server}"));
            if index != server {
                other.ownership.set(view);
            }
        }
        inner.end_opinions(server);
    }
}

fn name(server: usize) -> ServerId {
    format!("server-{server}").into()
}

fn view(me: usize, count: usize, checkers: usize) -> View {
    let servers = (0..count).map(|index| Peer { id: name(index), http: [].into() }).collect();
    View { me: name(me), servers, checkers: checkers.max(1), is_cut_off: false, hears_all: false }
}

impl Share for End {
    fn propose(
        &mut self,
        proposal: Proposal,
    ) -> Pin<Box<dyn Future<Output = Result<u64, Refused>> + Send + '_>> {
        Box::pin(async move {
            let mut hangs = self.commons.hangs.subscribe();
            let going_on = hangs.wait_for(|hangs| !hangs);
            let patience = self.commons.inner.lock().patience.clone();
            let until = patience.as_ref().map_or(Duration::MAX, |(patience, _)| *patience);
            match (tokio::time::timeout(until, going_on).await, patience) {
                (Err(_), Some((_, refused))) => return Err(refused),
                (end, _) => assert!(end.is_ok_and(|end| end.is_ok()), "the sender is in `self`"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut inner = self.commons.inner.lock();
            let server = &inner.servers[self.server];
            if server.is_cut {
                return Err(Refused::Unavailable("cut off".into()));
            }
            if server.is_buried && proposal.as_owner {
                return Err(Refused::NotOwner);
            }
            match server.failure.clone() {
                // Taken, and the answer lost.
                Some(Refused::Unsure(why)) => {
                    inner.take(proposal)?;
                    Err(Refused::Unsure(why))
                }
                // It takes what only removes something.
                Some(Refused::Full(why)) => inner.take_removals(proposal, why),
                Some(failure) => Err(failure),
                None => inner.take(proposal),
            }
        })
    }
}

// === impl Server ===

impl Server {
    fn tell(&mut self, followed: Followed) {
        if let Some(untold) = &mut self.untold {
            return untold.push(followed);
        }
        self.followed.try_send(followed).expect("a test tells less than there is room for");
    }
}
