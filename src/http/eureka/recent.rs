//! What changed within the last minutes, and how many instances are in which state.
//!
//! Both follow from the registry's events; they are kept because a client asks for them twice a
//! minute, and counting a million instances takes longer than to answer it. Whoever asks brings
//! them up to the newest snapshot first, so that no list was ever served of which the next delta
//! knows nothing.
//!
//! After a start nothing is known of what changed before, and of too many changes the oldest are
//! forgotten. For as long as a client may be from before that, deltas have what is known and a hash
//! that no client counts to: a right one could agree with a wrong list by chance. So clients fetch
//! all. One that does not look at the hash (eureka-js-client) learns what is known, at least.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use smol_str::SmolStr;
use tokio_util::sync::CancellationToken;

use super::{
    body::ActionType,
    hashcode::StatusCounts,
    options::Options,
    shown,
    vips::{Vip, Vips},
};
use crate::{
    model::{EventKind, InstanceKey, Revision, Scope, ServiceName, limit},
    registry::{Member, Registry, Snapshot},
    util::Clock,
};

/// For how long a delta knows what happened: six of a client's ordinary intervals.
const WINDOW: Duration = Duration::from_secs(180);
/// Follows the hash of a delta of which something is missing. There is no such status, so that no
/// client counts one.
const INCOMPLETE: &str = "INCOMPLETE_1_";
/// Events that are taken from the ring at once: as many as it takes to make its lock cheap.
const BATCH: usize = 4_096;

/// What changed lately. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Recent {
    options: Options,
    inner: Arc<Mutex<Inner>>,
}

/// The registry at one moment, and the numbers of that moment.
#[derive(Debug, Clone)]
pub(in crate::http) struct Moment {
    /// The registry.
    pub snapshot: Arc<Snapshot>,
    /// How many of the instances that are shown are in which state.
    pub counts: StatusCounts,
}

/// What changed within the last three minutes.
#[derive(Debug)]
pub(super) struct Delta {
    /// The registry that it leads to.
    pub snapshot: Arc<Snapshot>,
    /// By which clients tell that they missed a change.
    pub hashcode: String,
    /// Each instance that changed once, as it is now or was last, by application.
    pub changed: Vec<(SmolStr, (Arc<Member>, ActionType))>,
}

#[derive(Debug, Default)]
struct Inner {
    seen: Option<Arc<Snapshot>>,
    counts: StatusCounts,
    /// Oldest first.
    changes: VecDeque<Change>,
    /// By which names instances are asked for, since somebody did.
    vips: Option<Vips>,
    /// Up to when something may have changed that is not known.
    lost_at: Option<Duration>,
}

#[derive(Debug)]
struct Change {
    at: Duration,
    key: InstanceKey,
    action: ActionType,
    /// What is gone.
    gone: Option<Arc<Member>>,
}

// === impl Recent ===

impl Recent {
    /// Nothing is known yet.
    pub(in crate::http) fn new(options: Options) -> Self {
        Self { options, inner: Arc::default() }
    }

    /// Whether clients are shown an instance.
    pub(super) fn is_shown(&self, member: &Member) -> bool {
        self.options.expose || shown::origin(member).is_some()
    }

    /// Keeps up with what happens, until `stop`: what is gone can be told by what was seen before
    /// only, and an old snapshot is not to be kept for longer than need be.
    pub(in crate::http) async fn run(
        self,
        registry: Registry,
        clock: Clock,
        stop: CancellationToken,
    ) {
        let mut revisions = registry.events().subscribe();
        loop {
            self.now(&registry, &clock);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = revisions.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The newest snapshot with its numbers.
    pub(in crate::http) fn now(&self, registry: &Registry, clock: &Clock) -> Moment {
        let mut inner = self.inner.lock();
        self.catch_up(&mut inner, registry, clock.elapsed())
    }

    /// What led to the newest snapshot within the last three minutes.
    pub(super) fn delta(&self, registry: &Registry, clock: &Clock) -> Delta {
        let now = clock.elapsed();
        let mut inner = self.inner.lock();
        let Moment { snapshot, counts } = self.catch_up(&mut inner, registry, now);
        let (live, gone) = inner.within(now);
        let is_whole = inner.is_whole(now);
        drop(inner);
        let member = |(key, action)| Some((Arc::clone(snapshot.member(&key)?), action));
        let live = live.into_iter().filter_map(member);
        let live = live.filter(|(member, _)| self.is_shown(member));
        let gone = gone.into_iter().filter(|member| is_gone(member, &snapshot));
        let gone = gone.map(|member| (member, ActionType::Deleted));
        let changed = live.chain(gone).map(|each| (shown::application_of(&each.0), each));
        let hashcode = if is_whole { counts.to_string() } else { format!("{counts}{INCOMPLETE}") };
        let changed = shown::grouped(changed);
        Delta { snapshot, hashcode, changed }
    }

    /// The newest snapshot, and the instances that answer to a name of that kind.
    pub(super) fn answering(
        &self,
        registry: &Registry,
        clock: &Clock,
        (vip, name): (Vip, &str),
    ) -> (Arc<Snapshot>, Vec<Arc<Member>>) {
        let mut inner = self.inner.lock();
        let Moment { snapshot, .. } = self.catch_up(&mut inner, registry, clock.elapsed());
        let vips = inner.vips.get_or_insert_with(|| {
            let members = snapshot.services.iter().flat_map(|(_, entry)| &entry.members);
            Vips::of(members.map(AsRef::as_ref))
        });
        let own = vips.answering(vip, name).filter_map(|key| snapshot.member(key).cloned());
        let mut found: Vec<_> = own.collect();
        drop(inner);
        // What came by another interface answers to its service's name.
        let label = ServiceName::derived(name);
        let service = snapshot.service(label.as_str()).filter(|_| vip == Vip::Plain);
        let others = service.into_iter().flat_map(|entry| &entry.members);
        let answers = |other: &&Arc<Member>| {
            let own = &other.instance;
            shown::origin(other).is_none()
                && self.is_shown(other)
                && own.service_elsewhere().unwrap_or(own.service.as_str()) == name
        };
        let others = others.filter(answers);
        found.extend(others.cloned());
        (snapshot, found)
    }

    fn catch_up(&self, inner: &mut Inner, registry: &Registry, now: Duration) -> Moment {
        let next = registry.snapshot();
        match inner.seen.take() {
            None => {
                inner.counts = self.count(&next);
                // Nobody has a list from before of which nothing is left.
                inner.lost_at = (inner.counts != StatusCounts::default()).then_some(now);
            }
            Some(before)
                if (before.revision, before.steps.era) == (next.revision, next.steps.era) => {}
            Some(before) => match touched(registry, &before, &next) {
                Some(keys) => keys.iter().for_each(|key| {
                    self.note(inner, key, [before.member(key), next.member(key)], now);
                }),
                None => {
                    inner.counts = self.count(&next);
                    inner.vips = None;
                    inner.lost_at = Some(now);
                }
            },
        }
        while inner.changes.front().is_some_and(|oldest| now.saturating_sub(oldest.at) > WINDOW) {
            inner.changes.pop_front();
        }
        inner.seen = Some(Arc::clone(&next));
        Moment { snapshot: next, counts: inner.counts }
    }

    fn count(&self, snapshot: &Snapshot) -> StatusCounts {
        let members = snapshot.services.iter().flat_map(|(_, entry)| &entry.members);
        members.filter(|member| self.is_shown(member)).map(|member| shown::status(member)).collect()
    }

    fn note(
        &self,
        inner: &mut Inner,
        key: &InstanceKey,
        members: [Option<&Arc<Member>>; 2],
        at: Duration,
    ) {
        let [before, after] = members.map(|it| it.filter(|member| self.is_shown(member)));
        if let Some(before) = before {
            inner.counts.remove(shown::status(before));
        }
        if let Some(after) = after {
            inner.counts.add(shown::status(after));
        }
        let scope = |member: &Arc<Member>| -> Option<(Scope, Arc<str>)> {
            shown::origin(member).map(|origin| (origin.scope.clone(), Arc::clone(&origin.id)))
        };
        if let Some(vips) = &mut inner.vips {
            before.into_iter().for_each(|member| vips.remove(member));
            after.into_iter().for_each(|member| vips.add(member));
        }
        let is_same = matches!((before, after), (Some(b), Some(a)) if scope(b) == scope(a));
        let action = match (before, after) {
            (None, None) => return,
            (_, None) => ActionType::Deleted,
            _ if is_same => ActionType::Modified,
            _ => ActionType::Added,
        };
        let gone = before.filter(|_| !is_same).cloned();
        inner.push(Change { at, key: key.clone(), action, gone });
    }
}

// === impl Inner ===

impl Inner {
    /// What changed within the window: what may be there, and what was there.
    fn within(&self, now: Duration) -> (Vec<(InstanceKey, ActionType)>, Vec<Arc<Member>>) {
        let (mut live, mut gone) = (Vec::new(), HashMap::new());
        let mut places = HashMap::new();
        for change in self.changes.iter().filter(|change| is_recent(change.at, now)) {
            if let Some(member) = &change.gone {
                gone.insert((shown::application_of(member), shown::id(member)), Arc::clone(member));
            }
            let place = *places.entry(&change.key).or_insert(live.len());
            match live.get_mut(place) {
                // New to whoever was here before it came; else known in another form.
                None => live.push((change.key.clone(), change.action)),
                Some((_, action)) => *action = ActionType::Modified,
            }
        }
        (live, gone.into_values().collect())
    }

    /// Whether all is known that changed within the window.
    fn is_whole(&self, now: Duration) -> bool {
        self.lost_at.is_none_or(|at| !is_recent(at, now))
    }

    fn push(&mut self, change: Change) {
        if self.changes.len() == limit::EVENTS_KEPT_MAX {
            self.changes.pop_front();
            self.lost_at = Some(change.at);
        }
        self.changes.push_back(change);
    }
}

fn is_recent(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) <= WINDOW
}

/// Whether there is none of its names any more.
fn is_gone(member: &Member, snapshot: &Snapshot) -> bool {
    match shown::origin(member) {
        Some(origin) => snapshot.origins.get(&origin.scope, &origin.id).is_none(),
        None => snapshot.member(&member.key()).is_none_or(|now| shown::origin(now).is_some()),
    }
}

/// What may be different from before, each once; `None` when that is no longer known.
fn touched(registry: &Registry, before: &Snapshot, next: &Snapshot) -> Option<Vec<InstanceKey>> {
    if before.steps.era != next.steps.era {
        return None; // events do not tell of all that has happened
    }
    let (mut keys, mut known) = (Vec::new(), HashSet::new());
    let mut since = before.revision;
    while since < next.revision {
        let (events, until) = registry.events().after(since, BATCH).ok()?;
        since = until.max(Revision(since.0 + 1));
        // There are no checks in Eureka.
        let events = events.iter().filter(|e| !matches!(e.kind, EventKind::CheckChanged { .. }));
        for key in events.filter_map(|event| event.kind.key()) {
            if !key.service.is_nodes() && known.insert(key.clone()) {
                keys.push(key.clone());
            }
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Change, Inner, WINDOW};
    use crate::{http::eureka::body::ActionType, model::limit, registry::testing};

    #[test]
    fn what_is_forgotten_is_missing_for_as_long_as_it_would_be_told() {
        let mut inner = Inner::default();
        let second = |count: usize| Duration::from_secs(u64::try_from(count / 1_000).unwrap());
        let change = |count| {
            let (key, action) = (testing::key(&format!("web/i{count}")), ActionType::Added);
            Change { at: second(count), key, action, gone: None }
        };
        let most = limit::EVENTS_KEPT_MAX;
        (0..most).for_each(|count| inner.push(change(count)));
        assert!(inner.is_whole(second(most)));
        inner.push(change(most));
        assert_eq!(inner.changes.len(), most);
        let lost = second(most);
        assert!(!inner.is_whole(lost) && !inner.is_whole(lost + WINDOW));
        assert!(inner.is_whole(lost + WINDOW + Duration::from_secs(1)));
    }
}
