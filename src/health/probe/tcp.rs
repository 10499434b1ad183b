//! The `tcp` check: a connection is taken, and with `tls` a handshake comes to its end. Nothing
//! else is sent; it is closed at once.

use super::{
    ProbeError, Prober,
    connect::Destination,
    prober::Progress,
    tls::{How, Inside},
};
use crate::model::TcpCheck;

/// Connects and closes.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    check: &TcpCheck,
    progress: &Progress,
) -> Result<String, ProbeError> {
    let TcpCheck { tls, tls_skip_verify: skip_verify, tls_name, .. } = check;
    let (tls, skip_verify, name) = (*tls, *skip_verify, tls_name.as_deref());
    prober.open(to, How { inside: Inside::Unknown, tls, skip_verify, name }, progress).await?;
    Ok(format!("TCP connect {to}: success"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use crate::{
        health::probe::testing::{run, tcp_check},
        model::Status,
        util::free_address,
    };

    #[tokio::test]
    async fn passes_when_a_connection_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let outcome = run(address, tcp_check()).await;
        assert_eq!(outcome.status, Some(Status::Passing));
        assert_eq!(*outcome.output, format!("TCP connect {address}: success"));
    }

    #[tokio::test]
    async fn fails_when_it_is_refused() {
        let address = free_address();
        let outcome = run(address, tcp_check()).await;
        assert_eq!(outcome.status, Some(Status::Critical));
        assert_eq!(*outcome.output, format!("connect to {address}: connection refused"));
    }
}
