//! The configuration as the program uses it: parsed, complete, every value in its final type.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    ClusterSettings, ConfigError, ConsulDnsSettings, ConsulNode, ConsulSettings, EncryptedSettings,
    Sources, StoreSettings, TlsSettings,
};
use crate::{
    dns::{self, CookieSecrets, forward::ForwardSpec},
    health, http,
    model::{DnsName, Policy},
    registry::{self, SelfPreservation},
    telemetry::LogFormat,
};

/// All that an operator decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The server as a whole.
    pub server: ServerSettings,
    /// The DNS door.
    pub dns: DnsSettings,
    /// Names that are not ours.
    pub forward: ForwardSpec,
    /// The certificate of the encrypted transports.
    pub tls: TlsSettings,
    /// The HTTP door.
    pub http: HttpSettings,
    /// Consul's interface.
    pub consul: ConsulSettings,
    /// Consul's names.
    pub consul_dns: ConsulDnsSettings,
    /// Eureka's interface.
    pub eureka: http::EurekaOptions,
    /// How services are answered that have no policy of their own.
    pub policy: Policy,
    /// The checks.
    pub health: HealthSettings,
    /// Where the state is kept.
    pub store: StoreSettings,
    /// What this server is to those that share it.
    pub cluster: ClusterSettings,
    /// The log.
    pub log: LogSettings,
    /// Where all this was read, to read it again on SIGHUP.
    pub sources: Sources,
}

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The domain above `service`.
    pub domain: DnsName,
    /// The folder of the store.
    pub data: PathBuf,
    /// The folder of the zone files.
    pub zones: PathBuf,
    /// How long DNS is still answered after a stop was asked for.
    pub lame_duck: Duration,
}

/// `[dns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Where to listen, UDP and TCP each; port 0 picks one.
    pub listen: Vec<SocketAddr>,
    /// How many UDP workers; 0 is one for each core.
    pub udp_workers: usize,
    /// The largest UDP reply, octets, and the size that EDNS announces (RFC 6891 §6.2.3).
    pub udp_size: u16,
    /// What is told of the server to those who ask.
    pub told: dns::Identity,
    /// Whether DNS cookies are given.
    pub cookies: bool,
    /// The file of the cookies' secrets.
    pub cookie_secret_file: Option<PathBuf>,
    /// Who may ask for which zone.
    pub access: Vec<dns::AccessRule>,
    /// `[dns.rate_limit]`: what strangers get.
    pub rate_limit: dns::RateLimit,
    /// The TTL of a negative answer, whole seconds (RFC 2308 §5).
    pub negative_ttl: Duration,
    /// The mailbox in the SOA record, as a name (RFC 1035 §3.3.13).
    pub hostmaster: DnsName,
    /// The name servers of the zone, in their order and without a gap: `ns1`, `ns2` …
    pub nameservers: Vec<NameServer>,
    /// The networks whose reverse zones are answered.
    pub reverse: Vec<IpNet>,
    /// How many TCP connections at the most.
    pub tcp_connections_max: usize,
    /// How many TCP connections from one address at the most.
    pub tcp_connections_per_client_max: usize,
    /// After which an idle TCP connection is closed.
    pub tcp_idle_timeout: Duration,
    /// The encrypted transports.
    pub encrypted: EncryptedSettings,
}

/// One name server of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Its label below the zone's apex: `ns1` to `ns9`.
    pub name: String,
    /// Its addresses, for the glue.
    pub addresses: Vec<IpAddr>,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen; port 0 picks one.
    pub listen: Vec<SocketAddr>,
    /// How many connections at the most.
    pub connections_max: usize,
    /// How many watches at the most.
    pub watchers_max: usize,
    /// How long the head of a request may take, and how long a connection may stay idle.
    pub header_timeout: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// After which a request whose reply has not begun is given up.
    pub request_timeout: Duration,
}

/// `[health]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthSettings {
    /// How many checks are under way at once at the most.
    pub in_flight_max: usize,
    /// A file of certificate authorities (PEM) that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// `[health.self_preservation]`: when lost heartbeats are doubted.
    pub self_preservation: SelfPreservation,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// What is logged, for example `info,rollcall::dns=debug`.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            server: ServerSettings::default(),
            dns: DnsSettings::default(),
            forward: ForwardSpec::default(),
            tls: TlsSettings::default(),
            http: HttpSettings::default(),
            consul: ConsulSettings::default(),
            consul_dns: ConsulDnsSettings::default(),
            eureka: http::EurekaOptions::default(),
            policy: Policy::default(),
            health: HealthSettings::default(),
            store: StoreSettings::default(),
            cluster: ClusterSettings::default(),
            log: LogSettings { filter: "info".into(), format: LogFormat::Text },
            sources: Sources::default(),
        };
        config.dns.hostmaster = config.default_hostmaster();
        config.dns.nameservers = config.default_nameservers();
        config
    }
}

/// The parts' own settings.
impl Config {
    /// The part of the answers.
    /// `own` are the secrets of cookies that this server makes up when it is given none; `node` is
    /// what it is to Consul's clients.
    ///
    /// # Errors
    /// When the file of the cookies' secrets cannot be read, or has a mistake.
    pub fn dns_settings(
        &self,
        own: &CookieSecrets,
        node: &ConsulNode,
    ) -> Result<dns::SettingsSpec, ConfigError> {
        let cookies = match &self.dns.cookie_secret_file {
            _ if !self.dns.cookies => None,
            None => Some(own.clone()),
            Some(file) => {
                let read = CookieSecrets::read(file);
                Some(read.map_err(|invalid| self.mistake("dns.cookie_secret_file", invalid))?)
            }
        };
        Ok(dns::SettingsSpec {
            domain: self.server.domain.clone(),
            nameservers: self.dns.nameservers.iter().map(|s| s.addresses.clone()).collect(),
            hostmaster: Some(self.dns.hostmaster.clone()),
            // Held to 1 to 5 when it was read.
            negative_ttl_seconds: u32::try_from(self.dns.negative_ttl.as_secs()).unwrap_or(5),
            reverse: self.dns.reverse.clone(),
            udp_size: self.dns.udp_size,
            identity: self.dns.told.clone(),
            cookies,
            access: self.dns.access.clone(),
            rate_limit: Some(self.dns.rate_limit.clone()),
            consul: self.consul_names().map(|names| dns::ConsulSpec {
                node: node.name.clone(),
                node_address: node.address,
                port: node.port,
                ..names
            }),
        })
    }

    /// The part of the API.
    pub fn http_options(&self) -> http::Options {
        http::Options {
            connections_max: self.http.connections_max,
            header_timeout: self.http.header_timeout,
            body_timeout: self.http.body_timeout,
            request_timeout: self.http.request_timeout,
            watchers_max: self.http.watchers_max,
            ..http::Options::default()
        }
    }

    /// The part of the checks.
    pub fn health_options(&self) -> health::Options {
        let in_flight = NonZeroUsize::new(self.health.in_flight_max);
        health::Options {
            in_flight_max: in_flight.unwrap_or(health::Options::IN_FLIGHT_DEFAULT),
            ca_file: self.health.ca_file.clone(),
        }
    }

    /// The part of the registry.
    pub fn registry_options(&self) -> registry::Options {
        registry::Options {
            default_policy: self.policy,
            index_addresses: !self.dns.reverse.is_empty(),
            self_preservation: self.health.self_preservation,
        }
    }
}

/// What follows from other keys unless it is given.
impl Config {
    /// The zone of the services.
    pub(super) fn service_zone(&self) -> DnsName {
        dns::service_zone(&self.server.domain).expect("a domain is held to such a length")
    }

    /// The tops of all zones that services are answered in.
    pub(super) fn own_zones(&self) -> impl Iterator<Item = (DnsName, &'static str)> {
        let consul = self.consul_dns.domains.iter().cloned().map(|name| (name, "consul.domain"));
        std::iter::once((self.service_zone(), "server.domain")).chain(consul)
    }

    /// `hostmaster` at the zone (RFC 2142 §7).
    pub(super) fn default_hostmaster(&self) -> DnsName {
        self.service_zone().child("hostmaster").expect("a zone is short enough for more before it")
    }

    /// One, at the addresses that DNS listens on. A wildcard is no address that a client could
    /// use, so with wildcards alone there is no glue.
    pub(super) fn default_nameservers(&self) -> Vec<NameServer> {
        let mut addresses = Vec::new();
        for ip in self.dns.listen.iter().map(SocketAddr::ip) {
            if !ip.is_unspecified() && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        vec![NameServer { name: "ns1".into(), addresses }]
    }
}

// === impl ServerSettings ===

impl ServerSettings {
    const ZONES: &str = "./zones";

    /// Whether the folder of the zone files must be there: only the default one may be missing,
    /// because whoever names one means it.
    pub fn zones_required(&self) -> bool {
        self.zones != Path::new(Self::ZONES)
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            domain: DnsName::parse_host("internal").expect("it is a host name"),
            data: "./rollcall-data".into(),
            zones: Self::ZONES.into(),
            lame_duck: Duration::from_secs(3),
        }
    }
}

// === impl DnsSettings ===

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8600))],
            udp_workers: 0,
            udp_size: 1232,
            told: dns::Identity::default(),
            cookies: true,
            cookie_secret_file: None,
            access: Vec::new(),
            rate_limit: dns::RateLimit::default(),
            negative_ttl: Duration::from_secs(5),
            hostmaster: DnsName::parse("hostmaster.service.internal").expect("it is a name"),
            nameservers: Vec::new(),
            reverse: Vec::new(),
            tcp_connections_max: 1_000,
            tcp_connections_per_client_max: 100,
            tcp_idle_timeout: Duration::from_secs(10),
            encrypted: EncryptedSettings::default(),
        }
    }
}

// === impl HttpSettings ===

impl Default for HttpSettings {
    fn default() -> Self {
        let options = http::Options::default();
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8500))],
            connections_max: options.connections_max,
            watchers_max: options.watchers_max,
            header_timeout: options.header_timeout,
            body_timeout: options.body_timeout,
            request_timeout: options.request_timeout,
        }
    }
}

// === impl HealthSettings ===

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            in_flight_max: health::Options::IN_FLIGHT_DEFAULT.get(),
            ca_file: None,
            self_preservation: SelfPreservation::default(),
        }
    }
}
