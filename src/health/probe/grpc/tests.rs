//! The `grpc` check against tonic's own health service, and against what is none.

use std::{convert::Infallible, future::ready, net::SocketAddr};

use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    health::probe::{
        Prober,
        testing::{IMPATIENCE, grpc_check, run, run_with, saying, thresholds},
        tls::tests::{acceptor, certificate, file_of},
    },
    model::Status,
    util::free_address,
};

async fn server(tls: Option<TlsAcceptor>) -> (SocketAddr, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let address = serve(Routes::new(health), tls).await;
    (address, reporter)
}

async fn serve(routes: Routes, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(routes.clone());
            let (builder, tls) = (builder.clone(), tls.clone());
            tokio::spawn(async move {
                let _ = match tls {
                    None => builder.serve_connection(TokioIo::new(stream), service).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                        Err(_) => Ok(()),
                    },
                };
            });
        }
    });
    address
}

#[tokio::test]
async fn only_serving_passes() {
    let (address, reporter) = server(None).await;
    for (status, expected, output) in [
        (ServingStatus::Serving, Status::Passing, "gRPC SERVING"),
        (ServingStatus::NotServing, Status::Critical, "gRPC NOT_SERVING"),
        (ServingStatus::Unknown, Status::Critical, "gRPC UNKNOWN"),
    ] {
        reporter.set_service_status("shop.Payment", status).await;
        let outcome = run(address, grpc_check(|check| check.service = "shop.Payment".into())).await;
        assert_eq!((outcome.status, &*outcome.output), (Some(expected), output));
    }
}

#[tokio::test]
async fn the_server_as_a_whole_is_asked_without_a_service() {
    let (address, _reporter) = server(None).await;
    let outcome = run(address, grpc_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
}

#[tokio::test]
async fn an_unknown_service_is_named() {
    let (address, _reporter) = server(None).await;
    let outcome = run(address, grpc_check(|check| check.service = "shop.Stock".into())).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert_eq!(&*outcome.output, "gRPC NOT_FOUND: no service `shop.Stock` there");
}

#[tokio::test]
async fn a_server_without_health_service_is_told_as_such() {
    let address = serve(Routes::default(), None).await;
    let outcome = run(address, grpc_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert!(outcome.output.starts_with("gRPC UNIMPLEMENTED: "), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    let address = free_address();
    let outcome = run(address, grpc_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert_eq!(*outcome.output, format!("connect to {address}: connection refused"));
}

#[tokio::test]
async fn the_timeout_covers_a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let outcome = run(address, grpc_check(|check| check.thresholds = thresholds(IMPATIENCE))).await;
    let expected = format!("timeout after 500ms while waiting for the reply of {address}");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), &*expected));
}

#[tokio::test]
async fn what_is_no_grpc_fails() {
    let (address, _heads) = saying("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let outcome = run(address, grpc_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert!(outcome.output.starts_with("gRPC "), "{outcome:?}");
}

#[tokio::test]
async fn tls_is_spoken_and_verified() {
    let certificate = certificate("127.0.0.1");
    let (address, _reporter) = server(Some(acceptor(&certificate, b"h2"))).await;
    let file = file_of(&certificate);
    let trusting = Prober::new(Some(file.path())).unwrap();
    let check = |skip| grpc_check(|check| (check.tls, check.tls_skip_verify) = (true, skip));
    let outcome = run_with(&trusting, address, check(false)).await;
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Passing), "gRPC SERVING"));
    let strangers = Prober::new(None).unwrap();
    let outcome = run_with(&strangers, address, check(false)).await;
    assert!(outcome.output.ends_with("invalid peer certificate: UnknownIssuer"), "{outcome:?}");
    let outcome = run_with(&strangers, address, check(true)).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
}

#[tokio::test]
async fn the_name_that_is_given_is_verified() {
    let certificate = certificate("web.example");
    let (address, _reporter) = server(Some(acceptor(&certificate, b"h2"))).await;
    let file = file_of(&certificate);
    let prober = Prober::new(Some(file.path())).unwrap();
    let check = |name: Option<&str>| {
        grpc_check(|check| (check.tls, check.tls_name) = (true, name.map(Into::into)))
    };
    let outcome = run_with(&prober, address, check(Some("web.example"))).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    for name in [None, Some("other.example")] {
        let outcome = run_with(&prober, address, check(name)).await;
        assert!(outcome.output.contains("not valid for name"), "{name:?}: {outcome:?}");
    }
}

/// Behind a proxy that tells its servers apart by their names, none was found.
#[tokio::test]
async fn a_server_is_called_by_the_name_that_is_given() {
    for name in [Some("web.example"), None] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<Incoming>| {
                sender.send(request.uri().authority().unwrap().to_string()).unwrap();
                ready(Ok::<_, Infallible>(Response::new(String::new())))
            });
            let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
        run(address, grpc_check(|check| check.tls_name = name.map(Into::into))).await;
        let called = format!("{}:{}", name.unwrap_or("127.0.0.1"), address.port());
        assert_eq!(heard.recv().await, Some(called));
    }
}
