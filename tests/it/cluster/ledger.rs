//! What has happened to each instance, and whether an answer may say so: the memory of a test that
//! changes, breaks and asks at the same time. Pure: time comes in, as the time since the test
//! began.
//!
//! For each instance it has the states that it may be in ([`History`]: what was asked for, what was
//! acknowledged, what may or may not have been taken), the heartbeats that were sent ([`Beats`])
//! and how what is checked really was ([`Turns`]). An answer shows each instance or does not; what
//! it shows is *right* when it was so at a moment between question and answer, *late* when it was
//! so not longer ago than the bound that is stated for the weather of that server ([`Excuses`]),
//! and *wrong* otherwise. Two rules know no bound: a server shows what it has acknowledged itself
//! from then on, and never shows an older state after a newer one.
//!
//! Of health two rules know no weather: a client that is heard of is dead for no server, whether
//! that one is cut off or not; and one that was found dead is not shown again. Other bounds are
//! those of the page for who runs servers, which is quoted at each.
//!
//! Everything is noted before it is done, and its end after it, so that an answer can be judged at
//! once: what is not noted yet cannot be in it.
//!
//! A tester with a model of what the state *is* was rejected: with several servers, and requests
//! whose outcome nobody is told, there is a set of states that it may be, and a test that guesses
//! fails for its guess.

mod beats;
mod excuses;
mod history;
mod judge;
mod tally;
mod tests;
mod turns;

use std::{collections::VecDeque, fmt, time::Duration};

use self::{beats::Beats, excuses::Excuses, history::History, turns::Turns};
pub(super) use self::{
    excuses::{Excuse, Kind},
    history::{Change, Outcome, Registered, State},
    tally::Tally,
};

/// A moment, as the time since the test began.
pub(super) type At = Duration;

/// An instance, by its place in the roster.
pub(super) type Key = usize;

/// A server, by its place in the fleet.
pub(super) type Server = usize;

/// How long what is no longer so may be answered, by what it is and by the weather.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A change, or a turn of health that a server knows of, at all servers.
    pub(super) seen: Duration,
    /// After the weather of a server is good again: it connects, and catches up.
    pub(super) settled: Duration,
    /// A turn of what is checked, in whatever weather, beside the time that the check takes: "in
    /// each case checks go on". Others take them over "within `cluster.lease` and one interval";
    /// who is cut off "after `cluster.lease` checks everything by itself".
    pub(super) checked: Duration,
    /// An outage, by all servers: "after `cluster.lease`".
    pub(super) noticed: Duration,
    /// For health, after the weather is good again everywhere: checks and heartbeats have found
    /// their owner, which takes a lease, and the instances had their grace.
    pub(super) moved: Duration,
}

/// What says how an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Nothing: it is well when it is there.
    Nobody,
    /// Heartbeats, each good for this time.
    Heartbeats(Duration),
    /// A check that has found out about a turn within this time.
    Checks(Duration),
}

/// What an answer says of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is in the answer, as it was registered this time.
    As(u32),
    /// It is not in the answer.
    Hidden,
    /// There is no such instance, or no such service.
    Unknown,
}

/// An answer of a server, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) server: Server,
    pub(super) asked: At,
    pub(super) answered: At,
}

/// How right an answer was of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// It was so until so long before it was asked, which is within the bound.
    Late(Duration),
    /// It was so until so long before; never, as far as is remembered, when that is `None`.
    Wrong(Option<Duration>),
}

/// A change, or a heartbeat, that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    key: Key,
    number: u32,
    is_registration: bool,
}

/// The ledger.
pub(super) struct Ledger {
    bounds: Bounds,
    entries: Vec<Entry>,
    servers: Vec<Excuses>,
    /// Of all servers at once; for health, which is anybody's.
    everywhere: Excuses,
    /// When somebody last looked at it.
    looked: Option<At>,
    pub(super) tally: Tally,
}

/// One instance.
struct Entry {
    history: History,
    care: Care,
    beats: Beats,
    turns: Turns,
    /// What each server may not fall behind.
    floors: Vec<Floor>,
    /// Whether an answer has shown it, and whether one has left it out for its health.
    was_well: bool,
    was_ill: bool,
    /// When each server has last shown it as one that is silent.
    found_dead: Vec<Option<At>>,
    /// What was wrong last, and when: the same again, moments later, explains nothing more.
    told: Option<(Server, Shown, At)>,
}

/// From which moment on a server shows nothing older, and since when: it rises with each change
/// that it acknowledges, and with each newer state that it shows.
#[derive(Debug, Clone, Default)]
struct Floor(VecDeque<(At, At)>);

/// How long what is over is remembered: an answer that is later than this was "never" right.
const MEMORY: Duration = Duration::from_secs(120);
/// A machine that has not let the test run for so long stands still.
const STALL: Duration = Duration::from_millis(300);
/// For so long what is wrong in the same way is told only once.
const SAME: Duration = Duration::from_secs(5);
/// So many that are silent at the same time are believed: `health.self_preservation.min_silent`.
const BELIEVED: usize = 3;

// === impl Bounds ===

impl Bounds {
    /// The same for everything.
    pub(super) fn of(time: Duration) -> Self {
        Self { seen: time, settled: time, checked: time, noticed: time, moved: time }
    }
}

// === impl Ledger ===

impl Ledger {
    /// One of so many servers, and of instances that are not registered yet.
    pub(super) fn new(bounds: Bounds, servers: usize, roster: &[Care]) -> Self {
        let entry = |care: &Care| Entry {
            history: History::default(),
            care: *care,
            beats: Beats::default(),
            turns: Turns::default(),
            floors: vec![Floor::default(); servers],
            was_well: false,
            was_ill: false,
            found_dead: vec![None; servers],
            told: None,
        };
        Self {
            bounds,
            entries: roster.iter().map(entry).collect(),
            servers: (0..servers).map(|_| Excuses::default()).collect(),
            everywhere: Excuses::default(),
            looked: None,
            tally: Tally::default(),
        }
    }

    /// Notes that a change is about to be asked for.
    pub(super) fn begin(&mut self, key: Key, change: Change, at: At) -> Begun {
        let entry = &mut self.entries[key];
        let oldest = at.saturating_sub(MEMORY);
        entry.history.forget(oldest);
        entry.beats.forget(oldest);
        let number = entry.history.begin(change, at);
        let is_registration = matches!(change, Change::Register(_));
        if is_registration {
            entry.beats.registering(at);
            entry.turns.registering(at);
        }
        Begun { key, number, is_registration }
    }

    /// Notes what came of a change, which `server` has said, or has not.
    pub(super) fn end(&mut self, begun: Begun, server: Server, outcome: Outcome, at: At) {
        let entry = &mut self.entries[begun.key];
        if let Err(fault) = entry.history.end(begun.number, outcome, at) {
            self.tally.violation(|| format!("{fault}, at server {server}"));
        }
        // What another change has replaced by now may be what this server still shows: of that
        // other one it is told within the bound, as everybody is.
        if let Outcome::Taken(revision) = outcome
            && !entry.history.is_replaced(revision)
        {
            entry.floors[server].rise(at, at);
        }
        if begun.is_registration {
            entry.beats.registered(at);
            entry.turns.registered(at);
        }
        self.tally.changes.count(outcome);
    }

    /// Notes that a heartbeat is about to be sent.
    pub(super) fn begin_beat(&mut self, key: Key, server: Server, at: At) -> Begun {
        let beats = &mut self.entries[key].beats;
        beats.forget(at.saturating_sub(MEMORY));
        Begun { key, number: beats.begin(server, at), is_registration: false }
    }

    /// Notes whether it was taken.
    pub(super) fn end_beat(&mut self, begun: Begun, is_taken: bool, at: At) {
        self.entries[begun.key].beats.end(begun.number, is_taken, at);
        self.tally.beats += u64::from(is_taken);
    }

    /// Notes that what is checked turns now.
    pub(super) fn turn(&mut self, key: Key, is_up: bool, at: At) {
        self.entries[key].turns.turn(is_up, at);
        self.tally.turns += 1;
    }

    /// Notes that the weather of a server turns bad now; of all of them, when it is `None`. What is
    /// shown of health suffers everywhere in either case.
    pub(super) fn excuse(&mut self, server: Option<Server>, kind: Kind, at: At) -> Excuse {
        let servers = match server {
            _ if kind == Kind::Moving => 0..0,
            Some(server) => server..server + 1,
            None => 0..self.servers.len(),
        };
        let each = |server: Server| (server, self.servers[server].begin(kind, at));
        let of_each = servers.map(each).collect();
        Excuse { of_all: self.everywhere.begin(kind, at), of_each }
    }

    /// Notes that it is good again.
    pub(super) fn over(&mut self, excuse: &Excuse, at: At) {
        self.everywhere.end(excuse.of_all, at);
        for &(server, number) in &excuse.of_each {
            self.servers[server].end(number, at);
        }
    }

    /// Notes that all servers have caught up by now with what was before: of what they are told,
    /// nothing is excused any more by bad weather that is over. Of health it still is.
    pub(super) fn caught_up(&mut self, at: At) {
        self.servers.iter_mut().for_each(|server| server.caught_up(at));
    }

    /// To be called whenever anybody looks at the ledger, which many do all the time. When nobody
    /// has for long, the machine has stood still, and the servers on it with it: no defect of
    /// theirs.
    pub(super) fn look_at_the_machine(&mut self, now: At) {
        if let Some(looked) = self.looked.filter(|looked| now.saturating_sub(*looked) > STALL) {
            let excuse = self.excuse(None, Kind::Down, looked);
            self.over(&excuse, now);
            self.tally.stalls += 1;
        }
        self.looked = Some(now);
    }

    /// Whether a server is dead or stands still.
    pub(super) fn is_down(&self, server: Server) -> bool {
        self.servers[server].is_open(Kind::Down)
    }

    /// Whether a word that a client has said may be unknown to the server that counts it: that one
    /// may be dead or cut off, or the one that was told, or not know that it is no longer.
    pub(super) fn may_be_unheard(&self, asked: At, answered: At) -> bool {
        let asked = asked.saturating_sub(self.bounds.settled);
        [Kind::Apart, Kind::Down].iter().any(|kind| self.everywhere.was(*kind, asked, answered))
    }

    /// Whether a server may have refused a change, or not replied, for the weather that it had.
    pub(super) fn may_be_away(&self, sight: Sight) -> bool {
        let Sight { server, asked, answered } = sight;
        self.servers[server].is_within(asked, answered, self.bounds.settled)
    }

    /// Whether a change of this instance may be asked for: none is under way, and one whose outcome
    /// nobody was told has had the time to be taken, if it ever is. It may be long: it waits in a
    /// server that stands still, or in the log of an etcd without a majority.
    pub(super) fn is_free(&self, key: Key, at: At) -> bool {
        let history = &self.entries[key].history;
        let calm = self.everywhere.calm_since(at);
        !history.is_under_way()
            && history.unsure_since().is_none_or(|since| {
                calm.is_some_and(|calm| calm.max(since) + self.bounds.settled <= at)
            })
    }

    /// The states that an instance may be in.
    pub(super) fn states(&self, key: Key) -> Vec<State> {
        self.entries[key].history.states()
    }

    /// Notes which of its states an instance is in: a server has said so that has seen all of its
    /// changes, and none is under way.
    pub(super) fn resolve(&mut self, key: Key, state: State, at: At) {
        self.entries[key].history.resolve(state, at);
    }
}

// === impl Entry ===

impl Entry {
    /// The last moment until then at which it may have been taken for well.
    fn up(&self, until: At) -> Option<At> {
        match self.care {
            Care::Nobody => Some(until),
            Care::Heartbeats(ttl) => self.beats.up(ttl, until),
            Care::Checks(within) => self.turns.up(within, until),
        }
    }

    /// The last moment until then at which it may have been taken for ill, where a heartbeat
    /// counts that was taken by a server which could pass it on between two moments.
    fn down(
        &self,
        until: At,
        passed_on: Duration,
        could: impl Fn(Server, At, At) -> bool,
    ) -> Option<At> {
        match self.care {
            Care::Nobody => None,
            Care::Heartbeats(ttl) => Some(self.beats.down(ttl, until, passed_on, could)),
            Care::Checks(within) => self.turns.down(within, until),
        }
    }

    /// Whether heartbeats are missing, for as long as one is good for.
    fn is_silent(&self, at: At) -> bool {
        let Care::Heartbeats(ttl) = self.care else { return false };
        self.beats.sent(at).is_some_and(|sent| sent + ttl <= at)
    }
}

/// What may explain a failure.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { history, beats, turns, .. } = self;
        match self.care {
            Care::Nobody => write!(f, "{history}"),
            Care::Heartbeats(_) => write!(f, "{history}; {beats}"),
            Care::Checks(_) => write!(f, "{history}; {turns}"),
        }
    }
}

// === impl Floor ===

impl Floor {
    /// From `at` on, nothing older than `floor` may be shown.
    fn rise(&mut self, at: At, floor: At) {
        if self.0.back().is_none_or(|(_, last)| *last < floor) {
            self.0.push_back((at, floor));
        }
        // A question that is older than all of these has been waited for too long to be judged.
        if self.0.len() > 16 {
            self.0.pop_front();
        }
    }

    /// What held when a question was asked.
    fn at(&self, asked: At) -> Option<At> {
        self.0.iter().filter(|(at, _)| *at <= asked).map(|(_, floor)| *floor).max()
    }
}
