//! What the DNS door counts: queries, replies, drops and times.
//!
//! Each UDP worker counts in a [`Tally`] of its own through the one [`Pen`] that writes to it, so
//! that counting is a plain load and store on a cache line that nobody else touches; the tallies
//! are summed when metrics are read. Whoever else answers (TCP connections, the full path) shares a
//! pen behind a lock. Labels have few values, all known here: a name or an address would let any
//! client grow the table.

mod collector;
mod labels;
mod tally;

use std::sync::{
    Arc, Weak,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

pub(super) use labels::{DropReason, Refusal};
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
    connections: AtomicI64,
    accepted: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    timed_out: AtomicU64,
}

/// Counts a TCP connection for as long as it is there.
#[derive(Debug)]
pub(super) struct OpenConnection(Arc<Totals>);

// === impl Stats ===

impl Stats {
    /// Counters that appear in `metrics`.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let stats = Self::default();
        let totals = Arc::clone(&stats.0);
        metrics.register(|registry| registry.register_collector(Box::new(totals)));
        stats
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

    /// Counts a connection as accepted and open.
    pub(super) fn open_connection(&self) -> OpenConnection {
        self.0.accepted.fetch_add(1, Relaxed);
        self.0.connections.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(&self.0))
    }

    /// Counts a connection that was closed at once because there are too many.
    pub(super) fn refuse_connection(&self, refusal: Refusal) {
        self.0.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    /// Counts a connection that was closed because nothing whole came or went for too long.
    pub(super) fn time_out_connection(&self) {
        self.0.timed_out.fetch_add(1, Relaxed);
    }
}

// === impl OpenConnection ===

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
