//! Servers and tools that the benchmark starts, each on its core.
//!
//! Whatever happens to the harness, nothing stays behind: a process is ended when its handle is
//! dropped, by its own id, and by the kernel (`setpriv --pdeathsig`) when the harness is killed.
//! That signal is tied to the *thread* that started it, so start servers from the main thread.

use std::{
    fmt::Display,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    cpu::{self, Usage},
    part::Env,
};

/// How long a server may take to come up or to go; with a million instances it is seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory is read when it did not grow for so long.
const SETTLED: Duration = Duration::from_secs(2);

/// And after so long at the latest.
const SETTLING_MAX: Duration = Duration::from_secs(20);

/// What the names of scratch folders begin with; the id of the harness follows.
const SCRATCH: &str = "rollcall-bench-";

/// A running process with a scratch folder of its own.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

// === impl Process ===

impl Process {
    /// Starts `command` on a core, or on a list of them; its output goes to a file in `scratch`,
    /// which outlives it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        name: &'static str,
        command: &Command,
        cores: impl Display,
        scratch: &Path,
    ) -> Result<Self> {
        let log = scratch.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("`{}`", log.display()))?;
        let mut pinned = pinned(command, cores);
        pinned.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = pinned.spawn().context("`setpriv` of util-linux")?;
        Ok(Self { name, child, log })
    }

    /// Kills it without warning.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) fn kill(mut self) -> Result<()> {
        let _ended_before = self.child.kill();
        self.child.wait().with_context(|| format!("`{}` was killed", self.name))?;
        Ok(())
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used of the processor so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid()).with_context(|| self.told())
    }

    /// Its resident memory in octets.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn resident_octets(&self) -> Result<u64> {
        cpu::resident_octets(self.pid()).with_context(|| self.told())
    }

    /// The most that was ever resident of it, in octets.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn peak_octets(&self) -> Result<u64> {
        cpu::peak_octets(self.pid()).with_context(|| self.told())
    }

    /// Its resident memory in octets, as soon as that does not grow any more; at once where no
    /// figure is kept.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn settled_octets(&self, env: &Env) -> Result<u64> {
        if env.quick {
            return self.resident_octets();
        }
        let begun = Instant::now();
        let (mut most, mut since) = (0, begun);
        while since.elapsed() < SETTLED && begun.elapsed() < SETTLING_MAX {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.resident_octets()?;
            if now > most {
                (most, since) = (now, Instant::now());
            }
        }
        self.resident_octets()
    }

    /// Has [`Process::peak_octets`] begin anew with what is resident now.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").context("forgetting the peak")
    }

    /// Waits until `is_up` says so.
    ///
    /// # Errors
    /// When the process ends before, or takes too long; with the end of its log.
    pub(crate) fn wait_until(&mut self, mut is_up: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !is_up() {
            if let Some(status) = self.child.try_wait()? {
                bail!("`{}` has ended with {status}:\n{}", self.name, self.told());
            }
            if begun.elapsed() > PATIENCE {
                bail!("`{}` is not up after {PATIENCE:?}:\n{}", self.name, self.told());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// The end of what it wrote.
    pub(crate) fn told(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.pid().to_string();
        let kill = Command::new("kill").args(["-s", "TERM", &pid]).stderr(Stdio::null()).status();
        let _ended_before = kill;
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > PATIENCE {
                let _ended_before = self.child.kill();
                let _ended_before = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// `command` as it is run on these cores, as `taskset` lists them, and no longer than this thread
/// lives. Its environment and folder are kept.
pub(crate) fn pinned(command: &Command, cores: impl Display) -> Command {
    let mut pinned = Command::new("setpriv");
    pinned.args(["--pdeathsig", "TERM", "taskset", "-c", &cores.to_string()]);
    pinned.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// Runs `command` on these cores to its end and returns what it wrote to standard output.
///
/// # Errors
/// When it fails, with what it wrote to standard error.
pub(crate) fn output(command: &Command, cores: impl Display) -> Result<String> {
    let output = pinned(command, cores).stdin(Stdio::null()).output().context("`setpriv`")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} has failed with {}: {}", output.status, error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Removes the scratch folders of earlier runs that were killed.
///
/// # Errors
/// When the folder for temporary files cannot be read.
pub(crate) fn sweep() -> Result<()> {
    for entry in fs::read_dir(std::env::temp_dir()).context("temporary files")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(SCRATCH).and_then(|rest| rest.split('-').next());
        let is_left = owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if is_left && fs::remove_dir_all(entry.path()).is_err() {
            eprintln!("left from an earlier run: {}", entry.path().display());
        }
    }
    Ok(())
}

/// A scratch folder, gone when it is dropped: keep it longer than the process in it.
///
/// # Errors
/// When there is no room for one.
pub(crate) fn scratch(name: &str) -> Result<tempfile::TempDir> {
    let prefix = format!("{SCRATCH}{}-{name}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().context("a scratch folder")
}

/// An address of loopback that is free for UDP and TCP, and stays so until it is listened on: who
/// asks for port 0, and each connection, gets one above 32767.
///
/// # Errors
/// When no port is free.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_768));
    let addresses = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let is_free = |address: &SocketAddr| {
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    addresses.take(1000).find(is_free).context("no port of loopback is free")
}
