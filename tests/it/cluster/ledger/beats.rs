//! The heartbeats of one instance.

use std::{collections::VecDeque, fmt, time::Duration};

use super::{At, Server};

/// A dead instance never lives longer than its TTL and this.
const DECISION: Duration = Duration::from_secs(1);

/// Those that were sent, by their beginning; registering is one.
#[derive(Debug, Default)]
pub(super) struct Beats {
    sent: VecDeque<Beat>,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    number: u32,
    /// Who was asked; none for a registration.
    server: Option<Server>,
    begun: At,
    ended: Option<At>,
    /// Whether it was acknowledged. A registration is not taken for one that is: a replacement
    /// keeps the state that a check is in.
    is_taken: bool,
}

// === impl Beats ===

impl Beats {
    pub(super) fn begin(&mut self, server: Server, at: At) -> u32 {
        self.push(at, Some(server))
    }

    pub(super) fn end(&mut self, number: u32, is_taken: bool, at: At) {
        if let Some(beat) = self.sent.iter_mut().find(|beat| beat.number == number) {
            (beat.ended, beat.is_taken) = (Some(at), is_taken);
        }
    }

    pub(super) fn registering(&mut self, at: At) {
        self.push(at, None);
    }

    /// Ends the registrations that are under way.
    pub(super) fn registered(&mut self, at: At) {
        let open = |beat: &&mut Beat| beat.server.is_none() && beat.ended.is_none();
        self.sent.iter_mut().filter(open).for_each(|beat| beat.ended = Some(at));
    }

    fn push(&mut self, at: At, server: Option<Server>) -> u32 {
        let number = self.next;
        self.next += 1;
        let beat = Beat { number, server, begun: at, ended: None, is_taken: false };
        self.sent.push_back(beat);
        number
    }

    /// When the last one was sent, or given up.
    pub(super) fn sent(&self, until: At) -> Option<At> {
        let begun = self.sent.iter().filter(|beat| beat.begun <= until);
        begun.map(|beat| beat.ended.unwrap_or(until)).max()
    }

    /// The last moment until then at which the instance may have been taken for alive.
    pub(super) fn up(&self, ttl: Duration, until: At) -> Option<At> {
        Some(until.min(self.sent(until)? + ttl + DECISION))
    }

    /// The last moment until then at which it may have been taken for dead: that no heartbeat
    /// covers which had been acknowledged, by a server that could pass it on to whoever counts it
    /// within a time from then on.
    pub(super) fn down(
        &self,
        ttl: Duration,
        until: At,
        passed_on: Duration,
        could: impl Fn(Server, At, At) -> bool,
    ) -> At {
        let mut moment = until;
        for beat in self.sent.iter().rev().filter(|beat| beat.is_taken) {
            let from = beat.ended.unwrap_or(until) + passed_on;
            let could = beat.server.is_some_and(|server| could(server, beat.begun, from));
            if could && from <= moment && moment <= beat.begun + ttl {
                moment = from;
            }
        }
        moment
    }

    /// Forgets what was sent before then, but for the last.
    pub(super) fn forget(&mut self, before: At) {
        while self.sent.len() > 1 && self.sent[0].ended.is_some_and(|ended| ended < before) {
            self.sent.pop_front();
        }
    }
}

/// The last few, for a failure.
impl fmt::Display for Beats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "beats:")?;
        for beat in self.sent.iter().rev().take(6).rev() {
            let taken = if beat.is_taken { "" } else { " (not taken)" };
            write!(f, " {:.3?}..{:.3?}{taken}", beat.begun, beat.ended)?;
        }
        Ok(())
    }
}
