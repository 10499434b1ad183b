//! What happened lately, so that a watcher who was away can go on where it stopped.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;
use tokio::sync::watch;

use super::Snapshot;
use crate::model::{Event, Revision, limit};

/// The last events, oldest first, and a bell that rings when the revision grows.
#[derive(Debug)]
pub struct Events {
    kept: RwLock<Kept>,
    newest: watch::Sender<Revision>,
    /// The last revision of the life before, and the first of this one. What lies between may have
    /// been shown and lost.
    lives: (Revision, Revision),
    /// Where this life begins to number what it shows by itself, where the state is shared.
    life: u16,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    /// All events after this revision are in `events`.
    complete_after: Revision,
    /// For each revision of the shared store at which this server has shown more, the last number
    /// of its own that it has given out, oldest first.
    own: VecDeque<Revision>,
}

/// The events after the asked revision are no longer all known: start from a snapshot instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events before revision {oldest} are no longer kept")]
pub struct Gone {
    /// Watching can be resumed from this revision or a later one.
    pub oldest: Revision,
}

// === impl Events ===

impl Events {
    /// No events yet: the state at `first` is what was kept at `restored`.
    pub(super) fn new(restored: Revision, first: &Snapshot) -> Self {
        let kept = Kept { events: VecDeque::new(), complete_after: restored, own: VecDeque::new() };
        let newest = watch::Sender::new(first.revision);
        let (lives, life) = ((restored, first.revision), first.steps.life);
        Self { kept: RwLock::new(kept), newest, lives, life }
    }

    /// Appends the events that led to `revision`, which `show` makes visible. Whoever has seen it
    /// and asks for what comes after waits for the lock, and so finds the events complete.
    pub(super) fn append(&self, revision: Revision, events: Vec<Event>, show: impl FnOnce()) {
        let mut kept = self.kept.write();
        show();
        for event in events {
            if self.life > 0 {
                kept.note_own(event.place);
            }
            if kept.events.len() == limit::EVENTS_KEPT_MAX
                && let Some(oldest) = kept.events.pop_front()
            {
                kept.complete_after = oldest.revision;
            }
            kept.events.push_back(Arc::new(event));
        }
        if self.life > 0 {
            kept.note_own(revision);
        }
        // Under the lock, so that whoever reads sees events and revision of one moment.
        self.newest.send_replace(revision);
    }

    /// Forgets all that was told before: the shared store has gone back. From `revision` on, which
    /// is to come next, all is known again.
    pub(super) fn forget(&self, revision: Revision) {
        let mut kept = self.kept.write();
        (kept.complete_after, kept.events) = (revision, VecDeque::new());
        kept.own.clear();
    }

    /// Where to go on reading for a watcher who has heard of everything up to `id`, perhaps from
    /// another server or an earlier life, given the newest snapshot.
    ///
    /// A revision of the shared store means the same everywhere: all that was told up to it is
    /// shared. What this server shows beyond that, and may have shown before, is told from there
    /// on. Any other number is good only where it was given out: who saw by it what another server
    /// showed alone would not hear when that is no longer so.
    ///
    /// # Errors
    /// When it cannot be told what has happened since.
    pub fn resume(&self, id: Revision, now: &Snapshot) -> Result<Revision, Gone> {
        let kept = self.kept.read();
        let gone = Gone { oldest: kept.complete_after };
        let Some(shared) = now.shared else { return Ok(id) };
        if id.step() > 0 {
            return if kept.is_own(id, self.life) { Ok(id) } else { Err(gone) };
        }
        if id > shared || id < kept.complete_after || !now.steps.knows_all_after(id) {
            return Err(gone);
        }
        Ok(now.steps.unshared_after.map_or(id, |after| after.min(id)))
    }

    /// Up to `most` events after `since`, oldest first, and the revision up to which they are
    /// complete: the place to go on from.
    ///
    /// # Errors
    /// When some of them are no longer kept.
    pub fn after(&self, since: Revision, most: usize) -> Result<(Vec<Arc<Event>>, Revision), Gone> {
        let kept = self.kept.read();
        let newest = *self.newest.borrow();
        if since < kept.complete_after || self.is_lost_at(since, newest) {
            return Err(Gone { oldest: kept.complete_after });
        }
        let first = kept.first_after(since);
        let mut found: Vec<_> = kept.events.range(first..).take(most).cloned().collect();
        let left_out = kept.events.get(first + found.len());
        // A bulk registration is one revision with many events: never stop in the middle of one.
        if let (Some(next), Some(last)) = (left_out, found.last()) {
            let revision = last.revision;
            if next.revision == revision {
                let rest = kept.events.range(first + found.len()..);
                found.extend(rest.take_while(|event| event.revision == revision).cloned());
            }
            return Ok((found, revision));
        }
        Ok((found, newest))
    }

    /// Whether what led to a revision was lost, as happens to what is seen of the world right
    /// before a crash; or it is of another server.
    pub fn is_lost(&self, revision: Revision) -> bool {
        let newest = *self.newest.borrow();
        self.is_lost_at(revision, newest)
    }

    /// Neither a revision between two lives nor one that is yet to come has been seen in this
    /// life: what led to it was lost with the one before.
    fn is_lost_at(&self, revision: Revision, newest: Revision) -> bool {
        let (restored, first) = self.lives;
        revision > newest || (restored < revision && revision < first)
    }

    /// A receiver that wakes when the revision grows.
    pub fn subscribe(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }
}

// === impl Kept ===

impl Kept {
    fn note_own(&mut self, revision: Revision) {
        if revision.step() == 0 {
            return;
        }
        match self.own.back_mut() {
            Some(last) if last.shared_part() == revision.shared_part() => *last = revision,
            _ => self.own.push_back(revision),
        }
        if self.own.len() > limit::EVENTS_KEPT_MAX {
            self.own.pop_front();
        }
    }

    /// Whether this life has given out that revision. The last one there is may have been given
    /// out for several things.
    fn is_own(&self, revision: Revision, life: u16) -> bool {
        let at = self.own.partition_point(|last| *last < revision);
        let last = self.own.get(at);
        revision.step() >= life.max(1)
            && revision.step() < u16::MAX
            && last.is_some_and(|last| last.shared_part() == revision.shared_part())
    }

    /// Where the events after `since` begin. Looked for from the end in growing steps: who follows
    /// closely, as the checks do with each change, wants the last few of 65,536, and each that is
    /// looked at is elsewhere in memory.
    fn first_after(&self, since: Revision) -> usize {
        let end = self.events.len();
        let is_before = |event: &Arc<Event>| event.revision <= since;
        let mut step = 1;
        while step < end && !is_before(&self.events[end - step]) {
            step *= 2;
        }
        let start = end.saturating_sub(step);
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low.midpoint(high);
            if is_before(&self.events[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, Gone, Snapshot};
    use crate::model::{Event, EventKind, Revision, ServiceName, Timestamp, limit};

    fn event(revision: u64) -> Event {
        Event {
            revision: Revision(revision),
            at: Timestamp(0),
            service: ServiceName::parse("web").unwrap(),
            kind: EventKind::PolicyChanged,
            place: Revision(revision),
            told_after: None,
        }
    }

    fn begun(restored: u64, first: u64) -> Events {
        let first = Snapshot { revision: Revision(first), ..Snapshot::default() };
        Events::new(Revision(restored), &first)
    }

    #[test]
    fn a_watcher_resumes_where_it_stopped() {
        let events = begun(10, 10);
        events.append(Revision(12), vec![event(11), event(12), event(12)], || ());
        let (found, next) = events.after(Revision(10), 2).unwrap();
        assert_eq!((found.len(), next), (3, Revision(12)), "one revision is never split");
        assert_eq!(events.after(Revision(12), 9).unwrap(), (vec![], Revision(12)));
        assert_eq!(events.after(Revision(9), 9), Err(Gone { oldest: Revision(10) }));
        assert!(events.after(Revision(13), 9).is_err(), "from the future of another life");
    }

    #[test]
    fn what_was_shown_and_lost_with_the_life_before_is_gone() {
        let events = begun(10, 20);
        assert_eq!(events.after(Revision(10), 9).unwrap(), (vec![], Revision(20)), "up to date");
        assert_eq!(events.after(Revision(20), 9).unwrap(), (vec![], Revision(20)), "of this life");
        for lost in [9, 11, 19, 21] {
            assert!(events.after(Revision(lost), 9).is_err(), "{lost}");
            assert_eq!(
                events.is_lost(Revision(lost)),
                lost != 9,
                "{lost}: its events are not here"
            );
        }
    }

    #[test]
    fn what_is_forgotten_is_said_to_be_gone() {
        let events = begun(0, 0);
        let last = limit::EVENTS_KEPT_MAX as u64 + 5;
        events.append(Revision(last), (1..=last).map(event).collect(), || ());
        assert_eq!(events.after(Revision(4), 1), Err(Gone { oldest: Revision(5) }));
        assert_eq!(events.after(Revision(5), 1).unwrap().0[0].revision, Revision(6));
    }

    #[test]
    fn what_follows_a_revision_is_found_wherever_it_is() {
        for count in 0..40 {
            let events = begun(0, 0);
            // Two events of each revision, and a gap after it.
            let revisions = (0..count).map(|index| 1 + index / 2 * 2);
            let newest = 2 * count + 1;
            events.append(Revision(newest), revisions.clone().map(event).collect(), || ());
            for since in 0..=newest {
                let found = events.after(Revision(since), usize::MAX).unwrap().0;
                let expected = revisions.clone().filter(|&revision| revision > since).count();
                assert_eq!(found.len(), expected, "after {since} of {count}");
            }
        }
    }
}
