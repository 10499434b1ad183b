//! What is left of a request's body when its reply is there.
//!
//! Much is refused before its body is looked at: by its path, its method, its query. A connection
//! goes on with what follows the body, so that has to be read to its end; and who is still writing
//! when the connection is closed loses the reply with it. So the rest is read and thrown away
//! before the reply is sent, up to a limit of octets and of time; beyond these the reply says that
//! the connection is over.
//!
//! One place does so for all interfaces, and handlers take of a body what they need.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

/// Octets that are read to be thrown away: more than any body that is taken has.
const OCTETS_MAX: usize = 8 << 20;

/// What is left of a body once nobody reads it any more.
#[derive(Debug, Default)]
pub(super) struct Unread(Option<Arc<Mutex<Left>>>);

#[derive(Debug, Default)]
enum Left {
    /// Nothing, or whoever reads it still has it.
    #[default]
    Nothing,
    /// This.
    Rest(Body),
    /// All of it, and the client sends it only if it is asked to (`Expect: 100-continue`).
    Unasked,
}

/// A body that leaves behind what is not read of it.
#[derive(Debug)]
struct Watched {
    /// `None` when its end has been read.
    body: Option<Body>,
    /// Whether the client waits until somebody reads.
    is_unasked: bool,
    left: Arc<Mutex<Left>>,
}

// === impl Unread ===

impl Unread {
    /// Has the body of a request leave behind what is not read of it.
    pub(super) fn of(request: Request) -> (Request, Self) {
        if request.body().is_end_stream() {
            return (request, Self::default());
        }
        let left = Arc::default();
        let unread = Self(Some(Arc::clone(&left)));
        let is_unasked = request.headers().contains_key(header::EXPECT);
        let watched = |body| Body::new(Watched { body: Some(body), is_unasked, left });
        (request.map(watched), unread)
    }

    /// The reply, once what is left has been read; it ends the connection if that is too much, or
    /// takes longer than `patience`.
    pub(super) async fn before(self, mut response: Response, patience: Duration) -> Response {
        let left = self.0.map_or(Left::Nothing, |left| std::mem::take(&mut *left.lock()));
        let goes_on = match left {
            Left::Nothing => true,
            Left::Unasked => false,
            // It has taken too long already.
            Left::Rest(_) if response.status() == StatusCode::REQUEST_TIMEOUT => false,
            Left::Rest(body) => {
                tokio::time::timeout(patience, is_read_to_its_end(body)).await == Ok(true)
            }
        };
        if !goes_on {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

async fn is_read_to_its_end(mut body: Body) -> bool {
    let mut seen = 0;
    while seen <= OCTETS_MAX {
        match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
        }
    }
    false
}

// === impl Watched ===

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_unasked = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        *self.left.lock() = if self.is_unasked { Left::Unasked } else { Left::Rest(body) };
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use axum::{
        body::{Body, Bytes},
        extract::Request,
        http::{StatusCode, header},
        response::{IntoResponse, Response},
    };
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::{OCTETS_MAX, Unread};

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A body of so many octets, in frames of at most 64 KiB.
    fn body(octets: usize) -> Body {
        let frames = (0..octets.div_ceil(64 << 10))
            .map(move |frame| vec![b'x'; (octets - (frame << 16)).min(64 << 10)]);
        Body::from_stream(stream::iter(frames.map(|frame| Ok::<_, Infallible>(Bytes::from(frame)))))
    }

    fn is_closed(response: &Response) -> bool {
        response.headers().get(header::CONNECTION).is_some_and(|value| value == "close")
    }

    /// Whether the connection is over when a handler has read so many frames.
    async fn after(request: Request, frames: usize, status: StatusCode) -> bool {
        let (request, unread) = Unread::of(request);
        let mut body = request.into_body();
        for _ in 0..frames {
            let _frame = body.frame().await;
        }
        drop(body);
        is_closed(&unread.before(status.into_response(), PATIENCE).await)
    }

    #[tokio::test]
    async fn what_is_left_is_read_up_to_a_limit() {
        for (octets, read, is_over) in [
            (0, 0, false),
            (10, 0, false),
            (200_000, 0, false),
            (200_000, 1, false),
            (200_000, 9, false),
            (OCTETS_MAX + (65 << 10), 0, true),
            (OCTETS_MAX + (65 << 10), 999, false),
        ] {
            let closed = after(Request::new(body(octets)), read, StatusCode::NOT_FOUND).await;
            assert_eq!(closed, is_over, "{octets} octets, {read} frames read");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_to_an_end_is_not_waited_for() {
        let endless = || {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
            Request::new(Body::from_stream(first.chain(stream::pending())))
        };
        let began = tokio::time::Instant::now();
        assert!(after(endless(), 0, StatusCode::NOT_FOUND).await);
        assert_eq!(began.elapsed(), PATIENCE);
        // It was waited for already.
        assert!(after(endless(), 1, StatusCode::REQUEST_TIMEOUT).await);
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn who_waits_to_be_asked_is_not_asked() {
        let request = || {
            let request = Request::builder().header(header::EXPECT, "100-continue");
            request.body(body(10)).unwrap()
        };
        assert!(after(request(), 0, StatusCode::NOT_FOUND).await);
        assert!(!after(request(), 1, StatusCode::NOT_FOUND).await);
    }
}
