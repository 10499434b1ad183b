//! Addresses of services, and targets of their checks.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::{
    http::consul::{definition::ServiceAddress, site::Host, texts::ConsulError},
    model::{Addresses, DnsName, Target, check_text},
};

/// Where a service is found: at its own address or at its node's, and at those that it names for
/// this network (`lan_ipv4`, `lan_ipv6`), which stand before one of the same family.
///
/// # Errors
/// 400 when one of them is neither an IP address nor a host name.
pub(in crate::http::consul) fn addresses(
    own: &str,
    tagged: &BTreeMap<String, ServiceAddress>,
    host: &Host,
) -> Result<Addresses, ConsulError> {
    let own = if own.is_empty() { &host.address } else { own };
    let named = |tag: &str| {
        let address = tagged.get(tag).map(|tagged| tagged.address.as_str());
        address.filter(|address| !address.is_empty()).map(ip).transpose()
    };
    let own_ip = ip(own).ok();
    let v4 = named("lan_ipv4")?.or(own_ip.filter(IpAddr::is_ipv4));
    let v6 = named("lan_ipv6")?.or(own_ip.filter(IpAddr::is_ipv6));
    let ips: Vec<IpAddr> = v4.into_iter().chain(v6).collect();
    let found = if ips.is_empty() {
        DnsName::parse_host(own).map(Addresses::Host)
    } else {
        Addresses::ips(ips)
    };
    found.map_err(|refusal| ConsulError::bad_request(format!("Invalid service address: {refusal}")))
}

/// Where a check goes, from `host:port`, and the host that was sent if that is another one. To Go
/// `:port` is one of this host.
///
/// # Errors
/// The text.
pub(super) fn target(
    text: &str,
    host: &Host,
    is_own: bool,
) -> Result<(Target, Option<Arc<str>>), String> {
    let (name, port) = text.rsplit_once(':').ok_or("missing port in address")?;
    let port = port.parse().map_err(|_| format!("invalid port \"{port}\""))?;
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let name = if name.is_empty() { "localhost" } else { name };
    let (seen, sent) = seen_from_here(name, host, is_own)?;
    Ok((Target { host: Some(seen), port: Some(port) }, sent))
}

/// The host of a check as this server reaches it, and as it was sent if that is another one. To an
/// agent `localhost` is the host that the service is on; here it is that node's address, unless the
/// node is this very host.
///
/// # Errors
/// The text, for what is no host.
pub(super) fn seen_from_here(
    name: &str,
    host: &Host,
    is_own: bool,
) -> Result<(Arc<str>, Option<Arc<str>>), String> {
    let name = check_text::host("host", name).map_err(|refusal| refusal.to_string())?;
    if is_own || !is_oneself(&name) {
        return Ok((name, None));
    }
    let sent = name.strip_suffix('.').map(Arc::from).unwrap_or(name);
    Ok((host.address.as_str().into(), Some(sent)))
}

/// Whether it is the host of whoever asks for it: an address of the loopback, or the one that
/// stands for all of a host's, in any form that resolvers read (`127.1`), or a name for one.
fn is_oneself(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
    ];
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let named = NAMES.contains(&&*name) || name == "ip6-loopback" || name.ends_with(".localhost");
    let unzoned = name.split_once('%').map_or(&*name, |(ip, _)| ip);
    let ip = unzoned.parse().ok().or_else(|| match url::Host::parse(&name) {
        Ok(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        _ => None,
    });
    let ip = ip.map(|ip: IpAddr| ip.to_canonical());
    named || ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

fn ip(text: &str) -> Result<IpAddr, ConsulError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| ConsulError::bad_request("Invalid service address"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{addresses, target};
    use crate::{
        http::consul::{definition::ServiceAddress, site::Host},
        model::Addresses,
    };

    fn host() -> Host {
        Host { name: "ip-10-0-1-6".into(), address: "10.0.1.6".into() }
    }

    #[test]
    fn a_service_is_found_at_its_own_address_or_at_its_node_s() {
        let shown = |own: &str, tagged: &[(&str, &str)]| {
            let tagged: BTreeMap<_, _> = tagged
                .iter()
                .map(|(tag, address)| {
                    let address = ServiceAddress { address: (*address).to_owned(), port: 1 };
                    ((*tag).to_owned(), address)
                })
                .collect();
            match addresses(own, &tagged, &host()) {
                Ok(Addresses::Host(name)) => name.to_string(),
                Ok(ips) => {
                    ips.as_ips().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                }
                Err(refusal) => refusal.text.into_owned(),
            }
        };
        assert_eq!(shown("", &[]), "10.0.1.6");
        assert_eq!(shown("10.0.0.5", &[]), "10.0.0.5");
        assert_eq!(shown("localhost", &[]), "localhost");
        assert_eq!(shown("Web.Example.", &[]), "web.example");
        assert_eq!(shown("10.0.0.5", &[("lan_ipv6", "fd00::5")]), "10.0.0.5 fd00::5");
        assert_eq!(shown("10.0.0.5", &[("lan_ipv4", "10.9.9.9")]), "10.9.9.9");
        assert_eq!(shown("10.0.0.5", &[("wan", "1.2.3.4")]), "10.0.0.5");
        assert_eq!(shown("web.example", &[("lan_ipv4", "10.9.9.9")]), "10.9.9.9");
        assert!(shown("a b", &[]).starts_with("Invalid service address"));
        assert!(shown("10.0.0.5", &[("lan_ipv4", "x")]).starts_with("Invalid service address"));
    }

    #[test]
    fn the_loopback_of_a_check_is_that_of_the_node() {
        let to = |text: &str, is_own: bool| {
            target(text, &host(), is_own)
                .map(|(to, _)| format!("{}:{}", to.host.unwrap(), to.port.unwrap()))
        };
        assert_eq!(to("127.0.0.1:80", false).unwrap(), "10.0.1.6:80");
        assert_eq!(to("LOCALHOST:80", false).unwrap(), "10.0.1.6:80");
        assert_eq!(to("[::1]:80", false).unwrap(), "10.0.1.6:80");
        for name in [
            "0.0.0.0",
            "[::]",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::ffff:127.0.0.1]",
            "[::1%lo]",
            "localhost.",
            "Localhost.LocalDomain",
            "ip6-localhost",
            "ip6-loopback",
            "web.localhost",
        ] {
            assert_eq!(to(&format!("{name}:80"), false).unwrap(), "10.0.1.6:80", "{name}");
        }
        for name in ["localhost.example", "mylocalhost", "128.1", "my_service"] {
            assert_eq!(to(&format!("{name}:80"), false).unwrap(), format!("{name}:80"));
        }
        assert_eq!(to(":80", true).unwrap(), "localhost:80");
        assert_eq!(to(":80", false).unwrap(), "10.0.1.6:80");
        assert_eq!(to("localhost:80", true).unwrap(), "localhost:80");
        assert_eq!(to("10.0.0.5:80", false).unwrap(), "10.0.0.5:80");
        for text in ["10.0.0.5", "10.0.0.5:x", "10.0.0.5:70000", "80", "a b:80", "ü:80"] {
            assert!(to(text, true).is_err(), "{text}");
        }
    }
}
