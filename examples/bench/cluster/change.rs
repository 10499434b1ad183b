//! Changes at all servers, a fixed number in a second, and when each server shows them.
//!
//! Times run from when a change was due, not from when it was sent: what waits behind a slow one
//! has to be counted, too. Shown is what the server's own watch has told a client of.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::fleet::checks;
use crate::{data::Data, http::Http};

/// Connections at once, of all servers together: at 50 ms for a change enough for 2,000 a second.
const CONNECTIONS: u32 = 96;

/// Who is so much behind when its time is over gives up.
const BEHIND_MAX: Duration = Duration::from_secs(3);

/// How long what was acknowledged may take to be shown everywhere before it counts as missing.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// A load of changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) data: Data,
    /// Changes in a second, at all servers together.
    pub(super) rate: u32,
    pub(super) time: Duration,
}

/// What became of a load.
#[derive(Debug)]
pub(super) struct Changed {
    /// Changes that were acknowledged.
    pub(super) changes: usize,
    /// In this time.
    pub(super) took: Duration,
    /// Times to the acknowledgement, sorted.
    pub(super) replies: Vec<Duration>,
    /// Times until all servers showed it, sorted.
    pub(super) shown: Vec<Duration>,
}

/// Which change: its revision, and the names of service and instance. Several may have a revision.
type Which = (u64, String, String);

/// A change that was acknowledged.
struct Sent {
    which: Which,
    due: Instant,
    replied: Instant,
}

/// A client that has a server tell it of changes.
struct Watcher {
    stream: TcpStream,
    seen: Arc<Mutex<HashMap<Which, Instant>>>,
    reader: JoinHandle<()>,
}

// === impl Load ===

impl Load {
    /// Changes instances at `servers`, and watches all of these.
    ///
    /// # Errors
    /// When a change is refused, or is not shown.
    pub(super) fn run(&self, servers: &[SocketAddr]) -> Result<Changed> {
        let watchers: Result<Vec<Watcher>> = servers.iter().copied().map(Watcher::open).collect();
        let watchers = watchers?;
        let begun = Instant::now();
        let sent: Result<Vec<Vec<Sent>>> = thread::scope(|scope| {
            let work = |number| move || self.work(number, servers, begun);
            let workers: Vec<_> = (0..CONNECTIONS).map(|n| scope.spawn(work(n))).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        });
        let took = begun.elapsed();
        let sent: Vec<Sent> = sent?.into_iter().flatten().collect();
        let mut shown = Vec::with_capacity(sent.len());
        for sent in &sent {
            let seen = watchers.iter().map(|watcher| watcher.until(&sent.which));
            let last = seen.collect::<Result<Vec<Instant>>>()?.into_iter().max();
            shown.extend(last.map(|at| at.duration_since(sent.due)));
        }
        watchers.into_iter().try_for_each(Watcher::close)?;
        let mut replies: Vec<Duration> =
            sent.iter().map(|sent| sent.replied.duration_since(sent.due)).collect();
        ensure!(!replies.is_empty(), "nothing was changed");
        replies.sort_unstable();
        shown.sort_unstable();
        Ok(Changed { changes: sent.len(), took, replies, shown })
    }

    /// One connection's changes, of instances that no other connection changes.
    fn work(&self, number: u32, servers: &[SocketAddr], begun: Instant) -> Result<Vec<Sent>> {
        let mut http = Http::to(servers[number as usize % servers.len()])?;
        // Not the same each time: what a load before this one did last would be no change.
        let mut rng = Rng::new();
        let own = self.data.services * self.data.instances / CONNECTIONS;
        let every = Duration::from_secs(1) * CONNECTIONS / self.rate;
        let (mut due, end) = (begun + every * number / CONNECTIONS, begun + self.time);
        let mut sent = Vec::new();
        while due < end && Instant::now() < end + BEHIND_MAX {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let instance = rng.u32(..own) * CONNECTIONS + number;
            let (service, instance) =
                (instance / self.data.instances, instance % self.data.instances);
            let mut body = Data::registration(service, instance);
            body["checks"] = checks();
            // Another one each time: it is a change.
            body["meta"] = json!({ "build": format!("{:016x}", rng.u64(..)) });
            let names = body.as_object_mut().context("an object")?;
            // They stand in the path.
            names.retain(|name, _| !matches!(name.as_str(), "service" | "instance"));
            let (service, instance) = (Data::service(service), format!("i{instance}"));
            let path = format!("/api/v1/services/{service}/instances/{instance}");
            let status = http.send("PUT", &path, &body.to_string())?;
            let replied = Instant::now();
            ensure!(status < 300, "PUT {path} is refused with {status}: {}", http.body());
            let reply: Value = serde_json::from_str(&http.body())?;
            let revision = reply["revision"].as_u64().context("a revision")?;
            sent.push(Sent { which: (revision, service, instance), due, replied });
            due += every;
        }
        Ok(sent)
    }
}

// === impl Changed ===

impl Changed {
    /// Acknowledged changes in a second.
    pub(super) fn per_second(&self) -> f64 {
        self.changes as f64 / self.took.as_secs_f64()
    }
}

/// The time that so many hundredths of these, which are sorted, did not exceed, in milliseconds.
pub(super) fn millis_at(sorted: &[Duration], hundredths: usize) -> f64 {
    let at = (sorted.len() * hundredths / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1e3
}

// === impl Watcher ===

impl Watcher {
    /// Watches a server; nothing is missed from now on.
    fn open(server: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(server).context("connecting")?;
        // HTTP/1.0, so that the stream comes as it is and not in chunks.
        stream.write_all(b"GET /api/v1/watch HTTP/1.0\r\nhost: bench\r\n\r\n")?;
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        ensure!(line.contains(" 200 "), "the watch is refused: {line}");
        while !line.trim_end().is_empty() {
            line.clear();
            lines.read_line(&mut line)?;
        }
        let seen = Arc::default();
        let shared = Arc::clone(&seen);
        Ok(Self { stream, seen, reader: thread::spawn(move || follow(lines, &shared)) })
    }

    /// When it saw a change; waits for that.
    fn until(&self, which: &Which) -> Result<Instant> {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.seen.lock().get(which) {
                return Ok(*at);
            }
            ensure!(begun.elapsed() < SHOWN_WITHIN, "{which:?} was acknowledged and is not shown");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn close(self) -> Result<()> {
        self.stream.shutdown(Shutdown::Both).context("the watch has ended before")?;
        ensure!(self.reader.join().is_ok(), "a watcher has failed");
        Ok(())
    }
}

/// Reads events to the end of their stream.
fn follow(lines: BufReader<TcpStream>, seen: &Mutex<HashMap<Which, Instant>>) {
    for line in lines.lines().map_while(Result::ok) {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let at = Instant::now();
        let Ok(data) = serde_json::from_str::<Value>(data) else { continue };
        let name = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let revision = data["revision"].as_u64().unwrap_or_default();
        seen.lock().entry((revision, name("service"), name("instance"))).or_insert(at);
    }
}
