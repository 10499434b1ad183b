//! `[cluster]`: what a server is to the others that share its store.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use super::{
    Config, ConfigError,
    consul_node::host_name,
    given::{Given, Refusal},
    parse::distinct,
    route::{ELSEWHERE, address_towards, is_of_network},
};
use crate::{
    model::{DnsName, Invalid, limit},
    registry::Peer,
};

/// What a server is called whose host has no name that could be read.
const NAMELESS: &str = "rollcall";

/// `[cluster]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// What this server is called among them; `None` for a name that is made up at each start.
    pub server_id: Option<String>,
    /// Where the others reach its HTTP interface, as `host:port`; empty for what is found.
    pub advertise: Vec<String>,
    /// For how long it is taken for alive when nothing is heard of it; whole seconds, as etcd's
    /// leases are.
    pub lease: Duration,
    /// How many servers check each instance; odd, so that there is a majority.
    pub checkers: usize,
}

/// The most servers that check one instance: each sends a check of its own.
pub(super) const CHECKERS_MAX: i128 = 7;

// === impl ClusterSettings ===

impl Default for ClusterSettings {
    fn default() -> Self {
        Self { server_id: None, advertise: Vec::new(), lease: Duration::from_secs(10), checkers: 1 }
    }
}

// === Readings ===

/// A server's name; empty for one that is made up. It is a part of a key in etcd.
pub(super) fn server_id(given: &Given) -> Result<Option<String>, Refusal> {
    let Some(id) = given.optional_text()? else { return Ok(None) };
    if id.len() > limit::SERVER_ID_OCTETS_MAX {
        let limit = limit::SERVER_ID_OCTETS_MAX;
        return Err(given.refuse(format!("has {} octets, above the limit of {limit}", id.len())));
    }
    match id.chars().find(|c| !is_of_id(*c)) {
        None => Ok(Some(id.to_owned())),
        Some(wrong) => {
            let legal = "a server's name has letters, digits, hyphens, underscores and dots";
            Err(given.refuse(format!("has the character {wrong:?}; {legal}")))
        }
    }
}

fn is_of_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Where others reach this server, each once.
pub(super) fn advertise(given: &Given) -> Result<Vec<String>, Refusal> {
    let list = given.list()?;
    let (count, limit) = (list.len(), limit::LISTEN_ADDRESSES_MAX);
    if count > limit {
        return Err(given.refuse(format!("has {count} addresses, above the limit of {limit}")));
    }
    distinct(&list, |item| {
        let text = item.text()?;
        let host = match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_unspecified() || address.ip().is_multicast() => {
                return Err(item.refuse("is no address of a host"));
            }
            Ok(address) => return with_port(item, address.port(), text),
            Err(_) => text.rsplit_once(':').filter(|(host, _)| DnsName::parse_host(host).is_ok()),
        };
        let port = host.and_then(|(_, port)| port.parse().ok());
        let form = "is no host with a port, as in `10.0.0.1:8500` or `rollcall-1.example:8500`";
        with_port(item, port.ok_or_else(|| item.refuse(form))?, text)
    })
}

fn with_port(given: &Given, port: u16, text: &str) -> Result<String, Refusal> {
    if port == 0 { Err(given.refuse("has the port 0, which is none")) } else { Ok(text.to_owned()) }
}

// === impl Config ===

impl Config {
    /// What this server is to the others, its HTTP interface being at `http`; `random` is what a
    /// name that is made up ends with. Names of etcd's members are looked up, which takes a moment
    /// where nobody answers for them.
    ///
    /// # Errors
    /// When there is no address by which others could reach it, and none is configured.
    pub fn peer(&self, http: &[SocketAddr], random: u32) -> Result<Peer, ConfigError> {
        let id = self
            .cluster
            .server_id
            .clone()
            .unwrap_or_else(|| made_up_id(&host_name().unwrap_or_default(), random));
        Ok(Peer { id: id.into(), http: self.advertised(http)?.into() })
    }

    /// What a server that shares nothing is called where servers are shown, and where it is.
    pub fn lone_peer(&self, http: &[SocketAddr]) -> Peer {
        let id = self.cluster.server_id.clone().or_else(host_name);
        let listens = || http.iter().map(ToString::to_string).collect();
        let http: Vec<String> = self.advertised(http).unwrap_or_else(|_| listens());
        Peer { id: id.unwrap_or_else(|| NAMELESS.into()).into(), http: http.into() }
    }

    /// Where others reach it: as it is configured; else where it listens; of a wildcard the address
    /// from which etcd is reached, or other networks.
    fn advertised(&self, http: &[SocketAddr]) -> Result<Vec<String>, ConfigError> {
        if !self.cluster.advertise.is_empty() {
            return Ok(self.cluster.advertise.clone());
        }
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in http {
            let ip = match address.ip().to_canonical() {
                ip if ip.is_unspecified() => self.address_for(ip.is_ipv4()),
                ip => Some(ip),
            };
            let address = ip.map(|ip| SocketAddr::new(ip, address.port()));
            found.extend(address.filter(|address| !found.contains(address)));
        }
        // For other hosts a loopback is themselves; it counts where there is nothing else, as when
        // all servers are on this one.
        if found.iter().any(|address| is_of_network(&address.ip())) {
            found.retain(|address| is_of_network(&address.ip()));
        }
        if found.is_empty() {
            let problem = "is needed: this host has no address by which other servers could reach \
                           its HTTP interface; name one, as in `[\"10.0.0.1:8500\"]`";
            return Err(self.mistake("cluster.advertise", Invalid::new("", "", problem)));
        }
        Ok(found.iter().map(ToString::to_string).collect())
    }

    /// The address of this host for those whom a wildcard of that family lets in.
    fn address_for(&self, is_ipv4: bool) -> Option<IpAddr> {
        let endpoints = &self.store.etcd.endpoints;
        let named = endpoints.iter().flat_map(|endpoint| match endpoint.ip() {
            Some(ip) => vec![ip],
            None => {
                let found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
                found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default()
            }
        });
        named
            .map(|ip| ip.to_canonical())
            .chain(ELSEWHERE)
            .filter(|ip| ip.is_ipv4() == is_ipv4 && !ip.is_loopback())
            .find_map(address_towards)
            .or(is_ipv4.then_some(IpAddr::from([127, 0, 0, 1])))
    }
}

/// A name that tells a person which host it is, and no two servers have.
fn made_up_id(host: &str, random: u32) -> String {
    let host: String = host.chars().filter(|c| is_of_id(*c)).collect();
    let room = limit::SERVER_ID_OCTETS_MAX - 9;
    let host = if host.is_empty() { NAMELESS } else { &host[..host.len().min(room)] };
    format!("{host}-{random:08x}")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{made_up_id, server_id};
    use crate::{
        app::config::{Config, given::Given, route},
        model::limit,
    };

    fn advertised(config: &Config, http: &[&str]) -> Result<Vec<String>, String> {
        let http: Vec<SocketAddr> = http.iter().map(|text| text.parse().unwrap()).collect();
        let peer = config.peer(&http, 7).map_err(|error| error.to_string())?;
        Ok(peer.http.to_vec())
    }

    #[test]
    fn others_are_told_of_addresses_that_they_reach() {
        let mut config = Config::default();
        let of = |config: &Config, http: &[&str]| advertised(config, http).unwrap();
        let listen = ["127.0.0.1:8500", "10.0.0.7:8500", "[fd00::7]:8501", "10.0.0.7:8500"];
        assert_eq!(of(&config, &listen), ["10.0.0.7:8500", "[fd00::7]:8501"]);
        assert_eq!(of(&config, &["[::1]:8500"]), ["[::1]:8500"], "all are on this host");
        let wildcard = of(&config, &["0.0.0.0:8500"]);
        let routed = route::ELSEWHERE.into_iter().find_map(route::address_towards);
        let expected = routed
            .filter(std::net::IpAddr::is_ipv4)
            .map_or("127.0.0.1".into(), |ip| ip.to_string());
        assert_eq!(wildcard, [format!("{expected}:8500")]);
        config.cluster.advertise = vec!["rollcall-1.example:80".into()];
        assert_eq!(of(&config, &listen), ["rollcall-1.example:80"]);
        config.cluster.advertise.clear();
        let error = advertised(&config, &[]).unwrap_err();
        assert!(error.starts_with("error: `cluster.advertise`: is needed: "), "{error}");
    }

    #[test]
    fn a_server_without_a_name_is_called_after_its_host_and_like_no_other() {
        let longest = "a".repeat(300);
        for (host, begin) in [
            ("web-1.example\n", "web-1.example-"),
            ("a/b c", "abc-"),
            ("", "rollcall-"),
            (&longest, &longest[..limit::SERVER_ID_OCTETS_MAX - 9]),
        ] {
            let (one, other) = (made_up_id(host, 7), made_up_id(host, 8));
            assert!(one.starts_with(begin) && one.ends_with("-00000007"), "{one}");
            assert!(one != other && server_id(&Given::untyped(&one)).is_ok(), "{one}");
        }
        let mut config = Config::default();
        config.cluster.server_id = Some("a".into());
        let at = ["10.0.0.7:1".parse().unwrap()];
        let lone = config.lone_peer(&at);
        assert_eq!(config.peer(&at, 7).unwrap(), lone);
        assert_eq!((&*lone.id, &*lone.http), ("a", &["10.0.0.7:1".to_owned()][..]));
        let longest = "x".repeat(limit::SERVER_ID_OCTETS_MAX);
        assert!(server_id(&Given::untyped(&longest)).is_ok());
        assert!(server_id(&Given::untyped(&format!("{longest}x"))).is_err());
    }
}
