//! What came by another interface, as Consul's clients see it: on this server's own node, with its
//! own address, and under an id that is made of its names.
//!
//! An id is that of one thing on its node. Instances of the native interface have names that are
//! unique within their service, Eureka's ids are so within an application, and Consul's clients
//! call theirs what they like; so an id says what it is unique in, and if somebody has it already,
//! by which interface it came, too.

use std::{net::IpAddr, sync::Arc};

use super::{
    definition::ServiceAddress,
    kept::{Kept, KeptCheck},
    site::Host,
    world::World,
};
use crate::{
    model::{Instance, Interface, Scope},
    registry::Member,
};

/// What stands before an id that another one has already.
const NATIVE: &str = "native:";
const EUREKA: &str = "eureka:";

/// Whether an instance came by another interface than Consul's.
pub(super) fn is_foreign(instance: &Instance) -> bool {
    instance.origin.as_ref().is_none_or(|origin| origin.scope.interface != Interface::Consul)
}

impl<'w> World<'w> {
    /// The id under which it is shown.
    pub(super) fn foreign_id(self, instance: &Instance) -> String {
        let mut id = made_id(instance);
        let door = if instance.origin.is_some() { EUREKA } else { NATIVE };
        while self.is_taken(&id, instance) {
            id.insert_str(0, door);
        }
        id
    }

    /// What is shown under that id.
    pub(super) fn foreign(self, id: &str) -> Option<&'w Arc<Member>> {
        let mut made = id;
        loop {
            let is_it = |member: &&Arc<Member>| self.foreign_id(&member.instance) == id;
            if let Some(found) = self.made_of(made).find(is_it) {
                return Some(found);
            }
            made = [NATIVE, EUREKA].iter().find_map(|door| made.strip_prefix(door))?;
        }
    }

    /// The check of that id, and its place among the checks of what is shown here.
    pub(super) fn foreign_check(self, id: &str) -> Option<(&'w Arc<Member>, usize)> {
        let own = id.strip_prefix("service:")?;
        let numbered = own.rsplit_once(':').map(|(service, _)| service);
        [Some(own), numbered].into_iter().flatten().find_map(|service| {
            let member = self.foreign(service)?;
            let count = member.instance.checks.len();
            let made = |at: &usize| KeptCheck::default().id(service, at + 1, count) == id;
            Some((member, (0..count).find(made)?))
        })
    }

    /// What a client of Consul's would have sent for it.
    pub(super) fn kept_of_foreign(self, instance: &Instance) -> Kept {
        let Host { name: node, address: node_address } = self.options.own_host();
        let pairs = instance.meta.pairs().iter();
        let ips = instance.addresses.as_ips();
        let address = match (instance.addresses.host(), ips.first()) {
            (Some(host), _) => host.to_string(),
            (None, first) => first.map(ToString::to_string).unwrap_or_default(),
        };
        // The first is shown for its own family without being named.
        let other = ips.iter().find(|ip| ip.is_ipv4() != ips[0].is_ipv4());
        let named = other.into_iter().flat_map(|ip| {
            let tags = match ip {
                IpAddr::V4(_) => ["lan_ipv4", "wan_ipv4"],
                IpAddr::V6(_) => ["lan_ipv6", "wan_ipv6"],
            };
            let port = instance.port.into();
            tags.map(|tag| (tag.to_owned(), ServiceAddress { address: ip.to_string(), port }))
        });
        Kept {
            node,
            node_address,
            name: service_name(instance),
            tags: instance.tags.iter().map(ToString::to_string).collect(),
            address,
            tagged_addresses: named.collect(),
            meta: pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            checks: instance.checks.iter().map(|_| KeptCheck::default()).collect(),
            ..Kept::default()
        }
    }

    /// Whether something else is called so: by Consul's clients, or by names that come first.
    fn is_taken(self, id: &str, instance: &Instance) -> bool {
        let own = self.options.own_host().scope();
        self.snapshot.origins.get(&own, id).is_some() || {
            let mut others = self.made_of(id);
            others.next().is_some_and(|first| first.instance.key() != instance.key())
        }
    }

    /// What has an id that is made so; of several the first one has it.
    fn made_of(self, id: &str) -> impl Iterator<Item = &'w Arc<Member>> {
        let native = |service: &str, instance: &str| {
            let member = self.snapshot.service(service)?.member(instance)?;
            member.instance.origin.is_none().then_some(member)
        };
        let eureka = |application: &str, id: &str| {
            let found = self.snapshot.origins.get(&Scope::application(application), id)?;
            self.snapshot.member_like(found)
        };
        let numbered = id.rsplit_once('-').and_then(|(service, _)| native(service, id));
        let named = id.split_once(':').and_then(|(service, instance)| native(service, instance));
        let natives = numbered.into_iter().chain(named);
        let itself = id.split(':').nth(1).and_then(|application| eureka(application, id));
        let of_application =
            id.match_indices(':').filter_map(move |(at, _)| eureka(&id[..at], &id[at + 1..]));
        let all = natives.chain(itself).chain(of_application);
        all.filter(move |member| made_id(&member.instance) == id).collect::<Vec<_>>().into_iter()
    }
}

/// The id that its names make. `payment-1` of the service `payment` is itself, as is
/// `host:payment:8080` of the application `PAYMENT`; what does not say by its own name what it is
/// unique in has that before it.
fn made_id(instance: &Instance) -> String {
    let Some(origin) = &instance.origin else {
        let (service, id) = (instance.service.as_str(), instance.id.as_str());
        let numbered =
            id.rsplit_once('-').is_some_and(|(own, number)| own == service && !number.is_empty());
        return if numbered { id.to_owned() } else { format!("{service}:{id}") };
    };
    let (application, id) = (&*origin.scope.name, &*origin.id);
    let mut parts = id.split(':').skip(1);
    let named = parts.next().is_some_and(|part| part.to_uppercase() == application);
    if named && parts.count() == 1 { id.to_owned() } else { format!("{application}:{id}") }
}

/// What the service of an instance of another interface is called. Names have no case there, and
/// are in lower case where they are names of DNS.
pub(super) fn service_name(instance: &Instance) -> String {
    let elsewhere = instance.service_elsewhere();
    elsewhere.map_or_else(|| instance.service.to_string(), str::to_lowercase)
}

#[cfg(test)]
mod tests;
