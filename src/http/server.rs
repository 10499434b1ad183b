//! The listeners of the API and their accept loops.
//!
//! Our own loop and not `axum::serve`, which knows neither a limit on connections nor a time for a
//! request's head: a few thousand sockets that send one octet a minute would starve it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

use super::{Api, connection, router};

/// The API's listeners, bound and not yet serving.
#[derive(Debug)]
pub struct HttpServer {
    listeners: Vec<(TcpListener, SocketAddr)>,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for HTTP: {error}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The system's reason. Not as the source, because the text has it already.
    pub error: io::Error,
}

/// Connections that the kernel keeps for us while we are busy or at the limit.
const BACKLOG: i32 = 1_024;
/// Silence after which a peer is asked whether it is still there: sooner than firewalls forget.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long to wait when accepting fails, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

// === impl HttpServer ===

impl HttpServer {
    /// Binds all addresses now, so that a mistake is known before anything runs. Port 0 picks one.
    /// Call within a tokio runtime.
    ///
    /// # Errors
    /// When one of them cannot be listened on.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for &address in addresses {
            // `[::]` listens for IPv4 as well, unless that port of IPv4 is asked for beside it.
            let v6_only = addresses.iter().any(|other| {
                other.is_ipv4() && other.port() == address.port() && other.port() != 0
            });
            let bound = listen(address, v6_only).and_then(|l| Ok((l.local_addr()?, l)));
            let (local, listener) = bound.map_err(|error| BindError { address, error })?;
            listeners.push((listener, local));
        }
        Ok(Self { listeners })
    }

    /// The addresses that are listened on, in the order in which they were asked for.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, local)| *local).collect()
    }

    /// Serves until the API's `stop`; then accepts no more, lets each connection finish what is in
    /// flight, and returns when all are closed.
    pub async fn run(self, api: Api) {
        let router = router::router(&api);
        let connections = TaskTracker::new();
        if api.consul().enabled {
            connections.spawn(api.wake_waiters());
            connections.spawn(api.follow_own_address());
        }
        if api.eureka().enabled {
            connections.spawn(api.follow_changes());
        }
        let room = Arc::new(Semaphore::new(api.options().connections_max));
        let loops = self.listeners.into_iter().map(|(listener, local)| {
            let accept =
                Accept { listener, local, room: Arc::clone(&room), tracker: connections.clone() };
            accept.run(api.clone(), router.clone())
        });
        futures_util::future::join_all(loops).await;
        connections.close();
        connections.wait().await;
    }
}

/// One listener's loop.
struct Accept {
    listener: TcpListener,
    local: SocketAddr,
    room: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Accept {
    async fn run(self, api: Api, router: Router) {
        let stop = api.stop().clone();
        loop {
            // Room is waited for with the connection in hand: a loop that took the last room
            // before anybody called would keep it from the other listeners' callers.
            let next = async {
                let accepted = self.listener.accept().await;
                (accepted, Arc::clone(&self.room).acquire_owned().await)
            };
            let (accepted, permit) = tokio::select! {
                biased; // once stopped, nothing more is accepted, however many wait
                () = stop.cancelled() => return,
                next = next => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    prepare(&stream);
                    let serve = connection::serve(api.clone(), router.clone(), stream, peer);
                    self.tracker.spawn(async move {
                        let _held_until_closed = permit;
                        serve.await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, listener = %self.local, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn listen(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' ends to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Options that make a connection better but without which it works.
fn prepare(stream: &TcpStream) {
    let _nodelay = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    let _keepalive = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
