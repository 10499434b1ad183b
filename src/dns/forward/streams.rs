//! The TCP connections to an upstream.
//!
//! A server may end a connection at any time, and a connection can be dead without a word; neither
//! is to cost a question its answer, or those that follow theirs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hickory_resolver::{
    NameServerPool, PoolContext,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig},
    net::{
        NetError,
        xfer::{DnsHandle, FirstAnswer},
    },
    proto::op::{DnsRequest, DnsResponse},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    UpstreamSpec,
    provider::{Provider, Shortages},
    race::PATIENCE,
};

/// What connections to an upstream are made with.
pub(super) struct Connector {
    pub spec: UpstreamSpec,
    pub context: Arc<PoolContext>,
    pub shortages: Shortages,
}

/// The TCP connections to an upstream.
pub(super) struct Streams {
    connector: Connector,
    current: Mutex<Arc<Stream>>,
    /// How long nothing may come before those who ask later have connections of their own.
    silence: Duration,
}

/// The connection that is there, or as many as were made at the same time.
struct Stream {
    pool: NameServerPool<Provider>,
    /// How many replies have come over it.
    replies: AtomicU64,
}

/// Somebody who waits for a reply.
struct Waiting<'s> {
    streams: &'s Streams,
    stream: Arc<Stream>,
    /// How many had come before.
    replies: u64,
    began: Instant,
    has_ended: bool,
}

// === impl Connector ===

impl Connector {
    /// Connections by one protocol.
    pub(super) fn pool(&self, protocol: ProtocolConfig) -> NameServerPool<Provider> {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = self.spec.address.port();
        let mut server = NameServerConfig::udp_and_tcp(self.spec.address.ip());
        server.connections = vec![connection];
        let provider = Provider::new(self.shortages.clone());
        NameServerPool::from_config([server], Arc::clone(&self.context), provider)
    }
}

// === impl Streams ===

impl Streams {
    /// Those to an upstream that may take `timeout` for a reply; they are made when they are used.
    pub(super) fn new(connector: Connector, timeout: Duration) -> Self {
        let current = Mutex::new(Stream::new(&connector));
        // UDP may have taken half of the time, when what came over it was cut.
        Self { connector, current, silence: PATIENCE.min(timeout) / 2 }
    }

    /// Sends over the connection that is there, and again over one of its own when that one ends
    /// without a reply, as a server may have it at any time (RFC 7766 §6.2.4). One that could not
    /// be made is tried twice so: hickory tells both alike.
    pub(super) async fn send(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let waiting = Waiting::begin(self);
        let told = waiting.stream.pool.send(request.clone()).first_answer().await;
        waiting.end(&told);
        match told {
            Err(error) if is_left_unanswered(&error) => {
                self.connector.pool(ProtocolConfig::Tcp).send(request).first_answer().await
            }
            told => told,
        }
    }
}

// === impl Stream ===

impl Stream {
    fn new(connector: &Connector) -> Arc<Self> {
        let pool = connector.pool(ProtocolConfig::Tcp);
        Arc::new(Self { pool, replies: AtomicU64::new(0) })
    }
}

// === impl Waiting ===

impl<'s> Waiting<'s> {
    fn begin(streams: &'s Streams) -> Self {
        let stream = Arc::clone(&streams.current.lock());
        let (replies, began) = (stream.replies.load(Relaxed), Instant::now());
        Self { streams, stream, replies, began, has_ended: false }
    }

    fn end(mut self, told: &Result<DnsResponse, NetError>) {
        self.has_ended = true;
        let is_reply = |error| !is_left_unanswered(error) && !matches!(error, NetError::Timeout);
        if told.as_ref().err().is_none_or(is_reply) {
            self.stream.replies.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Waiting<'_> {
    /// hickory closes a connection only when it has an error of it, and of one that is dead without
    /// a word there is none for 15 minutes: whoever waits gives up before. So when nothing
    /// has come meanwhile, to others either, those who ask later have connections of their own.
    fn drop(&mut self) {
        if self.has_ended
            || self.began.elapsed() < self.streams.silence
            || self.stream.replies.load(Relaxed) != self.replies
        {
            return;
        }
        let mut current = self.streams.current.lock();
        if Arc::ptr_eq(&current, &self.stream) {
            *current = Stream::new(&self.streams.connector);
        }
    }
}

/// Whether a connection, or the way to it, was lost.
fn is_left_unanswered(error: &NetError) -> bool {
    !matches!(
        error,
        NetError::Dns(_)
            | NetError::ForeignClassRecord { .. }
            | NetError::Proto(_)
            | NetError::Timeout
            | NetError::Truncated
    )
}
