//! The `h2ping` check against HTTP/2 servers, in plain and over TLS, and against what is none.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    health::probe::{
        Prober,
        testing::{IMPATIENCE, h2ping_check, run, run_with, saying, thresholds},
        tls::tests::{acceptor, certificate, file_of},
    },
    model::Status,
    util::free_address,
};

/// An HTTP/2 server that has nothing to offer but its connections.
async fn server(tls: Option<TlsAcceptor>) -> SocketAddr {
    async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while connection.accept().await.is_some() {}
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => serve(stream).await,
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { continue };
                    serve(stream).await;
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn passes_when_the_ping_is_acknowledged() {
    let address = server(None).await;
    let outcome = run(address, h2ping_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    assert_eq!(*outcome.output, format!("HTTP/2 PING {address}: success"));
}

/// One that greets as an HTTP/2 server does, and then says no more.
#[tokio::test]
async fn the_timeout_covers_a_server_that_never_acknowledges() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap(); // empty SETTINGS
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read).await;
        read
    });
    let impatient = h2ping_check(|check| check.thresholds = thresholds(IMPATIENCE));
    let outcome = run(address, impatient).await;
    let step = "waiting for the acknowledgement of a PING by";
    let expected = format!("timeout after 500ms while {step} {address}");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), &*expected));
    let read = serving.await.unwrap();
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0]; // eight octets of type PING, no ACK, stream 0
    assert!(read.windows(9).any(|octets| octets == ping), "a PING was sent: {read:?}");
}

#[tokio::test]
async fn what_is_no_http_2_fails() {
    let (address, _heads) = saying("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let outcome = run(address, h2ping_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert!(outcome.output.starts_with(&format!("HTTP/2 with {address}: ")), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    let address = free_address();
    let outcome = run(address, h2ping_check(|_| {})).await;
    assert_eq!(*outcome.output, format!("connect to {address}: connection refused"));
}

#[tokio::test]
async fn tls_is_spoken_and_verified_by_the_name_that_is_given() {
    let certificate = certificate("web.example");
    let address = server(Some(acceptor(&certificate, b"h2"))).await;
    let file = file_of(&certificate);
    let prober = Prober::new(Some(file.path())).unwrap();
    for (name, skip, passes) in [
        (None, false, false),
        (Some("other.example"), false, false),
        (Some("web.example"), false, true),
        (None, true, true),
    ] {
        let check = h2ping_check(|check| {
            (check.tls, check.tls_skip_verify) = (true, skip);
            check.tls_name = name.map(Into::into);
        });
        let outcome = run_with(&prober, address, check).await;
        let is_fine = outcome.status == Some(Status::Passing);
        assert_eq!(is_fine, passes, "{name:?}: {outcome:?}");
        assert!(passes || outcome.output.contains("not valid for name"), "{outcome:?}");
    }
    let plain = run_with(&prober, address, h2ping_check(|_| {})).await;
    assert_eq!(plain.status, Some(Status::Critical), "without TLS it is no HTTP/2");
}
