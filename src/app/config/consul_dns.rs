//! `[consul.dns]`: Consul's names.

use std::time::Duration;

use super::{
    Config,
    given::{Given, Refusal},
    parse::{distinct, domain},
    spec_v1::{list, quote, whole_seconds},
};
use crate::{
    dns,
    model::{DnsName, limit},
    util::format_duration,
};

/// `consul.domain` and `[consul.dns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulDnsSettings {
    /// The domains that have Consul's names; none for no such names.
    pub domains: Vec<DnsName>,
    /// Whether instances that are warning are left out.
    pub only_passing: bool,
    /// TTLs by the names of services, seconds, sorted.
    pub service_ttl: Vec<(String, u32)>,
    /// The TTL of nodes and addresses, seconds.
    pub node_ttl_seconds: u32,
    /// Records in an answer to a client over UDP without EDNS.
    pub udp_answer_limit: u16,
    /// Addresses in any answer; 0 is all.
    pub a_record_limit: u16,
    /// Whether a service without a healthy instance is a name that is not there.
    pub nxdomain_when_none_healthy: bool,
    /// Whether names that have nothing but names below them are not there.
    pub nxdomain_for_empty_names: bool,
}

// === impl ConsulDnsSettings ===

impl Default for ConsulDnsSettings {
    fn default() -> Self {
        let spec = dns::ConsulSpec::new(DnsName::parse("consul").expect("it is a name"));
        Self {
            domains: spec.domains,
            only_passing: spec.only_passing,
            service_ttl: spec.service_ttl,
            node_ttl_seconds: spec.node_ttl,
            udp_answer_limit: spec.udp_answer_limit,
            a_record_limit: spec.a_record_limit,
            nxdomain_when_none_healthy: spec.nxdomain_when_none_healthy,
            nxdomain_for_empty_names: spec.nxdomain_for_empty_names,
        }
    }
}

impl Config {
    /// The part of Consul's names, in which this server is any node; `None` when there are none.
    pub(super) fn consul_names(&self) -> Option<dns::ConsulSpec> {
        let own = &self.consul_dns;
        Some(dns::ConsulSpec {
            datacenter: self.consul.datacenter.clone(),
            domains: own.domains.clone(),
            only_passing: own.only_passing,
            service_ttl: own.service_ttl.clone(),
            node_ttl: own.node_ttl_seconds,
            udp_answer_limit: own.udp_answer_limit,
            a_record_limit: own.a_record_limit,
            nxdomain_when_none_healthy: own.nxdomain_when_none_healthy,
            nxdomain_for_empty_names: own.nxdomain_for_empty_names,
            ..dns::ConsulSpec::new(own.domains.first()?.clone())
        })
    }
}

/// One domain, several, or none.
pub(super) fn domains(given: &Given) -> Result<Vec<DnsName>, Refusal> {
    const MAX: usize = dns::ConsulSpec::DOMAINS_MAX;
    let domains = match given.optional_text() {
        Ok(None) => return Ok(Vec::new()),
        Ok(Some(text)) if !text.contains(',') => return Ok(vec![domain(given)?]),
        _ => given.list()?,
    };
    if domains.len() > MAX {
        let problem = format!("has {} domains, above the limit of {MAX}", domains.len());
        return Err(given.refuse(problem));
    }
    distinct(&domains, domain)
}

/// The domains as they are shown.
pub(super) fn show_domains(config: &Config) -> String {
    match &*config.consul_dns.domains {
        [] => quote(""),
        [one] => quote(one),
        several => list(several),
    }
}

/// TTLs by the names of services.
pub(super) fn service_ttl(given: &Given) -> Result<Vec<(String, u32)>, Refusal> {
    const MAX: usize = dns::ConsulSpec::TTLS_MAX;
    let entries = given.table()?;
    if entries.len() > MAX {
        let problem = format!("has {} entries, above the limit of {MAX}", entries.len());
        return Err(given.refuse(problem));
    }
    let mut ttls = Vec::with_capacity(entries.len());
    for (name, _, ttl) in entries {
        let read = whole_seconds(ttl, 0..=limit::POLICY_TTL_SECONDS_MAX.into());
        let ttl = read.map_err(|refusal| refusal.under(name))?;
        ttls.push((name.clone(), u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)));
    }
    ttls.sort_unstable();
    Ok(ttls)
}

/// The TTLs as TOML.
pub(super) fn show_service_ttl(config: &Config) -> String {
    let ttls = config.consul_dns.service_ttl.iter().map(|(name, ttl)| {
        let ttl = format_duration(Duration::from_secs((*ttl).into()));
        format!("{} = {}", quote(name), quote(&ttl))
    });
    match ttls.collect::<Vec<_>>() {
        ttls if ttls.is_empty() => "{}".to_owned(),
        ttls => format!("{{ {} }}", ttls.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use crate::app::config::tests::load;

    #[test]
    fn a_domain_is_one_or_several_or_none() {
        let shown = |value: &str| {
            let config = load(&format!("version = 1\nconsul.domain = {value}"), |_| ()).unwrap();
            let names = config.consul_names().map(|names| names.domains).unwrap_or_default();
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        for (value, expected) in [
            ("'consul'", "consul"),
            ("['Consul.', 'internal']", "consul internal"),
            ("''", ""),
            ("[]", ""),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
        assert_eq!(Config::default().consul_names().unwrap().domains[0].to_string(), "consul");
    }

    #[test]
    fn what_makes_no_names_is_refused_by_its_place() {
        for (text, expected) in [
            ("domain = ['a', 'a']", "`consul.domain[1]`: `a` is there twice"),
            ("domain = ['a', 'b', 'c', 'd', 'e']", "has 5 domains, above the limit of 4"),
            ("domain = 'a b'", "`consul.domain`: `a b`"),
            ("domain = ['consul', 'service.internal']", "[1]`: `service.internal` is the zone of"),
            ("domain = 'x.service.internal'", "[0]`: `x.service.internal` is the zone of"),
            ("node_name = 'bad name!'", "`consul.node_name`: `bad name!` has the character ' '"),
            ("dns.service_ttl = { web = '25h' }", "`consul.dns.service_ttl.web`: `25h` is outside"),
            ("dns.service_ttl = { web = '1ms' }", "has a fraction of a second"),
            ("dns.service_ttl = 7", "is an integer, not a table"),
            ("dns.udp_answer_limit = 9", "is outside the limits of 1 to 8"),
        ] {
            let error = load(&format!("version = 1\n[consul]\n{text}"), |_| ()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn nobody_else_is_asked_for_names_of_the_domain() {
        let zone = "version = 1\n[[forward.zones]]\nsuffix = 'ZONE'\nupstreams = ['192.0.2.53']";
        for (suffix, is_own) in [("consul", true), ("dc2.consul", true), ("consul.example", false)]
        {
            let loaded = load(&zone.replace("ZONE", suffix), |_| ());
            let said = loaded.err().unwrap_or_default();
            assert_eq!(said.contains("all names of `consul` (`consul.domain`)"), is_own, "{said}");
        }
    }
}
