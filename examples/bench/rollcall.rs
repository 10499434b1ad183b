//! Rollcall itself, started as an operator would, and filled through its interface.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    contestant::Contestant,
    data::{Data, Kind},
    machine,
    part::Env,
    process::{self, Process},
};

/// How long a request may take: a bulk of thousands on a busy core takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Rollcall.
#[derive(Debug)]
pub(crate) struct Rollcall {
    /// It as a DNS server.
    pub(crate) server: Contestant,
    /// Where its HTTP interface is.
    pub(crate) http: SocketAddr,
}

/// How it is started.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Further arguments of `serve`.
    pub(crate) arguments: Vec<String>,
    /// Tables of its configuration, but for `[server]`.
    pub(crate) config: String,
    /// The folder of the store; a fresh one if it is not given.
    pub(crate) data: Option<PathBuf>,
    /// The cores that it may run on; that of servers if it is not given.
    pub(crate) cores: Option<String>,
}

/// What each is configured with: at its end nobody is left who has to notice.
const CONFIG: &str = "version = 1\n[server]\nlame_duck = \"0s\"\n";

// === impl Rollcall ===

impl Rollcall {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn start(env: &Env, options: &Options) -> Result<Self> {
        let scratch = process::scratch("rollcall")?;
        let (dns, http) = (process::free_address()?, process::free_address()?);
        let mut command = Command::new(&env.rollcall);
        command.current_dir(scratch.path()).arg("serve").args(&options.arguments);
        let file = scratch.path().join("rollcall.toml");
        fs::write(&file, format!("{CONFIG}{}", options.config)).context("configuring")?;
        command.arg("--config").arg(file);
        command.args(["--dns", &dns.to_string(), "--http", &http.to_string()]);
        command.arg("--data").arg(options.data.clone().unwrap_or(scratch.path().join("data")));
        let cores = options.cores.clone().unwrap_or_else(|| env.cores.server.to_string());
        let mut process = Process::start("rollcall", &command, cores, scratch.path())?;
        process.wait_until(|| ureq::get(format!("http://{http}/ready")).call().is_ok())?;
        let server = Contestant { name: "Rollcall", dns, process, _scratch: scratch };
        Ok(Self { server, http })
    }

    /// Starts it with all of `data` registered.
    ///
    /// # Errors
    /// When it does not come up, or refuses.
    pub(crate) fn start_with(env: &Env, data: Data) -> Result<Self> {
        let rollcall = Self::start(env, &Options::default())?;
        rollcall.register(data.bulks())?;
        let server = &rollcall.server;
        let question = Kind::A.question(data.services - 1);
        let reply = crate::contestant::query(&question, 1, false)
            .and_then(|query| crate::contestant::ask_udp(server.dns, &query))?;
        ensure!(reply[3] & 15 == 0, "what is registered must be answered at once");
        Ok(rollcall)
    }

    /// Registers what is in `bulks`, all of each or nothing.
    ///
    /// # Errors
    /// When it refuses.
    pub(crate) fn register(&self, bulks: impl IntoIterator<Item = Value>) -> Result<()> {
        let url = format!("http://{}/api/v1/instances", self.http);
        bulks.into_iter().try_for_each(|bulk| self.post(&url, &bulk))
    }

    /// Kills it without warning.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) fn kill(self) -> Result<()> {
        self.server.process.kill()
    }

    fn post(&self, url: &str, body: &Value) -> Result<()> {
        let text = serde_json::to_string(body)?;
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
        let sent = ureq::Agent::new_with_config(config).post(url).send(text);
        sent.map(|_| ()).with_context(|| format!("POST {url}: {}", self.server.process.told()))
    }
}

/// Its name, version and commit.
///
/// # Errors
/// When it cannot be run.
pub(crate) fn version(env: &Env) -> Result<String> {
    let version = machine::version("Rollcall", &env.rollcall.to_string_lossy(), "--version")?;
    Ok(machine::commit().map_or(version.clone(), |commit| format!("{version} ({commit})")))
}
