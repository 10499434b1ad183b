//! Whoever serves the packets that the UDP workers hand on.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tokio::sync::mpsc;

use super::respond;
use crate::{
    dns::{
        Transport,
        stats::{DropReason, Pen},
        udp::{Deferred, REPLY_OCTETS_MAX},
        view::World,
    },
    util::Clock,
};

/// Replies to what comes out of `packets`, until the last worker is gone and nothing is left. One
/// task is enough: it is the odd ones that come here, and a flood of them is cut by the queue's
/// length.
pub(in crate::dns) async fn serve(
    mut packets: mpsc::Receiver<Deferred>,
    world: World,
    mut pen: Pen,
    clock: Clock,
) {
    let mut rng = fastrand::Rng::new();
    let mut out = vec![0; REPLY_OCTETS_MAX];
    while let Some(packet) = packets.recv().await {
        pen.full_path();
        let mut view = world.view();
        let sources = view.load();
        // A mistake of ours in one reply is not the end of all others.
        let replied = catch_unwind(AssertUnwindSafe(|| {
            respond(&sources, Transport::Udp, packet.packet(), &mut rng, &mut out)
        }));
        let replied = match replied {
            Ok(Some(replied)) => replied,
            Ok(None) => {
                pen.dropped(DropReason::NotQuery, 1);
                continue;
            }
            Err(_panic) => {
                pen.dropped(DropReason::InternalError, 1);
                continue;
            }
        };
        pen.query(replied.qtype);
        pen.response(&replied.summary);
        match packet.reply(&out[..replied.summary.octets]) {
            Ok(()) => pen.duration(clock.elapsed().saturating_sub(packet.arrived()), 1),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pen.dropped(DropReason::SendBlocked, 1);
            }
            Err(_) => pen.dropped(DropReason::SendRefused, 1),
        }
    }
}
