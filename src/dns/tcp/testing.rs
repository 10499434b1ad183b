//! What connections share, for tests and for the fuzzer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::{Gates, Runners, Shared};
use crate::{
    dns::{
        Limits, Settings, Transport,
        forward::{ForwardHandle, ForwardLane},
        full::{Lanes, LongLane},
        stats::Stats,
        view::World,
        zone::ZonesHandle,
    },
    registry::Registry,
    telemetry::{Board, Metrics},
    util::{Clock, Places},
};

/// Everything that a server starts for its connections, without one that listens.
pub(in crate::dns) fn shared(registry: Registry, settings: Settings) -> Shared {
    let (stats, clock) = (Stats::new(&Metrics::new()), Clock::system());
    let world = World {
        registry,
        zones: ZonesHandle::default(),
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        forward: ForwardHandle::new(Board::default(), &Metrics::new(), clock.clone()),
    };
    let stop = CancellationToken::new();
    let forward = ForwardLane::start(world.clone(), &stats, clock.clone(), stop.clone());
    let (forward, _thread) = forward.expect("the system has a thread to give");
    let long = LongLane::start(world.clone(), &stats, clock.clone(), forward.clone());
    let (long, _thread) = long.expect("the system has a thread to give");
    let runners = Runners::start(("dns-tcp", 1), &stats, &[Transport::Tcp]);
    let (runners, _threads) = runners.expect("the system has a thread to give");
    let (lanes, gates) = (Lanes::new(long, forward), Gates::default());
    let limits = Arc::new(ArcSwap::from_pointee(Limits::default()));
    let (unproven, encrypted_runners) = (Places::default(), None);
    Shared { world, stats, lanes, limits, clock, stop, gates, unproven, runners, encrypted_runners }
}
