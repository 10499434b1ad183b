//! The sockets that hickory asks upstreams with.
//!
//! tokio's, but for one thing: those for UDP are connected. So the system drops what comes from
//! anybody but the upstream, and says at once when nothing listens there, where an unconnected
//! socket would wait for the timeout.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hickory_resolver::net::runtime::{
    DnsUdpSocket, RuntimeProvider, TokioRuntimeProvider, TokioTime,
};
use tokio::{io::Interest, net::UdpSocket};

/// What hickory runs on.
#[derive(Clone, Default)]
pub(super) struct Provider(TokioRuntimeProvider);

/// A connected socket.
pub(super) struct Connected(UdpSocket);

type Pending<'f, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'f>>;

impl RuntimeProvider for Provider {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;
    type Timer = TokioTime;
    type Udp = Connected;

    fn create_handle(&self) -> Self::Handle {
        self.0.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pending<'static, Self::Tcp> {
        self.0.connect_tcp(server, bind, timeout)
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pending<'static, Self::Udp> {
        Box::pin(async move {
            let socket = UdpSocket::bind(local).await?;
            socket.connect(server).await?;
            Ok(Connected(socket))
        })
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
        DnsUdpSocket::poll_send_to(&self.0, context, octets, target)
    }
}
