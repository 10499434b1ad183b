//! One HTTP/2 connection as tonic wants it: a service that takes requests.
//!
//! Not tonic's own channel: that connects, and connects again, behind the caller's back, and a
//! write that was lost looks the same as one that was never sent. Here it is known, because hyper
//! gives back what it has not sent.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http2::SendRequest,
    header::{HeaderValue, USER_AGENT},
};
use tonic::body::Body;
use tower::Service;

/// What etcd's logs call us.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("rollcall/", env!("CARGO_PKG_VERSION")));

/// Sends requests on one connection; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Wire(pub(super) SendRequest<Body>);

/// The request did not leave: the connection was closed before.
#[derive(Debug)]
pub(super) struct Unsent(hyper::Error);

type Sent = dyn Future<Output = Result<Response<Incoming>, tonic::codegen::StdError>> + Send;

// === impl Wire ===

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = tonic::codegen::StdError;
    type Future = Pin<Box<Sent>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // A closed one says so when it is given something.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(USER_AGENT, AGENT);
        let sending = self.0.try_send_request(request);
        Box::pin(async move {
            sending.await.map_err(|mut failed| match failed.take_message() {
                Some(_) => Unsent(failed.into_error()).into(),
                None => failed.into_error().into(),
            })
        })
    }
}

// === impl Unsent ===

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was not sent")
    }
}

impl std::error::Error for Unsent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
