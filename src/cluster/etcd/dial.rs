//! From a host's name to a connection: each of its addresses gets its chance.
//!
//! One after the other within the time of an attempt, an address that swallows what it is sent
//! would make the endpoint useless though another address of it answers. So the next one is tried
//! beside it after a moment (RFC 8305), and the first connection is taken.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::net::{TcpStream, lookup_host};

/// When the next address is tried beside those that have not answered: RFC 8305, section 8
/// (Connection Attempt Delay).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Addresses of a name that are tried: with the delay of each that is as long as an attempt lasts.
const ADDRESSES_MAX: usize = 16;

/// Connects to a host by one of its addresses.
///
/// # Errors
/// When it has none, or none can be connected to: what the first one said.
pub(super) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    race(alternately(lookup_host((host, port)).await?.collect()), TcpStream::connect).await
}

/// In the order of the system's resolver, but the families by turns: where one of them leads
/// nowhere, all addresses of it do (RFC 8305, section 4).
fn alternately(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first = found.first().map(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| Some(address.is_ipv6()) == is_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let turns = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        turn => Some([turn.0, turn.1]),
    });
    turns.flatten().flatten().take(ADDRESSES_MAX).collect()
}

/// The first connection that comes about.
async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        attempts.extend(waiting.next().map(&connect));
        let has_more = waiting.len() > 0;
        tokio::select! {
            done = attempts.next() => match done {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(error)) => drop(first_error.get_or_insert(error)),
                None => {
                    let none = || io::Error::new(io::ErrorKind::NotFound, "it has no address");
                    return Err(first_error.unwrap_or_else(none));
                }
            },
            () = tokio::time::sleep(NEXT_AFTER), if has_more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, io, net::SocketAddr, time::Duration};

    use tokio::{
        net::{TcpSocket, TcpStream},
        time::Instant,
    };

    use super::{alternately, race};

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_swallows_everything_holds_up_the_next_for_a_moment() {
        let all = addresses(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
        let begin = Instant::now();
        let connected =
            race(all.clone(), async |address: SocketAddr| match address.ip().to_string() {
                ip if ip == "10.0.0.3" => Ok(ip),
                _ => pending().await,
            });
        assert_eq!(connected.await.unwrap(), "10.0.0.3");
        assert_eq!(begin.elapsed(), Duration::from_millis(500));
        // What refuses is passed over at once, and the first is told of when all do.
        let begin = Instant::now();
        let refused = race(all, async |address: SocketAddr| {
            Err::<(), _>(io::Error::other(address.to_string()))
        });
        assert_eq!(refused.await.unwrap_err().to_string(), "10.0.0.1:1");
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let none = race(Vec::new(), async |_| Ok(())).await.unwrap_err();
        assert_eq!(none.to_string(), "it has no address");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_is_not_given_up_for_the_next() {
        let all = addresses(&["10.0.0.1:1", "10.0.0.2:1"]);
        let connected = race(all, async |address: SocketAddr| {
            match address.ip().to_string().as_str() {
                "10.0.0.1" => tokio::time::sleep(Duration::from_millis(400)).await,
                _ => pending().await,
            }
            Ok(address)
        });
        assert_eq!(connected.await.unwrap().to_string(), "10.0.0.1:1");
    }

    #[tokio::test]
    async fn a_listener_whose_queue_is_full_is_passed_by() {
        let listen = |backlog| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(backlog).unwrap()
        };
        let (full, alive) = (listen(0), listen(8));
        // It takes one, and lets all others wait for somebody who accepts.
        let first = TcpStream::connect(full.local_addr().unwrap()).await.unwrap();
        let all = vec![full.local_addr().unwrap(), alive.local_addr().unwrap()];
        let connected = race(all, TcpStream::connect).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), alive.local_addr().unwrap());
        drop(first);
    }

    #[test]
    fn families_are_tried_by_turns() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]);
        let order = alternately(found);
        assert_eq!(order, addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(alternately(Vec::new()), []);
    }
}
