//! The short lane: packets that the UDP workers hand on, most of them merely odd.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use tokio::sync::mpsc;

use super::{LongLane, Responded, respond};
use crate::{
    dns::{
        Sources,
        forward::{ForwardLane, Reach},
        stats::{DropReason, Pen},
        udp::{Deferred, REPLY_OCTETS_MAX},
        view::World,
    },
    util::Clock,
};

/// Packets that wait for the short lane. Each takes some microseconds, so the last one of a full
/// queue waits about 10 ms, and a flood of odd packets holds 4 MiB at the most.
const QUEUE: usize = 1_024;

/// Whoever serves the packets that the UDP workers hand on. One thread is enough: it is the odd
/// ones that come here, and a flood of them is cut by the queue's length.
#[derive(Debug)]
pub(in crate::dns) struct ShortLane {
    packets: mpsc::Receiver<Deferred>,
    world: World,
    pen: Pen,
    clock: Clock,
    long: LongLane,
    forward: ForwardLane,
}

// === impl ShortLane ===

impl ShortLane {
    /// Starts the thread; it ends when the last sender is gone and nothing is left.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(in crate::dns) fn start(
        world: World,
        pen: Pen,
        clock: Clock,
        (long, forward): (LongLane, ForwardLane),
    ) -> io::Result<(mpsc::Sender<Deferred>, thread::JoinHandle<()>)> {
        let (sender, packets) = mpsc::channel(QUEUE);
        let lane = Self { packets, world, pen, clock, long, forward };
        let thread = thread::Builder::new().name("dns-odd".into()).spawn(move || lane.run())?;
        Ok((sender, thread))
    }

    fn run(mut self) {
        let mut rng = fastrand::Rng::new();
        let mut out = vec![0; REPLY_OCTETS_MAX];
        while let Some(packet) = self.packets.blocking_recv() {
            self.serve(packet, &mut rng, &mut out);
        }
    }

    fn serve(&mut self, packet: Deferred, rng: &mut fastrand::Rng, out: &mut [u8]) {
        self.pen.full_path();
        let mut view = self.world.view();
        let sources = view.load();
        self.answer(&sources, packet, rng, out);
    }

    fn answer(
        &mut self,
        sources: &Sources<'_>,
        packet: Deferred,
        rng: &mut fastrand::Rng,
        out: &mut [u8],
    ) {
        // A mistake of ours in one reply is not the end of all others.
        let responded = catch_unwind(AssertUnwindSafe(|| {
            respond(sources, packet.caller(), packet.packet(), rng, out)
        }));
        match responded {
            Ok(Responded::With(replied)) => {
                self.pen.query(replied.qtype);
                self.pen.response(&replied.summary);
                send(&mut self.pen, &self.clock, &packet, &out[..replied.summary.octets]);
            }
            Ok(Responded::Limited) => self.pen.dropped(DropReason::RateLimited, 1),
            Ok(Responded::Silence) => self.pen.dropped(DropReason::NotQuery, 1),
            Ok(Responded::NeedsForward) => {
                if let Some(packet) = self.forward.take(packet) {
                    self.answer(&sources.reaching(Reach::Last), packet, rng, out);
                }
            }
            Ok(Responded::TakesLong) => {
                if self.long.take(packet).is_err() {
                    self.pen.dropped(DropReason::FullPathBusy, 1);
                }
            }
            Err(_panic) => self.pen.dropped(DropReason::InternalError, 1),
        }
    }
}

/// Sends a reply to a packet, and counts what becomes of it.
pub(in crate::dns) fn send(pen: &mut Pen, clock: &Clock, packet: &Deferred, reply: &[u8]) {
    match packet.reply(reply) {
        Ok(()) => pen.duration(clock.elapsed().saturating_sub(packet.arrived()), 1),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            pen.dropped(DropReason::SendBlocked, 1);
        }
        Err(_) => pen.dropped(DropReason::SendRefused, 1),
    }
}
