//! A connection that can be told to come to an end.

use std::{
    io::{self, Read},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};

/// Octets that are read ahead: pipelined queries of 50 octets come by the dozen in one segment, and
/// hickory asks for each in two pieces.
const READ_AHEAD_OCTETS: usize = 2_048;

/// A TCP stream that, once it is closing, has an end where otherwise it would wait for more. What
/// has come by then is still read, so hickory's stream of messages answers it, finds a clean end
/// behind it, and has sent everything before it looks for that end.
#[derive(Debug)]
pub(super) struct ClosableStream {
    inner: BufReader<TcpStream>,
    is_closing: Arc<AtomicBool>,
}

/// Brings a [`ClosableStream`] to its end.
#[derive(Debug)]
pub(super) struct Closer(Arc<AtomicBool>);

// === impl ClosableStream ===

impl ClosableStream {
    /// Wraps a stream.
    pub(super) fn new(stream: TcpStream) -> (Self, Closer) {
        let is_closing = Arc::new(AtomicBool::new(false));
        let closer = Closer(Arc::clone(&is_closing));
        let inner = BufReader::with_capacity(READ_AHEAD_OCTETS, stream);
        (Self { inner, is_closing }, closer)
    }

    /// Asks the system itself: tokio knows of octets only after it has heard of them from the
    /// system, and there is no time left to wait for that.
    fn read_what_is_there(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let socket = SockRef::from(self.inner.get_ref());
        match (&*socket).read(buffer.initialize_unfilled()) {
            Ok(octets) => buffer.advance(octets),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

// === impl Closer ===

impl Closer {
    /// Ends the stream; whoever reads it has to look again.
    pub(super) fn close(&self) {
        self.0.store(true, Relaxed);
    }
}

impl AsyncRead for ClosableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(context, buffer) {
            Poll::Pending if self.is_closing.load(Relaxed) => {
                Poll::Ready(self.read_what_is_there(buffer))
            }
            polled => polled,
        }
    }
}

impl AsyncWrite for ClosableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
