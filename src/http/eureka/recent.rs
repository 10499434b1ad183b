//! What changed within the last minutes, and how many instances are in which state.
//!
//! Both follow from the registry's events; they are kept because a client asks for them twice a
//! minute, and counting a million instances takes longer than to answer it. Whoever asks brings
//! them up to the newest snapshot first, so that no list was ever served of which the next delta
//! knows nothing. After a restart nothing is known of what was before: a delta is empty then, its
//! hash is not what the client counts, and the client fetches all.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    body::{ActionType, Instance},
    hashcode::StatusCounts,
    options::Options,
    shown,
};
use crate::{
    model::{InstanceKey, Revision, Scope, limit},
    registry::{Member, Registry, Snapshot},
    util::Clock,
};

/// For how long a delta knows what happened: six of a client's ordinary intervals.
const WINDOW: Duration = Duration::from_secs(180);
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
pub(super) struct Moment {
    /// The registry.
    pub snapshot: Arc<Snapshot>,
    /// How many of the instances that are shown are in which state.
    pub counts: StatusCounts,
}

#[derive(Debug, Default)]
struct Inner {
    seen: Option<Arc<Snapshot>>,
    counts: StatusCounts,
    /// Oldest first.
    changes: VecDeque<Change>,
    /// When changes were last lost; until that is long ago, a delta has all instances.
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
    pub(super) fn now(&self, registry: &Registry, clock: &Clock) -> Moment {
        let mut inner = self.inner.lock();
        self.catch_up(&mut inner, registry, clock.elapsed())
    }

    /// The newest snapshot, and what led to it within the last three minutes: each instance that
    /// changed once, as it is now, those that are gone behind all others.
    pub(super) fn delta(&self, registry: &Registry, clock: &Clock) -> (Moment, Vec<Instance>) {
        let now = clock.elapsed();
        let mut inner = self.inner.lock();
        let moment = self.catch_up(&mut inner, registry, now);
        let (live, gone) = inner.within(now);
        drop(inner);
        let snapshot = &*moment.snapshot;
        let mut instances: Vec<Instance> = match live {
            Some(live) => {
                let member = |(key, action)| Some((snapshot.member(&key)?, action));
                let members = live.into_iter().filter_map(member);
                let members = members.filter(|(member, _)| self.is_shown(member));
                members.map(|(member, action)| with_action(member, action)).collect()
            }
            None => {
                let members = snapshot.services.iter().flat_map(|(_, entry)| &entry.members);
                let members = members.filter(|member| self.is_shown(member));
                members.map(|member| with_action(member, ActionType::Modified)).collect()
            }
        };
        let gone = gone.iter().filter(|member| is_gone(member, snapshot));
        instances.extend(gone.map(|member| with_action(member, ActionType::Deleted)));
        (moment, instances)
    }

    fn catch_up(&self, inner: &mut Inner, registry: &Registry, now: Duration) -> Moment {
        let next = registry.snapshot();
        match inner.seen.take() {
            None => inner.counts = self.count(&next),
            Some(before) if before.revision == next.revision => {}
            Some(before) => match touched(registry, &before, &next) {
                Some(keys) => keys.iter().for_each(|key| {
                    self.note(inner, key, [before.member(key), next.member(key)], now);
                }),
                None => {
                    inner.counts = self.count(&next);
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

/// The keys of what is there with what happened to it; all that is there, when that is not known.
type Live = Option<Vec<(InstanceKey, ActionType)>>;

impl Inner {
    /// What changed within the window: what may be there, and what was there.
    fn within(&self, now: Duration) -> (Live, Vec<Arc<Member>>) {
        let is_recent = |at: Duration| now.saturating_sub(at) <= WINDOW;
        let (mut live, mut gone) = (Vec::new(), HashMap::new());
        let mut places = HashMap::new();
        for change in self.changes.iter().filter(|change| is_recent(change.at)) {
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
        let is_whole = self.lost_at.is_none_or(|at| !is_recent(at));
        (is_whole.then_some(live), gone.into_values().collect())
    }

    fn push(&mut self, change: Change) {
        if self.changes.len() == limit::EVENTS_KEPT_MAX {
            self.changes.pop_front();
            self.lost_at = Some(change.at);
        }
        self.changes.push_back(change);
    }
}

fn with_action(member: &Member, action: ActionType) -> Instance {
    Instance { action_type: Some(action), ..shown::instance(member) }
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
    let (mut keys, mut known) = (Vec::new(), HashSet::new());
    let mut since = before.revision;
    while since < next.revision {
        let (events, until) = registry.events().after(since, BATCH).ok()?;
        since = until.max(Revision(since.0 + 1));
        for key in events.iter().filter_map(|event| event.kind.instance()) {
            if !key.service.is_nodes() && known.insert(key.clone()) {
                keys.push(key.clone());
            }
        }
    }
    Some(keys)
}
