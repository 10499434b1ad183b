//! One TCP connection: messages in, replies out. What takes long is answered when it is ready,
//! behind what came after it (RFC 7766 §6.2.1.1).

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFuture;

use super::{Visit, Wire, line::Line};
use crate::dns::full::{Asked, Later, LongReply, Outcome};

/// Messages of one connection on the long lane. More would not be answered sooner, as there is one
/// such lane, and their replies, which may be of the longest, wait here for a client to read them.
pub(super) const LONG_MAX: usize = 4;

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

/// A connection that is being served, whatever carries its octets.
pub(in crate::dns) struct Connection {
    visit: Visit,
    rng: fastrand::Rng,
    /// Replies that take long; `None` for one that failed.
    long: FuturesUnordered<Later<LongReply>>,
    /// Replies that wait for upstreams, and those that have come while the client does not read.
    /// How many a client may have of both is the forwarding's business; they are in the way of
    /// nobody.
    forwarded: FuturesUnordered<Later>,
    deadline: Instant,
    is_closing: bool,
    /// Times that what is left may still be read.
    rests_left: usize,
}

/// What a connection waits for.
enum Event {
    /// What took long waits for upstreams now.
    Forwarded(Later),
    /// A reply that was waited for is there, or has failed.
    Replied(Option<Vec<u8>>),
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
    pub(in crate::dns) fn new(visit: Visit) -> Self {
        Self {
            rng: fastrand::Rng::new(),
            long: FuturesUnordered::new(),
            forwarded: FuturesUnordered::new(),
            deadline: visit.after(Duration::ZERO),
            is_closing: false,
            rests_left: RESTS_MAX,
            visit,
        }
    }

    /// Replies to what comes until the client ends it, something breaks, nothing whole comes for
    /// too long, or the server stops.
    pub(in crate::dns) async fn serve(mut self, wire: impl Wire) {
        let mut line = Line::new(wire);
        // What is broken is the client's business.
        if self.converse(&mut line).await.is_ok() {
            line.close();
        }
    }

    async fn converse(&mut self, line: &mut Line<impl Wire>) -> io::Result<()> {
        self.put_off_deadline();
        let stop = self.visit.shared.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut alarm = pin!(sleep_until(self.deadline));
        loop {
            let event =
                poll_fn(|context| self.poll(line, stopped.as_mut(), alarm.as_mut(), context));
            match event.await? {
                Event::Forwarded(reply) => self.forwarded.push(reply),
                Event::Replied(reply) => {
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
                    self.deadline = self.deadline.min(self.visit.after(CLOSING_TIMEOUT));
                }
                // It is we who are late.
                Event::TimedOut if !self.forwarded.is_empty() && !self.is_given_up(line) => {
                    self.put_off_deadline();
                }
                Event::TimedOut => {
                    self.visit.shared.stats.time_out_connection(self.visit.transport);
                    return Ok(());
                }
            }
            self.answer(line)?;
            if self.is_closing {
                self.answer_rest(line)?;
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
        line: &mut Line<impl Wire>,
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
            return Poll::Ready(Ok(match reply {
                Some(LongReply::Forwarded(reply)) => Event::Forwarded(reply),
                Some(LongReply::Made(reply)) => Event::Replied(Some(reply)),
                None => Event::Replied(None),
            }));
        }
        // These keep their places meanwhile, which are the client's own.
        if !line.is_blocked()
            && let Poll::Ready(Some(reply)) = self.forwarded.poll_next_unpin(context)
        {
            return Poll::Ready(Ok(Event::Replied(reply)));
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
            if self.visit.after(Duration::ZERO) >= self.deadline {
                return Poll::Ready(Ok(Event::TimedOut));
            }
            alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }

    /// Replies to the whole messages that have come, for one turn.
    fn answer(&mut self, line: &mut Line<impl Wire>) -> io::Result<()> {
        let caller = self.visit.caller();
        let shared = &*self.visit.shared;
        let began = shared.clock.elapsed();
        let mut view = shared.world.view();
        let sources = view.load();
        let (mut messages, mut replies) = (0, 0);
        let mut pen = self.visit.pen.lock();
        let (rng, lanes) = (&mut self.rng, &shared.lanes);
        let (long, forwarded) = (&self.long, &self.forwarded);
        let (clock, is_over) = (&shared.clock, Cell::new(false));
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
            let now = shared.clock.elapsed();
            pen.duration(now.saturating_sub(began), replies);
            drop(pen);
            self.put_off_deadline();
        }
        answered
    }

    /// Replies to what has come by the time the server stops.
    fn answer_rest(&mut self, line: &mut Line<impl Wire>) -> io::Result<()> {
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
    fn is_given_up(&self, line: &Line<impl Wire>) -> bool {
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
            self.deadline = self.visit.after(self.visit.limits().idle_timeout);
        }
    }
}

#[cfg(test)]
mod tests;
