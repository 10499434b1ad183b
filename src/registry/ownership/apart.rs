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

use super::{Ownership, ServerId, View};

/// Between two words of a server there is no more than this, or what it hands on may be missing:
/// it says one each second, and a heartbeat on its way is worth something for three.
const BREAK: Duration = Duration::from_secs(3);

/// What another server has said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    circle: u64,
    /// Since when it says so without a break.
    since: Instant,
    /// When it has said it last.
    last: Instant,
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
        let Some(circle) = circle.filter(|_| is_peer) else {
            words.remove(server);
            return;
        };
        let before = words.get(server).filter(|word| {
            word.circle == circle && now.saturating_duration_since(word.last) <= BREAK
        });
        let since = before.map_or(now, |word| word.since);
        words.insert(server.into(), Word { circle, since, last: now });
    }

    /// Whether all other servers are cut off as this one is, and hand heartbeats on as before.
    pub fn company(&self) -> Option<Company> {
        let own = self.circle()?;
        let (view, now) = (self.0.view.load(), Instant::now());
        let view = view.as_ref().as_ref()?;
        let words = self.0.words.lock();
        let mut company: Option<Company> = None;
        for peer in view.servers.iter().filter(|peer| peer.id != view.me) {
            let word = words.get(&peer.id).filter(|word| {
                word.circle == own && now.saturating_duration_since(word.last) <= BREAK
            })?;
            let Company { since, until } =
                company.unwrap_or(Company { since: word.since, until: word.last });
            company = Some(Company { since: since.max(word.since), until: until.min(word.last) });
        }
        company
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

/// The words of servers, by their names: of those that are known of, so of few.
pub(super) type Words = HashMap<ServerId, Word>;

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
}
