//! The load of writes: closed loops of requests, each waiting for its reply before the next.

use std::{
    fmt,
    net::SocketAddr,
    process::{Command, Stdio},
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use crate::{churn::with_ttl, data::Data, http::Http, part::Env, process::pinned};

/// Instances of one service, as in the other parts.
const INSTANCES: u32 = 5;

/// The load of writes.
#[derive(Debug, Parser)]
pub(crate) struct Writing {
    /// Rollcall's HTTP interface.
    #[arg(long)]
    server: SocketAddr,
    /// What is written.
    #[arg(long)]
    what: What,
    /// The number of the first instance that is written to.
    #[arg(long)]
    first: u32,
    /// How many instances are written to, over and over again; without it, a new one each time.
    #[arg(long)]
    among: Option<u32>,
    /// Connections at once.
    #[arg(long)]
    connections: u32,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
    /// At the most so many requests.
    #[arg(long, default_value_t = u32::MAX)]
    requests_max: u32,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// `PUT` of an instance.
    Register,
    /// Its heartbeat.
    Heartbeat,
    /// `POST` of a thousand instances.
    Thousand,
    /// `POST` of as many instances as one request may have.
    Most,
}

/// What the load of writes saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Written {
    /// Instances that were acknowledged.
    pub(crate) instances: u64,
    /// In this time.
    pub(crate) took: Duration,
    /// The mean time to an acknowledgement.
    pub(crate) mean: Duration,
    /// The time that 99 of 100 acknowledgements did not exceed.
    pub(crate) p99: Duration,
}

// === impl Writing ===

impl Writing {
    /// Writes until the time is over, and prints what it saw.
    ///
    /// # Errors
    /// When the server refuses something.
    pub(crate) fn run(self) -> Result<()> {
        let next = AtomicU32::new(0);
        // Made before time runs: what it takes to write JSON is not what is measured.
        let bulks = self.bulks();
        let begun = Instant::now();
        let times: Result<Vec<Vec<Duration>>> = thread::scope(|scope| {
            let work = || self.work(begun, &next, &bulks);
            let workers: Vec<_> = (0..self.connections).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        });
        let took = begun.elapsed();
        let mut times: Vec<Duration> = times?.concat();
        times.sort_unstable();
        ensure!(!times.is_empty(), "nothing was written");
        let each = u64::from(self.what.instances());
        let count = u32::try_from(times.len())?;
        let written = Written {
            instances: u64::from(count) * each,
            took,
            mean: times.iter().sum::<Duration>() / count,
            p99: times[times.len() * 99 / 100],
        };
        println!("{written}");
        Ok(())
    }

    fn bulks(&self) -> Vec<String> {
        let size = self.what.instances();
        if size == 1 {
            return Vec::new();
        }
        let bulk = |index: u32| {
            let first = self.first + index * size;
            let all = (first..first + size).map(|number| registration(number).1);
            Value::from_iter(all).to_string()
        };
        (0..self.requests_max).map(bulk).collect()
    }

    /// One connection's requests; how long each took.
    fn work(&self, begun: Instant, next: &AtomicU32, bulks: &[String]) -> Result<Vec<Duration>> {
        let end = Duration::from_millis(self.millis);
        let mut http = Http::to(self.server)?;
        let mut times = Vec::new();
        while begun.elapsed() < end {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.requests_max {
                break;
            }
            let number = self.first + self.among.map_or(index, |among| index % among);
            let (method, path, body) = self.request(number, index, bulks);
            let sent = Instant::now();
            let status = http.send(method, &path, &body)?;
            times.push(sent.elapsed());
            ensure!(status < 300, "{method} {path} is refused with {status}: {}", http.body());
        }
        Ok(times)
    }

    fn request(&self, number: u32, index: u32, bulks: &[String]) -> (&'static str, String, String) {
        match self.what {
            What::Register => {
                let (path, mut body) = registration(number);
                if let Some(object) = body.as_object_mut() {
                    // They stand in the path.
                    object.retain(|name, _| !matches!(name.as_str(), "service" | "instance"));
                }
                ("PUT", path, body.to_string())
            }
            What::Heartbeat => ("PUT", registration(number).0 + "/heartbeat", String::new()),
            What::Thousand | What::Most => {
                ("POST", "/api/v1/instances".to_owned(), bulks[index as usize].clone())
            }
        }
    }
}

/// Where instance `number` is, and what it registers: addresses, a port, a tag, a heartbeat.
pub(crate) fn registration(number: u32) -> (String, Value) {
    let (service, instance) = (number / INSTANCES, number % INSTANCES);
    let mut body = with_ttl(Data::registration(service, instance));
    body["tags"] = json!(["v1"]);
    let path = format!("/api/v1/services/{}/instances/i{instance}", Data::service(service));
    (path, body)
}

// === impl What ===

impl What {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Instances in one request.
    pub(crate) fn instances(self) -> u32 {
        match self {
            Self::Register | Self::Heartbeat => 1,
            Self::Thousand => 1_000,
            Self::Most => 100_000,
        }
    }
}

// === impl Written ===

impl Written {
    /// Has the load of writes started on its core, and waits for its end.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn by(env: &Env, arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.arg("writing").args(arguments);
        let mut command = pinned(&command, env.cores.load);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.context("starting the load of writes")?;
        ensure!(output.status.success(), "the load of writes has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse().context("what the load of writes says")
    }

    /// Acknowledged instances in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.instances as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, took, mean, p99 } = self;
        write!(f, "{instances} {} {} {}", took.as_nanos(), mean.as_nanos(), p99.as_nanos())
    }
}

impl FromStr for Written {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [instances, took, mean, p99] = numbers?[..] else {
            anyhow::bail!("four numbers, not `{}`", line.trim());
        };
        let [took, mean, p99] = [took, mean, p99].map(Duration::from_nanos);
        Ok(Self { instances, took, mean, p99 })
    }
}
