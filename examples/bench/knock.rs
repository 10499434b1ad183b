//! The knocker: an operator and a client who need the HTTP interface in bad weather, and how long
//! each of their requests takes.

use std::{
    fmt,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{http::Http, part::Env, probe::ahead, process::pinned};

/// Between two rounds of requests.
const EVERY: Duration = Duration::from_millis(10);

/// What is asked for, one after the other; a change is durable before it is acknowledged.
const REQUESTS: [(&str, &str); 3] =
    [("GET", "/health"), ("GET", "/metrics"), ("PUT", "/api/v1/services/knock/instances/i")];

/// The knocker.
#[derive(Debug, Parser)]
pub(crate) struct Knock {
    /// Rollcall's HTTP interface.
    #[arg(long)]
    server: SocketAddr,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
}

/// For each of the requests, how long it took at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Knocked {
    /// `/health`, `/metrics`, a registration.
    pub(crate) worst: [Duration; 3],
    /// How often each was asked.
    pub(crate) rounds: u64,
}

/// A knocker at work.
#[derive(Debug)]
pub(crate) struct Knocking {
    child: Child,
}

// === impl Knock ===

impl Knock {
    /// Knocks, and prints how long it took.
    ///
    /// # Errors
    /// When a request is refused or not answered.
    pub(crate) fn run(self) -> Result<()> {
        let mut http = Http::to(self.server)?;
        let mut seen = Knocked { worst: [Duration::ZERO; 3], rounds: 0 };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(self.millis) {
            for ((method, path), worst) in REQUESTS.into_iter().zip(&mut seen.worst) {
                let body = match method {
                    // Another weight each time: it is a change.
                    "PUT" => format!(
                        r#"{{"addresses":["10.0.0.1"],"weight":{}}}"#,
                        seen.rounds % 100 + 1
                    ),
                    _ => String::new(),
                };
                let sent = Instant::now();
                let status = http.send(method, path, &body)?;
                ensure!(matches!(status, 200 | 201), "{method} {path}: {status}");
                *worst = sent.elapsed().max(*worst);
            }
            seen.rounds += 1;
            std::thread::sleep(EVERY);
        }
        println!("{seen}");
        Ok(())
    }
}

// === impl Knocking ===

impl Knocking {
    /// Starts to knock at `server`, from the core for loads but ahead of the load.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(env: &Env, server: SocketAddr, time: Duration) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.args(["knock", "--server", &server.to_string()]);
        command.args(["--millis", &time.as_millis().to_string()]);
        let mut command = pinned(&ahead(&command), env.cores.load);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.context("starting the knocker")? })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it has failed.
    pub(crate) fn finish(self) -> Result<Knocked> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the knocker has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse()
    }
}

// === impl Knocked ===

impl fmt::Display for Knocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [health, metrics, put] = self.worst.map(|worst| worst.as_nanos());
        write!(f, "{} {health} {metrics} {put}", self.rounds)
    }
}

impl FromStr for Knocked {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [rounds, worst @ ..] = &numbers?[..] else { anyhow::bail!("`{line}`") };
        let worst: [u64; 3] = worst.try_into().context("three times")?;
        Ok(Self { rounds: *rounds, worst: worst.map(Duration::from_nanos) })
    }
}
