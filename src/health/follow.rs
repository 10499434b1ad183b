//! Keeps the set of checks in step with the registry.
//!
//! It starts from a snapshot and goes on with the events after it. What an event says is not
//! trusted beyond the key: the current snapshot is asked what is there now, so that any number of
//! events about one instance come to the same end, in whatever order they are read. When the
//! events are no longer kept, the difference to a snapshot does the same for all instances.

use std::{hash::BuildHasher, iter, sync::Arc, time::Duration};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::record::{CheckId, Record, Records};
use crate::{
    model::{CheckSpec, CheckState, EventKind, Instance, InstanceKey, Revision, Streak},
    registry::{Gone, Member, Ownership, Registry, Snapshot, Walk, rested},
};

/// Events that are followed in one go, so that a bulk registration does not hold up results.
const EVENTS_MAX: usize = 4_096;

/// All checks, as of some revision of the registry.
#[derive(Debug)]
pub(super) struct Roster {
    records: Records,
    /// The first check of each instance that has an active one; the others hang on it. Neither keys
    /// nor lists are kept: the records have it all.
    by_key: HashTable<CheckId>,
    hasher: DefaultHashBuilder,
    /// The set is complete up to here.
    since: Revision,
    /// Which instances are checked here, and which by other servers.
    ownership: Ownership,
    /// What has yet to be looked at since servers have come or gone.
    unlooked: Walk,
    /// When that goes on.
    looks_at: Duration,
}

/// What changed in the set.
#[derive(Debug, Default)]
pub(super) struct Turnover {
    /// Checks that are new.
    pub come: Vec<(CheckId, FirstRun)>,
    /// Checks that are no more.
    pub gone: Vec<(CheckId, Record)>,
}

/// When a new check runs for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRun {
    /// Nothing is known of it yet, and somebody waits for it.
    AtOnce,
    /// Its last state is known; it is checked again soon, but not together with all others.
    Soon,
}

// === impl Roster ===

impl Roster {
    /// No checks yet.
    pub(super) fn new(ownership: Ownership) -> Self {
        Self {
            records: Records::default(),
            by_key: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            since: Revision::default(),
            ownership,
            unlooked: Walk::default(),
            looks_at: Duration::ZERO,
        }
    }

    /// The check, if it is still there.
    pub(super) fn get(&self, id: CheckId) -> Option<&Record> {
        self.records.get(id)
    }

    /// The check, if it is still there.
    pub(super) fn get_mut(&mut self, id: CheckId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    /// How many checks there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Makes the set that of `snapshot`, by difference.
    pub(super) fn resync(&mut self, snapshot: &Snapshot, now: Duration) -> Turnover {
        let mut turnover = Turnover::default();
        let keys = self.by_key.iter().filter_map(|id| Some(self.get(*id)?.instance.key()));
        let is_here = |key: &InstanceKey| snapshot.member(key).is_some();
        let left = keys.filter(|key| !is_here(key) || !self.ownership.checks(key));
        let left: Vec<_> = left.collect();
        for key in left {
            self.drop_checks(&key, &mut turnover);
        }
        for member in snapshot.members().filter(|member| is_checked(member)) {
            self.sync(&member.key(), Some(member), now, &mut turnover);
        }
        self.since = snapshot.revision;
        self.unlooked = Walk::default();
        turnover
    }

    /// Notes that servers have come or gone, so that all is to be looked at. What was lost and has
    /// come back before it was come upon goes on with its count, which is seconds old.
    pub(super) fn look_again(&mut self) {
        self.unlooked.again();
    }

    /// When there is something to look at; `None` if there is nothing.
    pub(super) fn looks_at(&self) -> Option<Duration> {
        (!self.unlooked.is_over()).then_some(self.looks_at)
    }

    /// Takes what has become this server's task, and drops what no longer is, of a slice. What is
    /// gone from the registry is seen in its event.
    pub(super) fn look_at_some(&mut self, snapshot: &Snapshot, now: Duration) -> Turnover {
        let mut turnover = Turnover::default();
        for member in self.unlooked.next(snapshot).into_iter().filter(|it| is_checked(it)) {
            self.sync(&member.key(), Some(member), now, &mut turnover);
        }
        turnover
    }

    /// Rests after a slice, and what it has led to.
    pub(super) fn rest(&mut self, began: Duration, ended: Duration) {
        self.looks_at = rested(began, ended);
    }

    /// Drops the checks of an instance that is another server's task now, and was not looked at
    /// yet; `None` if it is this server's.
    pub(super) fn give_up(&mut self, id: CheckId) -> Option<Turnover> {
        let key = self.get(id)?.instance.key();
        let mut turnover = Turnover::default();
        (!self.ownership.checks(&key)).then(|| {
            self.drop_checks(&key, &mut turnover);
            turnover
        })
    }

    /// Follows some of the events since the last time, and says whether that was all.
    pub(super) fn catch_up(&mut self, registry: &Registry, now: Duration) -> (Turnover, bool) {
        let (events, until) = match registry.events().after(self.since, EVENTS_MAX) {
            Ok(found) => found,
            Err(Gone { oldest }) => {
                tracing::debug!(since = %self.since, %oldest, "fell behind; comparing snapshots");
                return (self.resync(&registry.snapshot(), now), true);
            }
        };
        let snapshot = registry.snapshot();
        let mut turnover = Turnover::default();
        for event in &events {
            if let EventKind::Registered { key, .. } | EventKind::Deregistered { key, .. } =
                &event.kind
            {
                let member = snapshot.member(key).map(AsRef::as_ref);
                let first = turnover.come.len();
                self.sync(key, member, now, &mut turnover);
                // Registered just now: also with a state taken over from the registration before.
                for (_, run) in &mut turnover.come[first..] {
                    *run = FirstRun::AtOnce;
                }
            }
        }
        self.since = until;
        (turnover, events.len() < EVENTS_MAX)
    }

    /// Makes the checks of one instance those of `member`.
    fn sync(
        &mut self,
        key: &InstanceKey,
        member: Option<&Member>,
        now: Duration,
        turnover: &mut Turnover,
    ) {
        let member = member.filter(|member| is_checked(member) && self.ownership.checks(key));
        let current = member.map(|member| member.registered);
        let first = self.first_of(key);
        let known = first.and_then(|id| self.get(id)).map(|record| record.registered);
        if current.is_some() && known == current {
            return;
        }
        let Some(member) = member else {
            self.drop_checks(key, turnover);
            return;
        };
        let mut before: Vec<CheckId> = self.chain(first).collect();
        let mut checks = Vec::new();
        for (index, (spec, state)) in (0..).zip(member.instance.checks.iter().zip(&member.checks)) {
            if spec.thresholds().is_none() {
                continue;
            }
            if let Some(id) = self.take_over(&mut before, (member, index), state) {
                checks.push(id);
                continue;
            }
            let id = self.records.insert(Record {
                instance: member.instance.clone(),
                registered: member.registered,
                due: now,
                output_from: now,
                streak: self.streak_so_far(&before, spec, member, state),
                index,
                next: None,
                is_first: true,
                is_running: false,
                has_result: false,
            });
            let run = if state.awaits_first_result() { FirstRun::AtOnce } else { FirstRun::Soon };
            checks.push(id);
            turnover.come.push((id, run));
        }
        self.link(key, &checks);
        for id in before {
            turnover.gone.extend(self.records.remove(id).map(|record| (id, record)));
        }
    }

    /// The first of an instance's checks.
    fn first_of(&self, key: &InstanceKey) -> Option<CheckId> {
        let is_it = |id: &CheckId| self.get(*id).is_some_and(|record| is_of(&record.instance, key));
        self.by_key
            .find(hash_of(&self.hasher, key.service.as_str(), key.id.as_str()), is_it)
            .copied()
    }

    /// A check and those after it of the same instance.
    fn chain(&self, first: Option<CheckId>) -> impl Iterator<Item = CheckId> {
        iter::successors(first, |id| self.get(*id)?.next)
    }

    /// Hangs the checks of an instance on its key, in their order.
    fn link(&mut self, key: &InstanceKey, checks: &[CheckId]) {
        let nexts = checks.iter().skip(1).copied().map(Some).chain(iter::once(None));
        for (id, next) in checks.iter().zip(nexts) {
            if let Some(record) = self.records.get_mut(*id) {
                record.next = next;
            }
        }
        let Some(&first) = checks.first() else { return };
        let Self { records, by_key, hasher, .. } = self;
        let instance_of = |id: &CheckId| records.get(*id).map(|record| &record.instance);
        let entry = by_key.entry(
            hash_of(hasher, key.service.as_str(), key.id.as_str()),
            |id| instance_of(id).is_some_and(|instance| is_of(instance, key)),
            |id| instance_of(id).map_or(0, |i| hash_of(hasher, i.service.as_str(), i.id.as_str())),
        );
        match entry {
            Entry::Occupied(mut slot) => *slot.get_mut() = first,
            Entry::Vacant(slot) => drop(slot.insert(first)),
        }
    }

    /// Goes on with a check of the registration before that is the same in this one: its turn, its
    /// probe in flight and what was counted stay. Otherwise an instance whose weight is set anew
    /// more often than it takes to count to `fall` would never be found dead.
    fn take_over(
        &mut self,
        before: &mut Vec<CheckId>,
        (member, index): (&Member, u8),
        state: &CheckState,
    ) -> Option<CheckId> {
        let new = &*member.instance;
        let at = before.iter().position(|id| {
            self.records.get(*id).is_some_and(|record| {
                let old = &*record.instance;
                let is_same = *record.spec() == new.checks[usize::from(index)]
                    && old.addresses == new.addresses
                    && old.port == new.port;
                // Gone and registered anew in the meantime: it is checked at once.
                is_same && !(record.has_result && state.awaits_first_result())
            })
        })?;
        let id = before.remove(at);
        let record = self.records.get_mut(id)?;
        record.instance = Arc::clone(&member.instance);
        record.registered = member.registered;
        record.index = index;
        Some(id)
    }

    /// The count that a new check begins with: that of one that did the same with other thresholds,
    /// so that thresholds that are set anew all the time hide no death either.
    fn streak_so_far(
        &self,
        before: &[CheckId],
        spec: &CheckSpec,
        member: &Member,
        state: &CheckState,
    ) -> Streak {
        let new = &*member.instance;
        before
            .iter()
            .filter_map(|id| self.records.get(*id))
            .find(|record| {
                let old = &*record.instance;
                record.spec().probes_the_same(spec)
                    && old.addresses == new.addresses
                    && old.port == new.port
                    // Otherwise the registry knows something else, and that is what counts.
                    && record.streak.believed() == state.status
            })
            .map_or_else(|| Streak::new(state.status), |record| record.streak)
    }

    fn drop_checks(&mut self, key: &InstanceKey, turnover: &mut Turnover) {
        let Some(first) = self.first_of(key) else { return };
        let hash = hash_of(&self.hasher, key.service.as_str(), key.id.as_str());
        if let Ok(slot) = self.by_key.find_entry(hash, |id| *id == first) {
            slot.remove();
        }
        let checks: Vec<CheckId> = self.chain(Some(first)).collect();
        for id in checks {
            turnover.gone.extend(self.records.remove(id).map(|record| (id, record)));
        }
    }
}

fn hash_of(hasher: &DefaultHashBuilder, service: &str, id: &str) -> u64 {
    hasher.hash_one((service, id))
}

fn is_of(instance: &Instance, key: &InstanceKey) -> bool {
    instance.id == key.id && instance.service == key.service
}

/// Whether any of its checks is an active one.
fn is_checked(member: &Member) -> bool {
    member.instance.checks.iter().any(|check| check.thresholds().is_some())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{CheckId, FirstRun, Roster, Turnover};
    use crate::{
        health::probe::testing::tcp_check,
        model::{CheckKind, Command, Instance, Status, Thresholds, limit},
        registry::{
            Ownership, Peer, Registry, SLICE, View,
            testing::{instance, key, registry, registry_of},
        },
    };

    fn checked(name: &str, port: u16) -> Instance {
        let checks = [tcp_check(), tcp_check()].into();
        Instance { checks, port, ..instance(name, "10.0.0.1") }
    }

    async fn register(registry: &Registry, instances: impl IntoIterator<Item = Instance>) {
        let instances = instances.into_iter().map(Arc::new).collect();
        registry.submit(Command::Register(instances)).await.unwrap();
    }

    fn checks_of(roster: &Roster, name: &str) -> Vec<CheckId> {
        roster.chain(roster.first_of(&key(name))).collect()
    }

    fn counts(turnover: &Turnover) -> (usize, usize) {
        (turnover.come.len(), turnover.gone.len())
    }

    /// What comes and goes when servers have come or gone.
    fn look_at_all(roster: &mut Roster, registry: &Registry) -> (usize, usize) {
        roster.look_again();
        let (mut come, mut gone) = (0, 0);
        while roster.looks_at().is_some() {
            let turnover = roster.look_at_some(&registry.snapshot(), Duration::ZERO);
            come += turnover.come.len();
            gone += turnover.gone.len();
        }
        (come, gone)
    }

    fn view(servers: &[&str]) -> View {
        let peer = |id: &&str| Peer { id: (*id).into(), http: [].into() };
        View {
            me: "a".into(),
            servers: servers.iter().map(peer).collect(),
            checkers: 1,
            is_cut_off: false,
            hears_all: false,
        }
    }

    #[tokio::test]
    async fn what_becomes_the_task_of_another_server_is_checked_there() {
        let ownership = Ownership::of(view(&["a"]));
        let (registry, mut roster) = (registry(), Roster::new(ownership.clone()));
        let names: Vec<String> = (0..40).map(|n| format!("web/i{n}")).collect();
        register(&registry, names.iter().map(|name| checked(name, 1))).await;
        assert_eq!(counts(&roster.resync(&registry.snapshot(), Duration::ZERO)), (80, 0));
        let mut synced = || look_at_all(&mut roster, &registry);
        let two = view(&["a", "b"]);
        ownership.set(two.clone());
        let kept = names.iter().filter(|name| ownership.checks(&key(name))).count();
        assert!((10..30).contains(&kept), "{kept}");
        assert_eq!(synced(), (0, 80 - 2 * kept));
        assert_eq!(synced(), (0, 0));
        ownership.set(View { is_cut_off: true, ..two });
        assert_eq!(synced(), (80 - 2 * kept, 0), "nobody tells it what others find");
        ownership.set(view(&["b"]));
        assert_eq!(synced(), (0, 80));
        register(&registry, [checked("web/new", 1)]).await;
        assert_eq!(counts(&roster.catch_up(&registry, Duration::ZERO).0), (0, 0));
    }

    /// A server that has given much up goes on with none of it, however long the walk takes.
    #[tokio::test]
    async fn what_is_another_server_s_task_is_given_up_before_it_is_come_upon() {
        let ownership = Ownership::of(view(&["a"]));
        let (registry, mut roster) = (registry_of(2 * SLICE).await, Roster::new(ownership.clone()));
        register(&registry, [checked("web/a", 1)]).await;
        roster.resync(&registry.snapshot(), Duration::ZERO);
        let one = checks_of(&roster, "web/a")[1];
        assert!(roster.give_up(one).is_none(), "it is this server's");
        ownership.set(view(&["b"]));
        roster.look_again();
        assert_eq!(counts(&roster.give_up(one).unwrap()), (0, 2), "with all of the instance");
        assert!(roster.give_up(one).is_none() && roster.len() == 0);
        ownership.set(view(&["a"]));
        assert_eq!(look_at_all(&mut roster, &registry), (2, 0), "and checked again");
    }

    /// Servers come and go for all at the same time, who have other things to do.
    #[tokio::test]
    async fn many_are_looked_at_some_at_a_time() {
        let ownership = Ownership::of(view(&["a"]));
        let (registry, mut roster) = (registry_of(2 * SLICE).await, Roster::new(ownership));
        let all = (0..100).map(|n| checked(&format!("web{n}/a"), 1));
        register(&registry, all).await;
        let (mut now, mut came) = (Duration::from_secs(7), Vec::new());
        roster.look_again();
        while let Some(at) = roster.looks_at() {
            assert!(came.is_empty() || at > now, "it rests");
            came.push(roster.look_at_some(&registry.snapshot(), now).come.len());
            now += Duration::from_millis(1);
            roster.rest(now, now);
        }
        assert!((2..5).contains(&came.len()), "{came:?}");
        assert!(came[0] > 0 && came[0] < 200 && came.iter().sum::<usize>() == 200, "{came:?}");
    }

    #[tokio::test]
    async fn events_bring_and_take_checks() {
        let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
        let now = Duration::ZERO;
        roster.resync(&registry.snapshot(), now);
        register(
            &registry,
            [checked("web/a", 1), checked("web/b", 1), instance("web/c", "10.0.0.3")],
        )
        .await;
        let (turnover, is_all) = roster.catch_up(&registry, now);
        assert_eq!((counts(&turnover), is_all), ((4, 0), true));
        assert!(turnover.come.iter().all(|(_, run)| *run == FirstRun::AtOnce));

        register(&registry, [checked("web/a", 1)]).await;
        registry.submit(Command::Drain { key: key("web/a"), on: true }).await.unwrap();
        let (turnover, _) = roster.catch_up(&registry, now);
        assert_eq!(counts(&turnover), (0, 0), "the same registration keeps its checks");

        let heavier = Instance { weight: 9, ..checked("web/a", 1) };
        let first = checks_of(&roster, "web/a");
        register(&registry, [heavier]).await;
        let (turnover, _) = roster.catch_up(&registry, now);
        assert_eq!(counts(&turnover), (0, 0), "another weight keeps the checks");
        assert_eq!(checks_of(&roster, "web/a"), first);
        let revision = registry.snapshot().revision;
        assert_eq!(roster.get(first[1]).unwrap().registered, revision, "for the new registration");

        register(&registry, [checked("web/a", 2)]).await;
        registry.submit(Command::Deregister(key("web/b"))).await.unwrap();
        let (turnover, _) = roster.catch_up(&registry, now);
        assert_eq!(counts(&turnover), (2, 4));
        assert_eq!(roster.len(), 2);
    }

    /// Otherwise thresholds that are set anew all the time would hide a death.
    #[tokio::test]
    async fn other_thresholds_go_on_with_the_count_and_another_port_does_not() {
        let with = |port, seconds| {
            let mut check = tcp_check();
            let CheckKind::Tcp(tcp) = &mut check.kind else { panic!("{check:?}") };
            tcp.thresholds.interval = Duration::from_secs(seconds);
            let checks = [check].into();
            let initial_status = Some(Status::Passing);
            Instance { checks, port, initial_status, ..instance("web/a", "10.0.0.1") }
        };
        for (port, goes_on) in [(1, true), (2, false)] {
            let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
            register(&registry, [with(1, 10)]).await;
            roster.catch_up(&registry, Duration::ZERO);
            let first = checks_of(&roster, "web/a")[0];
            let record = roster.get_mut(first).unwrap();
            let thresholds = Thresholds { fall: 2, ..*record.thresholds() };
            assert!(!record.streak.observe(Status::Critical, &thresholds), "one of two");
            register(&registry, [with(port, 20)]).await;
            let (turnover, _) = roster.catch_up(&registry, Duration::ZERO);
            assert_eq!(counts(&turnover), (1, 1), "it has another turn");
            let record = roster.get_mut(checks_of(&roster, "web/a")[0]).unwrap();
            assert_eq!(record.streak.observe(Status::Critical, &thresholds), goes_on, "{port}");
        }
    }

    #[tokio::test]
    async fn who_fell_behind_goes_on_by_difference() {
        let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
        let now = Duration::ZERO;
        register(&registry, ["web/same", "web/gone", "web/changed"].map(|name| checked(name, 1)))
            .await;
        roster.resync(&registry.snapshot(), now);
        registry.submit(Command::Deregister(key("web/gone"))).await.unwrap();
        register(&registry, [checked("web/changed", 2), checked("web/new", 1)]).await;
        // More events than are kept.
        let crowd = (0..=limit::EVENTS_KEPT_MAX)
            .map(|n| instance(&format!("crowd{}/i{n}", n / 5_000), "10.0.0.2"));
        register(&registry, crowd).await;
        assert!(registry.events().after(roster.since, 1).is_err(), "the events are gone");

        let (turnover, is_all) = roster.catch_up(&registry, now);
        assert_eq!((counts(&turnover), is_all), ((4, 4), true));
        let key_of = |id: &CheckId| roster.get(*id).unwrap().instance.key().to_string();
        let mut names: Vec<_> = roster.by_key.iter().map(key_of).collect();
        names.sort();
        assert_eq!(names, ["web/changed", "web/new", "web/same"]);
        let (turnover, _) = roster.catch_up(&registry, now);
        assert_eq!(counts(&turnover), (0, 0), "and by events again");
    }
}
