//! Consul's own agent, Debian's, as `tests/steps/consul/fetch` unpacks it: nothing is installed.

use std::{net::SocketAddr, process::Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    machine,
    part::Env,
    process::{self, Process},
};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/consul/agent/usr/bin/consul");

/// A running agent that is its own server.
#[derive(Debug)]
pub(super) struct Agent {
    /// Where its HTTP interface is.
    pub(super) http: SocketAddr,
    /// It; ended before its folder goes.
    pub(super) process: Process,
    _scratch: TempDir,
}

// === impl Agent ===

impl Agent {
    /// Starts it and waits until it leads.
    ///
    /// # Errors
    /// When it is not there, or does not come up.
    pub(super) fn start(env: &Env) -> Result<Self> {
        let scratch = process::scratch("consul")?;
        let http = process::free_address()?;
        let mut command = Command::new(PROGRAM);
        // Not `-dev`, in which every reply is indented.
        command.args(["agent", "-server", "-bootstrap-expect=1", "-log-level=err"]);
        command.args(["-bind=127.0.0.1", "-grpc-port=-1"]);
        command.arg(format!("-http-port={}", http.port()));
        for port in ["dns", "serf-lan", "serf-wan", "server"] {
            command.arg(format!("-{port}-port={}", process::free_address()?.port()));
        }
        command.arg("-data-dir").arg(scratch.path()).current_dir(scratch.path());
        let mut process = Process::start("consul", &command, env.cores.server, scratch.path())?;
        // It knows itself as soon as it leads.
        let path = format!("http://{http}/v1/health/state/passing");
        process.wait_until(|| {
            let reply = ureq::get(&path).call().and_then(|mut r| r.body_mut().read_to_string());
            reply.is_ok_and(|text| text.contains("serfHealth"))
        })?;
        Ok(Self { http, process, _scratch: scratch })
    }

    /// Its name and version.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn version() -> Result<String> {
        machine::version("Consul", PROGRAM, "version").context("run tests/steps/consul/fetch")
    }
}
