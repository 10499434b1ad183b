//! Servers on one etcd, filled by an import.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::etcd::Etcd;
use crate::{
    checks::metrics::Scrape,
    contestant,
    cpu::Usage,
    data::{Data, Kind},
    part::Env,
    process,
    rollcall::{Options, Rollcall},
    scale,
};

/// Servers that take changes and heartbeats.
pub(super) const SERVERS: usize = 3;

/// Instances of one service, as in the other parts.
const INSTANCES: u32 = 5;

/// Servers, and what they share. They go before it does.
#[derive(Debug)]
pub(super) struct Fleet {
    /// Those that take changes and heartbeats.
    pub(super) servers: Vec<Rollcall>,
    /// Those that are there besides.
    pub(super) followers: Vec<Rollcall>,
    pub(super) etcd: Etcd,
    pub(super) data: Data,
    /// How long the import took.
    pub(super) import: Duration,
    /// How each server has started.
    pub(super) starts: Vec<Start>,
}

/// How a server has started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// Until it was ready and had answered a question.
    pub(super) ready: Duration,
    /// Octets in memory when that did not grow any more.
    pub(super) resident: f64,
    /// Octets in memory at the most.
    pub(super) peak: f64,
}

// === impl Fleet ===

impl Fleet {
    /// So many instances in an etcd that has these `flags`, and servers that know them.
    ///
    /// # Errors
    /// When something does not come up.
    pub(super) fn start(env: &Env, instances: u32, flags: &[&str]) -> Result<Self> {
        let data = Data { services: (instances / INSTANCES).max(1), instances: INSTANCES };
        let etcd = Etcd::start(env, flags)?;
        let import = import(env, &etcd, data)?;
        eprintln!("cluster, {} instances: import {import:?}", data.services * data.instances);
        let (servers, followers, starts) = Default::default();
        let mut fleet = Self { servers, followers, etcd, data, import, starts };
        for _ in 0..SERVERS {
            let server = fleet.start_another(env)?;
            fleet.servers.push(server);
        }
        Ok(fleet)
    }

    /// Starts a server that knows nothing yet, and notes how long that took.
    ///
    /// # Errors
    /// When it does not come up, or answers wrongly.
    pub(super) fn start_another(&mut self, env: &Env) -> Result<Rollcall> {
        let options = Options {
            arguments: vec!["--store".to_owned(), self.etcd.store()],
            cores: Some(env.cores.both()),
            ..Options::default()
        };
        let begun = Instant::now();
        let rollcall = Rollcall::start(env, &options)?;
        let query = contestant::query(&Kind::A.question(self.data.services - 1), 1, false)?;
        let reply = contestant::ask_udp(rollcall.server.dns, &query)?;
        let ready = begun.elapsed();
        let answers = u16::from_be_bytes([reply[6], reply[7]]);
        ensure!(u32::from(answers) == self.data.instances, "the first answer has {answers}");
        let process = &rollcall.server.process;
        let (resident, peak) = (process.settled_octets(env)? as f64, process.peak_octets()? as f64);
        eprintln!("cluster, a server is ready after {ready:?}");
        self.starts.push(Start { ready, resident, peak });
        Ok(rollcall)
    }

    /// Where the servers' HTTP interfaces are.
    pub(super) fn http(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.http).collect()
    }

    /// How many instances there are.
    pub(super) fn instances(&self) -> u32 {
        self.data.services * self.data.instances
    }

    /// What servers have used of the processor so far.
    ///
    /// # Errors
    /// When one has ended.
    pub(super) fn usage(servers: &[Rollcall]) -> Result<Vec<Usage>> {
        servers.iter().map(|server| server.server.process.usage()).collect()
    }

    /// The sum of a metric over the servers.
    ///
    /// # Errors
    /// When one does not answer.
    pub(super) fn metric(&self, name: &str) -> Result<f64> {
        let of_each = self.servers.iter().map(|server| Ok(Scrape::of(server.http)?.sum(name, &[])));
        of_each.sum()
    }
}

impl Drop for Fleet {
    /// All at once: nobody needs the seconds in which each would go on answering.
    fn drop(&mut self) {
        for server in self.servers.drain(..).chain(self.followers.drain(..)) {
            let _ended_before = server.kill();
        }
    }
}

/// What each instance lives by: heartbeats that need not come while it is measured.
pub(super) fn checks() -> Value {
    json!([{ "type": "ttl", "ttl": "24h" }])
}

/// Fills an etcd, and says how long that took.
fn import(env: &Env, etcd: &Etcd, data: Data) -> Result<Duration> {
    let folder = process::scratch("export")?;
    let file = folder.path().join("export.jsonl");
    scale::write_export(&file, data, &checks())?;
    let mut command = Command::new(&env.rollcall);
    command.args(["import", "--store", &etcd.store()]).arg(&file);
    let begun = Instant::now();
    process::output(&command, env.cores.both())?;
    let took = begun.elapsed();
    fs::remove_file(&file)?;
    Ok(took)
}
