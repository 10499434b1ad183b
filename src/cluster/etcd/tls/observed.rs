//! A connection that remembers what TLS said last.
//!
//! A server that refuses our certificate says so behind the handshake (TLS 1.3), when HTTP/2 reads
//! from the connection already, and that keeps of an error only its kind and its text. Or it has no
//! chance to read it, because writing failed before: the server has hung up. Then what it said is
//! read here, before anybody is told of the failure.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use rustls::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::of_tls;

/// Passes everything on, and keeps the first error of TLS.
#[derive(Debug)]
pub(in crate::cluster::etcd) struct Observed<S> {
    inner: S,
    fault: Arc<OnceLock<Error>>,
    /// Why writing failed, while the last words are waited for.
    failed: Option<io::Error>,
}

// === impl Observed ===

impl<S> Observed<S> {
    /// The error will be in `fault`.
    pub(in crate::cluster::etcd) fn new(inner: S, fault: Arc<OnceLock<Error>>) -> Self {
        Self { inner, fault, failed: None }
    }

    fn note(&self, error: &io::Error) {
        if let Some(fault) = of_tls(error) {
            let _first_wins = self.fault.set(fault.clone());
        }
    }
}

impl<S: AsyncRead + Unpin> Observed<S> {
    /// Hands on what became of writing; of a failure not before the other side's last words. These
    /// come at once: the socket is closed.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: io::Result<T>) -> Poll<io::Result<T>> {
        match outcome {
            Ok(done) => Poll::Ready(Ok(done)),
            Err(error) => {
                self.note(&error);
                self.failed = Some(error);
                ready!(self.last_words(cx));
                self.end()
            }
        }
    }

    /// Reads until there is nothing more to come.
    fn last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut octets = [0; 1_024];
        loop {
            let mut into = ReadBuf::new(&mut octets);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut into)) {
                Ok(()) if into.filled().is_empty() => return Poll::Ready(()),
                Ok(()) => {}
                Err(error) => {
                    self.note(&error);
                    return Poll::Ready(());
                }
            }
        }
    }

    fn end<T>(&mut self) -> Poll<io::Result<T>> {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        Poll::Ready(Err(self.failed.take().unwrap_or_else(closed)))
    }

    /// Whether writing has failed before, and what is left to do about it.
    fn before_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
            ready!(self.last_words(cx));
            return self.end();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, into));
        Poll::Ready(read.inspect_err(|error| self.note(error)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.before_writing(cx))?;
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, octets));
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.before_writing(cx))?;
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, octets));
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.before_writing(cx))?;
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(Pin::new(&mut self.inner).poll_shutdown(cx));
        Poll::Ready(shut.inspect_err(|error| self.note(error)))
    }
}
