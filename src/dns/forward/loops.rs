//! Forwarding loops: an upstream that asks us, directly or by way of others, what we ask it.
//!
//! Each upstream is asked for a random name once, when it is new or has come back, and when it has
//! failed often. Nobody else knows that name, so when it is asked for at our own door the upstream
//! leads back to us, and is not used until it answers such a name by itself.
//!
//! Until then a loop does no harm: a question that is under way already is not asked again, however
//! often it comes in, so it goes round once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::key::{Key, KeyRef};
use crate::dns::code::rtype;

/// How often an upstream is looked into at the most, and one that leads back to us for whether it
/// still does. A name that nobody has goes out each time, so not often.
pub(super) const INTERVAL: Duration = Duration::from_secs(30);

/// The names that are out; clones share them. A few for each upstream: it may be new, come back and
/// be suspected while an earlier name of its own is out.
#[derive(Debug, Clone, Default)]
pub(super) struct Probes(Arc<Mutex<Out>>);

/// Names, and whether they have come back.
type Out = HashMap<Box<[u8]>, Arc<AtomicBool>>;

/// One name that is out. It is forgotten when this is dropped.
#[derive(Debug)]
pub(super) struct Probe {
    probes: Probes,
    key: Key,
    has_come_back: Arc<AtomicBool>,
}

// === impl Probes ===

impl Probes {
    /// A random name at `suffix`, wire labels with room for it, to be asked for.
    pub(super) fn send(&self, suffix: &[u8]) -> Probe {
        let mut name = Vec::with_capacity(34 + suffix.len());
        // Two labels: some forwarders keep names of one to themselves.
        for _ in 0..2 {
            name.push(16);
            name.extend(format!("{:016x}", fastrand::u64(..)).bytes());
        }
        name.extend(suffix);
        let key = KeyRef::new(&name, rtype::HINFO, (false, false)).to_key();
        let has_come_back = Arc::new(AtomicBool::new(false));
        self.0.lock().insert(name.into(), Arc::clone(&has_come_back));
        Probe { probes: self.clone(), key, has_come_back }
    }

    /// Whether `name`, which somebody asks us for, is one that is out.
    pub(super) fn is_out(&self, name: &[u8]) -> bool {
        match self.0.lock().get(name) {
            Some(has_come_back) => {
                has_come_back.store(true, Relaxed);
                true
            }
            None => false,
        }
    }
}

// === impl Probe ===

impl Probe {
    /// The question.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether it was asked for at our own door.
    pub(super) fn has_come_back(&self) -> bool {
        self.has_come_back.load(Relaxed)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.probes.0.lock().remove(self.key.name());
    }
}

#[cfg(test)]
mod tests {
    use super::Probes;
    use crate::model::limit;

    #[test]
    fn a_name_that_comes_back_is_known_for_as_long_as_it_is_out() {
        let probes = Probes::default();
        let (first, second) = (probes.send(b"\x00"), probes.send(b"\x07example\x00"));
        assert!(second.key().name().ends_with(b"\x07example\x00"));
        assert!(!probes.is_out(b"\x07example\x00"));
        assert!(probes.is_out(first.key().name()));
        assert!(first.has_come_back() && !second.has_come_back());
        let name = first.key().name().to_vec();
        drop(first);
        assert!(!probes.is_out(&name));
        let label = |octets: u8| [vec![octets], vec![b'x'; octets.into()]].concat();
        let long = [label(63), label(63), label(63), label(27), vec![0]].concat();
        assert_eq!(long.len(), limit::FORWARD_SUFFIX_OCTETS_MAX);
        assert_eq!(probes.send(&long).key().name().len(), limit::NAME_OCTETS_MAX);
    }
}
