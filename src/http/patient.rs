//! A connection that does not wait for its reader for ever.
//!
//! TCP keeps a peer that takes nothing for as long as its kernel says that it is there, so a reply
//! that nobody reads would hold its memory and its place among the connections until the process
//! ends. Only the socket sees that: hyper knows no time for writing, and a time for the whole reply
//! would cut watches and large lists.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What a reader must take within the patience, or all that there is. Without it one octet now and
/// then would do; with it the slowest reader of a list of 10 MB is done after an hour and a half.
const OCTETS_MIN: usize = 64 << 10;

/// A stream whose writes fail when the peer takes too little of them for too long.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs from the first write that had to wait, until all is written or enough of it.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    until: Pin<Box<Sleep>>,
    written: usize,
}

// === impl Patient ===

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let (Ok(octets), Some(waiting)) = (&written, &mut self.waiting) {
                waiting.written += octets;
                if waiting.written >= OCTETS_MIN {
                    self.waiting = None;
                }
            }
            return Poll::Ready(written);
        }
        let begin = || Waiting { until: Box::pin(sleep(self.patience)), written: 0 };
        ready!(self.waiting.get_or_insert_with(begin).until.as_mut().poll(context));
        let reason = "the client has read too little of the reply for too long";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, reason)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.waiting = None; // hyper flushes when it has written all that it holds
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::{Instant, sleep, timeout},
    };

    use super::{OCTETS_MIN, Patient};

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_or_next_to_nothing_is_given_up() {
        for octets_a_second in [0, 1, OCTETS_MIN / 31] {
            let (ours, mut theirs) = duplex(1_000);
            let mut ours = Patient::new(ours, PATIENCE);
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; octets_a_second];
                while theirs.read_exact(&mut buffer).await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
            let begun = Instant::now();
            let written = ours.write_all(&vec![0; 10 * OCTETS_MIN]).await;
            assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
            assert!(begun.elapsed() <= 2 * PATIENCE, "{octets_a_second}: {:?}", begun.elapsed());
            reading.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_and_a_silent_writer_are_not_given_up() {
        let (ours, mut theirs) = duplex(1_000);
        let mut ours = Patient::new(ours, PATIENCE);
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; OCTETS_MIN / 20];
            let mut read = 0;
            while let Ok(octets @ 1..) = theirs.read(&mut buffer).await {
                read += octets;
                sleep(Duration::from_millis(300)).await;
            }
            read
        });
        // A write that has to wait, and is whole after all; then a long silence; then another.
        for _ in 0..3 {
            ours.write_all(&vec![0; 2 * OCTETS_MIN]).await.unwrap();
            ours.flush().await.unwrap();
            sleep(10 * PATIENCE).await;
        }
        drop(ours);
        assert_eq!(timeout(PATIENCE, reading).await.unwrap().unwrap(), 6 * OCTETS_MIN);
    }
}
