//! Three members of etcd, as an operator starts them, and what they say of themselves.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    checks::metrics::Scrape,
    cpu::Usage,
    machine,
    part::Env,
    process::{self, Process},
};

/// What the members are called.
const MEMBERS: [&str; 3] = ["etcd-1", "etcd-2", "etcd-3"];

/// What etcd's authors advise to hold at the most.
const QUOTA_OCTETS: u64 = 8 << 30;

/// An etcd, gone when it is dropped.
#[derive(Debug)]
pub(super) struct Etcd {
    members: Vec<(SocketAddr, Process)>,
    _scratch: TempDir,
}

/// What it has done so far.
#[derive(Debug)]
pub(super) struct Reading {
    /// The revision of its data.
    pub(super) revision: f64,
    /// Entries of its log that were carried out: writes, and what passes the log as they do.
    pub(super) entries: f64,
    /// Octets of the file of the first member.
    pub(super) octets: f64,
    /// Octets in it that are in use.
    pub(super) octets_used: f64,
    /// Octets that all members have had written to disks.
    pub(super) written: f64,
    usage: Vec<Usage>,
    at: Instant,
}

// === impl Etcd ===

impl Etcd {
    /// Starts all members, with further `flags`, and waits for a leader.
    ///
    /// # Errors
    /// When they do not come up.
    pub(super) fn start(env: &Env, flags: &[&str]) -> Result<Self> {
        let scratch = process::scratch("etcd")?;
        let places: Result<Vec<[SocketAddr; 2]>> = MEMBERS
            .iter()
            .map(|_| Ok([process::free_address()?, process::free_address()?]))
            .collect();
        let places = places?;
        let peers =
            MEMBERS.iter().zip(&places).map(|(name, [_, peer])| format!("{name}=http://{peer}"));
        let peers = peers.collect::<Vec<_>>().join(",");
        let mut members = Vec::new();
        for (name, [client, peer]) in MEMBERS.into_iter().zip(places) {
            let mut command = command(name, [client, peer], scratch.path());
            command.args(["--initial-cluster", &peers]).args(flags);
            let process = Process::start(name, &command, env.cores.both(), scratch.path())?;
            members.push((client, process));
        }
        for (client, process) in &mut members {
            process.wait_until(|| {
                let said = Scrape::of(*client);
                said.is_ok_and(|said| said.sum("etcd_server_has_leader", &[]) > 0.0)
            })?;
        }
        Ok(Self { members, _scratch: scratch })
    }

    /// Its version.
    ///
    /// # Errors
    /// When it is not installed.
    pub(super) fn version() -> Result<String> {
        machine::version("etcd", "etcd", "--version")
    }

    /// Where it is, as `--store` takes it.
    pub(super) fn store(&self) -> String {
        let urls = self.members.iter().map(|(client, _)| format!("http://{client}"));
        format!("etcd={}", urls.collect::<Vec<_>>().join(","))
    }

    /// Reads what it has done.
    ///
    /// # Errors
    /// When a member is gone.
    pub(super) fn read(&self) -> Result<Reading> {
        let (first, _) = self.members.first().context("there are members")?;
        let said = Scrape::of(*first)?;
        let of = |name: &str| said.sum(name, &[]);
        let written: Result<Vec<f64>> =
            self.members.iter().map(|(_, process)| written(process.pid())).collect();
        let usage: Result<Vec<Usage>> =
            self.members.iter().map(|(_, process)| process.usage()).collect();
        Ok(Reading {
            revision: of("etcd_debugging_mvcc_current_revision"),
            entries: of("etcd_server_proposals_applied_total"),
            octets: of("etcd_mvcc_db_total_size_in_bytes"),
            octets_used: of("etcd_mvcc_db_total_size_in_use_in_bytes"),
            written: written?.iter().sum(),
            usage: usage?,
            at: Instant::now(),
        })
    }
}

fn command(name: &str, [client, peer]: [SocketAddr; 2], folder: &Path) -> Command {
    let mut command = Command::new("etcd");
    // It would read what somebody has set for another one.
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("ETCD_") {
            command.env_remove(variable);
        }
    }
    command.arg("--name").arg(name).arg("--data-dir").arg(folder.join(name));
    for flag in ["--listen-client-urls", "--advertise-client-urls"] {
        command.arg(flag).arg(format!("http://{client}"));
    }
    for flag in ["--listen-peer-urls", "--initial-advertise-peer-urls"] {
        command.arg(flag).arg(format!("http://{peer}"));
    }
    command.arg(format!("--quota-backend-bytes={QUOTA_OCTETS}")).arg("--log-level=error");
    command
}

/// Octets that a process has had written to disks.
fn written(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).context("/proc/PID/io")?;
    let octets = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    octets.context("no octets written")?.parse().context("octets written")
}

// === impl Reading ===

impl Reading {
    /// Processor time of all members since `earlier`.
    pub(super) fn cpu_since(&self, earlier: &Self) -> Duration {
        self.usage.iter().zip(&earlier.usage).map(|(now, then)| now.since(then)).sum()
    }

    /// Time since `earlier`.
    pub(super) fn time_since(&self, earlier: &Self) -> Duration {
        self.at.duration_since(earlier.at)
    }
}
