//! NSD, Knot and BIND from the system's packages, each with the zones of a round.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    exchange,
    question::Question,
    reply::Reply,
    settings::{Configured, Place, bind, knot, nsd},
    zone::World,
};
use crate::support::{PATIENCE, free_address};

/// A program to hold Rollcall against.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// What it is called.
    pub(crate) name: &'static str,
    command: &'static str,
    package: &'static str,
    configure: fn(&Place<'_>) -> Configured,
}

/// All of them.
pub(crate) const PEERS: [Program; 3] = [
    Program { name: "NSD", command: "nsd", package: "nsd", configure: nsd },
    Program { name: "Knot", command: "knotd", package: "knot", configure: knot },
    Program { name: "BIND", command: "named", package: "bind9", configure: bind },
];

/// A running peer, ended when it is dropped.
pub(crate) struct Peer {
    pub(crate) dns: SocketAddr,
    name: &'static str,
    child: Child,
    scratch: TempDir,
}

// === impl Peer ===

impl Peer {
    /// Starts one with these zones, from the thread that is to outlive it: the kernel ends it when
    /// that is gone.
    pub(crate) fn start(program: Program, worlds: &[World]) -> Self {
        let scratch = tempfile::Builder::new().prefix("rollcall-peer-").tempdir().unwrap();
        let folder = scratch.path();
        let zones: Vec<(String, PathBuf)> = worlds
            .iter()
            .flat_map(|world| &world.zones)
            .map(|zone| {
                let (name, file) = (zone.origin.to_string(), folder.join(file_name(&zone.origin)));
                fs::write(&file, zone.to_string()).unwrap();
                (name.trim_end_matches('.').to_owned(), file)
            })
            .collect();
        let dns = free_address();
        let place = Place { folder, zones: &zones, dns };
        let configured = (program.configure)(&place);
        fs::write(place.config(), configured.text).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(find(program.command, program.package))
            .args(configured.arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("setpriv of util-linux");
        Self { dns, name: program.name, child, scratch }
    }

    /// Waits until it answers for every zone.
    pub(crate) fn wait_until_loaded(&mut self, worlds: &[World]) {
        let zones = worlds.iter().flat_map(|world| &world.zones);
        let questions: Vec<_> = zones.map(|zone| Question::soa(&zone.origin)).collect();
        let is_there = |reply: &Vec<u8>| {
            Reply::read(reply).is_ok_and(|reply| reply.rcode == 0 && reply.is_authoritative())
        };
        let mut missing: Vec<&Question> = questions.iter().collect();
        let begun = Instant::now();
        while !missing.is_empty() {
            let zone = missing[0].name.to_string();
            let why = || format!("{} has not loaded `{zone}`:\n{}", self.name, self.told(&zone));
            assert!(begun.elapsed() < PATIENCE, "{}", why());
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} has ended:\n{}", self.name, self.told(""));
            // A server that is not up yet answers nothing.
            if let Ok(replies) = exchange::udp(self.dns, &missing) {
                let mut there = replies.iter().map(is_there);
                missing.retain(|_| !there.next().unwrap_or_default());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The end of what it wrote about something.
    fn told(&self, about: &str) -> String {
        let text = fs::read(self.scratch.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let about = about.trim_end_matches('.');
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(about)).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ended_before = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let _status = self.child.wait();
    }
}

/// The file of a zone: origins are plain labels.
pub(crate) fn file_name(origin: &super::name::Name) -> String {
    format!("{origin}zone")
}

/// The program, also where Debian puts it and ordinary users do not look.
fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut places = path.split(':').map(|folder| Path::new(folder).join(program));
    let found = places.find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("`{program}` is missing: tests/run tools installs `{package}`"))
}
