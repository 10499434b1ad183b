//! The load of requests: closed loops over HTTP, on each connection the next request when the last
//! one has its reply.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{http::Http, part::Env, process::pinned};

/// The load of requests.
#[derive(Debug, Parser)]
pub(crate) struct Asking {
    /// Whom to ask.
    #[arg(long)]
    server: SocketAddr,
    /// The file with the requests, one a line: a method, a path, and a body if it has one.
    #[arg(long)]
    requests: PathBuf,
    /// Connections at once.
    #[arg(long)]
    connections: u32,
    /// For how long, in milliseconds; without it, each request once.
    #[arg(long)]
    millis: Option<u64>,
    /// A line that each request's head has besides.
    #[arg(long)]
    header: Option<String>,
}

/// What to ask, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requests<'a> {
    /// The file with the requests.
    pub(crate) file: &'a Path,
    /// Connections at once.
    pub(crate) connections: u32,
    /// For how long; without it, each request once.
    pub(crate) time: Option<Duration>,
    /// A line that each request's head has besides.
    pub(crate) header: Option<&'a str>,
}

/// What the load of requests saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Asked {
    /// Requests that were answered with success.
    pub(crate) requests: u64,
    /// Octets of the last reply's body.
    pub(crate) octets: u64,
    /// In this time.
    pub(crate) took: Duration,
    /// The mean time to a whole reply.
    pub(crate) mean: Duration,
    /// The time that 99 of 100 replies did not exceed.
    pub(crate) p99: Duration,
}

/// The load of requests at work.
#[derive(Debug)]
pub(crate) struct AskingNow {
    child: Child,
}

// === impl Asking ===

impl Asking {
    /// Asks, and prints what it saw.
    ///
    /// # Errors
    /// When a request is refused or not answered.
    pub(crate) fn run(self) -> Result<()> {
        let text = fs::read_to_string(&self.requests).context("reading the requests")?;
        let requests: Vec<&str> = text.lines().collect();
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        let seen: Result<Vec<(Vec<Duration>, usize)>> = thread::scope(|scope| {
            let work = || self.work(begun, &next, &requests);
            let workers: Vec<_> = (0..self.connections).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        });
        let (took, seen) = (begun.elapsed(), seen?);
        let octets = seen.iter().map(|(_, octets)| *octets).max().unwrap_or_default() as u64;
        let mut times: Vec<Duration> = seen.into_iter().flat_map(|(times, _)| times).collect();
        times.sort_unstable();
        ensure!(!times.is_empty(), "nothing was asked");
        let requests = times.len() as u64;
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len())?;
        let p99 = times[times.len() * 99 / 100];
        println!("{}", Asked { requests, octets, took, mean, p99 });
        Ok(())
    }

    /// One connection's requests: how long each took, and the octets of the last reply.
    fn work(
        &self,
        begun: Instant,
        next: &AtomicUsize,
        all: &[&str],
    ) -> Result<(Vec<Duration>, usize)> {
        let mut http = Http::to(self.server)?;
        if let Some(line) = &self.header {
            http = http.with_header(line);
        }
        let mut times = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let is_over = match self.millis {
                Some(millis) => begun.elapsed() >= Duration::from_millis(millis),
                None => index >= all.len(),
            };
            if is_over {
                return Ok((times, http.octets()));
            }
            let (method, rest) = all[index % all.len()].split_once(' ').context("no request")?;
            let (path, body) = rest.split_once(' ').unwrap_or((rest, ""));
            let sent = Instant::now();
            let status = http.send(method, path, body)?;
            times.push(sent.elapsed());
            ensure!(status < 300, "{method} {path} is refused with {status}: {}", http.body());
        }
    }
}

// === impl Requests ===

impl Requests<'_> {
    /// Starts to ask `server` from the core for loads.
    ///
    /// # Errors
    /// When the load cannot be started.
    pub(crate) fn start(&self, env: &Env, server: SocketAddr) -> Result<AskingNow> {
        let mut command = Command::new(&env.bench);
        command.args(["asking", "--server", &server.to_string(), "--requests"]).arg(self.file);
        command.args(["--connections", &self.connections.to_string()]);
        if let Some(time) = self.time {
            command.args(["--millis", &time.as_millis().to_string()]);
        }
        if let Some(header) = self.header {
            command.args(["--header", header]);
        }
        let mut command = pinned(&command, env.cores.load);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(AskingNow { child: child.context("starting the load of requests")? })
    }

    /// Asks `server`, and waits for the end.
    ///
    /// # Errors
    /// When the load fails.
    pub(crate) fn ask(&self, env: &Env, server: SocketAddr) -> Result<Asked> {
        self.start(env, server)?.finish()
    }
}

// === impl AskingNow ===

impl AskingNow {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it has failed.
    pub(crate) fn finish(self) -> Result<Asked> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the load of requests has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse().context("what the load of requests says")
    }
}

// === impl Asked ===

impl Asked {
    /// Answered requests in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [took, mean, p99] = [self.took, self.mean, self.p99].map(|time| time.as_nanos());
        write!(f, "{} {} {took} {mean} {p99}", self.requests, self.octets)
    }
}

impl FromStr for Asked {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [requests, octets, took, mean, p99] = numbers?[..] else {
            anyhow::bail!("five numbers, not `{}`", line.trim());
        };
        let [took, mean, p99] = [took, mean, p99].map(Duration::from_nanos);
        Ok(Self { requests, octets, took, mean, p99 })
    }
}
