//! One connection over HTTPS: requests in, replies out, as long as something happens.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    body::ReplyBody,
    freshness::max_age,
    question::{self, MEDIA_TYPE, Refusal},
};
use crate::dns::tcp::{Full, NoReply, Room, Visit};

/// Octets of a request's headers: those of browsers have some hundred, and a question in a URL as
/// many; a longer one can be posted.
const HEADERS_OCTETS_MAX: u16 = 16 << 10;

/// Headers of a request over HTTP/1.1.
const HEADERS_MAX: usize = 64;

/// Octets that HTTP/2 takes of one reply before the client has read them.
const SEND_OCTETS_MAX: usize = 16 << 10;

/// Octets of one question that may come before it is read: all of the longest.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same for all questions of a connection together.
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Streams that a client has opened and cancelled before they were looked at, and streams that
/// were cancelled for the client's mistakes: with more of either the connection is closed. Both
/// are what floods are made of ("rapid reset"), and no client does either in numbers.
const RESETS_MAX: usize = 32;

/// How long a connection may take to end when the server stops, or when nothing has happened on it:
/// for a client that is slow to read.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the requests of one connection share.
pub(super) struct Desk {
    visit: Visit,
    path: Arc<str>,
    room: Room,
    /// When something happened last, nanoseconds by the server's clock.
    touched: AtomicU64,
}

/// Serves a connection until its client, a timeout or the stop ends it.
pub(in crate::dns) async fn serve(stream: TlsStream<TcpStream>, visit: Visit, path: Arc<str>) {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let limits = **visit.shared.limits.load();
    let desk = Arc::new(Desk { visit, path, room: Room::new(), touched: AtomicU64::new(0) });
    desk.touch();
    let shared = Arc::clone(&desk);
    let service = service_fn(move |request| {
        let desk = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(desk.respond(request).await) }
    });
    let stream = TokioIo::new(stream);
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_local_error_reset_streams(RESETS_MAX)
            .max_header_list_size(HEADERS_OCTETS_MAX.into())
            .max_send_buf_size(SEND_OCTETS_MAX)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        desk.attend(builder.serve_connection(stream, service)).await;
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The alarm of `attend` rings for headers too, and is counted.
            .header_read_timeout(None)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADERS_OCTETS_MAX.into());
        desk.attend(builder.serve_connection(stream, service)).await;
    }
}

// === impl Desk ===

impl Desk {
    /// Something happened; the client is not idle.
    pub(super) fn touch(&self) {
        let now = self.visit.shared.clock.elapsed().as_nanos();
        self.touched.store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
    }

    /// Until when the connection is kept if nothing happens.
    fn deadline(&self) -> Instant {
        let idle = self.visit.limits().idle_timeout;
        if self.visit.is_answering() {
            return self.visit.after(idle);
        }
        let touched = Duration::from_nanos(self.touched.load(Relaxed));
        self.visit.shared.clock.instant(touched + idle)
    }

    /// Lets a connection go on until it ends or should.
    async fn attend(&self, connection: impl GracefulConnection) {
        let mut connection = pin!(connection);
        let shared = &self.visit.shared;
        let mut alarm = pin!(sleep_until(self.deadline()));
        loop {
            tokio::select! {
                // What goes wrong is the client's business.
                _ended = connection.as_mut() => return,
                () = shared.stop.cancelled() => break,
                () = alarm.as_mut() => {
                    let deadline = self.deadline();
                    if self.visit.after(Duration::ZERO) >= deadline {
                        shared.stats.time_out_connection(self.visit.transport);
                        break;
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ended = timeout(CLOSING_TIMEOUT, connection).await;
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<ReplyBody> {
        self.touch();
        let is_head = request.method() == Method::HEAD;
        let response = self.answer(request).await.unwrap_or_else(refused);
        if is_head { without_body(response) } else { response }
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, Refusal> {
        // So that the client is told before the connection is closed for idleness.
        let patience = self.visit.limits().idle_timeout / 2;
        let message = question::read(request, &self.path, self.room.question(), patience).await?;
        let reply = self.visit.reply(&message, &self.room).await;
        self.touch();
        drop(message);
        let (reply, room) = reply.map_err(|none| match none {
            NoReply::NotAQuery => {
                Refusal::new(StatusCode::BAD_REQUEST, "the message is no DNS query")
            }
            NoReply::Failed => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the question cannot be answered now")
            }
            NoReply::TooMuch => question::too_much(Full),
        })?;
        let fresh = format!("max-age={}", max_age(&reply));
        let mut response = Response::new(ReplyBody::of_room(reply, Arc::clone(self), room));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Ok(fresh) = HeaderValue::try_from(fresh) {
            headers.insert(CACHE_CONTROL, fresh);
        }
        Ok(response)
    }
}

/// The same response to HEAD, which over HTTP/2 nobody else takes the body from.
fn without_body(response: Response<ReplyBody>) -> Response<ReplyBody> {
    let (mut head, body) = response.into_parts();
    let octets = body.size_hint().lower();
    head.headers.insert(CONTENT_LENGTH, octets.into());
    Response::from_parts(head, ReplyBody::text(String::new()))
}

/// A response that says what is wrong, and with a method that is none of ours, which ones are
/// (RFC 9110 §15.5.6).
fn refused(refusal: Refusal) -> Response<ReplyBody> {
    let Refusal { status, problem } = refusal;
    let mut response = Response::new(ReplyBody::text(format!("{problem}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = [Method::GET, Method::HEAD, Method::POST].map(|method| method.to_string());
        if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
            headers.insert(ALLOW, allowed);
        }
    }
    response
}
