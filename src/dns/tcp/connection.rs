//! One TCP connection: messages in, replies out. What takes long is answered when it is ready,
//! behind what came after it (RFC 7766 §6.2.1.1).

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::WaitForCancellationFuture;

use super::{Shared, gate::Pass, line::Line};
use crate::dns::{
    Caller, Transport,
    full::{Asked, Later, Outcome},
    stats::{OpenConnection, SharedPen},
};

/// Messages of one connection on the long lane. More would not be answered sooner, as there is one
/// such lane, and their replies, which may be of the longest, wait here for a client to read them.
const LONG_MAX: usize = 4;

/// How long messages are answered before it is another connection's turn: half as long again as a
/// whole read of ordinary ones takes. One that is slow may take 20 times as long as one of those,
/// and 300 of them come in one read. To look at the clock is a hundredth of an answer.
const TURN: Duration = Duration::from_micros(500);

/// How long a connection may take to end when the server stops: what was asked is answered at once,
/// and this is for a client that is slow to read.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// Times that what is left is read when the server stops: all that the system holds of a
/// connection. A client that goes on and on is not waited for.
const RESTS_MAX: usize = 16;

/// A connection that is being served. Leaves the gate and the statistics when dropped.
pub(super) struct Connection {
    client: IpAddr,
    shared: Arc<Shared>,
    pen: SharedPen,
    rng: fastrand::Rng,
    /// Replies that take long; `None` for one that failed.
    long: FuturesUnordered<Later>,
    /// Replies that wait for upstreams. How many a client may have is the forwarding's business;
    /// they are in the way of nobody.
    forwarded: FuturesUnordered<Later>,
    deadline: Instant,
    is_closing: bool,
    /// Times that what is left may still be read.
    rests_left: usize,
    _pass: Pass,
    _open: OpenConnection,
}

/// What a connection waits for.
enum Event {
    /// What takes long is done.
    LongReply(Option<Vec<u8>>),
    /// Octets have come, or the end.
    Read,
    /// All that waited to be sent is sent.
    Sent,
    /// The server stops.
    Stopped,
    /// Nothing has happened for too long.
    TimedOut,
    /// The others had their turn, and there are messages to answer.
    Turn,
}

// === impl Connection ===

impl Connection {
    /// A connection that was let in.
    pub(super) fn new(shared: Arc<Shared>, pen: SharedPen, pass: Pass, client: IpAddr) -> Self {
        Self {
            client: client.to_canonical(),
            pen,
            rng: fastrand::Rng::new(),
            long: FuturesUnordered::new(),
            forwarded: FuturesUnordered::new(),
            deadline: shared.clock.instant(shared.clock.elapsed()),
            is_closing: false,
            rests_left: RESTS_MAX,
            _pass: pass,
            _open: shared.stats.open_connection(),
            shared,
        }
    }

    /// Replies to what comes until the client ends it, something breaks, nothing whole comes for
    /// too long, or the server stops.
    pub(super) async fn serve(mut self, stream: std::net::TcpStream) {
        // What is broken is the client's business.
        if let Ok(stream) = TcpStream::from_std(stream) {
            let _broken = self.converse(Line::new(stream)).await;
        }
    }

    async fn converse(&mut self, mut line: Line) -> io::Result<()> {
        self.put_off_deadline();
        let stop = self.shared.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut alarm = pin!(sleep_until(self.deadline));
        loop {
            let event =
                poll_fn(|context| self.poll(&mut line, stopped.as_mut(), alarm.as_mut(), context));
            match event.await? {
                Event::LongReply(reply) => {
                    // Our reply does not show that a client reads.
                    if !line.is_blocked() {
                        self.put_off_deadline();
                    }
                    if let Some(reply) = reply {
                        line.push(&reply)?;
                    }
                }
                Event::Read | Event::Sent | Event::Turn => {}
                Event::Stopped => {
                    self.is_closing = true;
                    self.deadline = self.deadline.min(self.after(CLOSING_TIMEOUT));
                }
                // It is we who are late.
                Event::TimedOut if !self.forwarded.is_empty() && !self.is_given_up(&line) => {
                    self.put_off_deadline();
                }
                Event::TimedOut => {
                    self.shared.stats.time_out_connection();
                    return Ok(());
                }
            }
            self.answer(&mut line)?;
            if self.is_closing {
                self.answer_rest(&mut line)?;
            }
            let is_waiting = !self.long.is_empty() || !self.forwarded.is_empty();
            let is_done = !line.is_blocked() && !line.is_behind() && !is_waiting;
            if line.has_ended() && is_done {
                return Ok(());
            }
            if line.has_more() || line.is_behind() {
                // Who says so much takes turns with the others.
                tokio::task::yield_now().await;
            }
        }
    }

    /// The next thing that happens.
    fn poll(
        &mut self,
        line: &mut Line,
        stopped: Pin<&mut WaitForCancellationFuture<'_>>,
        mut alarm: Pin<&mut Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Event>> {
        if line.is_blocked() {
            if let Poll::Ready(sent) = line.poll_send(context) {
                return Poll::Ready(sent.map(|()| Event::Sent));
            }
        } else if self.may_take_more() {
            if line.is_behind() {
                return Poll::Ready(Ok(Event::Turn));
            }
            if !line.has_ended()
                && let Poll::Ready(read) = line.poll_read(context)
            {
                return Poll::Ready(read.map(|()| Event::Read));
            }
        }
        // Also while the client does not read: what waits for room in the long lane is given it,
        // and must go on to leave it to others.
        if let Poll::Ready(Some(reply)) = self.long.poll_next_unpin(context) {
            return Poll::Ready(Ok(Event::LongReply(reply)));
        }
        if !line.is_blocked()
            && let Poll::Ready(Some(reply)) = self.forwarded.poll_next_unpin(context)
        {
            return Poll::Ready(Ok(Event::LongReply(reply)));
        }
        if !self.is_closing && stopped.poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Stopped));
        }
        // The deadline moves away with every message, and the alarm follows when it rings. It comes
        // nearer when the server stops, or when a shorter timeout is set.
        if self.deadline < alarm.deadline() {
            alarm.as_mut().reset(self.deadline);
        }
        while alarm.as_mut().poll(context).is_ready() {
            if self.after(Duration::ZERO) >= self.deadline {
                return Poll::Ready(Ok(Event::TimedOut));
            }
            alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }

    /// Replies to the whole messages that have come, for one turn.
    fn answer(&mut self, line: &mut Line) -> io::Result<()> {
        let caller = self.caller();
        let began = self.shared.clock.elapsed();
        let mut view = self.shared.world.view();
        let sources = view.load();
        let (mut messages, mut replies) = (0, 0);
        let mut pen = self.pen.lock();
        let (rng, lanes) = (&mut self.rng, &self.shared.lanes);
        let (long, forwarded) = (&self.long, &self.forwarded);
        let (clock, is_over) = (&self.shared.clock, Cell::new(false));
        let answered = line.answer(
            |message, out| {
                messages += 1;
                let asked = Asked { caller, message, arrived: began };
                let outcome = lanes.reply(&sources, asked, (rng, &mut pen), out);
                is_over.set(clock.elapsed().saturating_sub(began) > TURN);
                match outcome {
                    Outcome::Never => {}
                    Outcome::Now(octets) => {
                        replies += 1;
                        return Some(octets);
                    }
                    Outcome::Later(reply) => long.push(reply),
                    Outcome::Forwarded(reply) => forwarded.push(reply),
                }
                None
            },
            || long.len() < LONG_MAX && !is_over.get(),
        );
        if messages > 0 {
            let now = self.shared.clock.elapsed();
            pen.duration(now.saturating_sub(began), replies);
            drop(pen);
            self.put_off_deadline();
        }
        answered
    }

    /// Who asks on this connection, now.
    fn caller(&self) -> Caller {
        let idle = self.shared.limits.load().idle_timeout.as_millis() / 100;
        let keepalive = u16::try_from(idle).unwrap_or(u16::MAX);
        let now = self.shared.clock.wall_seconds();
        Caller { keepalive, ..Caller::new(self.client, Transport::Tcp, now) }
    }

    /// Replies to what has come by the time the server stops.
    fn answer_rest(&mut self, line: &mut Line) -> io::Result<()> {
        while !line.has_ended() && !line.is_blocked() && !line.is_behind() {
            if self.rests_left == 0 {
                line.end();
                break;
            }
            self.rests_left -= 1;
            line.read_rest()?;
            self.answer(line)?;
        }
        Ok(())
    }

    /// Whether it ends whatever is under way: the client does not read, or the server stops.
    fn is_given_up(&self, line: &Line) -> bool {
        line.is_blocked() || self.is_closing
    }

    /// Whether more messages may be taken. Those that take long are in the way of the others only
    /// when there are as many as there may be.
    fn may_take_more(&self) -> bool {
        self.long.len() < LONG_MAX
    }

    /// Something happened; the client is not idle. Once the server stops, there is no more time.
    fn put_off_deadline(&mut self) {
        if !self.is_closing {
            self.deadline = self.after(self.shared.limits.load().idle_timeout);
        }
    }

    fn after(&self, time: Duration) -> Instant {
        self.shared.clock.instant(self.shared.clock.elapsed() + time)
    }
}

#[cfg(test)]
mod tests;
