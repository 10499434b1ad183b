//! The sockets that hickory asks upstreams with.
//!
//! tokio's, but for one thing: those for UDP are connected. So the system drops what comes from
//! anybody but the upstream, and says at once when nothing listens there, where an unconnected
//! socket would wait for the timeout. And it is noted when the system has no room for one more,
//! which hickory tells as an upstream that cannot be reached.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use hickory_resolver::net::runtime::{
    DnsUdpSocket, RuntimeProvider, TokioRuntimeProvider, TokioTime,
};
use tokio::{io::Interest, net::UdpSocket};

/// What hickory runs on.
#[derive(Clone, Default)]
pub(super) struct Provider {
    tokio: TokioRuntimeProvider,
    shortages: Shortages,
}

/// Counts how often the system had no room for a socket; clones share the count.
#[derive(Clone, Default)]
pub(super) struct Shortages(Arc<AtomicU64>);

/// A connected socket.
pub(super) struct Connected(UdpSocket, Shortages);

type Pending<'f, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'f>>;

// === impl Provider ===

impl Provider {
    /// One that counts there.
    pub(super) fn new(shortages: Shortages) -> Self {
        Self { tokio: TokioRuntimeProvider::default(), shortages }
    }
}

impl RuntimeProvider for Provider {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;
    type Timer = TokioTime;
    type Udp = Connected;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pending<'static, Self::Tcp> {
        let connecting = self.tokio.connect_tcp(server, bind, timeout);
        let shortages = self.shortages.clone();
        Box::pin(async move { shortages.noted(connecting.await) })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pending<'static, Self::Udp> {
        let shortages = self.shortages.clone();
        Box::pin(async move {
            let socket = shortages.noted(UdpSocket::bind(local).await)?;
            shortages.noted(socket.connect(server).await)?;
            Ok(Connected(socket, shortages))
        })
    }
}

// === impl Shortages ===

impl Shortages {
    /// How often until now.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let errno = result.as_ref().err().and_then(io::Error::raw_os_error);
        if let Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) = errno {
            self.0.fetch_add(1, Relaxed);
        }
        result
    }
}

impl DnsUdpSocket for Connected {
    type Time = TokioTime;

    fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        DnsUdpSocket::poll_recv_from(&self.0, context, buffer)
    }

    /// As `poll_recv_from`, but also woken by an error of the network, which tokio tells only those
    /// who ask for it.
    fn recv_from<'s, 'b, 'f>(&'s self, buffer: &'b mut [u8]) -> Pending<'f, (usize, SocketAddr)>
    where
        's: 'f,
        'b: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            loop {
                let ready = self.0.ready(Interest::READABLE.add(Interest::ERROR)).await?;
                match self.0.try_recv_from(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    received => return received,
                }
                if ready.is_error() {
                    if let Some(error) = self.0.take_error()? {
                        return Err(error);
                    }
                    // It is not to wake us again.
                    let _no_error = self
                        .0
                        .try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                }
            }
        })
    }

    fn poll_send_to(
        &self,
        context: &mut Context<'_>,
        octets: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        DnsUdpSocket::poll_send_to(&self.0, context, octets, target).map(|sent| self.1.noted(sent))
    }
}
