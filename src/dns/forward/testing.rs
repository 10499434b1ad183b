//! What tests ask upstreams with.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use super::{
    UpstreamSpec,
    care::Care,
    health::Health,
    key::{Key, KeyRef},
    loops::Probes,
    metrics::ForwardMetrics,
    upstream::Upstream,
};
use crate::{
    telemetry::{Board, Metrics},
    util::{Clock, Places},
};

/// What it takes to care for upstreams.
pub(super) fn care() -> Care {
    care_with(&Metrics::new())
}

/// The same, with what is counted.
pub(super) fn care_with(metrics: &Metrics) -> Care {
    Care {
        clock: Clock::system(),
        metrics: ForwardMetrics::new(metrics),
        probes: Probes::default(),
        attempts: Places::default(),
    }
}

/// The question for the address of a name, wire labels.
pub(super) fn key(name: &[u8]) -> Key {
    KeyRef::new(name, 1, (false, false)).to_key()
}

/// An upstream at that address that is waited for as long as no test takes.
pub(super) fn upstream(address: SocketAddr, care: &Care) -> Arc<Upstream> {
    let spec = UpstreamSpec::new(address);
    let health = Health::new(spec.to_string(), Board::default(), care.metrics.clone());
    Arc::new(Upstream::new(spec, Duration::from_secs(60), b"\x00", health).unwrap())
}

/// Where nobody listens, for as long as this is kept: whoever sends there hears so at once. The
/// socket is connected to itself, and takes from nobody else.
pub(super) fn nobody() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    socket
}
