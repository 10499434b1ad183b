//! From an endpoint to a connection that is known to lead to an etcd that will do.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hyper::{Uri, client::conn::http2::Builder, http::uri::PathAndQuery};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tonic::{Request, client::Grpc};
use tonic_prost::ProstCodec;

use super::{
    EtcdError, Member,
    auth::{Auth, Held},
    dial::dial,
    endpoint::Endpoint,
    failure::{Asked, Failure, Kind, innermost},
    member::Version,
    proto::{StatusRequest, StatusResponse},
    tls::{Judge, Tls},
    wire::Wire,
};

/// How long a connection with calls or streams on it may be silent before it is asked whether it is
/// there. etcd hangs up on those who ask more often than every five seconds, and on those who ask
/// while nothing is under way (`--grpc-keepalive-min-time`), so then nobody does.
const PING_AFTER: Duration = Duration::from_secs(10);
/// How long the answer to that may take.
const PING_ANSWER: Duration = Duration::from_secs(5);
/// What etcd may send of one reply or stream before it is read: a page of a list, so that listing
/// does not wait for the way there and back.
const STREAM_WINDOW: u32 = 2 << 20;
/// The same for all of them together. More than some streams that nobody reads can fill, so that
/// these hold up nothing.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// What is read of one reply. Watches come in pieces of 2 MiB; of a list with larger values fewer
/// are asked for.
pub(super) const REPLY_OCTETS_MAX: usize = 64 << 20;

/// A connection to a member; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    wire: Wire,
    origin: Uri,
    pub(super) version: Version,
    /// Tells it from the connections before it.
    pub(super) number: u64,
    pub(super) end: End,
}

/// Why a connection ended, once it has. A call that was cut off by it knows only that it was.
#[derive(Debug, Clone, Default)]
pub(super) struct End(Arc<OnceLock<String>>);

/// What HTTP/2 runs on.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

// === impl Connection ===

impl Connection {
    /// Connects, by `tls` if the endpoint is one of https, logs in and asks the member who it is,
    /// all of it until `deadline`. Nothing is known of a member that tells it to `root` alone.
    ///
    /// # Errors
    /// When it does not come about, or the member is too old.
    pub(super) async fn open(
        endpoint: &Endpoint,
        tls: Option<&Tls>,
        auth: &Auth,
        number: u64,
        deadline: Instant,
    ) -> Result<(Self, Option<Member>), Failure> {
        let late = |_| Failure::unsent("no connection within the time for a call");
        let connected = timeout_at(deadline, connect(endpoint, tls)).await;
        let (stream, judge) = connected.map_err(late)??;
        let (wire, end) = begin(stream).await?;
        let origin = endpoint.origin.clone();
        let mut connection = Self { wire, origin, version: Version::GUARDED, number, end };
        let late = |_| Failure::unsent("no answer within the time for a call");
        let asked = timeout_at(deadline, connection.ask(endpoint, auth)).await.map_err(late)?;
        let member = asked.map_err(|failure| match &judge {
            // A certificate that was refused shows itself as a connection that ended.
            Some(judge) => judge.judge(failure),
            None => failure.with_hint("is its URL https, not http?"),
        })?;
        if let Some(member) = &member {
            let version = Version::parse(&member.version).filter(|it| it.is_recent_enough());
            let Some(version) = version else {
                let (endpoint, version) = (endpoint.to_string(), member.version.clone());
                return Err(Failure::certain(EtcdError::TooOld { endpoint, version }));
            };
            connection.version = version;
        }
        Ok((connection, member))
    }

    /// One that is made already, for tests in which the clock stands still: it does not wait for
    /// what comes by a socket.
    #[cfg(test)]
    pub(super) async fn over(stream: impl Transport + 'static, number: u64) -> Self {
        let (wire, end) = begin(Box::new(stream)).await.expect("nothing is waited for");
        let origin = Uri::from_static("http://127.0.0.1:1/");
        Self { wire, origin, version: Version::GUARDED, number, end }
    }

    /// Asks the member who it is, which takes no leader. Where authentication is on it takes
    /// `root`, or any user, depending on the version ([`Version::GUARDED`]): a refusal is as good
    /// as an answer, and nothing else that is asked depends on it.
    async fn ask(&self, endpoint: &Endpoint, auth: &Auth) -> Result<Option<Member>, Failure> {
        let shown = endpoint.to_string();
        let held = auth.token(self, &shown).await?;
        let asked = match self.status(&held, &shown).await {
            // Of a member that was started again, which knows no tokens of before.
            Err(refused) if auth.has_user() && auth.may_do_better(&held, &refused) => {
                let held = auth.renew(&held, self, &shown).await?;
                self.status(&held, &shown).await
            }
            other => other,
        };
        match asked {
            Ok(member) => Ok(Some(member)),
            Err(failure) if failure.is_refusal() => Ok(None),
            Err(failure) => Err(Failure { may_be_done: false, ..failure }),
        }
    }

    async fn status(&self, held: &Held, shown: &str) -> Result<Member, Failure> {
        let mut request = Request::new(StatusRequest {});
        held.go_along(request.metadata_mut());
        let codec = ProstCodec::<StatusRequest, StatusResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Maintenance/Status");
        match self.grpc().unary(request, path, codec).await {
            Ok(reply) => Ok(Member::new(shown.to_owned(), reply.into_inner())),
            Err(status) => {
                let asked = Asked { what: "ask who it is".to_owned(), ..Asked::default() };
                Err(self.end.explain(Failure::of(&status, shown, "us", &asked)))
            }
        }
    }

    /// tonic's client on it.
    pub(super) fn grpc(&self) -> Grpc<Wire> {
        Grpc::with_origin(self.wire.clone(), self.origin.clone())
            .max_decoding_message_size(REPLY_OCTETS_MAX)
    }

    /// Whether it takes no more calls.
    pub(super) fn is_closed(&self) -> bool {
        self.wire.0.is_closed()
    }
}

// === impl End ===

impl End {
    fn set(&self, error: &hyper::Error) {
        let cause = if error.is_timeout() {
            format!("no answer to a ping within {PING_ANSWER:?}")
        } else {
            innermost(error)
        };
        let _only_once = self.0.set(cause);
    }

    /// A failure of a call on the connection, with the reason if it is known.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match (failure.kind, self.0.get()) {
            (Kind::Lost(_), Some(cause)) => Failure { kind: Kind::Lost(cause.clone()), ..failure },
            (kind, _) => Failure { kind, ..failure },
        }
    }
}

/// Begins HTTP/2; nothing is waited for.
async fn begin(stream: Box<dyn Transport>) -> Result<(Wire, End), Failure> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let failed = |error| Failure::unsent(format!("no HTTP/2 with it: {error}"));
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let end = End::default();
    let told = end.clone();
    // Ends when the last call is done and nobody has the connection any more, or when it fails.
    tokio::spawn(async move {
        let mut driver = std::pin::pin!(driver);
        if let Err(error) = driver.as_mut().await {
            // Before it is dropped, which is what the calls on it notice.
            told.set(&error);
        }
    });
    Ok((Wire(sender), end))
}

/// Connected, and who knows what TLS has said.
type Connected = (Box<dyn Transport>, Option<Judge>);

async fn connect(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Connected, Failure> {
    let Endpoint { host, port, .. } = endpoint;
    let stream = dial(host, *port).await.map_err(|error| refused(&error))?;
    // Several small writes: waiting for the acknowledgement of one before the next only delays.
    let _ = stream.set_nodelay(true);
    match tls {
        Some(tls) => {
            let (stream, judge) = tls.connect(stream, host).await?;
            Ok((Box::new(stream), Some(judge)))
        }
        None => Ok((Box::new(stream), None)),
    }
}

fn refused(error: &io::Error) -> Failure {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to the host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "no route to the network".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        _ => error.to_string(),
    };
    Failure::unsent(text)
}
