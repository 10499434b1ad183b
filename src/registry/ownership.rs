//! Whose task which instance is, among servers that share their state.
//!
//! Rendezvous hashing: each server has a number for each instance, and the highest is the owner's.
//! All servers that know of the same servers come to the same owner without a word, and one that
//! comes or goes moves only what is its own.

mod apart;

use std::{
    hash::Hasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use siphasher::sip::SipHasher24;
use tokio::sync::watch;

use self::apart::Words;
pub use self::apart::{Company, Return};
use crate::model::InstanceKey;

/// Tells servers apart.
pub type ServerId = Arc<str>;

/// A server that shares the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Which one.
    pub id: ServerId,
    /// Where its HTTP interface is, as `host:port`; tried in their order.
    pub http: Arc<[String]>,
}

/// Who is there, as far as this server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// This server; empty, as no server's name is, while another one has its name.
    pub me: ServerId,
    /// All that are alive, this one among them while it is known as such.
    pub servers: Vec<Peer>,
    /// How many servers check each instance.
    pub checkers: usize,
    /// Whether this server is cut off from the store, so that it hears of nothing that others find
    /// or nobody can write what is found: then it checks everything by itself.
    pub is_cut_off: bool,
    /// Whether, cut off, it knows all the same who is alive, as the store tells of everything and
    /// takes no changes: each heartbeat goes to its owner as ever.
    pub hears_all: bool,
}

/// A handle to the newest view; clones share it.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` when nothing is shared: everything is this server's.
    view: ArcSwap<Option<View>>,
    changes: watch::Sender<u64>,
    /// How often this server has become known to the others.
    terms: AtomicU64,
    /// What the others have said of whether they are cut off.
    words: Mutex<Words>,
}

// === impl Ownership ===

impl Default for Ownership {
    fn default() -> Self {
        Self::all()
    }
}

impl Ownership {
    /// Everything is this server's, for good.
    pub fn all() -> Self {
        Self::with(None)
    }

    /// As `view` has it, until another is set.
    pub fn of(view: View) -> Self {
        Self::with(Some(view))
    }

    fn with(view: Option<View>) -> Self {
        Self(Arc::new(Inner {
            view: ArcSwap::from_pointee(view),
            changes: watch::Sender::new(0),
            terms: AtomicU64::new(0),
            words: Mutex::default(),
        }))
    }

    /// Sets a new view, and tells those who have subscribed if it is another one.
    pub fn set(&self, view: View) {
        let before = self.0.view.load_full();
        if (*before).as_ref() != Some(&view) {
            // First what is known with it: whoever sees the view asks for that, too.
            self.note_return((*before).as_ref(), &view);
            if !before.as_ref().as_ref().is_some_and(View::has_me) && view.has_me() {
                self.0.terms.fetch_add(1, Ordering::Release);
            }
            self.0.view.store(Arc::new(Some(view)));
            self.0.changes.send_modify(|count| *count += 1);
        }
    }

    /// Whether this server runs the active checks of an instance.
    pub fn checks(&self, key: &InstanceKey) -> bool {
        match &**self.0.view.load() {
            None => true,
            Some(view) => view.is_cut_off || view.ranks(key, view.checkers),
        }
    }

    /// Whether this server counts the heartbeats of an instance, and writes what is found of it.
    /// Cut off, it goes on with those that it had.
    pub fn keeps(&self, key: &InstanceKey) -> bool {
        match &**self.0.view.load() {
            None => true,
            Some(view) => view.ranks(key, 1),
        }
    }

    /// The server that counts the heartbeats of an instance; `None` when that is this one, or when
    /// nobody is known.
    pub fn owner(&self, key: &InstanceKey) -> Option<Peer> {
        match &**self.0.view.load() {
            None => None,
            Some(view) => view.owner(key).filter(|peer| peer.id != view.me).cloned(),
        }
    }

    /// Whether what a server finds is only its opinion, because several check each instance and
    /// hear of one another.
    pub fn has_juries(&self) -> bool {
        let view = self.0.view.load();
        view.as_ref().as_ref().is_some_and(|view| view.checkers > 1 && !view.is_cut_off)
    }

    /// How many servers check each instance, as far as there are as many.
    pub fn checkers(&self) -> usize {
        self.0.view.load().as_ref().as_ref().map_or(1, |view| view.checkers)
    }

    /// The servers that check an instance: first the one that writes what is found of it.
    pub fn jury(&self, key: &InstanceKey) -> Vec<ServerId> {
        self.0.view.load().as_ref().as_ref().map(|view| view.jury(key)).unwrap_or_default()
    }

    /// The name of this server; `None` when nothing is shared.
    pub fn me(&self) -> Option<ServerId> {
        self.0.view.load().as_ref().as_ref().map(|view| Arc::clone(&view.me))
    }

    /// Whether the others know this server as alive.
    pub fn is_known(&self) -> bool {
        self.0.view.load().as_ref().as_ref().is_some_and(View::has_me)
    }

    /// Counts how often this server has become known to the others. While it was not, they have
    /// done its work, also when nobody has looked meanwhile.
    pub fn term(&self) -> u64 {
        self.0.terms.load(Ordering::Acquire)
    }

    /// Whether this server is cut off: what others find does not come here, or what is found cannot
    /// be written.
    pub fn is_cut_off(&self) -> bool {
        self.0.view.load().as_ref().as_ref().is_some_and(|view| view.is_cut_off)
    }

    /// Whether heartbeats come to their owners as ever, though this server is cut off.
    pub fn hears_all(&self) -> bool {
        self.0.view.load().as_ref().as_ref().is_some_and(|view| view.is_cut_off && view.hears_all)
    }

    /// Whether others may look after what is this server's task without its hearing of it: it is
    /// cut off, and not the only one.
    pub fn may_be_replaced(&self) -> bool {
        self.is_cut_off() && self.has_others()
    }

    /// Whether another server is known of.
    pub fn has_others(&self) -> bool {
        let view = self.0.view.load();
        let are_others = |view: &View| view.servers.iter().any(|peer| peer.id != view.me);
        view.as_ref().as_ref().is_some_and(are_others)
    }

    /// The newest view; `None` when nothing is shared.
    pub fn view(&self) -> Option<View> {
        View::clone((**self.0.view.load()).as_ref()?).into()
    }

    /// Rings when the view changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}

// === impl View ===

impl View {
    /// Whether this server is among those that are alive.
    fn has_me(&self) -> bool {
        self.servers.iter().any(|peer| peer.id == self.me)
    }

    /// Whether this server would be the owner of an instance, if it is not, for it is not known.
    fn is_first(&self, key: &InstanceKey) -> bool {
        let own = (score(&self.me, key), &self.me);
        self.servers.iter().all(|peer| (score(&peer.id, key), &peer.id) < own)
    }

    /// Whether this server is one of the first `count` for an instance.
    fn ranks(&self, key: &InstanceKey, count: usize) -> bool {
        let Some(me) = self.servers.iter().find(|peer| peer.id == self.me) else { return false };
        let own = score(&me.id, key);
        let better = |peer: &&Peer| (score(&peer.id, key), &peer.id) > (own, &me.id);
        self.servers.iter().filter(better).take(count).count() < count
    }

    /// The first servers for an instance, as many as check it, by their rank.
    fn jury(&self, key: &InstanceKey) -> Vec<ServerId> {
        let score = |peer: &Peer| (score(&peer.id, key), Arc::clone(&peer.id));
        let mut all: Vec<_> = self.servers.iter().map(score).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        all.into_iter().take(self.checkers).map(|(_, id)| id).collect()
    }

    fn owner(&self, key: &InstanceKey) -> Option<&Peer> {
        self.servers.iter().max_by_key(|peer| (score(&peer.id, key), &peer.id))
    }
}

/// The number of a server for an instance: the same on every machine, so without a seed, and the
/// same in every version, so of a function that is specified.
fn score(server: &str, key: &InstanceKey) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(server.as_bytes());
    hasher.write_u8(0);
    hasher.write(key.service.as_str().as_bytes());
    hasher.write_u8(0);
    hasher.write(key.id.as_str().as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Ownership, Peer, ServerId, View};
    use crate::{model::InstanceKey, registry::testing};

    fn view(me: &str, servers: &[&str]) -> View {
        let peer = |id: &&str| Peer { id: (*id).into(), http: [].into() };
        let servers = servers.iter().map(peer).collect();
        View { me: me.into(), servers, checkers: 1, is_cut_off: false, hears_all: false }
    }

    fn keys() -> Vec<InstanceKey> {
        (0..3_000).map(|n| testing::key(&format!("s{}/i{n}", n % 7))).collect()
    }

    fn owners(servers: &[&str]) -> HashMap<InstanceKey, ServerId> {
        let view = view("a", servers);
        keys().into_iter().map(|key| (key.clone(), view.owner(&key).unwrap().id.clone())).collect()
    }

    #[test]
    fn each_instance_has_one_owner_and_all_have_their_share() {
        let servers = ["a", "b", "c"];
        let views = servers.map(|me| Ownership::of(view(me, &servers)));
        let mut shares = [0; 3];
        for key in keys() {
            let kept: Vec<_> = (0..3).filter(|server| views[*server].keeps(&key)).collect();
            assert_eq!(kept.len(), 1, "{key}");
            shares[kept[0]] += 1;
            assert_eq!(views[kept[0]].owner(&key), None, "its own");
            let other = (kept[0] + 1) % 3;
            assert_eq!(&*views[other].owner(&key).unwrap().id, servers[kept[0]]);
        }
        assert!(shares.iter().all(|share| (850..1_150).contains(share)), "{shares:?}");
    }

    #[test]
    fn who_comes_or_goes_moves_only_what_is_its_own() {
        let (three, two) = (owners(&["a", "b", "c"]), owners(&["a", "c"]));
        for (key, owner) in three {
            assert!(&*owner == "b" || two[&key] == owner, "{key}");
        }
    }

    /// An older server, or one of another machine, has to come to the same owner.
    #[test]
    fn the_numbers_are_the_same_for_ever() {
        assert_eq!(super::score("a", &testing::key("web/web-1")), 8_518_708_903_591_138_452);
    }

    #[test]
    fn several_check_and_one_keeps() {
        let servers = ["a", "b", "c", "d"];
        let views = servers.map(|me| Ownership::of(View { checkers: 3, ..view(me, &servers) }));
        for key in keys() {
            let checking = views.iter().filter(|view| view.checks(&key)).count();
            let keeping: Vec<_> = views.iter().filter(|view| view.keeps(&key)).collect();
            assert_eq!((checking, keeping.len()), (3, 1));
            assert!(keeping[0].checks(&key));
            let jury = views[0].jury(&key);
            assert!(views.iter().all(|view| view.jury(&key) == jury));
            let is_in = |view: &&Ownership| jury.contains(&view.me().unwrap());
            assert_eq!(views.iter().filter(is_in).filter(|view| view.checks(&key)).count(), 3);
            assert_eq!(keeping[0].me().as_ref(), jury.first());
        }
    }

    #[test]
    fn who_is_cut_off_checks_all_and_keeps_what_it_had() {
        let before = Ownership::of(view("a", &["a", "b"]));
        let cut = Ownership::of(View { is_cut_off: true, ..view("a", &["a", "b"]) });
        for key in keys() {
            assert!(cut.checks(&key));
            assert_eq!(cut.keeps(&key), before.keeps(&key));
        }
        let unknown = Ownership::of(view("a", &["b"]));
        assert!(keys().iter().all(|key| !unknown.keeps(key) && !unknown.checks(key)));
        assert!(keys().iter().all(|key| Ownership::all().keeps(key)));
    }

    #[test]
    fn only_another_view_is_told_of() {
        let ownership = Ownership::of(view("a", &["a"]));
        let mut changes = ownership.subscribe();
        ownership.set(view("a", &["a"]));
        assert!(!changes.has_changed().unwrap());
        ownership.set(view("a", &["a", "b"]));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
    }
}
