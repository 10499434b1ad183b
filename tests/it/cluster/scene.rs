//! What everybody who takes part in a run shares: the ledger, the servers, the time and the end.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    ledger::{At, Bounds, Key, Ledger, Server},
    roster::Roster,
};
use crate::support::fleet::Fleet;

/// A run.
pub(super) struct Scene {
    pub(super) roster: Roster,
    /// Where each server answers DNS and HTTP.
    pub(super) servers: Vec<(SocketAddr, SocketAddr)>,
    begun: Instant,
    ledger: Mutex<Ledger>,
    /// How often each instance was registered.
    generations: Vec<AtomicU32>,
    ends: Mutex<Ends>,
    changed: Condvar,
}

/// What is over already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ends {
    Nothing,
    /// No more changes are made.
    Changes,
    /// Nothing is asked any more.
    Everything,
}

// === impl Scene ===

impl Scene {
    pub(super) fn new(fleet: &Fleet, bounds: Bounds) -> Self {
        let roster = Roster::new();
        let servers = (0..fleet.size()).map(|at| (fleet.dns(at), fleet.http(at))).collect();
        let ledger = Ledger::new(bounds, fleet.size(), &roster.cares());
        let generations = roster.keys().map(|_| AtomicU32::new(0)).collect();
        Self {
            roster,
            servers,
            begun: Instant::now(),
            ledger: Mutex::new(ledger),
            generations,
            ends: Mutex::new(Ends::Nothing),
            changed: Condvar::new(),
        }
    }

    /// The time since it began.
    pub(super) fn now(&self) -> At {
        self.begun.elapsed()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock();
        ledger.look_at_the_machine(self.now());
        ledger
    }

    /// The number of the next registration of an instance.
    pub(super) fn next_generation(&self, key: Key) -> u32 {
        self.generations[key].fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Lets a time pass; false when `end` has come, for which it does not wait.
    pub(super) fn pass(&self, time: Duration, end: Ends) -> bool {
        let mut ends = self.ends.lock();
        let until = Instant::now() + time;
        while *ends < end {
            if self.changed.wait_until(&mut ends, until).timed_out() {
                return *ends < end;
            }
        }
        false
    }

    /// Ends something.
    pub(super) fn end(&self, what: Ends) {
        *self.ends.lock() = what;
        self.changed.notify_all();
    }

    /// A server that is not known to be dead; none when all are.
    pub(super) fn any_server(&self, rng: &mut fastrand::Rng) -> Option<Server> {
        let ledger = self.ledger();
        let live = (0..self.servers.len()).filter(|server| !ledger.is_down(*server));
        rng.choice(live.collect::<Vec<_>>())
    }
}
