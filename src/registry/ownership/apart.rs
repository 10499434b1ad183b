//! What servers tell one another that are cut off from the store together.
//!
//! A server that is cut off does not know who looks after its instances meanwhile, so it cannot
//! take a silence for a death: heartbeats may go to others. But where all servers that it knows of
//! are cut off as well, and know of the same ones, each heartbeat is handed on to the same owner as
//! before. So each server that is cut off says so to all others, with a number for those that it
//! knows of (its circle); and who hears that from all others without a break hears all heartbeats
//! that there are.

use std::{collections::HashMap, hash::Hasher, time::Duration};

use siphasher::sip::SipHasher24;
use tokio::time::Instant;

use super::{Ownership, Peer, ServerId, View};

/// Between two words of a server there is no more than this, or what it hands on may be missing:
/// it says one each second, and a heartbeat on its way is worth something for three.
const BREAK: Duration = Duration::from_secs(3);

/// What another server has said.
#[derive(Debug, Clone, Copy)]
struct Word {
    circle: u64,
    /// Since when it says so without a break.
    since: Instant,
    /// When it has said it last.
    last: Instant,
    /// When it has said that it is not cut off any more.
    left: Option<Instant>,
}

/// What servers have said of whether they are cut off: those that are known of, so few.
#[derive(Debug, Default)]
pub(super) struct Words {
    said: HashMap<ServerId, Word>,
    /// The last view in which this server was cut off and one of the servers; `None` once it is
    /// back.
    apart: Option<View>,
    /// How this server has come back; `None` while it is cut off, and if it heard nothing of some.
    back: Option<Back>,
}

/// How a server has come back to the store of which all others were cut off, too.
#[derive(Debug, Clone)]
struct Back {
    company: Company,
    /// The servers there were.
    servers: Vec<ServerId>,
}

/// That all servers are cut off from the store, and hand heartbeats on as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company {
    /// Since when that is known of all of them without a break.
    pub since: Instant,
    /// Until when it is known of all of them.
    pub until: Instant,
}

// === impl Ownership ===

impl Ownership {
    /// A number for the servers that this one knows of, while it is cut off and one of them: where
    /// it is the same, the same server counts the heartbeats of each instance.
    pub fn circle(&self) -> Option<u64> {
        let view = self.0.view.load();
        view.as_ref().as_ref().filter(|view| view.is_cut_off).and_then(View::circle)
    }

    /// Another server has said that it is cut off, and which circle it has; `None` is that it is
    /// not, or of a version that does not say so.
    pub fn hear_of(&self, server: &str, circle: Option<u64>) {
        let now = Instant::now();
        let is_known = |view: &View| view.servers.iter().any(|peer| &*peer.id == server);
        let mut words = self.0.words.lock();
        let is_peer = self.0.view.load().as_ref().as_ref().is_some_and(is_known);
        let Some(circle) = circle else {
            words.leave(server, now);
            return;
        };
        if !is_peer {
            words.said.remove(server);
            return;
        }
        let before = words.said.get(server).filter(|word| word.holds(circle, now));
        let since = before.map_or(now, |word| word.since);
        words.said.insert(server.into(), Word { circle, since, last: now, left: None });
    }

    /// Whether all other servers are cut off as this one is, and hand heartbeats on as before.
    pub fn company(&self) -> Option<Company> {
        let own = self.circle()?;
        let (view, now) = (self.0.view.load(), Instant::now());
        let view = view.as_ref().as_ref()?;
        let words = self.0.words.lock();
        words.company(view, |word| word.holds(own, now).then_some(word.last))
    }

    /// Since when, and until when, all heartbeats came here while this server was cut off, if they
    /// have come here ever since: it has come back from company, and so have the others. Once one
    /// of them is back it takes for a lease's time those for alive that are not yet. `None` while
    /// this server is cut off.
    pub fn back_from_company(&self) -> Option<Company> {
        let (view, words) = (self.0.view.load(), self.0.words.lock());
        let Back { company, servers } = words.back.as_ref()?;
        // Another one may have looked after everything.
        let is_old = |peer: &Peer| servers.contains(&peer.id);
        view.as_ref().as_ref()?.servers.iter().all(is_old).then_some(*company)
    }

    /// Notes how this server comes back, if `view` is the first in which it is not cut off any
    /// more.
    pub(super) fn note_return(&self, before: Option<&View>, view: &View) {
        let mut words = self.0.words.lock();
        if let Some(before) = before.filter(|it| it.is_cut_off && it.circle().is_some()) {
            words.apart = Some(before.clone());
        }
        if view.is_cut_off {
            words.back = None;
        } else if let Some(apart) = words.apart.take() {
            words.back = words.back_from(&apart, Instant::now());
        }
    }
}

// === impl Words ===

impl Words {
    /// A server says that it is not cut off, or does not say whether it is.
    fn leave(&mut self, server: &str, now: Instant) {
        let Some(word) = self.said.get_mut(server) else { return };
        if word.left.is_none() && now.saturating_duration_since(word.last) <= BREAK {
            word.left = Some(now);
        } else if word.left.is_none() {
            self.said.remove(server);
        }
    }

    /// The time that the words of all others have in common, if `until` has them all count: until
    /// when one of them does.
    fn company(&self, view: &View, until: impl Fn(&Word) -> Option<Instant>) -> Option<Company> {
        let mut company: Option<Company> = None;
        for peer in view.servers.iter().filter(|peer| peer.id != view.me) {
            let word = self.said.get(&peer.id)?;
            let until = until(word)?;
            let so_far = company.unwrap_or(Company { since: word.since, until });
            let (since, until) = (so_far.since.max(word.since), so_far.until.min(until));
            company = Some(Company { since, until });
        }
        company
    }

    fn back_from(&self, before: &View, now: Instant) -> Option<Back> {
        let own = before.circle()?;
        let until = |word: &Word| match word.left {
            Some(left) => (word.circle == own).then_some(left),
            None => word.holds(own, now).then_some(now),
        };
        let company = self.company(before, until)?;
        let servers = before.servers.iter().map(|peer| peer.id.clone()).collect();
        Some(Back { company, servers })
    }
}

// === impl Word ===

impl Word {
    /// Whether a server is cut off with this circle, for all that is known.
    fn holds(&self, circle: u64, now: Instant) -> bool {
        let is_fresh = now.saturating_duration_since(self.last) <= BREAK;
        self.circle == circle && self.left.is_none() && is_fresh
    }
}

// === impl View ===

impl View {
    fn circle(&self) -> Option<u64> {
        let mut ids: Vec<&ServerId> = self.servers.iter().map(|peer| &peer.id).collect();
        ids.sort_unstable();
        let is_in = ids.binary_search(&&self.me).is_ok();
        let mut hasher = SipHasher24::new();
        for id in ids {
            hasher.write(id.as_bytes());
            hasher.write_u8(0);
        }
        is_in.then(|| hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Company, Ownership, View};
    use crate::registry::Peer;

    fn view(me: &str, servers: &[&str], is_cut_off: bool) -> View {
        let peer = |id: &&str| Peer { id: (*id).into(), http: [].into() };
        let servers = servers.iter().map(peer).collect();
        View { me: me.into(), servers, checkers: 1, is_cut_off, hears_all: false }
    }

    #[test]
    fn the_circle_is_the_same_where_the_servers_are_and_only_while_one_is_cut_off() {
        let circle = |me, servers: &[&str]| Ownership::of(view(me, servers, true)).circle();
        assert_eq!(circle("a", &["a", "b"]), circle("b", &["b", "a"]));
        assert_ne!(circle("a", &["a", "b"]), circle("a", &["a", "b", "c"]));
        assert_eq!(circle("a", &["b"]), None, "it is none of them");
        assert_eq!(Ownership::of(view("a", &["a", "b"], false)).circle(), None);
        assert_eq!(Ownership::all().circle(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn all_others_have_to_say_so_without_a_break() {
        let a = Ownership::of(view("a", &["a", "b", "c"], true));
        let (own, begun) = (a.circle(), Instant::now());
        a.hear_of("b", own);
        assert_eq!(a.company(), None, "nothing is known of c");
        sleep(Duration::from_secs(2)).await;
        a.hear_of("c", own);
        a.hear_of("stranger", own);
        let second = Instant::now();
        assert_eq!(a.company(), Some(Company { since: second, until: begun }));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(a.company(), None, "b is silent");
        for _ in 0..3 {
            ["b", "c"].into_iter().for_each(|id| a.hear_of(id, own));
            sleep(Duration::from_secs(1)).await;
        }
        let (since, until) = (second + Duration::from_secs(2), Instant::now());
        let until = until - Duration::from_secs(1);
        assert_eq!(a.company(), Some(Company { since, until }), "b begins anew");
        a.hear_of("b", own.map(|own| own + 1));
        assert_eq!(a.company(), None, "it knows of other servers");
        a.hear_of("b", own);
        assert!(a.company().is_some());
        a.hear_of("c", None);
        assert_eq!(a.company(), None, "it is not cut off");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_from_company_knows_since_when_it_has_heard_all() {
        let all = ["a", "b", "c"];
        let a = Ownership::of(view("a", &all, true));
        let (own, begun) = (a.circle(), Instant::now());
        ["b", "c"].into_iter().for_each(|id| a.hear_of(id, own));
        sleep(Duration::from_secs(2)).await;
        a.hear_of("b", None);
        let first = Instant::now();
        a.hear_of("c", own);
        assert_eq!((a.company(), a.back_from_company()), (None, None));
        sleep(Duration::from_secs(1)).await;
        a.hear_of("b", None);
        a.set(view("a", &["b", "c"], false)); // its own row is gone
        let back = Some(Company { since: begun, until: first });
        assert_eq!(a.back_from_company(), back);
        a.set(view("a", &all, false));
        assert_eq!(a.back_from_company(), back);
        a.set(view("a", &["a", "b", "c", "d"], false));
        assert_eq!(a.back_from_company(), None, "d has never been cut off");
        a.set(view("a", &all, true));
        let again = Instant::now();
        ["b", "c"].into_iter().for_each(|id| a.hear_of(id, own));
        a.set(view("a", &["b", "c"], true)); // of which it hears first
        assert_eq!(a.back_from_company(), None);
        a.set(view("a", &all, false));
        assert_eq!(a.back_from_company(), Some(Company { since: again, until: again }));
        a.set(view("a", &all, true));
        sleep(Duration::from_secs(4)).await;
        a.hear_of("b", own);
        a.set(view("a", &all, false));
        assert_eq!(a.back_from_company(), None, "nothing was heard of c");
    }
}
