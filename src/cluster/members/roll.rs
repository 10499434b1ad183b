//! Who is alive, and since when it is safe to believe that somebody is not. Pure.
//!
//! A server whose row vanishes is dead, and what it had to do is done by others at once. Unless
//! etcd itself was away: then the leases of all servers may have run out together, or a leader that
//! was paused revokes them all when it wakes, and every server is back within moments. To move
//! everything away and back again would give the checks of all instances two new homes for nothing.
//! So a server that has missed an answer to its own lease believes in no death until a lease's time
//! after answers came again, or until all are back; nor does one whose own row was taken away.
//!
//! A server that cannot get a row of its own, because etcd is full or has a later schema, has no
//! task among the others. After a lease's time it checks everything itself, for its own answers, as
//! one that is cut off does: there may be nobody else.
//!
//! Nor has a server whose name another one has taken. What is the task of that name is the other's
//! then, as for everybody else, and heartbeats for it are handed on there.

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

use super::row::Server;
use crate::{
    cluster::common::Roster,
    registry::{Peer, ServerId, View},
};

/// How soon a server that is cut off looks whether it still is.
const AGAIN: Duration = Duration::from_secs(1);

/// What this server takes for the truth about all of them.
#[derive(Debug)]
pub(super) struct Roll {
    me: Peer,
    /// By which the own row is known from one of another life.
    token: String,
    checkers: usize,
    /// How long a lease lives.
    lease: Duration,
    /// The others, as they were shown last.
    others: BTreeMap<ServerId, Peer>,
    /// Whether the own row was there, as they were shown last.
    was_listed: bool,
    /// Whether the own row was ever there. Until then one of its name is of the life before.
    was_in: bool,
    /// When the own lease was renewed last.
    renewed: Instant,
    /// Until when nobody's death is believed.
    unsettled_until: Option<Instant>,
    /// The revision of the rows that were known when that began: they are from before.
    unsettled_at: u64,
    /// Since when the own row is not there; `None` while it is.
    out_since: Option<Instant>,
}

// === impl Roll ===

impl Roll {
    /// Of the server `me`, whose row has this token.
    pub(super) fn new(
        me: Peer,
        token: String,
        checkers: usize,
        lease: Duration,
        now: Instant,
    ) -> Self {
        let others = BTreeMap::new();
        let (renewed, was_listed) = (now, false);
        Self {
            me,
            token,
            checkers,
            lease,
            others,
            was_listed,
            was_in: false,
            renewed,
            unsettled_until: None,
            unsettled_at: 0,
            out_since: Some(now),
        }
    }

    /// How long a lease lives.
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// etcd has renewed the own lease, or given a new one, while the rows of the revision `at` were
    /// known.
    pub(super) fn renewed(&mut self, at: u64, now: Instant) {
        if self.is_rough(now) {
            (self.unsettled_until, self.unsettled_at) = (Some(now + self.lease), at);
        }
        self.renewed = now;
    }

    /// The view from now on: `roster` has the rows that are there, `is_in` is whether the own row
    /// is, `heard` is when etcd has last said anything.
    pub(super) fn view(
        &mut self,
        roster: &Roster,
        is_in: bool,
        heard: Instant,
        now: Instant,
    ) -> View {
        let is_listed = roster.servers.contains_key(&self.me.id);
        if std::mem::replace(&mut self.was_listed, is_listed) && !is_listed {
            // It lives: so may the others.
            (self.unsettled_until, self.unsettled_at) = (Some(now + self.lease), roster.at);
        }
        self.out_since = if is_in { None } else { self.out_since.or(Some(now)) };
        let is_silent = now.duration_since(heard) >= self.lease;
        let is_out = self.out_since.is_some_and(|since| now.duration_since(since) >= self.lease);
        let is_other = |(id, _): &(&ServerId, &Server)| **id != self.me.id;
        let rows = roster.servers.iter().filter(is_other);
        let live: BTreeMap<_, _> = rows.map(|(id, row)| (id.clone(), row.peer(id))).collect();
        if roster.at > self.unsettled_at && self.others.keys().all(|id| live.contains_key(id)) {
            self.unsettled_until = None;
        }
        // Who has no lease of its own learns from it nothing of the weather.
        let is_rough = if is_out { is_silent } else { self.is_rough(now) };
        if is_rough || self.unsettled_until.is_some_and(|until| now < until) {
            self.others.extend(live);
        } else {
            self.unsettled_until = None;
            self.others = live;
        }
        self.was_in |= is_in;
        let twin = self.twin(roster).filter(|_| !is_in && self.was_in);
        // Its name in the view is the other's: by that it must not know itself.
        let me = if twin.is_some() { ServerId::default() } else { self.me.id.clone() };
        let named = if is_in { Some(self.me.clone()) } else { twin };
        View {
            me,
            servers: self.others.values().cloned().chain(named).collect(),
            checkers: self.checkers,
            is_cut_off: is_silent || is_out,
            hears_all: false,
        }
    }

    /// Who has this server's name, and is of another life.
    fn twin(&self, roster: &Roster) -> Option<Peer> {
        let found = roster.servers.get(&self.me.id)?;
        let is_own = found.row.as_ref().is_some_and(|row| row.token == self.token);
        (!is_own).then(|| found.peer(&self.me.id))
    }

    /// When the view may be another one although nothing was said.
    pub(super) fn next_look(&self, heard: Instant, now: Instant) -> Option<Instant> {
        let is_due = |at: &Instant| *at > now;
        // Who is cut off looks now and then whether etcd was heard again.
        let cut_off = Some(heard + self.lease).filter(is_due).unwrap_or(now + AGAIN);
        let out = self.out_since.map(|since| since + self.lease).filter(is_due);
        let settled = self.unsettled_until.filter(is_due);
        [Some(cut_off), out, settled].into_iter().flatten().min()
    }

    /// Whether an answer to the own lease is missing: they come every third of its time.
    fn is_rough(&self, now: Instant) -> bool {
        now.duration_since(self.renewed) > self.lease * 2 / 3
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{Duration, Instant};

    use super::{Roll, Roster, Server};
    use crate::{
        cluster::{layout::ServerRow, members::Servers},
        model::Timestamp,
        registry::{Ownership, Peer, View},
    };

    const LEASE: Duration = Duration::from_secs(9);
    const TOKEN: &str = "3f9a";

    /// A roll of server `me`, and a clock that is moved by hand.
    struct World {
        roll: Roll,
        start: Instant,
        /// The revision of the rows.
        at: u64,
    }

    fn roster(at: u64, ids: &[&str]) -> Roster {
        Roster { at, servers: servers(ids).into() }
    }

    fn servers(ids: &[&str]) -> Servers {
        ids.iter().map(|id| ((*id).into(), Server { row: None, since: 1 })).collect()
    }

    fn names(view: &View) -> String {
        let mut ids: Vec<_> = view.servers.iter().map(|peer| &*peer.id).collect();
        ids.sort_unstable();
        ids.join(" ")
    }

    impl World {
        fn new() -> Self {
            let start = Instant::now();
            let me = Peer { id: "me".into(), http: Arc::default() };
            Self { roll: Roll::new(me, TOKEN.into(), 1, LEASE, start), start, at: 1 }
        }

        /// The view when etcd has been heard right now, with rows that are news.
        fn view(&mut self, second: u64, live: &[&str]) -> String {
            self.at += 1;
            self.view_as_before(second, live)
        }

        /// The view with rows that are not.
        fn view_as_before(&mut self, second: u64, live: &[&str]) -> String {
            let now = self.start + Duration::from_secs(second);
            names(&self.roll.view(&roster(self.at, live), live.contains(&"me"), now, now))
        }

        fn renewed(&mut self, second: u64) {
            self.roll.renewed(self.at, self.start + Duration::from_secs(second));
        }
    }

    #[test]
    fn who_dies_in_fair_weather_is_believed_at_once() {
        let mut world = World::new();
        assert_eq!(world.view(1, &["me", "a", "b"]), "a b me");
        world.renewed(3);
        assert_eq!(world.view(4, &["me", "b"]), "b me");
        assert_eq!(world.view(5, &["me", "a", "b", "c"]), "a b c me");
    }

    #[test]
    fn without_its_own_row_a_server_is_not_in_its_view() {
        let mut world = World::new();
        assert_eq!(world.view(1, &["me", "a"]), "a me");
        assert_eq!(world.view(2, &["a"]), "a");
        assert_eq!(world.view(3, &["me", "a"]), "a me");
    }

    #[test]
    fn a_server_whose_own_row_vanishes_believes_in_no_death() {
        let mut world = World::new();
        assert_eq!(world.view(1, &["me", "a", "b"]), "a b me");
        world.renewed(3);
        // Somebody has deleted them all.
        assert_eq!(world.view(4, &[]), "a b");
        assert_eq!(world.view(4, &["a", "me"]), "a b me");
        world.renewed(6);
        world.renewed(9);
        assert_eq!(world.view(12, &["a", "me"]), "a b me");
        world.renewed(12);
        assert_eq!(world.view(13, &["a", "me"]), "a me");
    }

    #[test]
    fn leases_that_end_together_move_nothing_if_all_are_back_in_time() {
        let mut world = World::new();
        assert_eq!(world.view(0, &["me", "a", "b"]), "a b me");
        // Nothing is heard for long; then the watch tells first, of deaths by a leader that woke.
        assert_eq!(world.view(30, &["me", "b"]), "a b me");
        assert_eq!(world.view(30, &[]), "a b");
        world.renewed(30);
        assert_eq!(world.view(31, &["me", "b"]), "a b me");
        assert_eq!(world.view(32, &["me", "a", "b"]), "a b me");
        // All are back: from now on the weather is fair.
        world.renewed(33);
        assert_eq!(world.view(34, &["me", "b"]), "b me");
    }

    #[test]
    fn who_is_not_back_within_a_lease_is_dead() {
        let mut world = World::new();
        world.view(0, &["me", "a", "b"]);
        world.renewed(30);
        assert_eq!(world.view(31, &["me", "b"]), "a b me");
        world.renewed(33);
        world.renewed(36);
        assert_eq!(world.view(38, &["me", "b"]), "a b me");
        let next = world.roll.next_look(world.start + LEASE * 4, world.start + LEASE * 4);
        assert_eq!(next, Some(world.start + Duration::from_secs(39)));
        assert_eq!(world.view(39, &["me", "b"]), "b me");
    }

    #[test]
    fn a_server_that_hears_nothing_for_a_lease_is_cut_off_and_keeps_its_view() {
        let mut world = World::new();
        let live = roster(1, &["me", "a"]);
        let at = |second| world.start + Duration::from_secs(second);
        for (now, cut_off) in [(8, false), (9, true), (90, true)] {
            let view = world.roll.view(&live, true, at(0), at(now));
            assert_eq!((names(&view).as_str(), view.is_cut_off), ("a me", cut_off), "{now} s");
        }
        assert_eq!(world.roll.next_look(at(0), at(5)), Some(at(9)));
        assert!(!world.roll.view(&live, true, at(91), at(91)).is_cut_off);
    }

    /// The answer to the lease may be here before the watch has told of the deaths.
    #[test]
    fn rows_from_before_rough_weather_are_no_proof_that_all_are_back() {
        let mut world = World::new();
        assert_eq!(world.view(0, &["me", "a", "b"]), "a b me");
        world.renewed(30);
        assert_eq!(world.view_as_before(30, &["me", "a", "b"]), "a b me");
        assert_eq!(world.view(31, &["me"]), "a b me");
        assert_eq!(world.view(32, &["me", "a", "b"]), "a b me");
        world.renewed(33);
        assert_eq!(world.view(34, &["me", "b"]), "b me");
    }

    #[test]
    fn who_cannot_join_for_a_lease_checks_all_itself_and_believes_what_etcd_says_of_the_others() {
        let mut world = World::new();
        let at = |second| world.start + Duration::from_secs(second);
        let both = roster(2, &["a", "b"]);
        let view = world.roll.view(&both, false, at(8), at(8));
        assert_eq!((names(&view).as_str(), view.is_cut_off), ("a b", false));
        assert_eq!(world.roll.next_look(at(8), at(8)), Some(at(9)));
        let view = world.roll.view(&both, false, at(9), at(9));
        assert_eq!((names(&view).as_str(), view.is_cut_off), ("a b", true));
        let view = world.roll.view(&roster(3, &["a"]), false, at(10), at(10));
        assert_eq!((names(&view).as_str(), view.is_cut_off), ("a", true));
        let view = world.roll.view(&roster(4, &["a", "me"]), true, at(11), at(11));
        assert_eq!((names(&view).as_str(), view.is_cut_off), ("a me", false));
    }

    /// It left the name out, and came to other owners than all others.
    #[test]
    fn who_has_lost_its_name_takes_the_one_that_has_it_for_another_server() {
        let mut world = World::new();
        let named = |token: &str| {
            let row = ServerRow {
                http: vec!["twin:8500".to_owned()],
                version: "0.1.0".to_owned(),
                started: Timestamp(0),
                token: token.to_owned(),
                settings: Default::default(),
            };
            let mut servers = servers(&["a"]);
            servers.insert("me".into(), Server { row: Some(row), since: 2 });
            Roster { at: 2, servers: servers.into() }
        };
        let now = world.start;
        let view = world.roll.view(&named("c07e"), false, now, now);
        assert_eq!((names(&view).as_str(), &*view.me), ("a", "me"), "one of the life before");
        let view = world.roll.view(&named("c07e"), true, now, now);
        assert_eq!((names(&view).as_str(), &*view.me), ("a me", "me"), "as long as it is in");
        assert!(view.servers.iter().all(|peer| peer.http.is_empty()));
        let view = world.roll.view(&named("c07e"), false, now, now);
        assert_eq!((names(&view).as_str(), &*view.me), ("a me", ""));
        let twin = view.servers.iter().find(|peer| &*peer.id == "me").unwrap();
        assert_eq!(*twin.http, ["twin:8500".to_owned()]);
        let ownership = Ownership::of(View { is_cut_off: true, ..view });
        assert!(!ownership.is_known() && ownership.circle().is_none());
        let view = world.roll.view(&named(TOKEN), false, now, now);
        assert_eq!((names(&view).as_str(), &*view.me), ("a", "me"), "the own row, from before");
    }
}
