//! A connection whose client does not read.

use std::{
    future::{poll_fn, ready},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Connection, Event, LONG_MAX};
use crate::{
    dns::{
        Limits, Settings, SettingsSpec, Transport,
        forward::{ForwardHandle, ForwardLane},
        full::{Lanes, LongLane},
        stats::Stats,
        tcp::{Gates, Runners, Shared, Visit, line::Line},
        view::World,
        zone::ZonesHandle,
    },
    model::DnsName,
    registry::testing,
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What nothing here should take.
const PATIENCE: Duration = Duration::from_secs(10);

fn connection() -> Connection {
    let (stats, clock) = (Stats::new(&Metrics::new()), Clock::system());
    let spec = SettingsSpec::new(DnsName::parse("internal").unwrap());
    let world = World {
        registry: testing::registry(),
        zones: ZonesHandle::default(),
        settings: Arc::new(ArcSwap::from_pointee(Settings::new(&spec).unwrap())),
        forward: ForwardHandle::new(Board::default(), &Metrics::new(), clock.clone()),
    };
    let stop = CancellationToken::new();
    let (forward_lane, _thread) =
        ForwardLane::start(world.clone(), &stats, clock.clone(), stop.clone()).unwrap();
    let (long_lane, _thread) =
        LongLane::start(world.clone(), &stats, clock.clone(), forward_lane.clone()).unwrap();
    let (runners, _threads) = Runners::start(("dns-tcp", 1), &stats, &[Transport::Tcp]).unwrap();
    let pen = runners.next().pen(Transport::Tcp);
    let limits = Arc::new(ArcSwap::from_pointee(Limits::default()));
    let (lanes, gates) = (Lanes::new(long_lane, forward_lane), Gates::default());
    let encrypted_runners = None;
    let shared =
        Shared { world, stats, lanes, limits, clock, stop, gates, runners, encrypted_runners };
    let visit = Visit::begin(&Arc::new(shared), Transport::Tcp, [127, 0, 0, 1].into(), pen);
    Connection::new(visit.expect("nobody else is there"))
}

/// A line that is blocked, and the client that does not read.
async fn blocked_line() -> (Line<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    socket2::SockRef::from(&client).set_recv_buffer_size(4_096).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    socket2::SockRef::from(&stream).set_send_buffer_size(4_096).unwrap();
    let mut line = Line::new(stream);
    // More than the system keeps for the two.
    for _ in 0..50 {
        line.push(&[0; 60_000]).unwrap();
    }
    assert!(line.is_blocked());
    (line, client)
}

/// A message that waited for room in the long lane was given it all the same, and kept it: clients
/// that did not read could have all the room of TCP.
#[tokio::test]
async fn what_takes_long_goes_on_while_the_client_does_not_read() {
    let mut connection = connection();
    let (mut line, _client) = blocked_line().await;
    for _ in 0..LONG_MAX {
        connection.long.push(ready(Some(vec![7])).boxed());
    }
    connection.put_off_deadline();
    let stop = connection.visit.shared.stop.clone();
    let mut stopped = pin!(stop.cancelled());
    let mut alarm = pin!(sleep_until(connection.deadline));
    for _ in 0..LONG_MAX {
        let event = poll_fn(|to| connection.poll(&mut line, stopped.as_mut(), alarm.as_mut(), to));
        let event = timeout(PATIENCE / 2, event).await.expect("it goes on").unwrap();
        assert!(matches!(event, Event::LongReply(Some(_))));
    }
    assert!(line.is_blocked() && connection.long.is_empty());
}
