//! What the DNS door counts: queries, replies, drops and times.
//!
//! Each UDP worker counts in a [`Tally`] of its own through the one [`Pen`] that writes to it, so
//! that counting is a plain load and store on a cache line that nobody else touches; the tallies
//! are summed when metrics are read. Whoever else answers (TCP connections, the full path) shares a
//! pen behind a lock. Labels have few values, all known here: a name or an address would let any
//! client grow the table.

mod collector;
mod connections;
mod labels;
mod tally;

use std::sync::{Arc, Weak, atomic::AtomicU64};

use parking_lot::Mutex;

use connections::Connections;
pub(super) use connections::OpenConnection;
pub(super) use labels::{DropReason, HandshakeFault, RCODES, Refusal, rcode_name};
use tally::Tally;
pub(super) use tally::{Pen, SharedPen};

use super::{caller::Transport, udp::Socket};
use crate::telemetry::Metrics;

/// All the counters of the DNS door; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Stats(Arc<Totals>);

#[derive(Debug, Default)]
struct Totals {
    tallies: Mutex<Vec<(Transport, Arc<Tally>)>>,
    /// Weak, so that counting does not keep a port from the next server.
    sockets: Mutex<Vec<Weak<Socket>>>,
    connections: [Connections; Transport::ALL.len()],
    proofs_asked_for: AtomicU64,
}

// === impl Stats ===

impl Stats {
    /// Counters that appear in `metrics`.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let stats = Self::default();
        let totals = Arc::clone(&stats.0);
        metrics.register(|registry| registry.register_collector(Box::new(totals)));
        stats
    }

    /// How many replies to strangers were left out or sent empty because they were too many.
    pub(super) fn limited(&self) -> u64 {
        self.0.limited()
    }

    /// A pen with a new tally, for one worker.
    pub(super) fn pen(&self, transport: Transport) -> Pen {
        let (pen, tally) = Pen::new();
        self.0.tallies.lock().push((transport, tally));
        pen
    }

    /// Has the packets that the kernel drops at `socket` counted.
    pub(super) fn watch(&self, socket: &Arc<Socket>) {
        self.0.sockets.lock().push(Arc::downgrade(socket));
    }
}
