//! One HTTP/2 connection as tonic wants it: a service that takes requests.
//!
//! Not tonic's own channel: that connects, and connects again, behind the caller's back, and a
//! write that was lost looks the same as one that was never sent. Here it is known, because hyper
//! gives back what it has not sent.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    client::conn::http2::SendRequest,
    header::{HeaderValue, USER_AGENT},
};
use parking_lot::Mutex;
use tokio::time::Instant;
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

type Sent = dyn Future<Output = Result<Response<Arriving>, tonic::codegen::StdError>> + Send;

/// When something of a reply came last; clones share it. It goes along with a request, as one of
/// its extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<Option<Instant>>>);

/// A reply that takes note of its arrival, piece by piece.
#[derive(Debug)]
pub(super) struct Arriving {
    body: Incoming,
    arrivals: Option<Arrivals>,
}

// === impl Wire ===

impl Service<Request<Body>> for Wire {
    type Response = Response<Arriving>;
    type Error = tonic::codegen::StdError;
    type Future = Pin<Box<Sent>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // A closed one says so when it is given something.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(USER_AGENT, AGENT);
        let arrivals = request.extensions().get::<Arrivals>().cloned();
        let sending = self.0.try_send_request(request);
        Box::pin(async move {
            match sending.await {
                Ok(response) => Ok(response.map(|body| Arriving { body, arrivals })),
                Err(mut failed) => Err(match failed.take_message() {
                    Some(_) => Unsent(failed.into_error()).into(),
                    None => failed.into_error().into(),
                }),
            }
        })
    }
}

// === impl Arrivals ===

impl Arrivals {
    /// The last one.
    pub(super) fn last(&self) -> Option<Instant> {
        *self.0.lock()
    }
}

// === impl Arriving ===

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(_))), Some(arrivals)) = (&polled, &self.arrivals) {
            *arrivals.0.lock() = Some(Instant::now());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
