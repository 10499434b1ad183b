//! The load of changes: instances that come, go, fall ill and recover, at a given rate.
//!
//! Each service has one instance more that is registered and deregistered, and its last one is
//! reported critical and passing by its heartbeats. Half of both are there at any time once it has
//! gone on for a while, and until then as many have come as have fallen ill: so answers have as
//! many records as at rest, in the mean, and a reply costs the same on the wire.

use std::{
    fmt,
    net::SocketAddr,
    ops::Range,
    process::{Child, Command, Stdio},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::{data::Data, http::Http, part::Env, process::pinned};

/// Connections that changes come by: so many clients are waiting for their commit at once.
const CONNECTIONS: u32 = 64;

/// The load of changes.
#[derive(Debug, Parser)]
pub(crate) struct Churn {
    /// Rollcall's HTTP interface.
    #[arg(long)]
    server: SocketAddr,
    /// How many services there are.
    #[arg(long)]
    services: u32,
    /// How many instances each has at rest.
    #[arg(long)]
    instances: u32,
    /// Changes in a second.
    #[arg(long)]
    rate: u32,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
}

/// What the load of changes saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Churned {
    /// Changes that were acknowledged.
    pub(crate) changes: u64,
    /// In this time.
    pub(crate) took: Duration,
}

/// The load of changes at work.
#[derive(Debug)]
pub(crate) struct Churning {
    child: Child,
}

/// One connection and the services that it changes, which nobody else does.
struct Worker<'a> {
    churn: &'a Churn,
    http: Http,
    services: Range<u32>,
    /// By service: whether the one more is registered, and whether the last one is critical.
    states: Vec<[bool; 2]>,
    rng: Rng,
}

// === impl Churn ===

impl Churn {
    /// Changes until the time is over, and prints what it saw.
    ///
    /// # Errors
    /// When the server refuses a change.
    pub(crate) fn run(self) -> Result<()> {
        let connections = CONNECTIONS.min(self.services);
        let share = self.services / connections;
        let begun = Instant::now();
        let changes: Result<Vec<u64>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..connections)
                .map(|number| {
                    let churn = &self;
                    let every = Duration::from_secs(1) * connections / churn.rate;
                    // Spread: not all of them at the same instant.
                    let first = every * number / connections;
                    scope.spawn(move || {
                        Worker::new(churn, number * share..(number + 1) * share)?
                            .work(begun + first, every)
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        });
        println!("{}", Churned { changes: changes?.iter().sum(), took: begun.elapsed() });
        Ok(())
    }
}

// === impl Worker ===

impl<'a> Worker<'a> {
    fn new(churn: &'a Churn, services: Range<u32>) -> Result<Self> {
        let states = vec![[false; 2]; services.len()];
        let rng = Rng::with_seed(services.start.into());
        Ok(Self { churn, http: Http::to(churn.server)?, services, states, rng })
    }

    /// One change each `every`; one that was late is made up for.
    fn work(mut self, first: Instant, every: Duration) -> Result<u64> {
        let end = Duration::from_millis(self.churn.millis);
        let mut due = first;
        let mut changes = 0;
        let begun = Instant::now();
        while begun.elapsed() < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.change()?;
            changes += 1;
            due += every;
        }
        Ok(changes)
    }

    fn change(&mut self) -> Result<()> {
        let index = self.rng.usize(..self.states.len());
        let which = usize::from(self.rng.bool());
        let state = !self.states[index][which];
        self.states[index][which] = state;
        let service = self.services.start + u32::try_from(index)?;
        let (comes, falls_ill) = (self.churn.instances, self.churn.instances - 1);
        let status = match (which, state) {
            (0, true) => {
                let mut body = Data::registration(service, comes);
                // They stand in the path.
                body.as_object_mut()
                    .context("an object")?
                    .retain(|name, _| !matches!(name.as_str(), "service" | "instance"));
                self.http.send("PUT", &path(service, comes), &body.to_string())
            }
            (0, false) => self.http.send("DELETE", &path(service, comes), ""),
            (_, state) => {
                let status = if state { "critical" } else { "passing" };
                let path = path(service, falls_ill) + "/heartbeat";
                self.http.send("PUT", &path, &json!({ "status": status }).to_string())
            }
        }?;
        ensure!(status < 300, "a change is refused with {status}: {}", self.http.body());
        Ok(())
    }
}

/// A registration with a check that heartbeats report on, so long that none is missed meanwhile.
pub(crate) fn with_ttl(mut registration: Value) -> Value {
    registration["checks"] = json!([{ "type": "ttl", "ttl": "1h" }]);
    registration
}

fn path(service: u32, instance: u32) -> String {
    format!("/api/v1/services/{}/instances/i{instance}", Data::service(service))
}

// === impl Churned ===

impl Churned {
    /// Acknowledged changes in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.changes as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Churned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.changes, self.took.as_nanos())
    }
}

impl FromStr for Churned {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let (changes, took) = line.trim().split_once(' ').context("two numbers")?;
        Ok(Self { changes: changes.parse()?, took: Duration::from_nanos(took.parse()?) })
    }
}

// === impl Churning ===

impl Churning {
    /// Starts to change what the Rollcall at `server` has of `data`, `rate` times a second for
    /// `time`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        env: &Env,
        server: SocketAddr,
        data: Data,
        rate: u32,
        time: Duration,
    ) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.args(["churn", "--server", &server.to_string()]);
        command.args(["--services", &data.services.to_string()]);
        command.args(["--instances", &data.instances.to_string()]);
        command.args(["--rate", &rate.to_string(), "--millis", &time.as_millis().to_string()]);
        let mut command = pinned(&command, env.cores.load);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.context("starting the load of changes")? })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it has failed.
    pub(crate) fn finish(self) -> Result<Churned> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the load of changes has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse().context("what the load of changes says")
    }
}
