//! What a person sees when the server has started: where it is, and two lines to try.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{app::config::Config, dns::Transport, model::Revision};

/// What there is to say.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub dns: &'a [SocketAddr],
    pub encrypted: &'a [(Transport, SocketAddr)],
    /// Who is asked for other names; nothing when nobody is.
    pub forward: Option<String>,
    pub https_path: &'a str,
    /// The pin of the certificate's key.
    pub pin: Option<String>,
    pub http: &'a [SocketAddr],
    /// Has the domain, and where the registry is kept.
    pub config: &'a Config,
    pub instances: usize,
    pub revision: Revision,
    pub zones: String,
}

// === impl Banner ===

impl Banner<'_> {
    /// Prints it to standard output; the log has the same in its own form.
    pub(super) fn print(&self) {
        // A closed standard output is no reason not to serve.
        let _closed = std::io::stdout().write_all(self.text().as_bytes());
    }

    fn text(&self) -> String {
        let Self { config, instances, revision, zones, .. } = self;
        let list = |addresses: &[SocketAddr], before: &str| {
            let shown: Vec<_> = addresses.iter().map(|a| format!("{before}{a}")).collect();
            shown.join(" ")
        };
        let mut text = format!(
            "rollcall {version}\n\
             \x20 dns    {dns} (udp and tcp)\n\
             {encrypted}\
             {forward}\
             \x20 http   {http}\n\
             \x20 data   {data} ({instances} instances, revision {revision})\n\
             {empty}\
             \x20 zones  {zones}\n",
            empty = self.empty(),
            version = env!("CARGO_PKG_VERSION"),
            dns = list(self.dns, ""),
            encrypted = self.encrypted(),
            forward =
                self.forward.as_ref().map(|to| format!("  forward {to}\n")).unwrap_or_default(),
            http = list(self.http, "http://"),
            data = config.place(),
        );
        if let (Some(dns), Some(http)) = (self.dns.first(), self.http.first()) {
            let (dns, http) = (reachable(*dns), reachable(*http));
            // Writing to a String cannot fail.
            let _infallible = write!(
                text,
                "Register something, then ask for it:\n\
                 \x20 curl -X PUT http://{http}/api/v1/services/web/instances/web-1 -d '{{\"port\": 8080}}'\n\
                 \x20 dig @{ip} -p {port} web.service.{domain}\n",
                ip = dns.ip(),
                port = dns.port(),
                domain = config.server.domain,
            );
        }
        text
    }
}

/// What is said of a shared registry that is empty.
impl Banner<'_> {
    /// A prefix that is mistyped is as good as any other one, and has nothing in it.
    fn empty(&self) -> String {
        if self.instances > 0 || !self.config.is_shared() {
            return String::new();
        }
        format!(
            "         nothing is registered below `{prefix}` yet; if it should be, is that the \
             right prefix?\n",
            prefix = self.config.store.etcd.prefix
        )
    }
}

/// The lines of the encrypted transports.
impl Banner<'_> {
    fn encrypted(&self) -> String {
        let mut text = String::new();
        for (transport, address) in self.encrypted {
            let (before, behind) = match transport {
                Transport::Https => ("https://", self.https_path),
                _ => ("", ""),
            };
            // Writing to a String cannot fail.
            let name = transport.as_str();
            let _infallible = writeln!(text, "  {name:<6} {before}{address}{behind}");
        }
        if let Some(pin) = self.pin.as_ref().filter(|_| !self.encrypted.is_empty()) {
            let _infallible = writeln!(text, "  pin    sha256//{pin}");
        }
        text
    }
}

/// The address under which a listener is reached from this machine: loopback for a wildcard.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::Banner;
    use crate::{
        app::config::{Config, StoreKind},
        dns::Transport,
        model::{DnsName, Revision},
    };

    #[test]
    fn its_lines_name_addresses_that_can_be_reached() {
        let (dns, http) = (["0.0.0.0:53".parse().unwrap()], ["[::]:8500".parse().unwrap()]);
        let mut config = Config::default();
        config.server.domain = DnsName::parse("corp.internal").unwrap();
        let banner = Banner {
            dns: &dns,
            encrypted: &[(Transport::Https, "127.0.0.1:8443".parse().unwrap())],
            https_path: "/dns-query",
            forward: Some("192.0.2.53 (for local networks)".into()),
            pin: Some("AAAA=".into()),
            http: &http,
            config: &config,
            instances: 3,
            revision: Revision(7),
            zones: "none".into(),
        };
        let text = banner.text();
        assert!(text.contains("dig @127.0.0.1 -p 53 web.service.corp.internal"), "{text}");
        assert!(text.contains("http://[::1]:8500/api/v1/services/web/instances/web-1"), "{text}");
        assert!(text.contains("\n  https  https://127.0.0.1:8443/dns-query\n"), "{text}");
        assert!(text.contains("\n  forward 192.0.2.53 (for local networks)\n"), "{text}");
        assert!(text.contains("\n  pin    sha256//AAAA=\n"), "{text}");
        assert!(text.contains("  data   ./rollcall-data (3 instances, revision 7)\n  z"), "{text}");
        let mut config = config.clone();
        (config.store.kind, config.store.etcd.prefix) = (StoreKind::Etcd, "/rolcall".into());
        let text = Banner { config: &config, instances: 0, ..banner }.text();
        let told = "\n         nothing is registered below `/rolcall` yet; if it should be, ";
        assert!(text.contains(told), "{text}");
    }
}
