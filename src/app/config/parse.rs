//! The readings that more than one key needs, or that are longer than a line.

use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use ipnet::IpNet;

use super::{
    given::{Given, Refusal},
    settings::NameServer,
};
use crate::model::{DnsName, limit};

/// The domain above `service`.
pub(super) fn domain(given: &Given) -> Result<DnsName, Refusal> {
    let domain = DnsName::parse_host(given.text()?).map_err(|invalid| given.refused_as(invalid))?;
    let octets = domain.as_wire().len();
    if octets == 1 {
        return Err(given.refuse("is the root; give a domain such as `internal`"));
    }
    if octets > limit::DOMAIN_OCTETS_MAX {
        let limit = limit::DOMAIN_OCTETS_MAX;
        return Err(given.refuse(format!(
            "has {octets} octets on the wire, above the limit of {limit}, with which every \
             instance below it still has a name"
        )));
    }
    Ok(domain)
}

/// The mailbox of the SOA record: `name@domain`, or the form of the record itself, in which the
/// first dot stands for the at sign (RFC 1035 §3.3.13 and §8).
pub(super) fn mailbox(given: &Given) -> Result<DnsName, Refusal> {
    let text = given.text()?;
    let Some((user, domain)) = text.split_once('@') else {
        return DnsName::parse(text).map_err(|invalid| given.refused_as(invalid));
    };
    let domain = DnsName::parse_host(domain).map_err(|invalid| given.refused_as(invalid))?;
    if !(1..=limit::LABEL_OCTETS_MAX).contains(&user.len()) {
        return Err(given.refuse("has no 1 to 63 characters before the `@`"));
    }
    // The part before the at sign is one label, whatever dots it has.
    domain.child(user).map_err(|_| given.refuse("is too long for a name"))
}

/// A name as the mailbox that [`mailbox`] reads it from.
pub(super) fn mailbox_text(name: &DnsName) -> String {
    let user = name.labels().next().unwrap_or_default();
    let domain = name.as_wire().get(1 + user.len()..).map(DnsName::from_wire);
    match domain {
        Some(Ok(domain)) => format!("{}@{domain}", String::from_utf8_lossy(user)),
        // The root has no first label.
        _ => name.to_string(),
    }
}

/// Addresses to listen on, each once.
pub(super) fn listen(given: &Given) -> Result<Vec<SocketAddr>, Refusal> {
    listen_at_least(1, given)
}

/// The same where there need be none.
pub(super) fn listen_if_any(given: &Given) -> Result<Vec<SocketAddr>, Refusal> {
    listen_at_least(0, given)
}

fn listen_at_least(least: usize, given: &Given) -> Result<Vec<SocketAddr>, Refusal> {
    let list = given.list()?;
    let limit = limit::LISTEN_ADDRESSES_MAX;
    if !(least..=limit).contains(&list.len()) {
        let count = list.len();
        return Err(given
            .refuse(format!("has {count} addresses, outside the limits of {least} to {limit}")));
    }
    distinct(&list, |item| {
        item.text()?.parse().map_err(|_| {
            item.refuse("is no address with a port, as in `127.0.0.1:8600` or `[::1]:8600`")
        })
    })
}

/// The path of a URL, without anything behind it.
pub(super) fn url_path(given: &Given) -> Result<String, Refusal> {
    let path = given.text()?;
    if !path.starts_with('/') {
        return Err(given.refuse("is no path, which begins with `/`, as in `/dns-query`"));
    }
    let is_wrong = |c: &char| !c.is_ascii_alphanumeric() && !"/-._~".contains(*c);
    if let Some(wrong) = path.chars().find(is_wrong) {
        let legal = "a path here has letters, digits and `/-._~`";
        return Err(given.refuse(format!("has the character {wrong:?}; {legal}")));
    }
    Ok(path.to_owned())
}

/// Networks whose reverse zones are answered, each once.
pub(super) fn networks(given: &Given) -> Result<Vec<IpNet>, Refusal> {
    let list = given.list()?;
    if list.len() > limit::REVERSE_NETWORKS_MAX {
        let limit = limit::REVERSE_NETWORKS_MAX;
        return Err(
            given.refuse(format!("has {} networks, above the limit of {limit}", list.len()))
        );
    }
    distinct(&list, |item| {
        let network = network(item)?;
        // Each is one zone or several, of whole labels (RFC 1035 §3.5, RFC 3596 §2.5).
        let longest = if network.addr().is_ipv4() { 24 } else { 124 };
        if !(1..=longest).contains(&network.prefix_len()) {
            let problem = format!("has a prefix outside the limits of /1 to /{longest}");
            return Err(item.refuse(problem));
        }
        Ok(network)
    })
}

/// A network, without bits behind its prefix.
pub(super) fn network(item: &Given) -> Result<IpNet, Refusal> {
    let text = item.text()?;
    let network: IpNet = text.parse().map_err(|_| {
        let limit = text.split_once('/').and_then(|(address, prefix)| {
            let is_number = !prefix.is_empty() && prefix.bytes().all(|c| c.is_ascii_digit());
            let address = address.parse::<IpAddr>().ok().filter(|_| is_number)?;
            Some(if address.is_ipv4() { 32 } else { 128 })
        });
        match limit {
            Some(limit) => item.refuse(format!("has a prefix above the limit of /{limit}")),
            None => item.refuse("is no network, as in `10.0.0.0/8` or `fd00::/8`"),
        }
    })?;
    if network != network.trunc() {
        let trunc = network.trunc();
        return Err(item.refuse(format!("has bits behind its prefix; `{trunc}` is meant")));
    }
    Ok(network)
}

/// The refusal of an entry that a table has not.
pub(super) fn unknown_entry(
    given: &Given,
    key: &str,
    span: &Range<usize>,
    problem: &str,
) -> Refusal {
    let mut refusal = given.refuse(problem);
    refusal.invalid.value = key.to_owned();
    refusal.span = span.clone();
    refusal
}

/// The name servers of the zone, each name once.
pub(super) fn nameservers(given: &Given) -> Result<Vec<NameServer>, Refusal> {
    const MAX: usize = 9; // ns1 to ns9, the names that no service may have
    let list = given.list()?;
    if list.is_empty() || list.len() > MAX {
        let problem = format!("has {} name servers, outside the limits of 1 to {MAX}", list.len());
        return Err(given.refuse(problem));
    }
    let mut servers: Vec<NameServer> = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let server = nameserver(item).map_err(|refusal| refusal.under(format!("[{index}]")))?;
        if servers.iter().any(|earlier| earlier.name == server.name) {
            let problem = format!("has the name `{}`, which is there twice", server.name);
            return Err(item.refuse(problem).under(format!("[{index}]")));
        }
        servers.push(server);
    }
    servers.sort_by(|left, right| left.name.cmp(&right.name));
    let gap = servers.iter().zip(1..).find(|(server, n)| server.name != format!("ns{n}"));
    if let Some((server, missing)) = gap {
        let problem = format!("has `{}` but not `ns{missing}`", server.name);
        return Err(given.refuse(problem));
    }
    Ok(servers)
}

fn nameserver(given: &Given) -> Result<NameServer, Refusal> {
    let mut name = None;
    let mut addresses = None;
    for (key, span, value) in given.table()? {
        match key.as_str() {
            "name" => name = Some(nameserver_name(value).map_err(|r| r.under("name"))?),
            "addresses" => {
                addresses = Some(ip_addresses(value).map_err(|r| r.under("addresses"))?);
            }
            _ => {
                let known = "is not known; a name server has `name` and `addresses`";
                return Err(unknown_entry(given, key, span, known));
            }
        }
    }
    match (name, addresses) {
        (Some(name), Some(addresses)) => Ok(NameServer { name, addresses }),
        (None, _) => Err(given.refuse("has no `name`")),
        (_, None) => Err(given.refuse("has no `addresses`")),
    }
}

fn nameserver_name(given: &Given) -> Result<String, Refusal> {
    let name = given.text()?.to_ascii_lowercase();
    match name.as_bytes() {
        [b'n', b's', b'1'..=b'9'] => Ok(name),
        _ => Err(given.refuse("is none of the names that are kept for name servers, ns1 to ns9")),
    }
}

fn ip_addresses(given: &Given) -> Result<Vec<IpAddr>, Refusal> {
    let list = given.list()?;
    if list.is_empty() || list.len() > limit::INSTANCE_ADDRESSES_MAX {
        let limit = limit::INSTANCE_ADDRESSES_MAX;
        let count = list.len();
        return Err(
            given.refuse(format!("has {count} addresses, outside the limits of 1 to {limit}"))
        );
    }
    distinct(&list, |item| {
        let ip: IpAddr = item.text()?.parse().map_err(|_| item.refuse("is no IP address"))?;
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(item.refuse("is no address of a host"));
        }
        Ok(ip)
    })
}

/// Text that is told to clients, of at most so many octets; empty for none.
pub(super) fn told(given: &Given, octets_max: usize) -> Result<String, Refusal> {
    let text = given.optional_text()?.unwrap_or_default();
    if text.len() > octets_max {
        let problem = format!("has {} octets, above the limit of {octets_max}", text.len());
        return Err(given.refuse(problem));
    }
    Ok(text.to_owned())
}

/// Reads each item, and refuses what is there twice.
pub(super) fn distinct<T: PartialEq>(
    list: &[Given],
    read: impl Fn(&Given) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let mut values = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let value = read(item).map_err(|refusal| refusal.under(format!("[{index}]")))?;
        if values.contains(&value) {
            return Err(item.refuse("is there twice").under(format!("[{index}]")));
        }
        values.push(value);
    }
    Ok(values)
}
