//! What is counted of connections, for each transport by itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};

use super::{
    Stats, Totals,
    collector::{encode, plain},
    labels::{HandshakeFault, Refusal},
};
use crate::dns::caller::Transport;

/// The connections of one transport.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: AtomicI64,
    accepted: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    failed: [AtomicU64; HandshakeFault::ALL.len()],
    timed_out: AtomicU64,
}

/// Counts a connection for as long as it is there.
#[derive(Debug)]
pub(in crate::dns) struct OpenConnection {
    totals: Arc<Totals>,
    transport: Transport,
}

// === impl Stats ===

impl Stats {
    /// Counts a connection as accepted and open.
    pub(in crate::dns) fn open_connection(&self, transport: Transport) -> OpenConnection {
        let connections = self.connections(transport);
        connections.accepted.fetch_add(1, Relaxed);
        connections.open.fetch_add(1, Relaxed);
        OpenConnection { totals: Arc::clone(&self.0), transport }
    }

    /// Counts a connection that was closed at once.
    pub(in crate::dns) fn refuse_connection(&self, transport: Transport, refusal: Refusal) {
        self.connections(transport).refused[refusal as usize].fetch_add(1, Relaxed);
    }

    /// Counts a connection that was closed because its handshake failed.
    pub(in crate::dns) fn fail_handshake(&self, transport: Transport, fault: HandshakeFault) {
        self.connections(transport).failed[fault as usize].fetch_add(1, Relaxed);
    }

    /// Counts a connection that was closed because nothing whole came or went for too long.
    pub(in crate::dns) fn time_out_connection(&self, transport: Transport) {
        self.connections(transport).timed_out.fetch_add(1, Relaxed);
    }

    /// Counts a client over QUIC that has to prove its address first.
    pub(in crate::dns) fn ask_for_proof(&self) {
        self.0.proofs_asked_for.fetch_add(1, Relaxed);
    }

    fn connections(&self, transport: Transport) -> &Connections {
        &self.0.connections[transport as usize]
    }
}

// === impl OpenConnection ===

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.totals.connections[self.transport as usize].open.fetch_sub(1, Relaxed);
    }
}

// === impl Totals ===

impl Totals {
    /// The families of connections, of those transports that have any.
    pub(super) fn encode_connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let served: Vec<(Transport, &Connections)> = self
            .transports()
            .filter(|transport| !transport.is_datagram())
            .map(|transport| (transport, &self.connections[transport as usize]))
            .collect();
        let label = |transport: Transport| ("transport", transport.as_str());
        let help = "Open DNS connections.";
        let mut open =
            encoder.encode_descriptor("dns_connections", help, None, MetricType::Gauge)?;
        for (transport, connections) in &served {
            open.encode_family(&[label(*transport)])?
                .encode_gauge(&connections.open.load(Relaxed))?;
        }
        let counters = |of: fn(&Connections) -> &AtomicU64| {
            let one = |(transport, connections): &(Transport, &Connections)| {
                ([label(*transport)], of(connections).load(Relaxed))
            };
            served.iter().map(one).collect::<Vec<_>>()
        };
        let help = "DNS connections that were accepted.";
        encode(encoder, "dns_connections_accepted", help, &counters(|it| &it.accepted))?;
        let help = "DNS connections that were closed for idleness.";
        encode(encoder, "dns_connections_timed_out", help, &counters(|it| &it.timed_out))?;
        let refused = served.iter().flat_map(|(transport, connections)| {
            let reasons = Refusal::ALL.iter().zip(&connections.refused);
            reasons.map(|(reason, count)| {
                ([label(*transport), ("reason", *reason)], count.load(Relaxed))
            })
        });
        let help = "DNS connections that were closed at once, by the limit they met.";
        encode(encoder, "dns_connections_refused", help, &refused.collect::<Vec<_>>())?;
        let encrypted = served.iter().filter(|(transport, _)| transport.is_encrypted());
        let failed = encrypted.flat_map(|(transport, connections)| {
            let reasons = HandshakeFault::ALL.iter().zip(&connections.failed);
            reasons.map(|(reason, count)| {
                ([label(*transport), ("reason", *reason)], count.load(Relaxed))
            })
        });
        let help = "DNS connections that were closed because the handshake failed.";
        encode(encoder, "dns_handshakes_failed", help, &failed.collect::<Vec<_>>())?;
        if !served.iter().any(|(transport, _)| *transport == Transport::Quic) {
            return Ok(());
        }
        let help = "DNS clients over QUIC that had to prove their address first.";
        plain(encoder, "dns_quic_address_proofs", help, self.proofs_asked_for.load(Relaxed))
    }
}
