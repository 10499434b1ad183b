//! How what is checked really was.

use std::{fmt, time::Duration};

use super::At;

/// When it turned, and when it was registered, from which on it is checked anew.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// From when on it is well, or ill, in turn.
    turns: Vec<(At, bool)>,
    /// The last registration, which may be under way.
    registered: Option<(At, Option<At>)>,
}

// === impl Turns ===

impl Turns {
    pub(super) fn turn(&mut self, is_up: bool, at: At) {
        if self.turns.len() > 8 {
            self.turns.remove(0);
        }
        self.turns.push((at, is_up));
    }

    pub(super) fn registering(&mut self, at: At) {
        self.registered = Some((at, None));
    }

    pub(super) fn registered(&mut self, at: At) {
        if let Some((_, ended)) = &mut self.registered {
            *ended = Some(at);
        }
    }

    /// The last moment until then at which it may have been taken for well, when a turn is found
    /// out within a time.
    pub(super) fn up(&self, within: Duration, until: At) -> Option<At> {
        self.last(true, until)
            .map(|last| if last == until { last } else { until.min(last + within) })
    }

    /// The last moment until then at which it may have been taken for ill: as one that was
    /// registered and not checked yet is.
    pub(super) fn down(&self, within: Duration, until: At) -> Option<At> {
        let ill = self.last(false, until);
        let new = self.registered.filter(|(begun, _)| *begun <= until);
        let new = new.map(|(_, ended)| ended.unwrap_or(until));
        ill.max(new).map(|last| until.min(last + within))
    }

    /// The last moment until then at which it really was so.
    fn last(&self, wanted: bool, until: At) -> Option<At> {
        let mut next = until;
        for &(at, is_up) in self.turns.iter().rev().filter(|(at, _)| *at <= until) {
            if is_up == wanted {
                return Some(next);
            }
            next = at;
        }
        None
    }
}

impl fmt::Display for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "turns: {:.3?}, registered {:.3?}", self.turns, self.registered)
    }
}
