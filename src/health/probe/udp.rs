//! The `udp` check: a datagram is not refused.
//!
//! What a service says to a stranger over UDP is its own protocol's business, and most say nothing
//! to what they do not understand. So one empty datagram is sent, which no protocol takes for a
//! request, and both a reply and silence pass; what fails is the ICMP error that the host sends
//! when nobody listens there (RFC 1122 §4.1.3.3), or the routers when there is no such host. A
//! firewall that drops such errors makes the check pass for ever.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::{
    ProbeError, Prober,
    connect::{Destination, nowhere, refused},
    prober::Progress,
};

/// What the probe is at while it listens: when the time ends then, it has passed.
pub(super) const LISTENING: &str = "waiting for a reply or an error of";

/// Sends a datagram to each of the destination's addresses in turn until one does not refuse it.
/// Waits for as long as it is let.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    progress: &Progress,
) -> Result<String, ProbeError> {
    let addresses = prober.resolver.addresses(to, progress).await?;
    progress.enter("sending to");
    let mut refusal = nowhere(to);
    for address in addresses {
        match ask(address, progress).await {
            Ok(()) => return Ok(passed(to)),
            Err(error) => refusal = refused("UDP to", address, &error),
        }
    }
    Err(refusal)
}

/// The output of a check that passed.
pub(super) fn passed(to: &Destination) -> String {
    format!("UDP to {to}: success")
}

async fn ask(address: SocketAddr, progress: &Progress) -> std::io::Result<()> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Of a connected socket, so that only its replies, and the errors too, come here.
    socket.connect(address).await?;
    socket.send(&[]).await?;
    progress.enter(LISTENING);
    socket.recv(&mut [0]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use crate::{
        health::probe::testing::{IMPATIENCE, run, thresholds, udp_check},
        model::{Status, Thresholds},
        util::free_address,
    };

    #[tokio::test]
    async fn a_reply_passes() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let replying = tokio::spawn(async move {
            let (octets, from) = server.recv_from(&mut [0; 16]).await.unwrap();
            server.send_to(b"what?", from).await.unwrap();
            octets
        });
        let outcome = run(address, udp_check(Thresholds::DEFAULT)).await;
        assert_eq!(outcome.status, Some(Status::Passing));
        assert_eq!(*outcome.output, format!("UDP to {address}: success"));
        assert_eq!(replying.await.unwrap(), 0, "the datagram is empty");
    }

    #[tokio::test]
    async fn silence_passes_when_the_time_ends() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let outcome = run(address, udp_check(thresholds(IMPATIENCE))).await;
        assert_eq!(outcome.status, Some(Status::Passing));
        assert_eq!(*outcome.output, format!("UDP to {address}: success"));
    }

    #[tokio::test]
    async fn fails_when_it_is_refused() {
        let address = free_address();
        let outcome = run(address, udp_check(Thresholds::DEFAULT)).await;
        assert_eq!(outcome.status, Some(Status::Critical));
        assert_eq!(*outcome.output, format!("UDP to {address}: connection refused"));
    }
}
