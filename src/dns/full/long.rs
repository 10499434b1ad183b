//! The long lane: answers that take long, from UDP and TCP alike, one after the other.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{Later, Responded, respond, short};
use crate::{
    dns::{
        Caller, Transport,
        answer::TCP_REPLY_OCTETS_MAX,
        forward::{ForwardLane, Reach},
        stats::{DropReason, Pen, Stats},
        udp::Deferred,
        view::World,
    },
    util::Clock,
};

/// Messages that wait for the long lane. One takes 0.6 ms when a service has 10,000 instances, so
/// the last of a full queue waits for 80 ms; more would only be answers that nobody waits for.
const QUEUE: usize = 128;

/// How many of those may be of TCP: it waits where UDP gives up, and some connections with many
/// questions would else keep all packets out.
const MESSAGES_MAX: usize = QUEUE / 2;

/// The way into the long lane; clones share it.
#[derive(Debug, Clone)]
pub(in crate::dns) struct LongLane {
    jobs: mpsc::Sender<Job>,
    messages: Arc<Semaphore>,
}

enum Job {
    Datagram(Deferred),
    Message(Message),
}

/// A message of a connection.
struct Message {
    octets: Box<[u8]>,
    caller: Caller,
    arrived: Duration,
    reply: oneshot::Sender<LongReply>,
    _room: OwnedSemaphorePermit,
}

/// What the long lane has for whoever waits.
pub(in crate::dns) enum LongReply {
    /// The reply.
    Made(Vec<u8>),
    /// Its promise: the name leads to somebody else's, and upstreams are asked. It takes long no
    /// more, but as long as they like.
    Forwarded(Later),
}

/// The long lane is full, or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) struct Busy;

/// Whoever serves the long lane. One thread: what takes long takes no more than one core.
struct Server {
    jobs: mpsc::Receiver<Job>,
    world: World,
    clock: Clock,
    pens: Pens,
    rng: fastrand::Rng,
    out: Vec<u8>,
    /// For aliases that turn out to lead to somebody else.
    forward: ForwardLane,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Upstreams have to be asked first.
    Elsewhere,
    /// Nothing, which is counted.
    Nothing,
    /// A reply of so many octets.
    Reply(usize),
}

/// A pen for each transport that has used a lane.
#[derive(Debug)]
pub(in crate::dns) struct Pens {
    stats: Stats,
    made: Vec<(Transport, Pen)>,
}

// === impl LongLane ===

impl LongLane {
    /// Starts the thread; it ends when the last way in is gone and nothing is left.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(in crate::dns) fn start(
        world: World,
        stats: &Stats,
        clock: Clock,
        forward: ForwardLane,
    ) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let pens = Pens::new(stats.clone());
        let (rng, out) = (fastrand::Rng::new(), vec![0; TCP_REPLY_OCTETS_MAX]);
        let server = Server { jobs, world, clock, pens, rng, out, forward };
        let thread = thread::Builder::new().name("dns-long".into()).spawn(move || server.run())?;
        Ok((Self::into(sender), thread))
    }

    fn into(jobs: mpsc::Sender<Job>) -> Self {
        Self { jobs, messages: Arc::new(Semaphore::new(MESSAGES_MAX)) }
    }

    /// One that nobody serves, as long as what is returned beside it is kept.
    #[cfg(test)]
    pub(in crate::dns) fn unserved() -> (Self, impl Sized) {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        (Self::into(jobs), waiting)
    }

    /// Has a packet answered, if there is room.
    pub(super) fn take(&self, packet: Deferred) -> Result<(), Busy> {
        self.jobs.try_send(Job::Datagram(packet)).map_err(|_| Busy)
    }

    /// Answers a message of a connection that arrived at `arrived`, when its turn comes; nothing
    /// when that fails. Unlike a packet it waits for room: its connection has a limit of its own.
    pub(in crate::dns) fn reply(
        &self,
        octets: Box<[u8]>,
        caller: Caller,
        arrived: Duration,
    ) -> impl Future<Output = Option<LongReply>> + Send + 'static {
        let Self { jobs, messages } = self.clone();
        async move {
            let (reply, replied) = oneshot::channel();
            let room = messages.acquire_owned().await.ok()?;
            let message = Message { octets, caller, arrived, reply, _room: room };
            jobs.send(Job::Message(message)).await.ok()?;
            replied.await.ok()
        }
    }
}

// === impl Server ===

impl Server {
    fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            match job {
                Job::Datagram(packet) => {
                    let mut made = self.answer(packet.caller(), packet.packet(), Reach::Cache);
                    let packet = match made {
                        Made::Elsewhere => match self.forward.take(packet) {
                            None => continue,
                            Some(packet) => packet,
                        },
                        Made::Nothing | Made::Reply(_) => packet,
                    };
                    if let Made::Elsewhere = made {
                        made = self.answer(packet.caller(), packet.packet(), Reach::Last);
                    }
                    if let Made::Reply(octets) = made {
                        let pen = self.pens.of(Transport::Udp);
                        short::send(pen, &self.clock, &packet, &self.out[..octets]);
                    }
                }
                // Whoever asked may have gone.
                Job::Message(message) if message.reply.is_closed() => {}
                Job::Message(message) => self.message(message),
            }
        }
    }

    fn message(&mut self, Message { octets, caller, arrived, reply, .. }: Message) {
        let mut made = self.answer(caller, &octets, Reach::Cache);
        if let Made::Elsewhere = made {
            if let Ok(later) = self.forward.reply(&octets, caller, arrived) {
                let _gone = reply.send(LongReply::Forwarded(later.boxed()));
                return;
            }
            made = self.answer(caller, &octets, Reach::Last);
        }
        let pen = self.pens.of(caller.transport);
        pen.full_path();
        if let Made::Reply(octets) = made {
            pen.duration(self.clock.elapsed().saturating_sub(arrived), 1);
            let _gone = reply.send(LongReply::Made(self.out[..octets].to_vec()));
        }
    }

    /// Makes a reply, counted, going so far for what is not ours.
    fn answer(&mut self, caller: Caller, message: &[u8], reach: Reach<'_>) -> Made {
        let caller = caller.unhurried();
        let (rng, out) = (&mut self.rng, &mut self.out);
        let mut view = self.world.view();
        let sources = view.load().reaching(reach);
        // A mistake of ours in one reply is not the end of all others.
        let responded =
            catch_unwind(AssertUnwindSafe(|| respond(&sources, caller, message, rng, out)));
        let pen = self.pens.of(caller.transport);
        match responded {
            Ok(Responded::With(replied)) => {
                pen.query(replied.qtype);
                pen.response(&replied.summary);
                return Made::Reply(replied.summary.octets);
            }
            Ok(Responded::Limited) => pen.dropped(DropReason::RateLimited, 1),
            Ok(Responded::Silence) => pen.dropped(DropReason::NotQuery, 1),
            Ok(Responded::NeedsForward) => return Made::Elsewhere,
            Ok(Responded::TakesLong) | Err(_) => pen.dropped(DropReason::InternalError, 1),
        }
        Made::Nothing
    }
}

// === impl Pens ===

impl Pens {
    pub(in crate::dns) fn new(stats: Stats) -> Self {
        Self { stats, made: Vec::new() }
    }

    /// The pen of a transport; made when it is first wanted, so that only those are shown that are
    /// served.
    pub(in crate::dns) fn of(&mut self, transport: Transport) -> &mut Pen {
        let known = self.made.iter().position(|(other, _)| *other == transport);
        let place = known.unwrap_or_else(|| {
            self.made.push((transport, self.stats.pen(transport)));
            self.made.len() - 1
        });
        &mut self.made[place].1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::{FutureExt, join_all};

    use super::{LongLane, QUEUE};
    use crate::dns::{Caller, Transport};

    #[test]
    fn however_many_messages_wait_there_is_room_for_packets() {
        let (lane, _waiting) = LongLane::unserved();
        let caller = Caller::new([127, 0, 0, 1].into(), Transport::Tcp, 0);
        let messages = (0..10 * QUEUE).map(|_| lane.reply(Box::new([]), caller, Duration::ZERO));
        let mut replies = join_all(messages);
        assert!((&mut replies).now_or_never().is_none(), "all of them wait");
        assert_eq!(lane.jobs.capacity(), QUEUE / 2, "messages have the other half");
    }
}
