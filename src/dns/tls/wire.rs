//! The octets of a connection within TLS, for the same conversation that plain TCP has.

use std::{
    io::{self, ErrorKind, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::dns::tcp::Wire;

/// The socket, asked without waiting.
struct Socket<'s>(&'s TcpStream);

impl Wire for TlsStream<TcpStream> {
    /// All that has been decrypted: a client may put each message into a record of its own, and
    /// tokio-rustls reads one record at a time.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match AsyncRead::poll_read(Pin::new(self), context, room) {
            Poll::Ready(Ok(())) if !room.filled().is_empty() => {}
            // A client that goes without a word of TLS cannot have its replies cut by anybody else
            // for it, and what it has asked is answered.
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(()));
            }
            other => return other,
        }
        let mut reader = self.get_mut().1.reader();
        while let Ok(octets @ 1..) = reader.read(room.initialize_unfilled()) {
            room.advance(octets);
        }
        Poll::Ready(Ok(()))
    }

    fn read_now(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let (stream, session) = self.get_mut();
        let mut filled = 0;
        while filled < room.len() {
            match session.reader().read(&mut room[filled..]) {
                Ok(octets @ 1..) => {
                    filled += octets;
                    continue;
                }
                Ok(_end) => break,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            match session.read_tls(&mut Socket(stream)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && filled == 0 => {
                    return Err(error);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
                Ok(_) => {
                    session.process_new_packets().map_err(io::Error::other)?;
                }
            }
        }
        Ok(filled)
    }

    fn write_now(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (stream, session) = self.get_mut();
        let taken = session.writer().write(octets)?;
        while session.wants_write() {
            match session.write_tls(&mut Socket(stream)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) => break,
                sent => sent?,
            };
        }
        Ok(taken)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(self), context, octets)
    }

    fn is_holding(&self) -> bool {
        self.get_ref().1.wants_write()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(self), context)
    }

    fn bid_farewell(&mut self) {
        let (stream, session) = self.get_mut();
        session.send_close_notify();
        let _gone = session.write_tls(&mut Socket(stream));
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(self.0)).read(room)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
