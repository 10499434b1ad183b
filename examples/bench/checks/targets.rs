//! What is checked: one nginx that answers at every address of loopback.

use std::{fs, net::Ipv4Addr, net::TcpStream, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    part::Env,
    process::{self, Process},
};

/// A running nginx, on the core of the load.
#[derive(Debug)]
pub(super) struct Targets {
    /// Where it answers.
    pub(super) port: u16,
    process: Process,
    scratch: TempDir,
}

// === impl Targets ===

impl Targets {
    /// Starts it at any port.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn start(env: &Env) -> Result<Self> {
        Self::start_at(env, process::free_address()?.port())
    }

    /// Starts it at `port`.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn start_at(env: &Env, port: u16) -> Result<Self> {
        let scratch = process::scratch("targets")?;
        let folder = scratch.path();
        let file = folder.join("nginx.conf");
        let mut paths = String::new();
        for path in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            paths.push_str(&format!("{path}_temp_path {};\n", folder.join(path).display()));
        }
        let text = format!(
            "daemon off; master_process off; worker_processes 1;\n\
             pid {0}/pid; error_log {0}/error;\n\
             worker_rlimit_nofile 20000; events {{ worker_connections 15000; }}\n\
             http {{ access_log off; keepalive_timeout 0; {paths}\n\
             server {{ listen 0.0.0.0:{port} backlog=4096;\n\
             location /health {{ return 200 \"ok\\n\"; }} }} }}\n",
            folder.display()
        );
        fs::write(&file, text).context("writing nginx.conf")?;
        // KILL: while it is stopped (`hang`) it would not end otherwise.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nginx"]);
        command.arg("-c").arg(&file).arg("-p").arg(folder);
        let mut process = Process::start("nginx", &command, env.cores.load, folder)?;
        process.wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
        Ok(Self { port, process, scratch })
    }

    /// It takes connections, as far as the kernel does that for it, and answers no more.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn hang(&self) -> Result<()> {
        self.signal("STOP")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.process.pid().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status()?;
        ensure!(status.success(), "nginx is gone: {}", self.scratch.path().display());
        Ok(())
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        // What is stopped does not end when it is told to.
        let _ended_before = self.signal("CONT");
    }
}
