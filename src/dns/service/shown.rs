//! Who may see a service or a node: whoever may see it by all of its names.
//!
//! A service is asked for in the native zone and in each of Consul's domains, there with the
//! datacenter and without. A rule for one of these names is about what stands behind it, so it
//! holds for all: else who is refused `web.service.internal` would ask for `web.service.consul`.

use std::net::IpAddr;

use super::{
    Consul, ConsulSpec, consul,
    name::{Meaning, meaning},
};
use crate::{
    dns::{
        guard::{AccessRule, Visitor},
        settings::Settings,
    },
    model::DnsName,
};

impl Settings {
    /// Whether a client may see a service.
    #[inline]
    pub(in crate::dns) fn shows_service(&self, client: IpAddr, service: &str) -> bool {
        self.access.is_open() || self.shows_service_by_all_names(client, service)
    }

    #[inline(never)]
    fn shows_service_by_all_names(&self, client: IpAddr, service: &str) -> bool {
        let visitor = Visitor::new(&self.access, client);
        // A service's name is a label.
        let length = u8::try_from(service.len()).unwrap_or_default();
        let front = [&[length], service.as_bytes()];
        self.service_zones().all(|zone| visitor.may_see_below(front, zone.as_wire()))
    }

    /// Whether a client may see a node of Consul's, by its labels.
    pub(in crate::dns) fn shows_node(&self, client: IpAddr, labels: &[u8]) -> bool {
        let visitor = Visitor::new(&self.access, client);
        let mut zones = self.consul.iter().flat_map(Consul::node_zones);
        self.access.is_open() || zones.all(|zone| visitor.may_see_below([labels], zone.as_wire()))
    }
}

impl AccessRule {
    /// What the rule should be about, if its zone is some of the names by which a service is asked
    /// for, and neither all of one form nor those of all services: `web.service.internal` for
    /// `_web._tcp` and `v1.web` in front of it. `services` is the native zone.
    pub fn zone_meant(&self, services: &DnsName, consul: Option<&ConsulSpec>) -> Option<DnsName> {
        use Meaning::{
            Apex, BrowseDomain, BrowseParent, Browsed, Instance, InstanceParent, Nothing,
            ProtocolParent, Rfc2782, Service, ServiceTypes, Subtype, SubtypeParent, Tagged,
            TaggedAll,
        };
        let service = match meaning(self.zone.as_wire(), services.as_wire()) {
            Some(Apex | Service(_) | Nothing) => return None,
            Some(BrowseDomain | BrowseParent | ProtocolParent(_) | ServiceTypes) => {
                return Some(services.clone());
            }
            Some(
                Browsed { service, .. }
                | Instance { service, .. }
                | InstanceParent(service)
                | Rfc2782 { service, .. }
                | Subtype { service, .. }
                | SubtypeParent(service)
                | Tagged { service, .. }
                | TaggedAll { service, .. },
            ) => service,
            None => {
                // What is wrong with the names is told where they are prepared.
                let consul = Consul::new(consul?, &[]).ok()??;
                return consul::zone_meant(&consul, &self.zone);
            }
        };
        services.child(service).ok()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        dns::{AccessRule, ConsulSpec},
        model::DnsName,
    };

    #[test]
    fn a_rule_is_for_all_services_or_for_one_as_a_whole() {
        let name = |text: &str| DnsName::parse(text).unwrap();
        let domains = vec![name("consul"), name("internal")];
        let consul = ConsulSpec { domains, ..ConsulSpec::new(name("consul")) };
        for (zone, meant) in [
            ("internal", None),
            ("service.internal", None),
            ("web.service.internal", None),
            ("_web._tcp.service.internal", Some("web.service.internal")),
            ("_v1._sub._web._tcp.service.internal", Some("web.service.internal")),
            ("v1.web.service.internal", Some("web.service.internal")),
            ("v1.v2.web.service.internal", Some("web.service.internal")),
            ("web-1.instance.web.service.internal", Some("web.service.internal")),
            ("instance.web.service.internal", Some("web.service.internal")),
            ("_tcp.service.internal", Some("service.internal")),
            ("_dns-sd._udp.service.internal", Some("service.internal")),
            ("_services._dns-sd._udp.service.internal", Some("service.internal")),
            ("consul", None),
            ("dc1.consul", None),
            ("service.consul", None),
            ("service.dc1.dc.consul", None),
            ("web.service.consul", None),
            ("web.service.dc1.consul", None),
            ("v1.web.service.consul", Some("web.service.consul")),
            ("v1.2.web.service.dc1.consul", Some("web.service.consul")),
            ("v1.web.service.dc1.internal", Some("web.service.internal")),
            ("_web._tcp.service.consul", Some("web.service.consul")),
            ("_web._v1.service.consul", Some("web.service.consul")),
            ("_web._tcp.consul", Some("web.service.consul")),
            ("_tcp.consul", Some("service.consul")),
            ("_tcp.service.consul", Some("service.consul")),
            ("my_service.service.consul", Some("my-service-cf3d5dd8.service.consul")),
            ("node.consul", None),
            ("a.node.consul", None),
            ("a.b.node.dc1.consul", None),
            ("0a000001.addr.consul", None),
            ("web.service.dc2.consul", None),
            ("web.example", None),
        ] {
            let (allow, deny) = (vec!["10.0.0.0/8".parse().unwrap()], Vec::new());
            let rule = AccessRule { zone: name(zone), allow, deny };
            let found = rule.zone_meant(&name("service.internal"), Some(&consul));
            assert_eq!(found.map(|zone| zone.to_string()).as_deref(), meant, "{zone}");
        }
    }
}
