//! A connection whose client does not read.

use std::{
    future::{poll_fn, ready},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep_until, timeout},
};

use super::{Connection, Event, LONG_MAX, LongReply};
use crate::{
    dns::{
        Settings, SettingsSpec, Transport,
        tcp::{Visit, line::Line, testing::shared},
    },
    model::DnsName,
    registry::testing,
};

/// What nothing here should take.
const PATIENCE: Duration = Duration::from_secs(10);

fn connection() -> Connection {
    let spec = SettingsSpec::new(DnsName::parse("internal").unwrap());
    let shared = Arc::new(shared(testing::registry(), Settings::new(&spec).unwrap()));
    let pen = shared.runners.next().pen(Transport::Tcp);
    let visit = Visit::begin(&shared, Transport::Tcp, [127, 0, 0, 1].into(), pen);
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
        connection.long.push(ready(Some(LongReply::Made(vec![7]))).boxed());
    }
    connection.put_off_deadline();
    let stop = connection.visit.shared.stop.clone();
    let mut stopped = pin!(stop.cancelled());
    let mut alarm = pin!(sleep_until(connection.deadline));
    for _ in 0..LONG_MAX {
        let event = poll_fn(|to| connection.poll(&mut line, stopped.as_mut(), alarm.as_mut(), to));
        let event = timeout(PATIENCE / 2, event).await.expect("it goes on").unwrap();
        assert!(matches!(event, Event::Replied(Some(_))));
    }
    assert!(line.is_blocked() && connection.long.is_empty());
}
