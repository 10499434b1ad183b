//! The loop of one UDP worker: receive, answer, send.
//!
//! Runs on a thread of its own and blocks in the kernel. Between the two system calls of a batch it
//! neither awaits, locks, allocates nor logs; what a packet needs beyond that is the full path's
//! business.

use std::{
    io,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Socket,
    sys::{Arena, ReturnPath},
};
use crate::{
    dns::{
        Answered, Caller, Parsed, Sources, Transport, answer,
        forward::Reach,
        parse,
        stats::{DropReason, Pen},
        view::View,
    },
    util::Clock,
};

/// How long a worker rests when its socket fails, so that it neither dies nor spins.
const FAILURE_REST: Duration = Duration::from_millis(100);

/// What a worker needs; see [`Worker::run`].
#[derive(Debug)]
pub(in crate::dns) struct Worker {
    /// Its own socket.
    pub socket: Arc<Socket>,
    /// What it answers from.
    pub view: View,
    /// Where it sends what it does not answer itself.
    pub full_path: mpsc::Sender<Deferred>,
    /// What it counts with.
    pub pen: Pen,
    /// What it draws from.
    pub rng: fastrand::Rng,
    /// What it takes times from.
    pub clock: Clock,
    /// Whether to stop. A flag, because a token's state is behind a lock, which all workers would
    /// take for each batch.
    pub is_stopped: Arc<AtomicBool>,
}

/// A packet for the full path, with its way back.
#[derive(Debug)]
pub(in crate::dns) struct Deferred {
    packet: Box<[u8]>,
    arrived: Duration,
    caller: Caller,
    path: ReturnPath,
    socket: Arc<Socket>,
}

// === impl Worker ===

impl Worker {
    /// Answers until it is told to stop.
    pub(in crate::dns) fn run(mut self) {
        let mut arena = Arena::new();
        let mut is_failing = false;
        while !self.is_stopped.load(Relaxed) {
            // A mistake of ours in one answer costs the rest of a batch, and not the worker: its
            // share of the clients would ask in vain from then on. The arena starts each batch
            // anew.
            let batch = catch_unwind(AssertUnwindSafe(|| self.batch(&mut arena)));
            match batch {
                Ok(Ok(())) => is_failing = false,
                Ok(Err(error)) => {
                    let address = self.socket.local_addr();
                    if !is_failing {
                        tracing::error!(%address, %error, "cannot receive DNS queries; retrying");
                    }
                    is_failing = true;
                    std::thread::park_timeout(FAILURE_REST);
                }
                Err(_panic) => self.pen.dropped(DropReason::InternalError, 1),
            }
        }
    }

    /// One batch: receives, answers, sends.
    fn batch(&mut self, arena: &mut Arena) -> io::Result<()> {
        let count = arena.receive(self.socket.as_fd())?;
        // Looked at also when nothing came, so that an idle worker keeps no old world alive.
        let sources = self.view.load().reaching(Reach::Nowhere);
        if count == 0 {
            return Ok(());
        }
        let began = self.clock.elapsed();
        let mut desk = Desk {
            full_path: &self.full_path,
            pen: &mut self.pen,
            rng: &mut self.rng,
            socket: &self.socket,
            began,
            now: self.clock.wall_seconds(),
        };
        for slot in 0..count {
            desk.answer(&sources, arena, slot);
        }
        let sent = arena.send(self.socket.as_fd());
        self.pen.duration(self.clock.elapsed().saturating_sub(began), sent.sent);
        self.pen.dropped(DropReason::SendBlocked, sent.blocked);
        self.pen.dropped(DropReason::SendRefused, sent.refused);
        Ok(())
    }
}

/// What of a worker is at hand while the view is borrowed.
struct Desk<'w> {
    full_path: &'w mpsc::Sender<Deferred>,
    pen: &'w mut Pen,
    rng: &'w mut fastrand::Rng,
    socket: &'w Arc<Socket>,
    began: Duration,
    /// The wall clock's time, seconds.
    now: u32,
}

// === impl Desk ===

impl Desk<'_> {
    /// Answers the packet in `slot`, hands it on, or drops it.
    fn answer(&mut self, sources: &Sources<'_>, arena: &mut Arena, slot: usize) {
        if arena.is_cut(slot) {
            return self.pen.dropped(DropReason::Overlong, 1);
        }
        let caller = Caller::new(arena.client(slot), Transport::Udp, self.now);
        let caller = Caller { since_start: self.began, ..caller };
        let (packet, room) = arena.exchange(slot);
        match parse(packet) {
            Parsed::Drop => self.pen.dropped(DropReason::NotQuery, 1),
            Parsed::Other => self.defer(arena, slot, caller),
            Parsed::Query(query) => match answer(sources, &query, caller, self.rng, room) {
                Answered::NeedsForward | Answered::NeedsFull => self.defer(arena, slot, caller),
                Answered::Limited => self.pen.dropped(DropReason::RateLimited, 1),
                Answered::Reply(summary) => {
                    self.pen.query(query.qtype);
                    self.pen.response(&summary);
                    arena.queue(slot, summary.octets);
                }
            },
        }
    }

    /// Hands the packet to the full path, if that has room.
    #[cold]
    fn defer(&mut self, arena: &mut Arena, slot: usize, caller: Caller) {
        let Ok(permit) = self.full_path.try_reserve() else {
            return self.pen.dropped(DropReason::FullPathBusy, 1);
        };
        let Some(path) = arena.return_path(slot) else {
            return self.pen.dropped(DropReason::SendRefused, 1);
        };
        let packet = arena.exchange(slot).0.into();
        let socket = Arc::clone(self.socket);
        permit.send(Deferred { packet, arrived: self.began, caller, path, socket });
    }
}

// === impl Deferred ===

impl Deferred {
    /// The packet.
    pub(in crate::dns) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// When it arrived, by the worker's clock.
    pub(in crate::dns) fn arrived(&self) -> Duration {
        self.arrived
    }

    /// Who sent it.
    pub(in crate::dns) fn caller(&self) -> Caller {
        self.caller
    }

    /// Sends the reply from the address that was asked.
    ///
    /// # Errors
    /// When there is no room in the socket's buffer, or the system refuses it.
    pub(in crate::dns) fn reply(&self, octets: &[u8]) -> io::Result<()> {
        self.socket.reply(&self.path, octets)
    }
}
