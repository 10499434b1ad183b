//! The lane of messages that wait for upstreams.
//!
//! Each is a task of one thread, so that a thousand of them cost no more than their room. A message
//! is answered from its beginning whenever something was found out for it, with the same chance, so
//! that what was drawn stays drawn, until nothing is missing any more.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cache::Told,
    failure::Failure,
    state::fresh,
    view::{Held, Reach, Wanted},
};
use crate::{
    dns::{
        Caller,
        answer::TCP_REPLY_OCTETS_MAX,
        full::{Pens, Replied, Responded, respond, send},
        gate::{Gate, Limit, Pass},
        stats::{DropReason, Stats},
        udp::{Deferred, REPLY_OCTETS_MAX},
        view::World,
    },
    util::Clock,
};

/// How long a client is left waiting when there is an old answer for it (RFC 8767 §5).
const CLIENT_TIMER: Duration = Duration::from_millis(1_800);

/// Questions that are asked for one message: one for each alias that is followed, and one more.
const QUESTIONS_MAX: usize = 9;

/// How long what waits may go on when the server stops; a client asks again elsewhere by then.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The way into the lane; clones share it.
#[derive(Debug, Clone)]
pub(in crate::dns) struct ForwardLane {
    inner: Arc<Inner>,
    /// The thread ends with the last of these.
    _alive: Arc<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Inner {
    runtime: Handle,
    world: World,
    clock: Clock,
    pens: Mutex<Pens>,
    gate: Gate,
    waiting: TaskTracker,
}

/// One message that waits, or its reply; leaves when dropped.
#[derive(Debug)]
struct Place {
    in_flight: Gauge,
    _pass: Pass,
}

/// Too much waits already.
#[derive(Debug)]
pub(in crate::dns) struct Crowded;

// === impl ForwardLane ===

impl ForwardLane {
    /// Starts the thread, which also looks after the upstreams until `stop`. It ends when the last
    /// way in is gone and what waits has been answered, or was given time enough.
    ///
    /// # Errors
    /// When the system refuses a thread or what a runtime needs.
    pub(in crate::dns) fn start(
        world: World,
        stats: &Stats,
        clock: Clock,
        stop: CancellationToken,
    ) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (alive, is_over) = oneshot::channel::<()>();
        let waiting = TaskTracker::new();
        let inner = Arc::new(Inner {
            runtime: runtime.handle().clone(),
            world: world.clone(),
            clock,
            pens: Mutex::new(Pens::new(stats.clone())),
            gate: Gate::default(),
            waiting: waiting.clone(),
        });
        let thread = thread::Builder::new().name("dns-forward".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::spawn(world.forward.keep(stop));
                // Nothing is ever sent: it ends with its sender.
                let _ended = is_over.await;
                waiting.close();
                // Who is left has had time enough.
                let _late = timeout(END_TIMEOUT, waiting.wait()).await;
            });
            // Nobody waits for a look at the resolv.conf, which may take its two seconds.
            runtime.shutdown_background();
        })?;
        Ok((Self { inner, _alive: Arc::new(alive) }, thread))
    }

    /// Has a packet answered; it comes back when too much waits already.
    #[must_use = "a packet that comes back has to be answered without asking anybody"]
    pub(in crate::dns) fn take(&self, packet: Deferred) -> Option<Deferred> {
        let Some(place) = self.admit(packet.caller()) else { return Some(packet) };
        let inner = Arc::clone(&self.inner);
        let task = async move {
            let reply = inner.serve(packet.caller(), packet.packet(), REPLY_OCTETS_MAX).await;
            drop(place);
            if let Some(reply) = reply {
                let transport = packet.caller().transport;
                send(inner.pens.lock().of(transport), &inner.clock, &packet, &reply);
            }
        };
        self.inner.waiting.spawn_on(task, &self.inner.runtime);
        None
    }

    /// Has a message of a connection answered that arrived at `arrived`; nothing comes of it when
    /// that fails. The reply keeps its place until it is taken: the places bound what replies take
    /// that wait for a client to read others.
    ///
    /// # Errors
    /// When too much waits already.
    pub(in crate::dns) fn reply(
        &self,
        octets: &[u8],
        caller: Caller,
        arrived: Duration,
    ) -> Result<impl Future<Output = Option<Vec<u8>>> + Send + use<>, Crowded> {
        let (reply, replied) = oneshot::channel();
        let place = self.admit(caller).ok_or(Crowded)?;
        let (inner, octets) = (Arc::clone(&self.inner), Box::<[u8]>::from(octets));
        let task = async move {
            inner.pens.lock().of(caller.transport).full_path();
            let made = inner.serve(caller, &octets, TCP_REPLY_OCTETS_MAX).await;
            if let Some(made) = made {
                let took = inner.clock.elapsed().saturating_sub(arrived);
                inner.pens.lock().of(caller.transport).duration(took, 1);
                let _gone = reply.send((made, place));
            }
        };
        self.inner.waiting.spawn_on(task, &self.inner.runtime);
        Ok(async move { replied.await.ok().map(|(made, _place)| made) })
    }

    fn admit(&self, caller: Caller) -> Option<Place> {
        let forward = self.inner.world.forward.load()?;
        let metrics = &forward.care.metrics;
        let (total, of_client) = (forward.in_flight_max, forward.in_flight_per_client_max);
        match self.inner.gate.admit(caller.client, Limit { total, of_client }) {
            Ok(pass) => {
                metrics.in_flight.inc();
                Some(Place { in_flight: metrics.in_flight.clone(), _pass: pass })
            }
            Err(refusal) => {
                metrics.reject(refusal);
                None
            }
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

// === impl Inner ===

impl Inner {
    /// The reply, counted, once it can be written.
    async fn serve(&self, caller: Caller, message: &[u8], octets_max: usize) -> Option<Vec<u8>> {
        let (caller, seed) = (caller.unhurried(), fastrand::u64(..));
        let mut held = Held::default();
        loop {
            // Nobody needs the room while it waits.
            let mut out = vec![0; octets_max];
            let responded = self.respond(caller, message, (seed, &held), &mut out);
            match (responded, held.take_wanted()) {
                (Some(Responded::With(Replied { qtype, summary })), _) => {
                    let mut pens = self.pens.lock();
                    let pen = pens.of(caller.transport);
                    pen.query(qtype);
                    pen.response(&summary);
                    // The room would be kept with it, whatever its length.
                    return Some(out[..summary.octets].to_vec());
                }
                (Some(Responded::NeedsForward), Some(wanted)) => {
                    drop(out);
                    let told = match held.len() {
                        QUESTIONS_MAX.. => Told::Failed(Failure::Garbled),
                        _ => self.find_out(&wanted).await,
                    };
                    held.put(wanted.key, told);
                }
                (responded, _) => {
                    let reason = match responded {
                        Some(Responded::Limited) => DropReason::RateLimited,
                        Some(Responded::Silence) => DropReason::NotQuery,
                        _ => DropReason::InternalError,
                    };
                    self.pens.lock().of(caller.transport).dropped(reason, 1);
                    return None;
                }
            }
        }
    }

    /// Answers with what is known; nothing when that panics.
    fn respond(
        &self,
        caller: Caller,
        message: &[u8],
        (seed, held): (u64, &Held),
        out: &mut [u8],
    ) -> Option<Responded> {
        let mut view = self.world.view();
        let sources = view.load().reaching(Reach::Lane(held));
        let mut rng = fastrand::Rng::with_seed(seed);
        // A mistake of ours in one reply is not the end of all others.
        catch_unwind(AssertUnwindSafe(|| respond(&sources, caller, message, &mut rng, out))).ok()
    }

    /// Asks upstreams.
    async fn find_out(&self, wanted: &Wanted) -> Told {
        let Some(forward) = self.world.forward.load() else { return Told::Failed(Failure::Down) };
        forward.care.metrics.misses.inc();
        let asked = forward.resolve(wanted.key.clone());
        match &wanted.stale {
            None => asked.await.map_or_else(Told::Failed, fresh),
            Some(stale) => match timeout(CLIENT_TIMER, asked).await {
                Ok(Ok(message)) => fresh(message),
                Ok(Err(_)) | Err(_) => forward.stale(stale),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use arc_swap::ArcSwap;
    use hickory_proto::{
        op::Message,
        rr::{RData, Record, rdata::A},
    };
    use tokio::net::UdpSocket;
    use tokio_util::sync::CancellationToken;

    use super::ForwardLane;
    use crate::{
        dns::{
            Caller, Settings, Transport,
            forward::{ForwardHandle, ForwardSpec},
            stats::Stats,
            testing::spec,
            view::World,
            zone::ZonesHandle,
        },
        registry::testing,
        telemetry::{Board, Metrics},
        util::Clock,
    };

    /// A query for `example` A with RD set.
    const QUERY: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01";

    /// A lane that has room for so many messages of a client, with an upstream that answers.
    async fn lane(in_flight_per_client_max: usize) -> ForwardLane {
        let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let upstreams = vec![upstream.local_addr().unwrap().to_string().parse().unwrap()];
        tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((octets, client)) = upstream.recv_from(&mut packet).await {
                let mut message = Message::from_vec(&packet[..octets]).unwrap().into_response();
                let name = message.queries[0].name().clone();
                let data = RData::A(A::new(192, 0, 2, 7));
                message.answers.push(Record::from_rdata(name, 3_600, data));
                upstream.send_to(&message.to_vec().unwrap(), client).await.unwrap();
            }
        });
        let (stats, clock) = (Stats::new(&Metrics::new()), Clock::system());
        let forward = ForwardHandle::new(Board::default(), &Metrics::new(), clock.clone());
        let limits = ForwardSpec { upstreams, in_flight_per_client_max, ..ForwardSpec::default() };
        forward.configure(&limits);
        let world = World {
            registry: testing::registry(),
            zones: ZonesHandle::default(),
            settings: Arc::new(ArcSwap::from_pointee(Settings::new(&spec()).unwrap())),
            forward,
        };
        ForwardLane::start(world, &stats, clock, CancellationToken::new()).unwrap().0
    }

    /// A client that did not read could have any number of the longest replies kept for it.
    #[tokio::test]
    async fn a_reply_keeps_its_place_until_it_is_taken() {
        let lane = lane(2).await;
        let caller = Caller::new([127, 0, 0, 1].into(), Transport::Tcp, 0);
        let ask = || lane.reply(QUERY, caller, Duration::ZERO);
        let reply = ask().unwrap().await.expect("a reply");
        assert_eq!(Message::from_vec(&reply).unwrap().answers.len(), 1);
        assert_eq!(reply.capacity(), reply.len(), "and no more than that is kept of it");
        // These are made from the cache, one after the other, so the first one is ready.
        let (ready, taken) = (ask().unwrap(), ask().unwrap());
        taken.await.expect("a reply");
        let other = ask().unwrap();
        assert!(ask().is_err(), "one is ready, and one is asked for");
        drop(ready);
        assert!(ask().is_ok(), "its place is free");
        drop(other);
    }
}
