//! The other way: a row of a real etcd.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::support::{becomes, metric};
use crate::{
    cluster::{
        beats::{
            Beats, BeatsMetrics, BeatsSetup,
            outbox::Waiting,
            relay::{Relay, pack, pause_after, unpack},
        },
        etcd::{Client, KeyRange, KeyValue, Range},
        follow::{
            Follower,
            testing::{agree, common},
        },
        testing::shared,
    },
    model::{Command, Heartbeat, Revision, Status},
    registry::{
        Beat, Options,
        testing::{self, Commons, Running, key},
    },
};

fn waiting(name: &str, turn: u64, status: Status, output: &str) -> Waiting {
    let beat = Beat { status: Some(status), output: Some(output.into()), ..Beat::of(key(name)) };
    Waiting::new(beat, turn, Duration::from_secs(9), Instant::now())
}

/// Names that have nothing in common, as those that are drawn at random.
fn drawn(rng: &mut fastrand::Rng) -> String {
    format!(
        "web/{:08x}-{:04x}-{:04x}-{:012x}",
        rng.u32(..),
        rng.u16(..),
        rng.u16(..),
        rng.u64(..) >> 16
    )
}

#[test]
fn what_is_left_is_read_without_what_those_say_who_are_well() {
    let of_check = Beat { check: Some((1, Revision(70_000))), ..Beat::of(key("web/c")) };
    let batch = vec![
        waiting("web/b", 1, Status::Critical, "down"),
        waiting("web/a", 2, Status::Passing, "fine"),
        waiting("web/b", 3, Status::Warning, &"\u{e4}".repeat(200)),
        Waiting::new(of_check.clone(), 4, Duration::from_secs(9), Instant::now()),
    ];
    let (value, rest) = pack(&"me".into(), batch);
    assert!(rest.is_empty());
    let of = |name, status, output: Option<&str>| {
        let output = output.map(Into::into);
        Beat { status: Some(status), output, ..Beat::of(key(name)) }
    };
    let expected = [
        of("web/a", Status::Passing, None),
        of("web/b", Status::Critical, Some("down")),
        of("web/b", Status::Warning, Some(&"\u{e4}".repeat(128))),
        of_check,
    ];
    assert_eq!(unpack(&value).unwrap(), expected);
}

#[test]
fn a_row_has_its_limit_and_who_is_not_well_goes_first() {
    let mut rng = fastrand::Rng::with_seed(1);
    let status = |n| if n % 100 == 7 { Status::Critical } else { Status::Passing };
    let all: Vec<_> = (0..40_000).map(|n| waiting(&drawn(&mut rng), n, status(n), "")).collect();
    let (value, rest) = pack(&"me".into(), all);
    assert!((120_000..=3 * 65_536).contains(&value.len()), "{}", value.len());
    let beats = unpack(&value).unwrap();
    assert_eq!(beats.len() + rest.len(), 40_000);
    let critical =
        |beats: &[Beat]| beats.iter().filter(|beat| beat.status == Some(Status::Critical)).count();
    assert_eq!(critical(&beats), 400);
    // Of the others those that have waited for longest.
    let oldest = rest.iter().map(|waiting| waiting.turn).min().unwrap();
    assert!(usize::try_from(oldest).unwrap() > beats.len() - 500, "{oldest} of {}", beats.len());
    assert!(pause_after(value.len()) <= Duration::from_secs(3));
    assert_eq!(pause_after(100), Duration::from_secs(1));
}

#[test]
fn what_is_no_row_of_heartbeats_is_refused_and_never_unpacked_beyond_the_limit() {
    let packed = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    for (value, problem) in [
        (b"".to_vec(), "unexpected end of file"),
        (b"{\"from\":\"a\",\"beats\":[]}".to_vec(), "invalid gzip header"),
        (packed(b"{\"from\":\"a\",\"beats\":[{}]}"), "missing field `service`"),
        (packed(&vec![b' '; 200 << 20]), "more than 8388608 octets"),
    ] {
        let refusal = unpack(&value).unwrap_err().to_string();
        assert!(refusal.contains(problem), "{refusal}");
    }
    let later =
        packed(b"{\"from\":\"a\",\"beats\":[{\"service\":\"_x\",\"instance\":\"a\"}],\"b\":1}");
    assert_eq!(unpack(&later).unwrap(), []);
}

/// A server that is reached by etcd alone; its heartbeats for others go nowhere. From then on it
/// watches: what was left before may be of any age, and is not taken.
async fn start(server: &Running, queue: mpsc::Receiver<Beat>, etcd: &Client, prefix: &str) {
    let (common, _metrics) = common(etcd.clone(), prefix);
    let (relay, relayed) = mpsc::channel(16);
    let mut follower = Follower::new(common.clone(), Some(relay), fastrand::Rng::new());
    let stop = CancellationToken::new();
    follower.first(&stop).await.unwrap();
    let (followed, mut changes) = mpsc::channel(16);
    tokio::spawn(async move { while changes.recv().await.is_some() {} });
    tokio::spawn(follower.run(followed, stop.clone()));
    let told = etcd.put(format!("{prefix}v1/policies/web"), "{}", None).await.unwrap().revision;
    common.followed().wait_for(|upto| *upto >= told).await.unwrap();
    let me = server.registry.ownership().view().unwrap().me;
    let registry = server.registry.clone();
    let metrics = BeatsMetrics::new(&server.metrics);
    let setup = BeatsSetup { common, me, registry, beats: queue, relayed, metrics };
    let beats = Beats::new(setup, fastrand::Rng::new());
    tokio::spawn(beats.run(stop));
}

async fn row(etcd: &Client, prefix: &str) -> Option<KeyValue> {
    let keys = KeyRange::key(format!("{prefix}v1/beats/server-0"));
    etcd.range(Range::of(keys)).await.unwrap().kvs.pop()
}

#[tokio::test]
async fn by_etcd_a_heartbeat_reaches_the_server_that_counts_it() {
    let (etcd, prefix) = shared();
    let commons = Commons::default();
    let (servers, queues): (Vec<Running>, Vec<_>) =
        (0..3).map(|_| commons.join(Options::default())).unzip();
    for (server, queue) in servers.iter().zip(queues) {
        start(server, queue, &etcd, &prefix).await;
    }
    let all: Vec<_> = (0..30).map(|n| format!("web/i{n}")).collect();
    let ttl = Duration::from_secs(60);
    let beating = |name: &String| testing::beating(name, "10.0.0.1", ttl).into();
    let register = Command::Register(all.iter().map(beating).collect());
    servers[0].registry.submit(register).await.unwrap();
    let begin = Instant::now();
    for status in [Status::Critical, Status::Passing, Status::Warning] {
        for name in &all {
            let (key, output) = (key(name), "said".into());
            let heartbeat = Heartbeat { key, check: None, status, output, heard: None };
            servers[0].registry.enqueue(Command::Heartbeat(heartbeat)).await.unwrap();
        }
        for name in &all {
            becomes(&servers, name, status).await;
        }
    }
    let row = row(&etcd, &prefix).await.unwrap();
    assert!(row.version <= 1 + begin.elapsed().as_secs(), "once a second at the most");
    let lease = row.lease.expect("it goes when nobody writes it again");
    let left = etcd.time_to_live(lease, false).await.unwrap();
    assert_eq!(left.granted, Duration::from_secs(60));
    for server in &servers[1..] {
        let relayed: usize = metric(server, "beats_relayed_total").parse().unwrap();
        assert!(relayed >= 4, "{relayed}");
    }
    assert_eq!(metric(&servers[0], "peers_unreachable"), "2");
    assert_eq!(metric(&servers[0], "beats_relayed_total"), "0", "its own are no news to it");
}

#[tokio::test]
async fn a_row_whose_lease_is_gone_gets_a_new_one_and_nothing_is_written_by_who_must_not() {
    let (etcd, prefix) = shared();
    let (common, _metrics) = common(etcd.clone(), &prefix);
    agree(&common).await;
    let relay = Relay::new("server-0".into(), common.clone());
    let batch = [waiting("web/a", 1, Status::Passing, "")];
    relay.leave(&batch).await.unwrap();
    let first = row(&etcd, &prefix).await.unwrap().lease.unwrap();
    relay.leave(&batch).await.unwrap();
    assert_eq!(row(&etcd, &prefix).await.unwrap().lease, Some(first));
    etcd.revoke(first).await.unwrap();
    assert_eq!(row(&etcd, &prefix).await, None);
    relay.leave(&batch).await.unwrap();
    assert_ne!(row(&etcd, &prefix).await.unwrap().lease, Some(first));
    let before = row(&etcd, &prefix).await;
    etcd.put(format!("{prefix}v1/meta"), r#"{"schema":1,"cluster":"other"}"#, None).await.unwrap();
    let why = relay.leave(&batch).await.unwrap_err();
    assert!(why.contains("state of cluster `other`"), "{why}");
    common.set_read_only(Some("a later schema".into()));
    assert_eq!(relay.leave(&batch).await.unwrap_err(), "a later schema");
    assert_eq!(row(&etcd, &prefix).await, before);
}

/// Of two servers with one name the one that has lost its place left them in vain.
#[tokio::test]
async fn what_another_server_of_the_same_name_leaves_is_taken() {
    let (etcd, prefix) = shared();
    let (server, queue) = Commons::default().join(Options::default());
    start(&server, queue, &etcd, &prefix).await;
    let register = testing::beating("web/a", "10.0.0.1", Duration::from_secs(60));
    server.registry.submit(Command::Register([register.into()].into())).await.unwrap();
    let (value, _) = pack(&"server-0".into(), vec![waiting("web/a", 1, Status::Critical, "said")]);
    etcd.put(format!("{prefix}v1/beats/server-0"), value, None).await.unwrap();
    becomes(&[server], "web/a", Status::Critical).await;
}
