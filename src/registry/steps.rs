//! What a server shows by itself, where several share their state, and how that is numbered.
//!
//! A revision whose lower part is 0 is that of the shared store, and means the same on every
//! server: all that is shown is shared. Where a server shows more, what it tells has a number in
//! the lower part that is good for this life of this server alone. Another one, or a later life,
//! does not take it for its own: each life begins to count somewhere else, at random.

use super::{Shards, Snapshot};
use crate::model::{Revision, ServiceName};

/// The last number of a life's own. What comes after it has no number before the store tells of
/// something again.
const LAST: u16 = u16::MAX;

/// What is shown by this server alone.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// The number of what is shared while more is shown; those of what this server alone tells come
    /// after it. At random between 1 and [`Steps::LIFE_MAX`].
    pub life: u16,
    /// Grows when events do not tell all that has led here: each time that something happens which
    /// has no number, and when the shared store has gone back. Who has followed reads all anew.
    pub era: u64,
    /// How many instances of a service are shown otherwise than they are shared.
    pub(super) unshared: Shards<ServiceName, u32>,
    /// The revision before the oldest of what is shown and not shared.
    pub unshared_after: Option<Revision>,
    /// What lies between these was listed, and not followed change by change.
    pub(super) gap: Option<(Revision, Revision)>,
}

// === impl Steps ===

impl Steps {
    /// Where a life begins to count at the latest. As many numbers are left for what it shows, and
    /// two lives have one in common only by chance.
    pub const LIFE_MAX: u16 = 1 << 15;

    /// Those of a life that begins to count after `life`.
    pub(super) fn of_life(life: u16) -> Self {
        Self { life, ..Self::default() }
    }

    /// Notes that what led from one revision to another was not told change by change.
    pub(super) fn skip(&mut self, after: Revision, to: Revision) {
        // Of several gaps what lies between them counts as one: each was a long way.
        let after = self.gap.map_or(after, |(first, _)| first);
        self.gap = (after < to).then_some((after, to));
    }

    /// Whether what follows that revision of the shared store was told change by change.
    pub(super) fn knows_all_after(&self, revision: Revision) -> bool {
        self.gap.is_none_or(|(after, to)| revision <= after || to <= revision)
    }

    /// Whether any instance is shown otherwise than it is shared.
    pub fn is_any_unshared(&self) -> bool {
        !self.unshared.is_empty()
    }

    /// Whether an instance of the service is.
    pub fn is_unshared(&self, service: &ServiceName) -> bool {
        self.unshared.get(service.as_str()).is_some()
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The number after `revision`, for a change that is told here. What it is shared with is never
    /// counted up: on other servers that part has a meaning. So where all numbers are used up it is
    /// the same again, and [`Steps::era`] says that more has happened.
    pub(super) fn after(&self, revision: Revision) -> Revision {
        let Some(shared) = self.shared else { return revision.next() };
        if revision.step() < LAST {
            return revision.with_step(revision.step().max(self.steps.life) + 1);
        }
        // The store has gone back: no revision of this server means anything to others any more.
        let is_astray = revision.shared_part() > shared.shared_part();
        let next = Revision::shared(revision.shared_part() + 1);
        if is_astray { next.with_step(self.steps.life + 1) } else { revision }
    }

    /// A revision as a watcher has it that has heard of it from here: where more is shown than is
    /// shared, not the one that means the same everywhere.
    pub(super) fn place(&self, revision: Revision) -> Revision {
        if revision.step() == 0 { revision.with_step(self.steps.life) } else { revision }
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST, Snapshot, Steps};
    use crate::model::Revision;

    fn at(revision: Revision, shared: u64) -> Snapshot {
        let (shared, steps) = (Some(Revision::shared(shared)), Steps::of_life(7));
        Snapshot { revision, shared, steps, ..Snapshot::default() }
    }

    #[test]
    fn a_life_counts_from_its_own_place() {
        let snapshot = at(Revision::shared(3), 3);
        let first = snapshot.after(snapshot.revision);
        assert_eq!((first.shared_part(), first.step()), (3, 8));
        assert_eq!(snapshot.after(first).step(), 9);
        assert_eq!(snapshot.place(Revision::shared(3)).step(), 7);
        assert_eq!(snapshot.place(first), first);
        assert_eq!(Snapshot::default().after(Revision(u64::from(LAST))), Revision(1 << 16));
    }

    #[test]
    fn steps_do_not_carry_into_what_is_shared() {
        let last = Revision::shared(3).with_step(LAST);
        assert_eq!(at(last, 3).after(last), last);
        // What is left of an order after the store went back is this server's own.
        assert_eq!(at(last, 2).after(last), Revision::shared(4).with_step(8));
    }
}
