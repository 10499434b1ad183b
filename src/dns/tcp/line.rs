//! The octets of a connection: messages in, replies out, as many at a time as there are.

use std::{
    cell::RefCell,
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

use super::Wire;
use crate::dns::answer::TCP_REPLY_OCTETS_MAX;

/// Octets that are read at once: some 300 queries, usually a third of a millisecond of answers.
const READ_OCTETS: usize = 16 << 10;

/// Octets of replies with which no more messages are answered before these are sent; one reply of
/// the longest may go beyond it.
const SEND_OCTETS: usize = 16 << 10;

/// Room that a thread's connections use in turn, never over an await: a hundred KiB for each
/// connection would be much, for something that is empty nearly all the time.
struct Room {
    read: Box<[u8]>,
    reply: Box<[u8]>,
    send: BytesMut,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::new(Room {
        read: vec![0; READ_OCTETS].into(),
        reply: vec![0; TCP_REPLY_OCTETS_MAX].into(),
        send: BytesMut::with_capacity(SEND_OCTETS),
    });
}

/// A stream of messages that are framed by their length (RFC 1035 §4.2.2).
pub(super) struct Line<W> {
    wire: W,
    codec: LengthDelimitedCodec,
    /// What was read and is not answered; nothing, not even room, while the client is idle.
    received: BytesMut,
    /// Replies that the system did not take yet.
    unsent: BytesMut,
    has_ended: bool,
    has_more: bool,
    is_behind: bool,
}

// === impl Line ===

impl<W: Wire> Line<W> {
    pub(super) fn new(wire: W) -> Self {
        let codec = LengthDelimitedCodec::builder().length_field_type::<u16>().new_codec();
        let (received, unsent) = (BytesMut::new(), BytesMut::new());
        let (has_ended, has_more, is_behind) = (false, false, false);
        Self { wire, codec, received, unsent, has_ended, has_more, is_behind }
    }

    /// Whether the client has said all that it will say.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether there was more to read than is read at once.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether there may be messages that were read and not answered, because that could not go on.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether replies wait to be sent. Nothing more is read then, nor answered: who does not read
    /// is not listened to.
    pub(super) fn is_blocked(&self) -> bool {
        !self.unsent.is_empty() || self.wire.is_holding()
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ROOM.with_borrow_mut(|room| {
            let mut read = ReadBuf::new(&mut room.read);
            ready!(self.wire.poll_read(context, &mut read))?;
            self.has_ended = read.filled().is_empty();
            self.has_more = read.remaining() == 0;
            self.received.extend_from_slice(read.filled());
            Poll::Ready(Ok(()))
        })
    }

    /// Reads no more.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Reads what is there; the end is where nothing more is.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn read_rest(&mut self) -> io::Result<()> {
        ROOM.with_borrow_mut(|room| {
            self.has_ended = true;
            match self.wire.read_now(&mut room.read) {
                Ok(octets) => {
                    self.has_ended = octets < READ_OCTETS;
                    self.received.extend_from_slice(&room.read[..octets]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })
    }

    /// Replies to the messages that have come, as long as `may_go_on` and the client reads. `reply`
    /// gets a message and room for a reply, and returns the reply's length, or `None` when there is
    /// none, or none yet.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn answer(
        &mut self,
        mut reply: impl FnMut(&[u8], &mut [u8]) -> Option<usize>,
        may_go_on: impl Fn() -> bool,
    ) -> io::Result<()> {
        self.is_behind = false;
        ROOM.with_borrow_mut(|room| {
            while !self.is_blocked() && !self.is_behind {
                room.send.clear();
                while room.send.len() < SEND_OCTETS {
                    if !may_go_on() {
                        self.is_behind = true;
                        break;
                    }
                    let Some(message) = self.codec.decode(&mut self.received)? else { break };
                    if let Some(octets) = reply(&message, &mut room.reply) {
                        self.codec.encode(&room.reply[..octets], &mut room.send)?;
                    }
                }
                if room.send.is_empty() {
                    break;
                }
                self.send(&room.send)?;
            }
            if self.received.is_empty() {
                self.received = BytesMut::new();
            }
            Ok(())
        })
    }

    /// Sends a reply, or keeps it until it can be sent.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn push(&mut self, reply: &[u8]) -> io::Result<()> {
        ROOM.with_borrow_mut(|room| {
            room.send.clear();
            self.codec.encode(reply, &mut room.send)?;
            self.send(&room.send)
        })
    }

    /// Sends, behind what waits already, and keeps what the system does not take.
    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let sent = if self.is_blocked() { 0 } else { self.wire.write_now(octets)? };
        self.unsent.extend_from_slice(&octets[sent..]);
        Ok(())
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(self.wire.poll_write(context, &self.unsent))?;
            self.unsent.advance(sent);
        }
        self.unsent = BytesMut::new();
        self.wire.poll_flush(context)
    }

    /// Ends it from our side.
    pub(super) fn close(mut self) {
        self.wire.bid_farewell();
    }
}
