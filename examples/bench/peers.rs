//! The peers: each with the settings that an operator chooses who has one core and static zones.
//!
//! The same for all: one worker, as there is one core; no rate limit, no query log, no recursion,
//! no notifying of anybody; minimal replies, which all but PowerDNS can be told. What a server adds
//! to an SRV reply of its own accord, it adds. Everything else is the package's default, and so is
//! the package: Debian builds NSD without `recvmmsg`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    contestant::Contestant,
    data::{Data, Kind, ZONE},
    machine,
    part::Env,
    process::{self, Process},
};

/// One of the peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// What the tables call it.
    pub(crate) name: &'static str,
    program: &'static str,
    version: &'static str,
    configure: fn(&Place<'_>) -> Configured,
}

/// Where a peer finds and puts things.
struct Place<'a> {
    folder: &'a Path,
    zone: &'a Path,
    dns: SocketAddr,
}

/// Its configuration file's content, and the arguments that make it read that file.
struct Configured {
    text: String,
    arguments: Vec<String>,
}

/// All of them.
pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "NSD", program: "nsd", version: "-v", configure: nsd },
    Peer { name: "Knot", program: "knotd", version: "--version", configure: knot },
    Peer { name: "BIND", program: "named", version: "-v", configure: bind },
    Peer { name: "PowerDNS", program: "pdns_server", version: "--version", configure: powerdns },
];

// === impl Peer ===

impl Peer {
    /// Starts it with `data` in a zone file, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up; with what it says.
    pub(crate) fn start(&self, env: &Env, data: Data) -> Result<Contestant> {
        let scratch = process::scratch(self.program)?;
        let zone = scratch.path().join("zone");
        fs::write(&zone, data.zone()).context("writing the zone")?;
        let dns = process::free_address()?;
        let place = Place { folder: scratch.path(), zone: &zone, dns };
        let configured = (self.configure)(&place);
        fs::write(place.config(), configured.text).context("writing the configuration")?;
        let mut command = Command::new(self.program);
        command.args(configured.arguments).current_dir(scratch.path());
        let mut process = Process::start(self.program, &command, env.cores.server, scratch.path())?;
        Contestant::wait_until_it_answers(&mut process, dns, &Kind::A.question(0))?;
        Ok(Contestant { name: self.name, dns, process, _scratch: scratch })
    }

    /// Its name and version.
    ///
    /// # Errors
    /// When it is not installed.
    pub(crate) fn version(&self) -> Result<String> {
        machine::version(self.name, self.program, self.version)
    }
}

// === impl Place ===

impl Place<'_> {
    fn config(&self) -> PathBuf {
        // PowerDNS insists on this name; the others do not mind.
        self.folder.join("pdns.conf")
    }

    fn config_argument(&self) -> String {
        self.config().display().to_string()
    }
}

fn nsd(place: &Place<'_>) -> Configured {
    let (folder, zone) = (place.folder.display(), place.zone.display());
    let text = format!(
        "server:\n\
         \x20 ip-address: {ip}@{port}\n\
         \x20 server-count: 1\n\
         \x20 reuseport: yes\n\
         \x20 minimal-responses: yes\n\
         \x20 rrl-ratelimit: 0\n\
         \x20 tcp-count: 250\n\
         \x20 username: \"\"\n\
         \x20 database: \"\"\n\
         \x20 zonesdir: \"{folder}\"\n\
         \x20 pidfile: \"{folder}/nsd.pid\"\n\
         \x20 xfrdfile: \"{folder}/xfrd.state\"\n\
         \x20 zonelistfile: \"{folder}/zone.list\"\n\
         \x20 cookie-secret-file: \"{folder}/cookies\"\n\
         remote-control:\n\
         \x20 control-enable: no\n\
         zone:\n\
         \x20 name: {ZONE}\n\
         \x20 zonefile: \"{zone}\"\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    Configured { text, arguments: vec!["-d".into(), "-c".into(), place.config_argument()] }
}

fn knot(place: &Place<'_>) -> Configured {
    let (folder, zone) = (place.folder.display(), place.zone.display());
    let text = format!(
        "server:\n\
         \x20 listen: {ip}@{port}\n\
         \x20 rundir: \"{folder}\"\n\
         \x20 udp-workers: 1\n\
         \x20 tcp-workers: 1\n\
         \x20 background-workers: 1\n\
         \x20 tcp-reuseport: on\n\
         log:\n\
         \x20 - target: stderr\n\
         \x20   any: warning\n\
         database:\n\
         \x20 storage: \"{folder}\"\n\
         zone:\n\
         \x20 - domain: {ZONE}\n\
         \x20   file: \"{zone}\"\n\
         \x20   zonefile-sync: -1\n\
         \x20   journal-content: none\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    Configured { text, arguments: vec!["-c".into(), place.config_argument()] }
}

fn bind(place: &Place<'_>) -> Configured {
    let (folder, zone) = (place.folder.display(), place.zone.display());
    let text = format!(
        "options {{\n\
         \x20 directory \"{folder}\";\n\
         \x20 pid-file \"{folder}/named.pid\";\n\
         \x20 session-keyfile \"{folder}/session.key\";\n\
         \x20 listen-on port {port} {{ {ip}; }};\n\
         \x20 listen-on-v6 {{ none; }};\n\
         \x20 recursion no;\n\
         \x20 minimal-responses yes;\n\
         \x20 querylog no;\n\
         \x20 notify no;\n\
         \x20 dnssec-validation no;\n\
         \x20 zone-statistics none;\n\
         \x20 tcp-clients 250;\n\
         }};\n\
         controls {{ }};\n\
         zone \"{ZONE}\" {{ type primary; file \"{zone}\"; }};\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    let arguments = ["-f", "-n", "1", "-c", &place.config_argument()];
    Configured { text, arguments: arguments.map(str::to_owned).to_vec() }
}

fn powerdns(place: &Place<'_>) -> Configured {
    let (folder, zone) = (place.folder.display(), place.zone.display());
    let zones = place.folder.join("named.conf");
    let list = format!("zone \"{ZONE}\" {{ type master; file \"{zone}\"; }};\n");
    // If it cannot be written, the server does not come up and says so.
    let _written = fs::write(&zones, list);
    let text = format!(
        "launch=bind\n\
         bind-config={zones}\n\
         local-address={ip}\n\
         local-port={port}\n\
         receiver-threads=1\n\
         distributor-threads=1\n\
         cache-ttl=60\n\
         query-cache-ttl=60\n\
         negquery-cache-ttl=60\n\
         max-cache-entries=1000000\n\
         socket-dir={folder}\n\
         daemon=no\n\
         guardian=no\n\
         disable-syslog=yes\n\
         loglevel=3\n\
         log-dns-queries=no\n\
         max-tcp-connections=250\n\
         max-tcp-connections-per-client=0\n\
         max-tcp-transactions-per-conn=0\n\
         expand-alias=no\n\
         security-poll-suffix=\n\
         version-string=anonymous\n",
        zones = zones.display(),
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    Configured { text, arguments: vec![format!("--config-dir={folder}")] }
}
