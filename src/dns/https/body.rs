//! A reply's body, which counts against its connection until it is sent.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::connection::Desk;
use crate::dns::tcp::Taken;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Octets that are given away at once: what HTTP/2 has taken, it holds for its stream, whether or
/// not the client reads.
const FRAME_OCTETS_MAX: usize = 16 << 10;

/// The octets of a reply.
pub(super) struct ReplyBody {
    octets: Bytes,
    /// To be told when all is given away, with the room that the octets took.
    held: Option<(Arc<Desk>, Taken)>,
}

// === impl ReplyBody ===

impl ReplyBody {
    /// A reply that takes room of its connection.
    pub(super) fn of_room(octets: Vec<u8>, desk: Arc<Desk>, room: Taken) -> Self {
        Self { octets: octets.into(), held: Some((desk, room)) }
    }

    /// A few words.
    pub(super) fn text(text: String) -> Self {
        Self { octets: text.into(), held: None }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.octets.is_empty() {
            return Poll::Ready(None);
        }
        let octets = self.octets.len().min(FRAME_OCTETS_MAX);
        let part = self.octets.split_to(octets);
        if self.octets.is_empty()
            && let Some((desk, _room)) = self.held.take()
        {
            desk.touch();
        }
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.octets.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.octets.len() as u64)
    }
}
