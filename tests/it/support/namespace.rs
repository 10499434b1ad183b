//! A server in a network namespace of its own, where every port is free: what is documented with
//! its default addresses can be run there as it stands.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use super::{PATIENCE, command};

/// A server that runs until it is dropped.
pub(crate) struct Namespace {
    server: Child,
    folder: tempfile::TempDir,
    log: tempfile::NamedTempFile,
}

// === impl Namespace ===

impl Namespace {
    /// Starts `rollcall serve` with these words in a folder, and waits until it says what it does.
    ///
    /// # Panics
    /// When no namespace can be made, which takes root, or leave for users to make namespaces.
    pub(crate) fn serve(folder: tempfile::TempDir, words: &[&str]) -> (Self, String) {
        Self::serve_among(&[], folder, words)
    }

    /// The same where these addresses are as well, each of which stands for a host: a request from
    /// one of them comes from there.
    pub(crate) fn serve_among(
        hosts: &[&str],
        folder: tempfile::TempDir,
        words: &[&str],
    ) -> (Self, String) {
        let words = ["rollcall", "serve"].iter().chain(words).copied().collect::<Vec<_>>();
        Self::start(hosts, folder, &words)
    }

    /// Any program that says at last what to ask it by `dig`, as a server does.
    pub(crate) fn start(
        hosts: &[&str],
        folder: tempfile::TempDir,
        words: &[&str],
    ) -> (Self, String) {
        let mut unshare = Command::new("unshare");
        if !is_root() {
            // Being root inside is what lets `ip` work.
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["--net", "sh", "-euc"]);
        let add = |host: &&str| format!("ip addr add {host} dev lo; ");
        let addresses: String = hosts.iter().map(add).collect();
        let script = format!("ip link set lo up; {addresses}exec \"$@\"");
        unshare.arg(script).arg("sh").args(words);
        command::clean(&mut unshare);
        unshare.env("PATH", path()).current_dir(folder.path());
        let log = tempfile::NamedTempFile::new().unwrap();
        unshare.stderr(log.reopen().unwrap());
        let mut server =
            unshare.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("util-linux");
        let stdout = server.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _gone = sender.send(line);
            }
        });
        let mut banner = String::new();
        while !banner.contains("  dig ") {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let ended = server.try_wait();
                let said = super::node::read(log.path());
                panic!("no server in a network namespace ({ended:?}); is it allowed here? {said}");
            };
            banner.push_str(&line);
            banner.push('\n');
        }
        (Self { server, folder, log }, banner)
    }

    /// A shell that reads its commands from this text, beside the server.
    pub(crate) fn shell(&self, text: &str) -> command::Done {
        let mut nsenter = Command::new("nsenter");
        let server = self.server.id().to_string();
        nsenter.args(["--target", &server, "--net"]);
        if !is_root() {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.args(["sh", "-euc", text]).env("PATH", path()).current_dir(self.folder());
        command::clean(&mut nsenter);
        command::run(&mut nsenter)
    }

    /// The folder that the server was started in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it, and gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let server = self.server.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &server]).status();
        assert!(sent.unwrap().success());
        let ended = super::eventually("the server ends", || self.server.try_wait().unwrap());
        ended.code()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _status = self.server.wait();
        if std::thread::panicking() {
            eprintln!("server: {}", super::node::read(self.log.path()));
        }
    }
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Where `rollcall`, and `ip` on Debian, are found.
pub(crate) fn path() -> std::ffi::OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_rollcall")).parent().expect("a file has a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(own.to_owned()).chain(std::env::split_paths(&path));
    let all = all.chain(["/usr/sbin".into(), "/sbin".into()]);
    std::env::join_paths(all).expect("no folder has a colon")
}
