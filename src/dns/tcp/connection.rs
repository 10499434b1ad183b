//! One TCP connection: messages in, replies out, in order.

use std::{cell::RefCell, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt;
use hickory_server::{
    net::{runtime::iocompat::AsyncIoTokioAsStd, tcp, xfer::DnsStreamHandle},
    proto::op::SerialMessage,
};
use tokio::{net::TcpStream, time::timeout_at};

use super::{
    Shared,
    gate::Pass,
    stream::{ClosableStream, Closer},
};
use crate::dns::{
    Transport,
    answer::TCP_REPLY_OCTETS_MAX,
    full::respond,
    stats::{DropReason, OpenConnection},
};

/// Replies that may wait to be sent. hickory sends all that wait before it reads on, and there is
/// one reply to a message, so there is never a second.
const REPLIES_MAX: usize = 1;

/// How long a connection may take to end when the server stops: what was asked is answered at once,
/// and this is for a client that is slow to read.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that is being served. Leaves the gate and the statistics when dropped.
pub(super) struct Connection {
    shared: Arc<Shared>,
    peer: SocketAddr,
    rng: fastrand::Rng,
    _pass: Pass,
    _open: OpenConnection,
}

thread_local! {
    /// Room for the longest reply, one per thread of the runtime: a connection of its own 64 KiB
    /// would cost more than all its messages. Never held over an await.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; TCP_REPLY_OCTETS_MAX].into());
}

// === impl Connection ===

impl Connection {
    /// A connection from `peer` that was let in.
    pub(super) fn new(shared: Arc<Shared>, peer: SocketAddr, pass: Pass) -> Self {
        let open = shared.stats.open_connection();
        Self { shared, peer, rng: fastrand::Rng::new(), _pass: pass, _open: open }
    }

    /// Replies to what comes until the client ends it, something breaks, nothing whole comes for
    /// too long, or the server stops.
    pub(super) async fn serve(mut self, stream: TcpStream) {
        // A reply waits for no acknowledgement of the one before. Without it, it is only slow.
        let _ = stream.set_nodelay(true);
        let (stream, closer) = ClosableStream::new(stream);
        let stream = AsyncIoTokioAsStd(stream);
        let (mut messages, mut replies) =
            tcp::TcpStream::from_stream_with_buffer_size(stream, self.peer, REPLIES_MAX);
        let stop = self.shared.stop.clone();
        let mut closing: Option<Closer> = Some(closer);
        let mut deadline = self.idle_deadline();
        loop {
            let message = tokio::select! {
                message = timeout_at(deadline, messages.next()) => message,
                () = stop.cancelled(), if closing.is_some() => {
                    if let Some(closer) = closing.take() {
                        closer.close();
                    }
                    deadline = deadline.min(self.deadline(CLOSING_TIMEOUT));
                    continue;
                }
            };
            let message = match message {
                Err(_elapsed) => return self.shared.stats.time_out_connection(),
                Ok(None | Some(Err(_))) => return,
                Ok(Some(Ok(message))) => message,
            };
            if closing.is_some() {
                deadline = self.idle_deadline();
            }
            let Some(reply) = self.reply(message.bytes()) else { continue };
            if replies.send(SerialMessage::new(reply, self.peer)).is_err() {
                return;
            }
        }
    }

    /// The reply to one message, counted.
    fn reply(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let began = self.shared.clock.elapsed();
        let mut view = self.shared.world.view();
        let sources = view.load();
        let rng = &mut self.rng;
        let (replied, reply) = ROOM
            .with_borrow_mut(|room| {
                let replied = respond(&sources, Transport::Tcp, message, rng, room)?;
                Some((replied, room[..replied.summary.octets].to_vec()))
            })
            .unzip();
        let mut pen = self.shared.pen.lock();
        match replied {
            Some(replied) => {
                pen.query(replied.qtype);
                pen.response(&replied.summary);
                pen.duration(self.shared.clock.elapsed().saturating_sub(began), 1);
            }
            None => pen.dropped(DropReason::NotQuery, 1),
        }
        reply
    }

    fn idle_deadline(&self) -> tokio::time::Instant {
        self.deadline(self.shared.limits.load().idle_timeout)
    }

    fn deadline(&self, after: Duration) -> tokio::time::Instant {
        self.shared.clock.instant(self.shared.clock.elapsed() + after)
    }
}
