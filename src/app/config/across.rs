//! What spans several keys, each right by itself.

mod store;

use std::net::SocketAddr;

pub(super) use self::store::unread;
use super::Config;
use crate::dns::{
    AccessRule,
    forward::{UpstreamSpec, is_own},
};

/// A mistake between two keys: it is shown at the first of them that somebody has set.
#[derive(Debug)]
pub(super) struct Clash {
    pub paths: [&'static str; 2],
    /// Which item of the first key's list it is about, if it is one.
    pub index: Option<usize>,
    pub message: String,
}

/// The addresses of one key, and which kinds of sockets are bound to them.
struct Listening<'a> {
    path: &'static str,
    addresses: &'a [SocketAddr],
    tcp: bool,
    udp: bool,
}

/// All mistakes; `is_set` says whether somebody has set a key.
pub(super) fn clashes(config: &Config, is_set: impl Fn(&str) -> bool) -> Vec<Clash> {
    let mut clashes = shared_addresses(config);
    let encrypted = &config.dns.encrypted;
    for (per_client, all, table) in [
        (
            "dns.tcp_connections_per_client_max",
            "dns.tcp_connections_max",
            (config.dns.tcp_connections_per_client_max, config.dns.tcp_connections_max),
        ),
        (
            "dns.encrypted.connections_per_client_max",
            "dns.encrypted.connections_max",
            (encrypted.connections_per_client_max, encrypted.connections_max),
        ),
    ] {
        let (one, total) = table;
        if one > total && is_set(per_client) {
            let name = all.rsplit('.').next().unwrap_or(all);
            let message = format!("`{per_client}`: `{one}` is above `{name}`, {total}");
            clashes.push(Clash { paths: [per_client; 2], index: None, message });
        }
    }
    clashes.extend(certificate(config));
    clashes.extend(own_upstream(config));
    clashes.extend(own_zone(config));
    clashes.extend(double_zone(config));
    clashes.extend(half_a_service(config));
    clashes.extend(store::clashes(config, is_set));
    clashes
}

fn shared_addresses(config: &Config) -> Vec<Clash> {
    let dns = Listening { path: "dns.listen", addresses: &config.dns.listen, tcp: true, udp: true };
    let http =
        Listening { path: "http.listen", addresses: &config.http.listen, tcp: true, udp: false };
    let mut all = vec![dns];
    all.extend(config.dns.encrypted.lists().map(|(path, addresses)| {
        let udp = path == "dns.quic.listen";
        Listening { path, addresses, tcp: !udp, udp }
    }));
    all.push(http);
    let mut clashes = Vec::new();
    for (index, later) in all.iter().enumerate() {
        for earlier in &all[..index] {
            let collide = (later.tcp && earlier.tcp) || (later.udp && earlier.udp);
            let is_taken =
                |at: &SocketAddr| at.port() != 0 && collide && earlier.addresses.contains(at);
            if let Some((index, address)) = first(later.addresses, is_taken) {
                let (path, other) = (later.path, earlier.path);
                let message = format!("`{path}`: `{address}` is an address of `{other}` too");
                clashes.push(Clash { paths: [path, other], index: Some(index), message });
            }
        }
    }
    clashes
}

/// An upstream that is this server.
fn own_upstream(config: &Config) -> Option<Clash> {
    let listen = &config.dns.listen;
    let own = |upstreams: &[UpstreamSpec]| {
        upstreams.iter().copied().find(|upstream| is_own(listen, upstream.address))
    };
    let upstreams = &config.forward.upstreams;
    let (path, index, upstream) = match first(upstreams, |it| is_own(listen, it.address)) {
        Some((index, upstream)) => ("forward.upstreams", index, *upstream),
        None => {
            let mut zones = config.forward.zones.iter().enumerate();
            let found = zones.find_map(|(index, zone)| Some((index, own(&zone.upstreams)?)))?;
            ("forward.zones", found.0, found.1)
        }
    };
    let message = format!(
        "`{path}[{index}]`: `{upstream}` is where this server itself listens (`dns.listen`), \
         which would ask itself forever; name another server"
    );
    Some(Clash { paths: [path; 2], index: Some(index), message })
}

/// A zone to be forwarded whose names are those of services.
fn own_zone(config: &Config) -> Option<Clash> {
    let mut zones = config.own_zones();
    let (own, key, index, zone) = zones.find_map(|(own, key)| {
        let (index, zone) = first(&config.forward.zones, |zone| zone.suffix.is_within(&own))?;
        Some((own, key, index, zone))
    })?;
    let way_out = match key {
        "consul.domain" => "leave it out, or name another domain there (\"\" for none)",
        _ => "leave it out",
    };
    let message = format!(
        "`forward.zones[{index}]`: nobody is asked for `{}`, as this server answers all names of \
         `{own}` (`{key}`); {way_out}",
        zone.suffix
    );
    Some(Clash { paths: ["forward.zones", key], index: Some(index), message })
}

/// A domain of Consul's names in which the native names of services are.
fn double_zone(config: &Config) -> Option<Clash> {
    let services = config.service_zone();
    let (index, domain) = first(&config.consul_dns.domains, |domain| domain.is_within(&services))?;
    let message = format!(
        "`consul.domain[{index}]`: `{domain}` is the zone of the services or in it, where names \
         are native ones; name another domain, such as `consul`"
    );
    Some(Clash { paths: ["consul.domain", "server.domain"], index: Some(index), message })
}

/// A rule for some of the names that a service has.
fn half_a_service(config: &Config) -> Option<Clash> {
    let (services, consul) = (config.service_zone(), config.consul_names());
    let meant = |rule: &AccessRule| rule.zone_meant(&services, consul.as_ref());
    let mut rules = config.dns.access.iter().enumerate();
    let found = rules.find_map(|(index, rule)| Some((index, rule, meant(rule)?)));
    let (index, rule, meant) = found?;
    let message = format!(
        "`dns.access[{index}]`: `{}` is not all that its services are asked for by; write \
         `{meant}`",
        rule.zone
    );
    Some(Clash { paths: ["dns.access"; 2], index: Some(index), message })
}

/// The first of which that is true, and where it stands in the list.
fn first<T>(list: &[T], is_meant: impl Fn(&T) -> bool) -> Option<(usize, &T)> {
    list.iter().enumerate().find(|(_, item)| is_meant(item))
}

/// Whether there is one certificate when there has to be.
fn certificate(config: &Config) -> Option<Clash> {
    let tls = &config.tls;
    let clash = |path, message: String| Some(Clash { paths: [path; 2], index: None, message });
    match (&tls.certificate, &tls.key, tls.self_signed) {
        (Some(_), None, _) => clash(
            "tls.certificate",
            "`tls.certificate` is given without `tls.key`, the file of its private key".into(),
        ),
        (None, Some(_), _) => clash(
            "tls.key",
            "`tls.key` is given without `tls.certificate`, the file of its certificate".into(),
        ),
        (Some(_), Some(_), true) => clash(
            "tls.self_signed",
            "`tls.self_signed` is given beside `tls.certificate`; leave one of them out".into(),
        ),
        (None, None, false) => {
            let lists = config.dns.encrypted.lists();
            let (path, _) = lists.into_iter().find(|(_, addresses)| !addresses.is_empty())?;
            let way_out = "give both, or `tls.self_signed` to try it out";
            clash(path, format!("`{path}` needs `tls.certificate` and `tls.key`; {way_out}"))
        }
        _ => None,
    }
}
