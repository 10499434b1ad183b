//! How right an answer is.

use std::time::Duration;

use super::{
    At, BELIEVED, Bounds, Care, Entry, Key, Kind, Ledger, SAME, Server, Shown, Sight, State,
    Verdict,
};

/// How long after its ttl a client may be answered that dies in an outage: "within its ttl and
/// three seconds of the last heartbeat; of one that died before, within two ttls and three seconds
/// from when all have noticed".
const OUTAGE: Duration = Duration::from_secs(3);

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
                if shown == Shown::Hidden && is_there && entry.is_silent(sight.asked) {
                    entry.found_dead[sight.server] = Some(sight.answered);
                }
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
                 {floor:.3?}, found dead {:.3?}; {entry}",
                entry.found_dead
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
            Shown::Hidden => self.down(entry, sight),
            Shown::Unknown => None,
        };
        let state_from = self.servers[server].reach(asked, self.bounds.settled);
        let state_from = state_from.saturating_sub(self.bounds.seen);
        let floor = entry.floors[server].at(asked);
        let is_state =
            state.filter(|&last| last >= state_from && floor.is_none_or(|floor| last > floor));
        let is_health = health.filter(|&last| {
            last >= self.health_from(entry, sight, shown)
                && !(matches!(shown, Shown::As(_)) && self.is_dead(entry, sight))
                || self.is_doubtful(entry, sight, shown)
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
    fn health_from(&self, entry: &Entry, sight: Sight, shown: Shown) -> At {
        let Sight { server, asked, answered } = sight;
        let Bounds { seen, settled, checked, moved, .. } = self.bounds;
        let moved = self.everywhere.reach(asked, moved);
        let own = self.servers[server].reach(asked, settled);
        let earliest = match (entry.care, shown) {
            // Nobody that is heard of anywhere is found dead, whatever the weather.
            (Care::Heartbeats(_), Shown::Hidden) => own,
            (Care::Checks(_), _) => {
                let earliest = asked.saturating_sub(checked);
                let was_down = self.servers[server].was(Kind::Down, earliest, answered);
                if was_down { moved } else { moved.max(earliest) }
            }
            _ => moved,
        };
        earliest.saturating_sub(seen)
    }

    /// The last moment at which an instance may have been taken for ill by a server. One that is
    /// alone "counts no missing heartbeats, as its clients may come to the others"; what it takes
    /// itself may be unknown to those.
    fn down(&self, entry: &Entry, sight: Sight) -> Option<At> {
        let is_apart = self.servers[sight.server].is_open(Kind::Apart);
        entry.down(sight.answered, self.bounds.seen, |server, from, to| {
            let was = |kind| self.servers[server].was(kind, from, to);
            is_apart || !(was(Kind::Apart) || was(Kind::Down))
        })
    }

    /// Whether an instance of heartbeats must be known as dead, in whatever weather.
    fn is_dead(&self, entry: &Entry, sight: Sight) -> bool {
        let Sight { server, asked, answered } = sight;
        let (Care::Heartbeats(ttl), Some(sent)) = (entry.care, entry.beats.sent(answered)) else {
            return false;
        };
        let found = entry.found_dead[server].filter(|found| sent < *found);
        let stays = found.is_some_and(|found| self.stays_found(server, found));
        let noticed = self.company_since(server, asked).filter(|_| self.is_outage());
        let noticed = noticed.map(|since| since + self.bounds.noticed);
        let is_over = noticed.is_some_and(|noticed| {
            let known = if sent >= noticed { sent + ttl } else { noticed + 2 * ttl };
            asked > known + OUTAGE + self.bounds.seen
        });
        stays || is_over
    }

    /// Whether a death that a server has shown then is there to stay. In bad weather, and moments
    /// before it, the store may not have got it: it "is shown again, for a full ttl", but for an
    /// outage in which "all servers were without etcd and reached one another".
    fn stays_found(&self, server: Server, found: At) -> bool {
        let Bounds { seen, settled, .. } = self.bounds;
        !self.servers[server].is_within(found, found + seen, settled)
            || self.company_since(server, found).is_some()
    }

    /// Since when there is an outage at that moment, before which all servers had settled.
    fn company_since(&self, server: Server, at: At) -> Option<At> {
        let settled = self.bounds.settled;
        let since = self.servers[server].outage_at(at, settled)?;
        self.servers.iter().all(|it| it.outage_at(at, settled) == Some(since)).then_some(since)
    }

    fn is_outage(&self) -> bool {
        self.everywhere.is_open(Kind::Outage)
    }

    /// Whether the instance of heartbeats may be taken for alive though it sends none: when many
    /// are silent that is doubted, and they are held until they beat again.
    fn is_doubtful(&self, entry: &Entry, sight: Sight, shown: Shown) -> bool {
        let (Care::Heartbeats(ttl), Shown::As(_)) = (entry.care, shown) else { return false };
        let sent = entry.beats.sent(sight.answered);
        sent.is_some_and(|sent| self.is_doubted(sent + ttl, sight.answered))
    }

    /// Whether more may have been silent between two moments than are believed.
    fn is_doubted(&self, from: At, to: At) -> bool {
        let is_silent = |entry: &&Entry| {
            matches!(entry.care, Care::Heartbeats(_))
                && entry.history.states() != [None]
                && entry
                    .down(to, self.bounds.seen, |_, _, _| true)
                    .is_some_and(|silent| silent >= from)
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
