//! The states that one instance may be in, from what was asked for and what was said of it.

use std::fmt;

use super::{At, Shown};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// To be registered, or replaced, for the time of this number: each has another.
    Register(u32),
    /// To be drained, or put back.
    Drain(bool),
    /// To be gone.
    Deregister,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is so, from this revision on.
    Taken(u64),
    /// It is not, and will not be.
    Refused,
    /// Nobody has said.
    Unsure,
}

/// How an instance is registered; `None` for one that is not.
pub(crate) type State = Option<Registered>;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) generation: u32,
    pub(crate) drained: bool,
}

/// The states, each with the times between which it may have been.
#[derive(Debug)]
pub(super) struct History {
    versions: Vec<Version>,
    changes: Vec<Asked>,
    next: u32,
    /// The highest revision that was acknowledged.
    top: u64,
}

/// A state that it may have been in.
#[derive(Debug, Clone, Copy)]
struct Version {
    state: State,
    since: At,
    /// When it can no longer have been, because something else was acknowledged.
    until: Option<At>,
    /// By which change; none for what was at first.
    by: Option<u32>,
}

/// A change that was asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    number: u32,
    begun: At,
    /// The highest revision that was acknowledged before it.
    above: u64,
    is_registration: bool,
    ended: Option<(At, Outcome)>,
}

// === impl Change ===

impl Change {
    fn of(self, state: State) -> State {
        match self {
            Self::Register(generation) => {
                Some(Registered { generation, drained: state.is_some_and(|it| it.drained) })
            }
            Self::Drain(drained) => state.map(|it| Registered { drained, ..it }),
            Self::Deregister => None,
        }
    }
}

// === impl History ===

impl Default for History {
    fn default() -> Self {
        let absent = Version { state: None, since: At::ZERO, until: None, by: None };
        Self { versions: vec![absent], changes: Vec::new(), next: 0, top: 0 }
    }
}

impl History {
    /// Two changes may be under way at the same time only when both register: whichever is taken
    /// last decides. Others would have to be thought through in each order.
    pub(super) fn begin(&mut self, change: Change, at: At) -> u32 {
        let is_registration = matches!(change, Change::Register(_));
        let mut others = self.changes.iter().filter(|it| it.ended.is_none());
        assert!(others.all(|it| it.is_registration && is_registration), "one at a time");
        let number = self.next;
        self.next += 1;
        let open = self.versions.iter().filter(|version| version.until.is_none());
        let made = open.map(|version| change.of(version.state));
        let mut states: Vec<State> = Vec::new();
        made.for_each(|state| {
            if !states.contains(&state) {
                states.push(state);
            }
        });
        let version = |state| Version { state, since: at, until: None, by: Some(number) };
        self.versions.extend(states.into_iter().map(version));
        let above = self.top;
        self.changes.push(Asked { number, begun: at, above, is_registration, ended: None });
        number
    }

    /// # Errors
    /// When the revision is below one that was acknowledged before this was asked for.
    pub(super) fn end(&mut self, number: u32, outcome: Outcome, at: At) -> Result<(), String> {
        let found = self.changes.iter_mut().find(|it| it.number == number);
        let asked = found.expect("it has begun, and what is under way is not forgotten");
        asked.ended = Some((at, outcome));
        let Asked { begun, above, .. } = *asked;
        match outcome {
            Outcome::Unsure => Ok(()),
            Outcome::Refused => {
                self.versions.retain(|version| version.by != Some(number));
                Ok(())
            }
            Outcome::Taken(revision) => {
                self.top = self.top.max(revision);
                self.supersede(begun, at);
                if revision < above {
                    return Err(format!("revision {revision} after {above} was acknowledged"));
                }
                Ok(())
            }
        }
    }

    /// Whether a change of a higher revision was acknowledged.
    pub(super) fn is_replaced(&self, revision: u64) -> bool {
        revision < self.top
    }

    /// Ends what can no longer be since a change that began then was acknowledged.
    fn supersede(&mut self, begun: At, at: At) {
        let (top, changes) = (self.top, &self.changes);
        for version in self.versions.iter_mut().filter(|version| version.until.is_none()) {
            let by = version.by.and_then(|by| changes.iter().find(|it| it.number == by));
            let is_over = match by.map(|by| by.ended) {
                // What was at first, or what was made by a change that is forgotten.
                None => true,
                Some(Some((_, Outcome::Taken(revision)))) => revision < top,
                // It had its time; see `Ledger::is_free`.
                Some(Some((ended, Outcome::Unsure))) => ended <= begun,
                Some(Some((_, Outcome::Refused)) | None) => false,
            };
            if is_over {
                version.until = Some(at);
            }
        }
    }

    /// It is in this state, and in none of the others that it might have been in.
    pub(super) fn resolve(&mut self, state: State, at: At) {
        let others = |version: &&mut Version| version.until.is_none() && version.state != state;
        self.versions.iter_mut().filter(others).for_each(|version| version.until = Some(at));
    }

    /// The last moment until then at which it may have been what is shown.
    pub(super) fn last(&self, shown: Shown, until: At) -> Option<At> {
        let is_shown = |state: State| match (shown, state) {
            (Shown::As(generation), Some(it)) => it.generation == generation && !it.drained,
            (Shown::Hidden, Some(it)) => it.drained,
            (Shown::Hidden | Shown::Unknown, None) => true,
            (Shown::As(_), None) | (Shown::Unknown, Some(_)) => false,
        };
        let found = self.versions.iter().filter(|it| it.since <= until && is_shown(it.state));
        found.map(|it| it.until.map_or(until, |end| end.min(until))).max()
    }

    /// The first moment at which it may have been registered for this time.
    pub(super) fn first(&self, generation: u32) -> Option<At> {
        let is_of = |it: &&Version| it.state.is_some_and(|it| it.generation == generation);
        self.versions.iter().filter(is_of).map(|it| it.since).min()
    }

    /// What it may be now.
    pub(super) fn states(&self) -> Vec<State> {
        let mut states: Vec<State> = Vec::new();
        for version in self.versions.iter().filter(|version| version.until.is_none()) {
            if !states.contains(&version.state) {
                states.push(version.state);
            }
        }
        states
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.changes.iter().any(|it| it.ended.is_none())
    }

    /// Since when it is open whether a change was taken; none when nothing is.
    pub(super) fn unsure_since(&self) -> Option<At> {
        let open = |number: u32| {
            self.versions.iter().any(|it| it.by == Some(number) && it.until.is_none())
        };
        let unsure = self.changes.iter().filter_map(|it| match it.ended {
            Some((at, Outcome::Unsure)) if open(it.number) => Some(at),
            _ => None,
        });
        unsure.max()
    }

    /// Forgets what was over before then.
    pub(super) fn forget(&mut self, before: At) {
        self.versions.retain(|it| it.until.is_none_or(|until| until >= before));
        let versions = &self.versions;
        self.changes.retain(|asked| {
            let is_used = versions.iter().any(|it| it.by == Some(asked.number));
            is_used || asked.ended.is_none_or(|(at, _)| at >= before)
        });
    }
}

/// The last few states, for a failure.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states:")?;
        for version in self.versions.iter().rev().take(6).rev() {
            match version.state {
                None => write!(f, " none")?,
                Some(it) if it.drained => write!(f, " {} (drained)", it.generation)?,
                Some(it) => write!(f, " {}", it.generation)?,
            }
            write!(f, " {:.3?}..{:.3?}", version.since, version.until)?;
        }
        Ok(())
    }
}
