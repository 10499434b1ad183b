//! A connection that was let in, of whatever transport.

use std::{
    cell::RefCell,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Full, Room, Shared, Taken};
use crate::dns::{
    Caller, ConnectionLimits, Transport,
    answer::TCP_REPLY_OCTETS_MAX,
    full::{Asked, Later, LongReply, Outcome},
    gate::Pass,
    stats::{OpenConnection, SharedPen},
};

/// Who is inside. Leaves the gate and the statistics when dropped.
pub(in crate::dns) struct Visit {
    /// The client's address; one of IPv4 is never written as one of IPv6.
    pub client: IpAddr,
    pub transport: Transport,
    pub shared: Arc<Shared>,
    pub pen: SharedPen,
    answering: AtomicUsize,
    _pass: Pass,
    _open: OpenConnection,
}

thread_local! {
    /// Room for the longest reply, used by a thread's connections in turn, never over an await.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; TCP_REPLY_OCTETS_MAX].into());
}

// === impl Visit ===

impl Visit {
    /// Lets a client in, if the limits allow it; else its refusal is counted.
    pub(in crate::dns) fn begin(
        shared: &Arc<Shared>,
        transport: Transport,
        client: IpAddr,
        pen: SharedPen,
    ) -> Option<Self> {
        let limits = *shared.limits.load().of(transport);
        match shared.gates.of(transport).admit(client, limits.of_gate()) {
            Ok(pass) => Some(Self {
                client: client.to_canonical(),
                transport,
                pen,
                answering: AtomicUsize::new(0),
                _pass: pass,
                _open: shared.stats.open_connection(transport),
                shared: Arc::clone(shared),
            }),
            Err(refusal) => {
                shared.stats.refuse_connection(transport, refusal);
                None
            }
        }
    }

    /// What connections of its kind may take, now.
    pub(in crate::dns) fn limits(&self) -> ConnectionLimits {
        *self.shared.limits.load().of(self.transport)
    }

    /// Who asks, now.
    pub(in crate::dns) fn caller(&self) -> Caller {
        let idle = self.limits().idle_timeout.as_millis() / 100;
        let keepalive = u16::try_from(idle).unwrap_or(u16::MAX);
        let now = self.shared.clock.wall_seconds();
        Caller { keepalive, ..Caller::new(self.client, self.transport, now) }
    }

    /// The instant that is so far away.
    pub(in crate::dns) fn after(&self, time: Duration) -> Instant {
        self.shared.clock.instant(self.shared.clock.elapsed() + time)
    }

    /// Replies to a message that came by itself, when there is room for the reply.
    ///
    /// # Errors
    /// When there is no reply to it.
    pub(in crate::dns) async fn reply(
        &self,
        message: &[u8],
        room: &Room,
    ) -> Result<(Vec<u8>, Taken), NoReply> {
        // Taken before there is a reply, which would else wait for its room in memory.
        let mut taken = room.take(TCP_REPLY_OCTETS_MAX).await;
        match self.ask(message) {
            Reply::Never => Err(NoReply::NotAQuery),
            Reply::Now(reply) => {
                taken.shrink_to(reply.len());
                Ok((reply, taken))
            }
            // What takes its time takes no room meanwhile, for which the others would wait.
            Reply::Later(reply) => {
                drop(taken);
                // As few replies as may take long at once wait for their room.
                let turn = room.turn().await;
                match self.waiting_for(reply).await? {
                    LongReply::Made(reply) => {
                        let taken = room.take(reply.len()).await;
                        Ok((reply, taken))
                    }
                    LongReply::Forwarded(reply) => {
                        drop(turn);
                        self.forwarded(reply, room).await
                    }
                }
            }
            Reply::Forwarded(reply) => {
                drop(taken);
                self.forwarded(reply, room).await
            }
        }
    }

    /// Waits for upstreams, and for room then.
    async fn forwarded(&self, reply: Later, room: &Room) -> Result<(Vec<u8>, Taken), NoReply> {
        let reply = self.waiting_for(reply).await?;
        let _waiting = room.wait(reply.len()).map_err(|Full| NoReply::TooMuch)?;
        let taken = room.take(reply.len()).await;
        Ok((reply, taken))
    }

    /// Whether any of its questions waits for us, and not for the client.
    pub(in crate::dns) fn is_answering(&self) -> bool {
        self.answering.load(Relaxed) > 0
    }

    async fn waiting_for<R>(&self, reply: Later<R>) -> Result<R, NoReply> {
        let _answering = Answering::begin(&self.answering);
        reply.await.ok_or(NoReply::Failed)
    }

    fn ask(&self, message: &[u8]) -> Reply {
        let arrived = self.shared.clock.elapsed();
        let asked = Asked { caller: self.caller(), message, arrived };
        let mut view = self.shared.world.view();
        let sources = view.load();
        let mut rng = fastrand::Rng::new();
        let mut pen = self.pen.lock();
        ROOM.with_borrow_mut(|room| {
            match self.shared.lanes.reply(&sources, asked, (&mut rng, &mut pen), room) {
                Outcome::Never => Reply::Never,
                Outcome::Now(octets) => {
                    pen.duration(self.shared.clock.elapsed().saturating_sub(arrived), 1);
                    Reply::Now(room[..octets].to_vec())
                }
                Outcome::Later(reply) => Reply::Later(reply),
                Outcome::Forwarded(reply) => Reply::Forwarded(reply),
            }
        })
    }
}

/// A question that waits for us.
struct Answering<'a>(&'a AtomicUsize);

// === impl Answering ===

impl<'a> Answering<'a> {
    fn begin(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Relaxed);
        Self(all)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A reply, or its promise.
enum Reply {
    Never,
    Now(Vec<u8>),
    Later(Later<LongReply>),
    Forwarded(Later),
}

/// Why there is no reply to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum NoReply {
    /// It is a reply itself, or too short for anything.
    NotAQuery,
    /// Making the reply failed.
    Failed,
    /// More waits on the connection than may.
    TooMuch,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{FutureExt, future::join_all};

    use super::{Room, Visit};
    use crate::{
        dns::{
            Settings, Transport,
            tcp::{connection::LONG_MAX, testing::shared},
            testing::{member, spec},
        },
        registry::{Loaded, Options, testing},
    };

    /// A query for the addresses of a name under `service.internal`.
    fn query(name: &str) -> Vec<u8> {
        let labels = name.split('.').chain(["service", "internal"]);
        let label =
            |label: &str| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat();
        let name: Vec<u8> = labels.flat_map(label).collect();
        [b"\0\0\x01\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\0\x01\0\x01"].concat()
    }

    #[tokio::test]
    async fn however_many_questions_take_long_another_is_answered_at_once() {
        let members = vec![member("web/a", "10.0.0.1").tags(&["v1", "v2"])];
        let kept = testing::Kept::holding(Loaded { members, ..Loaded::default() });
        let registry = testing::run(kept, Options::default()).registry;
        let mut shared = shared(registry, Settings::new(&spec()).unwrap());
        let (lanes, _waiting) = shared.lanes.without_long();
        shared.lanes = lanes;
        let pen = shared.runners.next().pen(Transport::Tcp);
        let shared = Arc::new(shared);
        let client = [127, 0, 0, 1].into();
        let visit = Visit::begin(&shared, Transport::Quic, client, pen).unwrap();
        let (room, long, short) = (Room::new(), query("v1.v2.web"), query("web"));
        let mut all = join_all((0..LONG_MAX + 8).map(|_| visit.reply(&long, &room)));
        assert!((&mut all).now_or_never().is_none(), "nobody makes these replies");
        let (reply, _taken) = visit.reply(&short, &room).now_or_never().expect("at once").unwrap();
        assert_eq!(reply[7], 1, "an address");
        drop(all);
    }
}
