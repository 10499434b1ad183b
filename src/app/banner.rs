//! What a person sees when the server has started: where it is, and two lines to try.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{
    dns::Transport,
    model::{DnsName, Revision},
};

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
    pub domain: &'a DnsName,
    /// Where the registry is kept.
    pub data: String,
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
        let Self { domain, instances, revision, zones, .. } = self;
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
             \x20 zones  {zones}\n",
            version = env!("CARGO_PKG_VERSION"),
            dns = list(self.dns, ""),
            encrypted = self.encrypted(),
            forward =
                self.forward.as_ref().map(|to| format!("  forward {to}\n")).unwrap_or_default(),
            http = list(self.http, "http://"),
            data = self.data,
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
            );
        }
        text
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
        app::config::Config,
        dns::Transport,
        model::{DnsName, Revision},
    };

    #[test]
    fn its_lines_name_addresses_that_can_be_reached() {
        let (dns, http) = (["0.0.0.0:53".parse().unwrap()], ["[::]:8500".parse().unwrap()]);
        let banner = Banner {
            dns: &dns,
            encrypted: &[(Transport::Https, "127.0.0.1:8443".parse().unwrap())],
            https_path: "/dns-query",
            forward: Some("192.0.2.53 (for local networks)".into()),
            pin: Some("AAAA=".into()),
            http: &http,
            domain: &DnsName::parse("corp.internal").unwrap(),
            data: Config::default().place(),
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
        assert!(text.contains("  data   ./rollcall-data (3 instances, revision 7)"), "{text}");
    }
}
