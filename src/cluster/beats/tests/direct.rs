//! The direct way: real connections, to servers that speak HTTP.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, body::Incoming, header::AUTHORIZATION, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::support::{becomes, means, metric};
use crate::{
    cluster::{
        Roster,
        beats::{
            direct::Direct,
            outbox::Waiting,
            sender::Sender,
            ways::{Handed, Left, Ways},
        },
        layout::ServerRow,
        members::Server,
    },
    model::{Command, Heartbeat, Status, Timestamp},
    registry::{
        Beat, Options, Ownership, Peer, Registry, ServerId,
        testing::{self, Commons, Running, key},
    },
    store::text::{BeatsTakenText, BeatsText},
    util::Clock,
};

/// The HTTP interface of a server, as far as others use it.
#[derive(Clone)]
struct Interface {
    address: SocketAddr,
    token: Arc<Mutex<String>>,
    /// Where heartbeats go; none are taken without.
    registry: Option<(Registry, Clock)>,
    connections: Arc<AtomicUsize>,
    /// Ends the connections there are.
    hang_up: Arc<Mutex<CancellationToken>>,
}

/// The direct way alone.
#[derive(Clone)]
struct DirectOnly(Direct);

// === impl Interface ===

impl Interface {
    async fn open(registry: Option<(Registry, Clock)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let interface = Self {
            address: listener.local_addr().unwrap(),
            token: Arc::new(Mutex::new("3f9a".to_owned())),
            registry,
            connections: Arc::default(),
            hang_up: Arc::default(),
        };
        let own = interface.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::Relaxed);
                let (this, hang_up) = (own.clone(), own.hang_up.lock().clone());
                let service = service_fn(move |request| this.clone().reply(request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(hang_up.run_until_cancelled_owned(connection));
            }
        });
        interface
    }

    async fn reply(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        assert_eq!(request.uri().path(), "/internal/v1/beats");
        let expected = format!("Bearer {}", self.token.lock());
        let is_peer = request.headers()[AUTHORIZATION] == *expected;
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let (status, body) = match (is_peer, &self.registry) {
            (false, _) => (StatusCode::UNAUTHORIZED, Vec::new()),
            (_, None) => (StatusCode::OK, b"{\"taken\":".to_vec()),
            (_, Some((registry, clock))) => {
                let now = Timestamp(clock.wall_millis());
                (StatusCode::OK, take(registry, &body, now).await)
            }
        };
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        Ok(response)
    }

    fn hang_up(&self) {
        std::mem::take(&mut *self.hang_up.lock()).cancel();
    }

    fn peer(&self) -> Peer {
        Peer { id: "b".into(), http: [self.address.to_string()].into() }
    }
}

/// What the route does.
async fn take(registry: &Registry, body: &[u8], now: Timestamp) -> Vec<u8> {
    let BeatsText { beats, .. } = serde_json::from_slice(body).unwrap();
    let mut said = BeatsTakenText::default();
    for (place, beat) in beats.into_iter().enumerate() {
        match beat.into_model(now).unwrap().heartbeats(&registry.snapshot(), registry.ownership()) {
            Ok(heartbeats) => {
                said.taken += 1;
                for heartbeat in heartbeats {
                    registry.enqueue(Command::Heartbeat(heartbeat)).await.unwrap();
                }
            }
            Err(_) => said.unknown.push(place),
        }
    }
    serde_json::to_vec(&said).unwrap()
}

// === impl DirectOnly ===

impl Ways for DirectOnly {
    async fn hand(&self, to: &Peer, batch: &[Waiting]) -> Result<Handed, String> {
        self.0.hand(to, batch).await
    }

    async fn leave(&self, _: &[Waiting]) -> Result<Left, String> {
        Err("there is no store".to_owned())
    }

    fn forget(&self, server: &ServerId) {
        self.0.forget(server);
    }
}

/// The rows of servers that have these tokens.
fn roster(tokens: &[(&str, &str)]) -> Roster {
    let row = |token: &str| ServerRow {
        http: Vec::new(),
        version: "0.2.0".to_owned(),
        started: Timestamp(0),
        token: token.to_owned(),
        settings: Default::default(),
    };
    let server = |(id, token): &(&str, &str)| {
        (ServerId::from(*id), Server { row: Some(row(token)), since: 1 })
    };
    Roster { at: 1, servers: Arc::new(tokens.iter().map(server).collect()) }
}

fn direct() -> (Direct, watch::Sender<Roster>) {
    let sender = watch::Sender::new(roster(&[("b", "3f9a")]));
    let rows = sender.subscribe();
    (Direct::new("a".into(), Ownership::all(), rows, Clock::system()), sender)
}

fn batch(name: &str) -> Vec<Waiting> {
    let beat = Beat { status: Some(Status::Passing), ..Beat::of(key(name)) };
    vec![Waiting::new(beat, 1, Duration::from_secs(9), Instant::now())]
}

/// Each of these servers knows where the others are.
fn introduce(servers: &[Running], interfaces: &[Interface]) {
    for server in servers {
        let mut view = server.registry.ownership().view().unwrap();
        for (peer, interface) in view.servers.iter_mut().zip(interfaces) {
            peer.http = [interface.address.to_string()].into();
        }
        server.registry.ownership().set(view);
    }
}

/// Servers that share what is in `commons`, and hand heartbeats on to one another.
async fn two_servers(commons: &Commons) -> Vec<Running> {
    let (servers, queues): (Vec<Running>, Vec<mpsc::Receiver<Beat>>) =
        (0..2).map(|_| commons.join(Options::default())).unzip();
    let mut interfaces = Vec::new();
    for server in &servers {
        interfaces
            .push(Interface::open(Some((server.registry.clone(), server.clock.clone()))).await);
    }
    introduce(&servers, &interfaces);
    let rows = watch::Sender::new(roster(&[("server-0", "3f9a"), ("server-1", "3f9a")]));
    for (server, queue) in servers.iter().zip(queues) {
        let me = server.registry.ownership().view().unwrap().me;
        let ownership = server.registry.ownership().clone();
        let ways = DirectOnly(Direct::new(me, ownership, rows.subscribe(), server.clock.clone()));
        let sender = Sender::new(means(server, ways));
        tokio::spawn(sender.run(queue, server.stop.clone()));
    }
    servers
}

fn heartbeat(name: &str, status: Status) -> Command {
    let (key, output) = (key(name), "said".into());
    Command::Heartbeat(Heartbeat { key, check: None, status, output, heard: None })
}

/// Registers an instance whose heartbeats the second of two servers counts; its name.
async fn registered_for_second(commons: &Commons, servers: &[Running]) -> String {
    let mut names = (0..).map(|n| format!("web/i{n}"));
    let name = names.find(|name| commons.owner(&key(name)) == 1).unwrap();
    let beating = testing::beating(&name, "10.0.0.1", Duration::from_secs(60));
    let register = Command::Register(vec![beating.into()]);
    servers[0].registry.submit(register).await.unwrap();
    becomes(servers, &name, Status::Passing).await;
    name
}

/// It was acknowledged, and taken for older than what its server had not heard of.
#[tokio::test]
async fn a_word_at_a_server_that_is_behind_counts_if_it_was_said_last() {
    let commons = Commons::default();
    let servers = two_servers(&commons).await;
    let name = &registered_for_second(&commons, &servers).await;
    commons.lag(0, true);
    for (server, status) in [(1, Status::Critical), (0, Status::Passing)] {
        servers[server].registry.submit(heartbeat(name, status)).await.unwrap();
    }
    commons.lag(0, false);
    becomes(&servers, name, Status::Passing).await;
}

/// The first one was passing again, by what the other had heard of it before.
#[tokio::test]
async fn a_word_outlives_the_older_ones_that_are_on_their_way_to_the_server_that_counts() {
    let commons = Commons::default();
    let servers = two_servers(&commons).await;
    let name = &registered_for_second(&commons, &servers).await;
    let submit =
        async |server: usize, command| servers[server].registry.submit(command).await.unwrap();
    submit(0, heartbeat(name, Status::Passing)).await;
    // It is collected for 200 ms, and how long it takes then is not known.
    let said = Instant::now();
    while said.elapsed() < Duration::from_millis(100) {
        tokio::task::yield_now().await;
    }
    submit(1, heartbeat(name, Status::Critical)).await;
    becomes(&servers, name, Status::Critical).await;
    let taken = || metric(&servers[0], "beats_total{way=\"direct\",outcome=\"taken\"}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while taken() == "0" {
        assert!(Instant::now() < deadline, "it is handed on");
        tokio::task::yield_now().await;
    }
    // The writer carries out commands in the order in which they come.
    let again = submit(1, heartbeat(name, Status::Critical)).await;
    assert!(!again.changed, "it was another meanwhile");
    submit(0, heartbeat(name, Status::Passing)).await;
    becomes(&servers, name, Status::Passing).await;
}

#[tokio::test]
async fn a_heartbeat_reaches_the_registry_of_the_server_that_counts_it() {
    let commons = Commons::default();
    let servers = two_servers(&commons).await;
    let all: Vec<_> = (0..20).map(|n| format!("web/i{n}")).collect();
    let ttl = Duration::from_secs(60);
    let beating = |name: &String| testing::beating(name, "10.0.0.1", ttl).into();
    let register = Command::Register(all.iter().map(beating).collect());
    servers[0].registry.submit(register).await.unwrap();
    // All of them come to the first server, which owns half of them.
    for status in [Status::Critical, Status::Passing] {
        for name in &all {
            servers[0].registry.enqueue(heartbeat(name, status)).await.unwrap();
        }
        for name in &all {
            becomes(&servers, name, status).await;
        }
    }
    let taken: usize =
        metric(&servers[0], "beats_total{way=\"direct\",outcome=\"taken\"}").parse().unwrap();
    let owned = all.iter().filter(|name| commons.owner(&key(name)) == 1).count();
    assert!((owned..=2 * owned).contains(&taken), "{taken} of {owned} instances");
    assert_eq!(metric(&servers[0], "peers_unreachable"), "0");
}

#[tokio::test]
async fn a_connection_is_kept_and_one_that_was_closed_is_opened_again() {
    let running = testing::run(testing::Kept::default(), Options::default());
    let beating = testing::beating("web/a", "10.0.0.1", Duration::from_secs(60));
    running.registry.submit(Command::Register(vec![beating.into()])).await.unwrap();
    let interface = Interface::open(Some((running.registry.clone(), running.clock.clone()))).await;
    let (direct, _rows) = direct();
    for connections in [1, 2] {
        for _ in 0..3 {
            let handed = direct.hand(&interface.peer(), &batch("web/a")).await.unwrap();
            assert_eq!((handed.said.taken, handed.octets), (1, 74));
        }
        assert_eq!(interface.connections.load(Ordering::Relaxed), connections);
        interface.hang_up();
    }
    direct.forget(&"b".into());
    let handed = direct.hand(&interface.peer(), &batch("web/b")).await.unwrap();
    assert_eq!(handed.said.unknown, [0]);
    assert_eq!(interface.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn addresses_are_tried_in_their_order_and_all_are_named_when_none_will_do() {
    let interface = Interface::open(Some((testing::registry(), Clock::system()))).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let (direct, rows) = direct();
    let http = [gone.to_string(), interface.address.to_string()];
    let to = Peer { id: "b".into(), http: http.into() };
    direct.hand(&to, &[]).await.unwrap();
    let http = [gone.to_string(), "no.such.host.invalid:1".to_owned()];
    let to = Peer { id: "b".into(), http: http.into() };
    let why = direct.hand(&to, &[]).await.unwrap_err();
    assert!(why.starts_with(&format!("{gone}: Connection refused")), "{why}");
    assert!(why.contains("; no.such.host.invalid:1: "), "{why}");
    let nowhere = Peer { id: "b".into(), http: [].into() };
    let why = direct.hand(&nowhere, &[]).await.unwrap_err();
    assert_eq!(why, "its row in etcd says no address");
    rows.send_replace(Roster::default());
    direct.forget(&"b".into());
    let why = direct.hand(&interface.peer(), &[]).await.unwrap_err();
    assert_eq!(why, "its row in etcd says no token");
}

/// A server that starts again has another token, and one whose row is gone may be back.
#[tokio::test]
async fn the_token_is_the_newest_that_is_known() {
    let interface = Interface::open(Some((testing::registry(), Clock::system()))).await;
    let (direct, rows) = direct();
    direct.hand(&interface.peer(), &[]).await.unwrap();
    rows.send_replace(Roster::default());
    direct.hand(&interface.peer(), &[]).await.unwrap();
    *interface.token.lock() = "77aa".to_owned();
    let why = direct.hand(&interface.peer(), &[]).await.unwrap_err();
    assert_eq!(why, format!("{}: it answers 401 Unauthorized", interface.address));
    rows.send_replace(roster(&[("b", "77aa")]));
    direct.hand(&interface.peer(), &[]).await.unwrap();
    assert!(!format!("{direct:?}").contains("77aa"));
}

#[tokio::test]
async fn who_does_not_answer_or_not_in_our_words_has_taken_nothing() {
    let (direct, _rows) = direct();
    let babbling = Interface::open(None).await;
    let why = direct.hand(&babbling.peer(), &[]).await.unwrap_err();
    assert!(why.contains(": an answer that cannot be read: EOF"), "{why}");
    // Connections are taken by the system, and nobody looks at them.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let http = [silent.clone(), babbling.address.to_string()].into();
    let begin = Instant::now();
    let why = direct.hand(&Peer { id: "b".into(), http }, &[]).await.unwrap_err();
    assert!(why.starts_with(&format!("{silent}: no answer; {}: an", babbling.address)), "{why}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}
