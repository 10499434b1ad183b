//! What an operator decides about forwarding.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::UpstreamSpec;
use crate::{dns::guard::Networks, model::DnsName};

/// The choices, as the configuration has them. Forwarding is on as soon as there is an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardSpec {
    /// Who is asked for every name that no zone below is for.
    pub upstreams: Vec<UpstreamSpec>,
    /// A file whose `nameserver` lines are upstreams too, read again when it changes.
    pub resolv_conf: Option<PathBuf>,
    /// Who is asked for certain names.
    pub zones: Vec<ForwardZone>,
    /// The networks whose clients may ask for names that are not ours.
    pub allow: Vec<IpNet>,
    /// In which order upstreams are asked.
    pub order: ForwardOrder,
    /// How long one upstream may take.
    pub timeout: Duration,
    /// Messages that wait for upstreams at once; also the questions that are under way there.
    pub in_flight_max: usize,
    /// Those of one client: an IPv4 address, or an IPv6 /64.
    pub in_flight_per_client_max: usize,
    /// What the cache may take, octets.
    pub cache_octets: u64,
    /// For how long records are kept at the most, whatever their TTL, seconds.
    pub max_ttl_seconds: u32,
    /// The same for "there is nothing" (RFC 2308 §5).
    pub negative_max_ttl_seconds: u32,
    /// For how long records may be answered after their TTL while no upstream answers (RFC 8767),
    /// seconds; 0 never does.
    pub stale_max_seconds: u32,
    /// Whether what is asked for often is fetched again before it runs out.
    pub prefetch: bool,
}

/// Who is asked for the names of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardZone {
    /// The zone: names at it and below it.
    pub suffix: DnsName,
    /// Who knows them, at least one.
    pub upstreams: Vec<UpstreamSpec>,
}

/// In which order the upstreams of a zone are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardOrder {
    /// Beginning with a random one, to spread the load.
    Random,
    /// As they are configured: the others only stand in.
    #[default]
    Sequential,
}

// === impl ForwardSpec ===

impl ForwardSpec {
    /// Whether anything is forwarded.
    pub fn is_enabled(&self) -> bool {
        !self.upstreams.is_empty() || !self.zones.is_empty() || self.resolv_conf.is_some()
    }

    /// Loopback, private and link-local networks: nobody from the internet, as RFC 5358 wants it,
    /// and no other customers of a provider.
    pub fn private_networks() -> Vec<IpNet> {
        let own = Networks::LOCAL.iter().filter(|network| **network != Networks::PROVIDERS);
        own.map(|network| network.parse().expect("it is one")).collect()
    }
}

impl Default for ForwardSpec {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            resolv_conf: None,
            zones: Vec::new(),
            allow: Self::private_networks(),
            order: ForwardOrder::default(),
            timeout: Duration::from_secs(2),
            in_flight_max: 1_000,
            in_flight_per_client_max: 200,
            cache_octets: 32 << 20,
            max_ttl_seconds: 86_400,
            negative_max_ttl_seconds: 3_600,
            stale_max_seconds: 86_400,
            prefetch: true,
        }
    }
}

// === impl ForwardOrder ===

impl ForwardOrder {
    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Sequential => "sequential",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::ForwardSpec;

    #[test]
    fn only_private_networks_may_ask_unless_others_are_named() {
        let networks = ForwardSpec::private_networks();
        for (address, is_private) in [
            ("127.0.0.1", true),
            ("10.255.0.1", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("192.0.2.1", false),
            ("100.64.0.1", false),
            ("::1", true),
            ("::2", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(networks.iter().any(|net| net.contains(&address)), is_private, "{address}");
        }
    }
}
