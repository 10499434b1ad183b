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
use crate::{model::InstanceKey, registry::Beat};

/// Between two words of a server there is no more than this, or what it hands on may be missing:
/// it says one each second, and what is on its way for longer is dropped.
const BREAK: Duration = Beat::WORTH;

/// How long the others go on at least to hand on to one that is not back yet, and the longest that
/// one takes to come back that is well.
const RETURN: Duration = Duration::from_secs(10);

/// What another server has said.
#[derive(Debug, Clone, Copy)]
struct Word {
    circle: u64,
    /// Since when it says so without a break.
    since: Instant,
    /// When it has said it last.
    last: Instant,
    /// Whether it has said since that it is none of the circle any more.
    has_left: bool,
}

/// What servers have said of whether they are cut off, and what became of that.
#[derive(Debug, Default)]
pub(super) struct Words {
    said: HashMap<ServerId, Word>,
    /// The last view in which this server was cut off and one of the servers; `None` once it is
    /// back.
    apart: Option<View>,
    /// How this server has come back; `None` while it is cut off, and when others may have had its
    /// instances.
    back: Option<Back>,
}

/// How a server has come back to the store of which all others were cut off, too.
#[derive(Debug, Clone)]
struct Back {
    from: Return,
    /// The servers there were.
    servers: Vec<ServerId>,
    /// How often this server had become known to the others by then.
    term: u64,
}

/// How this server has come back to the store from the company of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// When it was known last that none of the others was back.
    pub together: Instant,
    /// When this server was, and known to the others.
    pub at: Instant,
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
        words.said.insert(server.into(), Word { circle, since, last: now, has_left: false });
    }

    /// Whether all other servers are cut off as this one is, and hand heartbeats on as before.
    pub fn company(&self) -> Option<Company> {
        let own = self.circle()?;
        let (view, now) = (self.0.view.load(), Instant::now());
        let view = view.as_ref().as_ref()?;
        let words = self.0.words.lock();
        words.company(view, |word| word.holds(own, now))
    }

    /// How this server has come back from being cut off, if all others were cut off as well: for a
    /// lease from then on they take each other for alive, and hand heartbeats on as ever. `None`
    /// while it is cut off, when one of the others is not known to have been, and from when there
    /// is a server that was none of them.
    pub fn returned(&self) -> Option<Return> {
        let words = self.0.words.lock();
        // Who is lost once more has been replaced at once.
        words.back.as_ref().filter(|back| self.term() <= back.term + 1).map(|back| back.from)
    }

    /// Whether this server counts the heartbeats of an instance as soon as it is known to the
    /// others again: it was cut off, and they hand on to it meanwhile.
    pub fn will_keep(&self, key: &InstanceKey) -> bool {
        let view = self.0.view.load();
        // Without a name it has lost it to another server, which has its place.
        let is_unknown = |view: &&View| !view.has_me() && !view.me.is_empty();
        let Some(view) = view.as_ref().as_ref().filter(is_unknown) else { return false };
        let is_now = |back: &Back| back.from.together.elapsed() < RETURN;
        let words = self.0.words.lock();
        (words.apart.is_some() || words.back.as_ref().is_some_and(is_now)) && view.is_first(key)
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
            words.back = words.back_from(&apart, self.term());
        }
        let is_joining = view.has_me() && !before.is_some_and(View::has_me);
        if let Some(back) = words.back.as_mut().filter(|it| is_joining && it.term == self.term()) {
            back.from.at = Instant::now();
        }
        let is_old = |back: &Back, peer: &Peer| back.servers.contains(&peer.id);
        // A stranger may have looked after everything, and may be gone tomorrow.
        words.back.take_if(|back| !view.servers.iter().all(|peer| is_old(back, peer)));
    }
}

// === impl Words ===

impl Words {
    /// A server is none of the circle, or does not say whether it is.
    fn leave(&mut self, server: &str, now: Instant) {
        let is_over = |word: &Word| !word.has_left && !word.holds(word.circle, now);
        if self.said.get(server).is_some_and(is_over) {
            self.said.remove(server);
        } else if let Some(word) = self.said.get_mut(server) {
            word.has_left = true;
        }
    }

    /// The time that the words of all others have in common; `None` if one of them does not count.
    fn company(&self, view: &View, counts: impl Fn(&Word) -> bool) -> Option<Company> {
        let others = view.servers.iter().filter(|peer| peer.id != view.me);
        let mut company: Option<Company> = None;
        for peer in others {
            let word = self.said.get(&peer.id).filter(|word| counts(word))?;
            let Company { since, until } =
                company.unwrap_or(Company { since: word.since, until: word.last });
            company = Some(Company { since: since.max(word.since), until: until.min(word.last) });
        }
        company
    }

    fn back_from(&self, apart: &View, term: u64) -> Option<Back> {
        let (own, at) = (apart.circle()?, Instant::now());
        let was_in = |word: &Word| word.circle == own && (word.has_left || word.holds(own, at));
        let is_alone = apart.servers.iter().all(|peer| peer.id == apart.me);
        let from = match self.company(apart, was_in) {
            Some(Company { until, .. }) => Return { together: until, at },
            None if is_alone => Return { together: at, at },
            None => return None,
        };
        let servers = apart.servers.iter().map(|peer| peer.id.clone()).collect();
        Some(Back { from, servers, term })
    }
}

// === impl Word ===

impl Word {
    /// Whether a server is cut off with this circle, for all that is known.
    fn holds(&self, circle: u64, now: Instant) -> bool {
        let is_fresh = now.saturating_duration_since(self.last) <= BREAK;
        self.circle == circle && !self.has_left && is_fresh
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

    use super::{BREAK, Company, Ownership, Return, View};
    use crate::registry::{Peer, testing};

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
    async fn who_comes_back_from_company_knows_until_when_it_was_there() {
        let all = ["a", "b", "c"];
        let a = Ownership::of(view("a", &all, true));
        let second = || sleep(Duration::from_secs(1));
        let own = a.circle();
        let say = |who: &[&str]| who.iter().for_each(|id| a.hear_of(id, own));
        say(&["b", "c"]);
        second().await;
        say(&["b", "c"]);
        let together = Instant::now();
        second().await;
        a.hear_of("b", None);
        say(&["c"]);
        assert_eq!((a.company(), a.returned()), (None, None));
        let keys = || (0..).map(|n| testing::key(&format!("web/i{n}")));
        let [own_key, other] = [true, false].map(|is| keys().find(|it| a.keeps(it) == is).unwrap());
        let returns = || a.will_keep(&own_key) && !a.will_keep(&other);
        assert!(!returns());
        second().await;
        a.hear_of("b", None);
        a.set(view("a", &["b", "c"], false)); // its own row is gone
        let back = Return { together, at: Instant::now() };
        assert_eq!((a.returned(), returns()), (Some(back), true));
        second().await;
        a.set(view("a", &all, false));
        let back = Return { at: Instant::now(), ..back };
        assert_eq!((a.returned(), returns()), (Some(back), false));
        second().await;
        a.set(view("a", &["b", "c"], false));
        a.set(view("a", &all, false));
        assert_eq!(a.returned(), None, "lost once more, it was replaced");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_to_a_stranger_or_has_heard_nothing_of_one_knows_nothing() {
        let all = ["a", "b", "c"];
        let a = Ownership::of(view("a", &all, false));
        let own = Ownership::of(view("a", &all, true)).circle();
        let be_apart = || {
            a.set(view("a", &all, true));
            ["b", "c"].into_iter().for_each(|id| a.hear_of(id, own));
        };
        be_apart();
        a.set(view("a", &["b", "c"], true)); // of which it hears first
        assert!(a.returned().is_none());
        a.set(view("a", &all, false));
        assert!(a.returned().is_some());
        for stranger in [&["a", "b", "c", "d"][..], &all] {
            a.set(view("a", stranger, false));
            assert_eq!(a.returned(), None, "d has never been cut off, also once it is gone");
        }
        be_apart();
        sleep(BREAK + Duration::from_secs(1)).await;
        a.hear_of("b", own);
        a.set(view("a", &all, false));
        assert_eq!(a.returned(), None, "nothing was heard of c");
        let alone = Ownership::of(view("a", &["a"], true));
        sleep(BREAK * 2).await;
        alone.set(view("a", &["a"], false));
        assert!(alone.returned().is_some(), "there was nobody else");
    }
}
