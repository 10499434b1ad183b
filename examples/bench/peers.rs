//! The peers: each with the settings that an operator chooses who has one core and static zones.
//!
//! The same for all: one worker, as there is one core; no rate limit, no query log, no recursion,
//! no notifying of anybody; minimal replies, which all but PowerDNS can be told. What a server adds
//! to an SRV reply of its own accord, it adds. Everything else is the package's default, and so is
//! the package: Debian builds NSD without `recvmmsg`.

mod settings;

use std::{fs, process::Command};

use anyhow::{Context, Result};

use self::settings::{Configured, Place, bind, knot, nsd};
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
        let zones = [(ZONE.to_owned(), scratch.path().join("zone"))];
        fs::write(&zones[0].1, data.zone()).context("writing the zone")?;
        let dns = process::free_address()?;
        let place = Place { folder: scratch.path(), zones: &zones, dns };
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

fn powerdns(place: &Place<'_>) -> Configured {
    let folder = place.folder.display();
    let zones = place.folder.join("named.conf");
    let list = place
        .for_zones(|name, file| format!("zone \"{name}\" {{ type master; file \"{file}\"; }};\n"));
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
