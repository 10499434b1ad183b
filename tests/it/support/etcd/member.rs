//! One member of an etcd.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use ureq::Agent;

use super::QUESTION;
use crate::support::{eventually, process::Process};

/// A member, and its process while it runs.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) folder: PathBuf,
    /// What it is told beyond what all are.
    pub(super) flags: Vec<String>,
    pub(super) process: Option<Process>,
}

/// Where a member listens.
#[derive(Clone)]
pub(super) struct Place {
    /// The words before a command that make it run on its host.
    pub(super) enter: Vec<String>,
    pub(super) ip: IpAddr,
    /// For clients, for other members, and for who asks how it is; 0 is any.
    pub(super) ports: [u16; 3],
    /// Whether clients speak TLS. Who asks how it is never does.
    pub(super) is_secure: bool,
}

/// What came of a first start.
pub(super) enum Start {
    Listens,
    PortTaken,
}

// === impl Place ===

impl Default for Place {
    fn default() -> Self {
        let ip = IpAddr::from([127, 0, 0, 1]);
        Self { enter: Vec::new(), ip, ports: [0; 3], is_secure: false }
    }
}

impl Place {
    pub(super) fn client_url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.ip, self.ports[0])
    }

    pub(super) fn peer_url(&self) -> String {
        format!("http://{}:{}", self.ip, self.ports[1])
    }

    fn status_url(&self) -> String {
        format!("http://{}:{}", self.ip, self.ports[2])
    }
}

/// All members, as each of them is told.
pub(super) fn peers(members: &[Member]) -> String {
    let one = |member: &Member| format!("{}={}", member.name, member.place.peer_url());
    members.iter().map(one).collect::<Vec<_>>().join(",")
}

// === impl Member ===

impl Member {
    /// The one of this number, which does not run yet.
    pub(super) fn new(number: usize, place: Place, folder: &Path) -> Self {
        let name = format!("etcd-{}", number + 1);
        let folder = folder.join(&name);
        Self { name, place, folder, flags: Vec::new(), process: None }
    }

    /// Starts it on its data, if there are any.
    pub(super) fn start(&mut self) {
        let (client, peer) = (self.place.client_url(), self.place.peer_url());
        let own = [
            "etcd".to_owned(),
            format!("--name={}", self.name),
            format!("--data-dir={}", self.folder.display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--listen-metrics-urls={}", self.place.status_url()),
            "--heartbeat-interval=100".to_owned(),
            "--election-timeout=1000".to_owned(),
            "--logger=zap".to_owned(),
            "--log-level=warn".to_owned(),
            "--log-outputs=stderr".to_owned(),
        ];
        let words: Vec<String> =
            self.place.enter.iter().chain(&own).chain(&self.flags).cloned().collect();
        self.process = Some(Process::start(&self.name, &words, "ETCD_"));
    }

    /// Waits until it listens, or has ended because somebody else does.
    ///
    /// # Panics
    /// When it has ended for another reason.
    pub(super) fn wait_for_start(&mut self) -> Start {
        eventually(&format!("{} listens", self.name), || {
            if self.ask("/metrics").is_some() {
                return Some(Start::Listens);
            }
            let process = self.process.as_mut().expect("it was just started");
            let status = process.ended()?;
            let log = process.log();
            assert!(log.contains("address already in use"), "{status}: {log}");
            Some(Start::PortTaken)
        })
    }

    /// Whether it can write, which takes a majority.
    pub(super) fn is_healthy(&self) -> Option<()> {
        // Without a leader it would log each time that it is asked.
        self.metric("etcd_server_has_leader").filter(|has| *has == 1.0)?;
        self.ask("/health")?.contains("\"true\"").then_some(())
    }

    /// A number that it shows under `/metrics`.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        let all = self.ask("/metrics")?;
        let line = all.lines().find(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        })?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Asks it how it is; nothing when it does not answer, or not at once.
    fn ask(&self, path: &str) -> Option<String> {
        let config = Agent::config_builder().timeout_global(Some(QUESTION)).build();
        let url = format!("{}{path}", self.place.status_url());
        let mut reply = Agent::from(config).get(url).call().ok()?;
        reply.body_mut().read_to_string().ok()
    }
}
