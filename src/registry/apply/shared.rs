//! What becomes of commands where servers share their state.
//!
//! What is asked for is drafted, proposed, and shown when the store gives it back; then it is
//! replied to. One proposal after the other: the next is drafted on a snapshot that has the one
//! before, so that no server stands in its own way. What is seen is shown at once; of what is this
//! server's task the rows are owed to the store, and go with the next proposal.

mod follow;
mod ground;
mod opinions;
mod propose;
mod separate;
mod tasks;
mod tell;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use self::{separate::Separate, tasks::Unlooked};
use super::{Applier, Outcome, Reply, reply};
use crate::{
    model::{Amendment, Arrival, Carry, Command, Heartbeat, InstanceKey, Revision, limit},
    registry::{
        Applied, Beat, Contact, Followed, JournalError, Ownership, Refused, RegistryError, Share,
        SharedSetup, Snapshot, Steps, Weather,
        handle::Request,
        shared::{Dissent, Opinions, Overlay},
    },
};

/// How long a reply waits for the store to give back what it has taken. With the time in which it
/// is written that is still shorter than what a client of ours waits.
const ECHO_PATIENCE: Duration = Duration::from_secs(3);

/// How much later than it is written a word is acknowledged that has changed something: all servers
/// have heard of it by then, or nearly all. What its client says next, at one that has not, is
/// known to be later by the time: see `WAY` in `draft/health`, which is less.
const SPREAD: Duration = Duration::from_millis(25);

/// What differs stays for so long at least after the weather has become fair: a server that has
/// been without the store may wait for five seconds before it asks again.
const SETTLING_MIN: Duration = Duration::from_secs(6);

/// How often it is looked, while a proposal is under way, who has waited for it for too long.
const LOOK: Duration = Duration::from_secs(1);

/// What the writer knows of the store that servers share.
pub(in crate::registry) struct Sharing {
    followed: mpsc::Receiver<Followed>,
    ownership: Ownership,
    ownership_changes: watch::Receiver<u64>,
    /// Whether the store is within reach.
    contact: Contact,
    /// Which view of the servers is known here, counted from the first.
    views: u64,
    /// Which time this server is known to the others, as far as is known here.
    term: u64,
    /// Whether others may have taken over what is this server's task, as far as is known here.
    may_be_replaced: bool,
    /// Of which instances it is not known yet whose task they are since servers came or went.
    unlooked: Unlooked,
    beats: mpsc::Sender<Beat>,
    beats_left_out: Counter,
    /// When others are told again what is found here; `None` while nobody is to be told.
    tells_at: Option<Duration>,
    /// This server's own instances that heartbeats, or the want of them, have turned of late, and
    /// when.
    turned: HashMap<InstanceKey, Duration>,
    overlay: Overlay,
    opinions: Opinions,
    /// Instances whose registration is in the store and cannot be read there.
    unreadable: BTreeSet<InstanceKey>,
    weather: Weather,
    /// Whether nothing that is found is shared.
    is_alone: bool,
    /// How long a server is taken for alive of which nothing is heard.
    lease: Duration,
    /// How long what differs for another reason than that it is owed stays after the weather has
    /// become fair: the owner needs to write what it has found meanwhile.
    settling: Duration,
    /// When it is looked next for what has stayed so long.
    settled_at: Option<Duration>,
    /// What the store has taken, and has not given back yet.
    taken: Option<Taken>,
    /// What others were faster than: drafted again when their changes are seen.
    parked: Vec<Parked>,
    /// What is proposed again, separately from what it was proposed with.
    separate: Separate,
    /// Replies to what is seen, for when the store has it too.
    unwritten: Vec<Unwritten>,
    /// That the store has not answered the last proposal, or was held up; nothing once it answers
    /// one.
    unanswered: Option<Unanswered>,
    /// Since when a proposal is under way; `None` while none is.
    proposing_since: Option<Instant>,
    /// Whether the store had no room for what was owed: then removals go first, by themselves.
    has_no_room: bool,
    /// Whether the last proposal was of what is owed, so that what is asked for comes next.
    has_paid: bool,
}

/// A change that the store has taken at a revision.
struct Taken {
    at: u64,
    until: Duration,
    replies: Vec<Awaited>,
}

/// A reply that waits for what the store has taken.
struct Awaited {
    reply: Reply,
    outcome: Outcome,
    /// Whether anything was written for it, which is visible from then on.
    is_written: bool,
}

struct Parked {
    request: Request,
    at: u64,
    tries: u8,
    until: Duration,
    /// The instance that others were faster with, if it is about it.
    lost: Option<InstanceKey>,
}

struct Unwritten {
    reply: Reply,
    applied: Applied,
    key: InstanceKey,
    until: Duration,
    /// Whether the store has it.
    is_written: bool,
}

/// The end of a proposal that the store has not answered, or that a bulk has held up.
#[derive(Clone)]
struct Unanswered {
    at: Instant,
    /// What is said to those who have waited for too long by then.
    error: RegistryError,
}

/// A proposal that is under way.
pub(in crate::registry) struct Proposed {
    requests: Vec<(Request, u8)>,
    outcomes: Vec<Outcome>,
}

/// What comes from others, and wakes the writer as its queues do.
pub(super) enum Inbound {
    Followed(Followed),
    Ownership,
}

// === impl Sharing ===

impl Sharing {
    /// What the writer keeps of a setup, and where it proposes changes.
    pub(in crate::registry) fn new(setup: SharedSetup, dissent: Dissent) -> (Box<dyn Share>, Self) {
        let SharedSetup { share, followed, ownership, contact, beats, .. } = setup;
        let (beats_left_out, lease) = (setup.beats_left_out, setup.lease);
        let sharing = Self {
            followed,
            views: 0,
            term: ownership.term(),
            may_be_replaced: false,
            ownership_changes: ownership.subscribe(),
            ownership,
            contact,
            unlooked: Unlooked::default(),
            beats,
            beats_left_out,
            tells_at: None,
            turned: HashMap::new(),
            overlay: Overlay::default(),
            opinions: Opinions::new(dissent),
            unreadable: BTreeSet::new(),
            weather: Weather::Fair,
            is_alone: false,
            lease,
            settling: lease.max(SETTLING_MIN),
            settled_at: None,
            taken: None,
            parked: Vec::new(),
            separate: Separate::default(),
            unwritten: Vec::new(),
            unanswered: None,
            proposing_since: None,
            has_no_room: false,
            has_paid: false,
        };
        (share, sharing)
    }

    /// Whether this server counts the heartbeats of the instance, and writes what is found of it.
    pub(super) fn keeps(&self, key: &InstanceKey) -> bool {
        self.ownership.keeps(key)
    }

    /// Whether heartbeats may go to others that have taken over.
    pub(super) fn may_be_replaced(&self) -> bool {
        self.may_be_replaced || self.ownership.may_be_replaced()
    }

    /// Whether this server is cut off, and among others: what it finds they hear of by itself.
    fn is_apart(&self) -> bool {
        self.ownership.may_be_replaced() && self.ownership.circle().is_some()
    }

    /// Says what is shown otherwise than it is shared.
    pub(super) fn count_unshared(&mut self, steps: &mut Steps) {
        self.overlay.count(steps);
    }

    /// When the writer has something to do next, given when it may ask for what is owed again.
    pub(super) fn next_at(&self, now: Duration, retry_at: Option<Duration>) -> Option<Duration> {
        let taken = self.taken.as_ref().map(|taken| taken.until);
        let unwritten = self.unwritten.iter().map(|unwritten| unwritten.until).min();
        // What cannot be proposed now does not wake it.
        let look = self.proposing_since.map(|_| now + LOOK);
        let is_idle = look.is_none() && taken.is_none() && self.weather == Weather::Fair;
        let parked = self.parked.iter().map(|parked| parked.until).min();
        let idle = [parked, retry_at].into_iter().flatten().min().filter(|_| is_idle);
        let own = [self.unlooked.next_at(), self.settled_at, self.tells_at];
        own.into_iter().chain([taken, unwritten, idle, look]).flatten().min()
    }

    /// How much waits for the next proposal.
    pub(super) fn waiting(&self) -> usize {
        let opinions = if self.ownership.is_known() { self.opinions.owed() } else { 0 };
        self.overlay.owed().len() + opinions + self.parked.len() + self.separate.len()
    }

    pub(super) fn is_done(&self) -> bool {
        self.taken.is_none()
            && self.parked.is_empty()
            && self.separate.is_empty()
            && self.unwritten.is_empty()
    }
}

/// Waits for it. Cancel safe.
pub(super) async fn inbound(sharing: &mut Option<Sharing>) -> Inbound {
    let Some(sharing) = sharing else { return std::future::pending().await };
    tokio::select! {
        biased;
        Ok(()) = sharing.ownership_changes.changed() => Inbound::Ownership,
        Some(followed) = sharing.followed.recv() => Inbound::Followed(followed),
        else => std::future::pending().await,
    }
}

// === impl Applier ===

impl Applier {
    /// Hands signs of life on to the server whose task the instance is.
    pub(super) fn hand_on(&mut self, command: &Command, base: &Snapshot) {
        let now = self.wall_time();
        let Some(sharing) = &mut self.sharing else { return };
        let hand_on = |beat: Beat| {
            if beat.heard.is_some() && sharing.ownership.will_keep(&beat.key) {
                return; // others know that it is for here: it would only come back
            }
            // What this server shows of it that is not in the store comes from what it has handed
            // on before: no revision says that this is newer.
            let seen = base.shared.filter(|_| sharing.overlay.is_clean(&beat.key));
            // One that goes on from server to server was heard where it came to first.
            let heard = beat.heard.or(Some(Arrival { seen, at: Some(now) }));
            if !sharing.ownership.keeps(&beat.key) && base.member(&beat.key).is_some() {
                // When the queue is full, the next one comes in time.
                if sharing.beats.try_send(Beat { heard, ..beat }).is_err() {
                    sharing.beats_left_out.inc();
                }
            }
        };
        match command {
            Command::Heartbeat(Heartbeat { key, check, status, output, heard }) => {
                let (key, output) = (key.clone(), Some(Arc::clone(output)));
                let (check, status, heard) = (*check, Some(*status), *heard);
                hand_on(Beat { key, check, status, output, heard, is_finding: false });
            }
            Command::Register(instances) => instances
                .iter()
                .filter(|instance| instance.has_ttl_check() && base.has_same(instance))
                .map(|instance| Beat::of(instance.key()))
                .for_each(hand_on),
            Command::Amend(amendments) => {
                amendments.iter().flat_map(|amendment| renewed(amendment, base)).for_each(hand_on);
            }
            _ => {}
        }
    }

    /// Replies to a change that is visible when the store has taken it, too.
    pub(super) fn confirm_shared(&mut self, reply_to: Reply, key: InstanceKey, outcome: Outcome) {
        let until = self.clock.elapsed() + ECHO_PATIENCE;
        let Some(sharing) = &mut self.sharing else { return };
        let has_room = sharing.unwritten.len() < limit::WRITER_QUEUE_MAX;
        match outcome {
            Ok(applied)
                if applied.changed
                    && has_room
                    && sharing.weather == Weather::Fair
                    && !reply_to.is_closed() =>
            {
                let is_written = false;
                sharing.unwritten.push(Unwritten {
                    reply: reply_to,
                    applied,
                    key,
                    until,
                    is_written,
                });
            }
            outcome => reply(reply_to, outcome),
        }
    }

    /// What is this server's to remove because a younger registration has its origin. Cut off, it
    /// removes nothing: perhaps the younger one is gone.
    pub(super) fn rivals(&self, base: &Snapshot) -> Vec<InstanceKey> {
        let rivals = base.origins.rivals();
        let Some(sharing) = self.sharing.as_ref().filter(|_| !rivals.is_empty()) else {
            return Vec::new();
        };
        let is_mine = |key: &InstanceKey| sharing.keeps(key) && !sharing.ownership.is_cut_off();
        rivals.iter().map(|rival| rival.key()).filter(is_mine).collect()
    }

    /// Keeps a word that a heartbeat brings to another server than its instance's own for that one:
    /// it decides how often a new one is taken.
    pub(super) fn is_word_for_another(&self, key: &InstanceKey) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| !sharing.keeps(key))
    }
}

// === impl Awaited ===

impl Awaited {
    /// Some commands are written again where this server sees nothing to change: another may have,
    /// meanwhile, and then it is this that brings it back.
    fn of(request: Request, outcome: Outcome) -> Self {
        let is_again = matches!(request.command, Command::Drain { .. } | Command::SetPolicy(..));
        let is_written = outcome.as_ref().is_ok_and(|applied| applied.changed) || is_again;
        Self { reply: request.reply, outcome, is_written }
    }
}

// === impl Unanswered ===

impl Unanswered {
    fn of(result: &Result<u64, Refused>) -> Option<Self> {
        let error = match result {
            Err(Refused::Busy(why)) => RegistryError::Held(why.clone()),
            Err(Refused::Unavailable(why)) => unreachable(why.clone()),
            Err(Refused::Unsure(_)) => unreachable(
                "it has not answered the change before this one, which was not sent".into(),
            ),
            _ => return None,
        };
        Some(Self { at: Instant::now(), error })
    }
}

// === impl Taken ===

impl Taken {
    fn reply(self) {
        let revision = Revision::shared(self.at);
        for Awaited { reply: to, outcome, is_written } in self.replies {
            let seen = |applied: Applied| match is_written {
                true => Applied { revision, ..applied },
                false => applied,
            };
            reply(to, outcome.map(seen));
        }
    }

    fn reply_unseen(self) {
        let why = format!(
            "revision {} was written, and has not come back within {} s",
            Revision::shared(self.at),
            ECHO_PATIENCE.as_secs()
        );
        for Awaited { reply: to, .. } in self.replies {
            let error = JournalError::Unsure(why.clone());
            reply(to, Err(RegistryError::NotDurable(error)));
        }
    }
}

fn unreachable(why: String) -> RegistryError {
    RegistryError::NotDurable(JournalError::Unreachable(why))
}

/// The signs of life in a registration that is put in place of itself: of those checks whose owner
/// is alive, and of no others.
fn renewed(amendment: &Amendment, base: &Snapshot) -> Vec<Beat> {
    let to = amendment.to.as_ref().filter(|to| base.has_same(&to.instance));
    let member = to.and_then(|to| base.member(&to.instance.key()));
    let (Some(to), Some(member)) = (to, member) else { return Vec::new() };
    let checks = to.checks.iter().zip(&*to.instance.checks).enumerate();
    checks
        .filter(|(_, (carry, spec))| matches!(carry, Carry::Renewed(_)) && spec.ttl().is_some())
        .map(|(index, _)| {
            let check = Some((index, member.registered));
            Beat { check, ..Beat::of(to.instance.key()) }
        })
        .collect()
}
