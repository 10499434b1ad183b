//! What an operator decides about Consul's names, prepared so that a query only copies octets.

use std::net::IpAddr;

use crate::model::{DnsName, Invalid, ServiceName, limit};

/// Answers to a client without EDNS: more than Consul allows its own.
const UDP_ANSWER_LIMIT_MAX: u16 = 8;

/// Octets of what may stand in front of the longest domain: two labels of 63 octets (a tag and a
/// service), `service`, the datacenter and `dc`, each with its length octet.
const LONGEST_PREFIX_OCTETS: usize = 3 * (1 + limit::LABEL_OCTETS_MAX) + 8 + 3;

/// The choices, as the configuration has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulSpec {
    /// The domains, each with all names; without one there are none. At most 4.
    pub domains: Vec<DnsName>,
    /// The datacenter's name.
    pub datacenter: String,
    /// The node of this server.
    pub node: String,
    /// That node's address.
    pub node_address: IpAddr,
    /// The port at which this server is Consul's: that of HTTP.
    pub port: u16,
    /// Whether instances that are warning are left out.
    pub only_passing: bool,
    /// TTLs, seconds, by the names of services: a name, the beginning of some with an asterisk
    /// behind it, or an asterisk for all others. At most 256.
    pub service_ttl: Vec<(String, u32)>,
    /// The TTL of nodes and addresses, seconds.
    pub node_ttl: u32,
    /// Records in an answer to a client over UDP without EDNS: 1 to 8.
    pub udp_answer_limit: u16,
    /// Addresses in any answer; 0 is all.
    pub a_record_limit: u16,
    /// Whether a service without a healthy instance is a name that is not there.
    pub nxdomain_when_none_healthy: bool,
    /// Whether names that have nothing but names below them are not there, as in Consul.
    pub nxdomain_for_empty_names: bool,
}

/// The choices, checked and prepared.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Consul {
    /// The longest first, so that of two the closer one is found.
    domains: Box<[Domain]>,
    /// The place of the one that was named first.
    first: usize,
    pub(super) datacenter: Box<[u8]>,
    /// In lower case, as nodes are compared.
    pub(super) node: Box<str>,
    pub(super) node_address: IpAddr,
    pub(super) port: u16,
    pub(super) only_passing: bool,
    ttls: Ttls,
    pub(super) node_ttl: u32,
    pub(super) udp_answer_limit: u32,
    /// As many as there can be, if all are wanted.
    pub(super) a_record_limit: u32,
    pub(super) nxdomain_when_none_healthy: bool,
    pub(super) nxdomain_for_empty_names: bool,
    /// Where this server is, as the address of its name `ns` in each domain.
    pub(super) server: Server,
}

/// One domain, with the names in it that answers lead to; all as wire labels.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Domain {
    /// The domain itself.
    pub(in crate::dns) name: DnsName,
    /// What follows the address in `HEX.addr.DC.DOMAIN`.
    pub(super) of_addresses: DnsName,
    nodes: Zones,
    services: Zones,
}

/// What follows the name of something of one kind, in each form: `KIND.DOMAIN`, `KIND.DC.DOMAIN`
/// and `KIND.DC.dc.DOMAIN`.
type Zones = [DnsName; 3];

/// The addresses of one name, each once.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) v4: Box<[[u8; 4]]>,
    pub(super) v6: Box<[[u8; 16]]>,
}

#[derive(Debug, Clone, Default)]
struct Ttls {
    /// By the labels that services have here; sorted.
    exact: Box<[(Box<str>, u32)]>,
    /// The longest first.
    beginnings: Box<[(Box<str>, u32)]>,
    others: u32,
}

// === impl ConsulSpec ===

impl ConsulSpec {
    /// Domains: each is compared with every name that is in no zone of the services.
    pub const DOMAINS_MAX: usize = 4;

    /// Rules for TTLs: those with an asterisk are compared one by one.
    pub const TTLS_MAX: usize = 256;

    /// The usual choices under `domain`: Consul's own, but for names that have others below them.
    pub fn new(domain: DnsName) -> Self {
        Self {
            domains: vec![domain],
            datacenter: "dc1".into(),
            node: "rollcall".into(),
            node_address: IpAddr::from([127, 0, 0, 1]),
            port: 8500,
            only_passing: false,
            service_ttl: Vec::new(),
            node_ttl: 0,
            udp_answer_limit: 3,
            a_record_limit: 0,
            nxdomain_when_none_healthy: true,
            nxdomain_for_empty_names: false,
        }
    }
}

// === impl Consul ===

impl Consul {
    /// Checks and prepares the choices; `None` when there is no domain. `servers` are the addresses
    /// that DNS is asked at; without one the node's stands in.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub(in crate::dns) fn new(
        spec: &ConsulSpec,
        servers: &[IpAddr],
    ) -> Result<Option<Self>, Invalid> {
        if spec.domains.is_empty() {
            return Ok(None);
        }
        let count = spec.domains.len();
        if count > ConsulSpec::DOMAINS_MAX {
            let problem = format!("entries are above the limit of {}", ConsulSpec::DOMAINS_MAX);
            return Err(Invalid::new("consul.domain", count, problem));
        }
        let limit = spec.udp_answer_limit;
        if !(1..=UDP_ANSWER_LIMIT_MAX).contains(&limit) {
            let problem = format!("is outside the limits of 1 to {UDP_ANSWER_LIMIT_MAX}");
            return Err(Invalid::new("consul.udp_answer_limit", limit, problem));
        }
        let datacenter = spec.datacenter.to_ascii_lowercase();
        let domains = spec.domains.iter().map(|name| Domain::new(name, &datacenter));
        let mut domains = domains.collect::<Result<Vec<_>, _>>()?;
        domains.sort_by_key(|domain| std::cmp::Reverse(domain.name.as_wire().len()));
        let is_first = |domain: &Domain| Some(&domain.name) == spec.domains.first();
        let own = [spec.node_address];
        let all = limit::SERVICE_INSTANCES_MAX * limit::INSTANCE_ADDRESSES_MAX;
        Ok(Some(Self {
            first: domains.iter().position(is_first).unwrap_or_default(),
            domains: domains.into(),
            datacenter: datacenter.into_bytes().into(),
            node: spec.node.to_lowercase().into(),
            node_address: spec.node_address,
            port: spec.port,
            only_passing: spec.only_passing,
            ttls: Ttls::new(&spec.service_ttl)?,
            node_ttl: spec.node_ttl,
            udp_answer_limit: limit.into(),
            a_record_limit: match spec.a_record_limit {
                0 => u32::try_from(all).unwrap_or(u32::MAX),
                some => some.into(),
            },
            nxdomain_when_none_healthy: spec.nxdomain_when_none_healthy,
            nxdomain_for_empty_names: spec.nxdomain_for_empty_names,
            server: Server::new(if servers.is_empty() { &own } else { servers }),
        }))
    }

    /// The domains.
    pub(in crate::dns) fn domains(&self) -> impl Iterator<Item = &DnsName> {
        self.domains.iter().map(|domain| &domain.name)
    }

    /// What stands behind nodes in their names, in all forms and domains.
    pub(in crate::dns) fn node_zones(&self) -> impl Iterator<Item = &DnsName> {
        self.domains.iter().flat_map(|domain| &domain.nodes)
    }

    /// What stands behind services in their names, in all forms and domains.
    pub(in crate::dns) fn service_zones(&self) -> impl Iterator<Item = &DnsName> {
        self.domains.iter().flat_map(|domain| &domain.services)
    }

    /// The domain that a name (lower-case wire labels) ends in, whatever stands in front.
    #[inline]
    pub(super) fn domain_of(&self, name: &[u8]) -> Option<&Domain> {
        self.domains.iter().find(|domain| name.ends_with(domain.name.as_wire()))
    }

    /// The node of this server, as nodes are compared, and where it is.
    pub(in crate::dns) fn own_node(&self) -> (&str, IpAddr) {
        (&self.node, self.node_address)
    }

    /// The TTL of nodes and addresses, seconds.
    pub(in crate::dns) fn node_ttl(&self) -> u32 {
        self.node_ttl
    }

    /// Whether the node of this server is one whose name ends in this one, behind a dot.
    pub(super) fn has_own_node_below(&self, name: &str) -> bool {
        self.node.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The domain that was configured first, for answers to questions outside of all of them.
    pub(super) fn first(&self) -> &Domain {
        &self.domains[self.first]
    }

    /// The TTL of a service, seconds.
    #[inline]
    pub(super) fn ttl_of(&self, service: &str) -> u32 {
        let Ttls { exact, beginnings, others } = &self.ttls;
        if exact.is_empty() && beginnings.is_empty() {
            return *others;
        }
        let own = exact.binary_search_by(|(name, _)| (**name).cmp(service));
        match own {
            Ok(at) => exact[at].1,
            Err(_) => {
                let found = beginnings.iter().find(|(start, _)| service.starts_with(&**start));
                found.map_or(*others, |(_, ttl)| *ttl)
            }
        }
    }
}

// === impl Server ===

impl Server {
    fn new(ips: &[IpAddr]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for ip in ips {
            match ip {
                IpAddr::V4(ip) if !v4.contains(&ip.octets()) => v4.push(ip.octets()),
                IpAddr::V6(ip) if !v6.contains(&ip.octets()) => v6.push(ip.octets()),
                _ => {}
            }
        }
        Self { v4: v4.into(), v6: v6.into() }
    }
}

// === impl Ttls ===

impl Ttls {
    fn new(rules: &[(String, u32)]) -> Result<Self, Invalid> {
        let refused = |name: &str, problem: String| {
            Err(Invalid::new(format!("consul.service_ttl.{name}"), name, problem))
        };
        if rules.len() > ConsulSpec::TTLS_MAX {
            return refused(
                "",
                format!("has more entries than the limit of {}", ConsulSpec::TTLS_MAX),
            );
        }
        let (mut exact, mut beginnings, mut others) = (Vec::new(), Vec::new(), 0);
        for (name, ttl) in rules {
            if *ttl > limit::POLICY_TTL_SECONDS_MAX {
                let most = limit::POLICY_TTL_SECONDS_MAX;
                return refused(name, format!("has a TTL above the limit of {most} seconds"));
            }
            match name.strip_suffix('*') {
                Some("") => others = *ttl,
                Some(start) => beginnings.push((start.to_lowercase().into_boxed_str(), *ttl)),
                None => exact.push((ServiceName::derived(name).as_str().into(), *ttl)),
            }
        }
        exact.sort_unstable();
        beginnings.sort_by_key(|(start, _): &(Box<str>, u32)| std::cmp::Reverse(start.len()));
        Ok(Self { exact: exact.into(), beginnings: beginnings.into(), others })
    }
}

// === impl Domain ===

impl Domain {
    fn new(name: &DnsName, datacenter: &str) -> Result<Self, Invalid> {
        let most = limit::NAME_OCTETS_MAX - LONGEST_PREFIX_OCTETS;
        if !(2..=most).contains(&name.as_wire().len()) {
            let problem = format!("is outside the limits of 2 to {most} octets on the wire");
            return Err(Invalid::new("consul.domain", name, problem));
        }
        let local = |above: &DnsName| {
            above.child(datacenter).map_err(|refusal| refusal.under("datacenter"))
        };
        let (local, spelled) = (local(name)?, local(&name.child("dc")?)?);
        let zones = |kind: &str| -> Result<Zones, Invalid> {
            Ok([name.child(kind)?, local.child(kind)?, spelled.child(kind)?])
        };
        Ok(Self {
            of_addresses: local.child("addr")?,
            nodes: zones("node")?,
            services: zones("service")?,
            name: name.clone(),
        })
    }

    /// What follows the node in `N.node.DC.DOMAIN`, the form in which answers name nodes.
    pub(super) fn of_nodes(&self) -> &DnsName {
        &self.nodes[1]
    }

    /// What follows the service in `S.service.DC.DOMAIN`, the form in which answers name services.
    pub(super) fn of_services(&self) -> &DnsName {
        &self.services[1]
    }

    /// What follows the service in the shortest form of its name.
    pub(super) fn services(&self) -> &DnsName {
        &self.services[0]
    }
}

#[cfg(test)]
mod tests {
    use super::{Consul, ConsulSpec};
    use crate::model::DnsName;

    fn spec() -> ConsulSpec {
        ConsulSpec::new(DnsName::parse("consul").unwrap())
    }

    #[test]
    fn a_ttl_is_that_of_the_name_then_of_the_longest_beginning_then_of_all() {
        let rules = [("web", 1), ("web-*", 2), ("web-db*", 3), ("my_service", 4), ("*", 9)];
        let service_ttl = rules.map(|(name, ttl)| (name.to_owned(), ttl)).to_vec();
        let consul = Consul::new(&ConsulSpec { service_ttl, ..spec() }, &[]).unwrap().unwrap();
        for (service, ttl) in [
            ("web", 1),
            ("web-1", 2),
            ("web-db1", 3),
            ("my-service-cf3d5dd8", 4),
            ("webs", 9),
            ("api", 9),
        ] {
            assert_eq!(consul.ttl_of(service), ttl, "{service}");
        }
        assert_eq!(Consul::new(&spec(), &[]).unwrap().unwrap().ttl_of("web"), 0);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        let long = DnsName::parse(&"a23456789.".repeat(6)).unwrap();
        let far_too_many = (0..300).map(|n| (n.to_string(), 1)).collect();
        for (spec, expected) in [
            (ConsulSpec { domains: vec![long], ..spec() }, "`consul.domain`: `a23456789."),
            (ConsulSpec { domains: vec![DnsName::parse("a").unwrap(); 5], ..spec() }, "limit of 4"),
            (ConsulSpec { udp_answer_limit: 9, ..spec() }, "limits of 1 to 8"),
            (ConsulSpec { service_ttl: vec![("a".into(), u32::MAX)], ..spec() }, "a TTL above"),
            (ConsulSpec { service_ttl: far_too_many, ..spec() }, "limit of 256"),
        ] {
            let error = Consul::new(&spec, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let none = ConsulSpec { domains: Vec::new(), ..spec() };
        assert!(Consul::new(&none, &[]).unwrap().is_none());
    }
}
