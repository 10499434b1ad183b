//! The settings of NSD, Knot and BIND: for the benchmark, and for the tests that hold Rollcall's
//! replies against theirs, which include this file.
//!
//! What the benchmark does not need is harmless to it: zones may be odd, because the tests make
//! them up, and BIND alone would refuse names that are no host names.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where a peer finds and puts things.
pub(crate) struct Place<'a> {
    /// Its own.
    pub(crate) folder: &'a Path,
    /// The zones: name and file of each.
    pub(crate) zones: &'a [(String, PathBuf)],
    /// Where it listens.
    pub(crate) dns: SocketAddr,
}

/// Its configuration file's content, and the arguments that make it read that file.
pub(crate) struct Configured {
    pub(crate) text: String,
    pub(crate) arguments: Vec<String>,
}

// === impl Place ===

impl Place<'_> {
    pub(crate) fn config(&self) -> PathBuf {
        // PowerDNS insists on this name; the others do not mind.
        self.folder.join("pdns.conf")
    }

    fn config_argument(&self) -> String {
        self.config().display().to_string()
    }

    /// A text for each zone, of its name and file.
    pub(crate) fn for_zones(
        &self,
        write: impl Fn(&str, std::path::Display<'_>) -> String,
    ) -> String {
        self.zones.iter().map(|(name, file)| write(name, file.display())).collect()
    }
}
pub(crate) fn nsd(place: &Place<'_>) -> Configured {
    let folder = place.folder.display();
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
         \x20 control-enable: no\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    let text = text
        + &place
            .for_zones(|name, file| format!("zone:\n  name: \"{name}\"\n  zonefile: \"{file}\"\n"));
    Configured { text, arguments: vec!["-d".into(), "-c".into(), place.config_argument()] }
}

pub(crate) fn knot(place: &Place<'_>) -> Configured {
    let folder = place.folder.display();
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
         template:\n\
         \x20 - id: default\n\
         \x20   zonefile-sync: -1\n\
         \x20   journal-content: none\n\
         zone:\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    let text = text
        + &place.for_zones(|name, file| format!("  - domain: \"{name}\"\n    file: \"{file}\"\n"));
    Configured { text, arguments: vec!["-c".into(), place.config_argument()] }
}

pub(crate) fn bind(place: &Place<'_>) -> Configured {
    let folder = place.folder.display();
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
         \x20 check-integrity no;\n\
         \x20 check-names primary ignore;\n\
         \x20 check-mx ignore;\n\
         \x20 check-mx-cname ignore;\n\
         \x20 check-srv-cname ignore;\n\
         \x20 check-wildcard no;\n\
         }};\n\
         controls {{ }};\n",
        ip = place.dns.ip(),
        port = place.dns.port(),
    );
    let text = text
        + &place.for_zones(|name, file| {
            format!("zone \"{name}\" {{ type primary; file \"{file}\"; }};\n")
        });
    let arguments = ["-g", "-n", "1", "-c", &place.config_argument()];
    Configured { text, arguments: arguments.map(str::to_owned).to_vec() }
}
