//! What the probes' tests share: checks, instances, and servers that say what they are told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{Job, Probe, Prober, connect::Destination};
use crate::{
    health::outcome::Outcome,
    model::{
        Addresses, CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, Instance,
        Target, TcpCheck, Thresholds, UdpCheck,
    },
    registry::testing::instance,
};

/// Long enough for a loaded machine; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// For tests that want the timeout to come.
pub(crate) const IMPATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn thresholds(timeout: Duration) -> Thresholds {
    Thresholds { timeout, ..Thresholds::DEFAULT }
}

pub(crate) fn tcp_check() -> CheckSpec {
    tls_check(|_| {})
}

/// A `tcp` check that may be told to speak TLS.
pub(crate) fn tls_check(change: impl FnOnce(&mut TcpCheck)) -> CheckSpec {
    let mut check = TcpCheck::new(Target::default(), thresholds(PATIENCE));
    change(&mut check);
    CheckSpec::new(CheckKind::Tcp(Box::new(check)))
}

pub(crate) fn udp_check(thresholds: Thresholds) -> CheckSpec {
    CheckSpec::new(CheckKind::Udp(Box::new(UdpCheck { target: Target::default(), thresholds })))
}

pub(crate) fn h2ping_check(change: impl FnOnce(&mut H2pingCheck)) -> CheckSpec {
    let mut check = H2pingCheck {
        target: Target::default(),
        tls: false,
        tls_skip_verify: false,
        tls_name: None,
        thresholds: thresholds(PATIENCE),
    };
    change(&mut check);
    CheckSpec::new(CheckKind::H2ping(Box::new(check)))
}

pub(crate) fn http_check(change: impl FnOnce(&mut HttpCheck)) -> CheckSpec {
    let mut check = HttpCheck {
        target: Target::default(),
        tls: false,
        tls_skip_verify: false,
        follow_redirects: false,
        method: "GET".into(),
        path: "/health?deep=1".into(),
        headers: Box::default(),
        expect: Expect::default(),
        warn: None,
        extra: None,
        thresholds: thresholds(PATIENCE),
    };
    change(&mut check);
    CheckSpec::new(CheckKind::Http(Box::new(check)))
}

pub(crate) fn grpc_check(change: impl FnOnce(&mut GrpcCheck)) -> CheckSpec {
    let mut check = GrpcCheck {
        target: Target::default(),
        tls: false,
        tls_skip_verify: false,
        tls_name: None,
        service: "".into(),
        thresholds: thresholds(PATIENCE),
    };
    change(&mut check);
    CheckSpec::new(CheckKind::Grpc(Box::new(check)))
}

/// An instance at `address` with one check.
pub(crate) fn instance_at(address: SocketAddr, check: CheckSpec) -> Instance {
    Instance {
        addresses: Addresses::ips(vec![address.ip()]).unwrap(),
        port: address.port(),
        checks: [check].into(),
        ..instance("web/a", "127.0.0.1")
    }
}

pub(in crate::health::probe) fn destination(address: &str) -> Destination {
    let instance = instance_at(address.parse().unwrap(), tcp_check());
    Destination::of(&instance, &Target::default()).unwrap()
}

/// Probes once with `prober`.
pub(crate) async fn run_with(prober: &Prober, address: SocketAddr, check: CheckSpec) -> Outcome {
    let job = Job { instance: Arc::new(instance_at(address, check)), check: 0 };
    prober.probe(&job).await
}

/// Probes once, trusting the system's certificates.
pub(crate) async fn run(address: SocketAddr, check: CheckSpec) -> Outcome {
    run_with(&Prober::new(None).unwrap(), address, check).await
}

/// A server that gives every request the same octets and closes. The requests' heads come out of
/// the channel; the server is gone when that is dropped.
pub(crate) async fn saying(reply: impl Into<Vec<u8>>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, received) = mpsc::channel(8);
    let reply = reply.into();
    tokio::spawn(async move {
        loop {
            let mut stream = tokio::select! {
                accepted = listener.accept() => accepted.unwrap().0,
                () = heads.closed() => return,
            };
            let head = read_head(&mut stream).await;
            let _ = heads.try_send(head);
            let _ = stream.write_all(&reply).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, received)
}

/// Reads up to the empty line that ends a request's head.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}
