//! Who may and who may not: networks of clients, and the rules that name them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    given::{Given, Refusal},
    parse::{distinct, network, unknown_entry},
};
use crate::{dns::AccessRule, model::DnsName};

/// Networks of clients, each once; an address alone is a network of one.
pub(super) fn networks(given: &Given) -> Result<Vec<IpNet>, Refusal> {
    let list = given.list()?;
    if list.len() > AccessRule::NETWORKS_MAX {
        let limit = AccessRule::NETWORKS_MAX;
        let problem = format!("has {} networks, above the limit of {limit}", list.len());
        return Err(given.refuse(problem));
    }
    distinct(&list, |item| {
        let network = match item.text()?.parse::<IpAddr>() {
            Ok(address) => address.into(),
            Err(_) => network(item)?,
        };
        if let IpNet::V6(mapped) = network
            && let Some(address) = mapped.addr().to_ipv4_mapped()
            && mapped.prefix_len() > 0
        {
            let problem = format!("is never seen: write it as one of IPv4, as in `{address}`");
            return Err(item.refuse(problem));
        }
        Ok(network)
    })
}

/// Who may ask for which zone, each zone once.
pub(super) fn access(given: &Given) -> Result<Vec<AccessRule>, Refusal> {
    let mut rules: Vec<AccessRule> = Vec::new();
    for (index, item) in given.list()?.iter().enumerate() {
        let rule = access_rule(item).and_then(|rule| {
            // What is wrong with them together is for the DNS side to say.
            let refused = |invalid| Refusal { span: item.span.clone(), invalid };
            rule.check(&rules).map_err(refused).map(|()| rule)
        });
        rules.push(rule.map_err(|refusal| refusal.under(format!("[{index}]")))?);
    }
    Ok(rules)
}

fn access_rule(given: &Given) -> Result<AccessRule, Refusal> {
    let (mut zone, mut allow, mut deny) = (None, Vec::new(), Vec::new());
    for (key, span, value) in given.table()? {
        match key.as_str() {
            "zone" => zone = Some(zone_name(value).map_err(|r| r.under("zone"))?),
            "allow" => allow = networks(value).map_err(|r| r.under("allow"))?,
            "deny" => deny = networks(value).map_err(|r| r.under("deny"))?,
            _ => {
                let known = "is not known; a rule has `zone`, `allow` and `deny`";
                return Err(unknown_entry(given, key, span, known));
            }
        }
    }
    let zone = zone.ok_or_else(|| given.refuse("has no `zone`; `.` is everything"))?;
    Ok(AccessRule { zone, allow, deny })
}

fn zone_name(given: &Given) -> Result<DnsName, Refusal> {
    DnsName::parse(given.text()?).map_err(|invalid| given.refused_as(invalid))
}
