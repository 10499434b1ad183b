//! What carries the octets of a connection: a plain stream, or one of TLS (`tls/wire.rs`).

use std::{
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A stream that can be asked without waiting.
pub(in crate::dns) trait Wire {
    /// Reads what is there; nothing at the end.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;

    /// Reads what is there, by asking the system itself: tokio knows of octets only after it has
    /// heard of them from the system.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, and when the connection is broken.
    fn read_now(&mut self, room: &mut [u8]) -> io::Result<usize>;

    /// Takes as many octets as it can without waiting.
    ///
    /// # Errors
    /// When the connection is broken.
    fn write_now(&mut self, octets: &[u8]) -> io::Result<usize>;

    /// Takes some octets, at least one.
    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>;

    /// Whether it holds octets itself that the system has not taken yet.
    fn is_holding(&self) -> bool;

    /// Sends what it holds.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the client that nothing more comes, if it can be told without waiting.
    fn bid_farewell(&mut self);
}

impl Wire for TcpStream {
    #[inline]
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(self), context, room)
    }

    fn read_now(&mut self, room: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self)).read(room)
    }

    #[inline]
    fn write_now(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self.try_write(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(self), context, octets)
    }

    #[inline]
    fn is_holding(&self) -> bool {
        false
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closing it says so.
    fn bid_farewell(&mut self) {}
}
