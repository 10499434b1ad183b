//! One connection: from its first octet to its end.

use std::{convert::Infallible, net::SocketAddr, pin::pin};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{
    Request, Version,
    body::Incoming,
    header::{CONNECTION, HOST, HeaderValue},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::{
    Api,
    metrics::{Counted, Observed},
    patient::Patient,
    problem::Problem,
};

/// Where a request came from; instances that name no address are registered with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Which of this host's addresses it came to: whoever has that one is this host as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local(pub(super) SocketAddr);

/// Octets of a request's head: a path of two names and ordinary headers stay far below.
const HEAD_OCTETS_MAX: usize = 32 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Serves a connection until its client, a timeout or the stop ends it. Once the server stops, the
/// request in flight is finished, for a limited time.
pub(super) async fn serve(api: Api, router: Router, stream: TcpStream, peer: SocketAddr) {
    let _counted = Counted::new(&api.metrics().connections);
    let shared = api.clone();
    let local = stream.local_addr().ok().map(Local);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let refusal = refusal(&shared, &request);
        let router = router.clone();
        async move {
            if let Some(refusal) = refusal {
                return Ok(refusal);
            }
            request.extensions_mut().insert(Peer(peer));
            if let Some(local) = local {
                request.extensions_mut().insert(local);
            }
            Ok::<_, Infallible>(
                router.oneshot(request).await.unwrap_or_else(|never| match never {}),
            )
        }
    });
    let stream = Patient::new(stream, api.options().write_timeout);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(api.options().header_timeout)
        .max_buf_size(HEAD_OCTETS_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = api.stop().cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(api.options().stop_timeout, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::warn!(%peer, "a connection did not finish in time and was closed");
                    Ok(())
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

/// The reply to a request that is refused before the router, which counts and logs all others.
fn refusal(api: &Api, request: &Request<Body>) -> Option<Response> {
    if names_one_host(request) {
        return None;
    }
    let observed = Observed::new(request, false);
    let mut response = Problem::bad_host().into_response();
    // Its body is nobody's, and who sends such requests has more of them.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    observed.count(api.metrics(), response.status());
    Some(response)
}

/// Whether it has the one `Host` that HTTP/1.1 asks for (RFC 9112 §3.2): of two, what stands
/// between and the guard might each look at another.
fn names_one_host(request: &Request<Body>) -> bool {
    let named = request.headers().get_all(HOST).iter().count();
    named == 1 || (named == 0 && request.version() < Version::HTTP_11)
}
