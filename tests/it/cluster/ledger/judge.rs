//! How right an answer is.

use std::time::Duration;

use super::{
    At, BELIEVED, Care, Entry, Key, Kind, Ledger, SAME, Server, Shown, Sight, State, Verdict,
};

// === impl Ledger ===

impl Ledger {
    /// Judges what an answer says of an instance.
    pub(in crate::cluster) fn see(&mut self, sight: Sight, key: Key, shown: Shown) -> Verdict {
        let verdict = self.judge(sight, key, shown);
        self.tally.verdicts.count(self.entries[key].care, verdict);
        match verdict {
            Verdict::Wrong(since) => self.tell(sight, key, shown, since),
            Verdict::Right | Verdict::Late(_) => {
                let entry = &mut self.entries[key];
                let hidden = entry.history.last(Shown::Hidden, sight.answered);
                let is_there = hidden.is_none_or(|last| last + self.bounds.seen < sight.asked);
                entry.was_ill |= shown == Shown::Hidden && is_there;
                if let Shown::As(generation) = shown {
                    entry.was_well = true;
                    let since = entry.history.first(generation).unwrap_or_default();
                    entry.floors[sight.server].rise(sight.answered, since);
                }
            }
        }
        verdict
    }

    /// Notes what is wrong, and since when, with all that may explain it.
    fn tell(&mut self, sight: Sight, key: Key, shown: Shown, since: Option<Duration>) {
        let entry = &mut self.entries[key];
        let (server, at) = (sight.server, sight.answered);
        let last = entry.told.replace((server, shown, at));
        if last.is_some_and(|last| (last.0, last.1) == (server, shown) && at < last.2 + SAME) {
            return self.tally.violation_again();
        }
        let floor = entry.floors[server].at(sight.asked);
        let entry = &self.entries[key];
        self.tally.violation(|| {
            format!(
                "{shown:?} of instance {key}, wrong for {since:.3?}; {sight:.3?}, floor \
                 {floor:.3?}; {entry}"
            )
        });
    }

    fn judge(&self, sight: Sight, key: Key, shown: Shown) -> Verdict {
        let Sight { server, asked, answered } = sight;
        let entry = &self.entries[key];
        let state = entry.history.last(shown, answered);
        let health = match shown {
            Shown::As(_) => entry.up(answered),
            // As a state that is right, or as one that is well hidden: whichever it can be.
            Shown::Hidden => entry.down(answered, self.bounds.seen),
            Shown::Unknown => None,
        };
        let state_from = self.servers[server].reach(asked, self.bounds.settled);
        let state_from = state_from.saturating_sub(self.bounds.seen);
        let floor = entry.floors[server].at(asked);
        let is_state =
            state.filter(|&last| last >= state_from && floor.is_none_or(|floor| last > floor));
        let is_health = health.filter(|&last| {
            last >= self.health_from(asked) || self.is_excused(entry, sight, shown)
        });
        let since = match shown {
            Shown::As(_) => match (is_state, is_health) {
                (Some(state), Some(health)) => Ok(state.min(health)),
                _ => Err(state.and_then(|state| Some(state.min(health?)))),
            },
            Shown::Hidden | Shown::Unknown => {
                is_state.max(is_health).ok_or_else(|| state.max(health))
            }
        };
        match since {
            Ok(last) if last >= asked => Verdict::Right,
            Ok(last) => Verdict::Late(asked - last),
            Err(last) => Verdict::Wrong(last.map(|last| asked.saturating_sub(last))),
        }
    }

    /// The moment since which health may be shown as it was.
    fn health_from(&self, asked: At) -> At {
        self.everywhere.reach(asked, self.bounds.moved).saturating_sub(self.bounds.seen)
    }

    /// What the instance of heartbeats may be taken for whatever it sent: a server that nobody
    /// reaches gets none, and when many are silent that is doubted, and they are held until they
    /// beat again.
    fn is_excused(&self, entry: &Entry, sight: Sight, shown: Shown) -> bool {
        let Care::Heartbeats(ttl) = entry.care else { return false };
        match shown {
            Shown::As(_) => {
                let sent = entry.beats.sent(sight.answered);
                sent.is_some_and(|sent| self.is_doubted(sent + ttl, sight.answered))
            }
            Shown::Hidden => self.servers[sight.server].is_blind(sight.asked, self.bounds.moved),
            Shown::Unknown => false,
        }
    }

    /// Whether more may have been silent between two moments than are believed.
    fn is_doubted(&self, from: At, to: At) -> bool {
        let is_silent = |entry: &&Entry| {
            matches!(entry.care, Care::Heartbeats(_))
                && entry.history.states() != [None]
                && entry.down(to, self.bounds.seen).is_some_and(|silent| silent >= from)
        };
        self.entries.iter().filter(is_silent).count() > BELIEVED
    }

    /// Notes how an instance is at each server when all is over: as one of the states that it may
    /// be in, and the same everywhere.
    pub(in crate::cluster) fn conclude(&mut self, key: Key, at_servers: &[State]) {
        let expected = self.states(key);
        let is_same = at_servers.windows(2).all(|two| two[0] == two[1]);
        let lost = at_servers.iter().filter(|state| !expected.contains(state)).count();
        self.tally.lost += u64::from(lost > 0);
        if !is_same || lost > 0 {
            let history = &self.entries[key].history;
            self.tally.violation(|| format!("instance {key} ends as {at_servers:?}; {history}"));
        }
    }

    /// The instances of which nothing was proven: that were never answered, or never left out
    /// though they may be for their health.
    pub(in crate::cluster) fn untried(&self) -> Vec<Key> {
        let is_untried =
            |entry: &Entry| !entry.was_well || (entry.care != Care::Nobody && !entry.was_ill);
        let keys = 0..self.entries.len();
        keys.filter(|key| is_untried(&self.entries[*key])).collect()
    }

    /// Judges that there was no reply.
    pub(in crate::cluster) fn unanswered(&mut self, server: Server, asked: At, until: At) {
        if self.servers[server].was(Kind::Down, asked, until) {
            self.tally.unanswered_by_dead += 1;
        } else {
            self.tally.unanswered += 1;
            self.tally.violation(|| format!("server {server}: no reply, {asked:?} to {until:?}"));
        }
    }
}
