//! What follows from what is given.

use std::path::PathBuf;

use super::load;
use crate::{
    app::config::{Config, ConsulNode},
    dns::{self, CookieSecrets},
    http,
};

#[test]
fn what_is_left_out_follows_from_what_is_given() {
    let text = "version = 1\nserver.domain = \"Corp.Example\"\n\
                dns.listen = [\"0.0.0.0:53\", \"10.0.0.5:53\", \"[fd00::5]:53\", \"10.0.0.5:54\"]\n\
                server.zones = \"/etc/zones\"\ndns.reverse = [\"10.0.0.0/8\", \"fd00::/8\"]\n\
                health.ca_file = \"/etc/ca.pem\"\n";
    let config = load(text, |_| ()).unwrap();
    assert_eq!(config.server.domain.to_string(), "corp.example");
    assert_eq!(config.dns.hostmaster.to_string(), "hostmaster.service.corp.example");
    let [server] = config.dns.nameservers.as_slice() else { panic!("one name server") };
    assert_eq!(server.name, "ns1");
    assert_eq!(
        server.addresses,
        ["10.0.0.5".parse::<std::net::IpAddr>().unwrap(), "fd00::5".parse().unwrap()]
    );
    assert!(config.server.zones_required() && !Config::default().server.zones_required());
    assert!(config.registry_options().index_addresses);
    assert_eq!(Config::default().http_options(), http::Options::default());
    assert_eq!(config.health_options().ca_file, config.health.ca_file);
    let node = ConsulNode::of(&config.consul, &config.http.listen);
    let settings =
        dns::Settings::new(&config.dns_settings(&CookieSecrets::random().unwrap(), &node).unwrap())
            .unwrap();
    assert_eq!(settings.origin().to_string(), "service.corp.example");
    assert_eq!(config.health.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    let mailbox = load("version = 1\ndns.hostmaster = \"j.doe@example.org\"", |_| ()).unwrap();
    assert_eq!(mailbox.dns.hostmaster.to_string(), "j\\.doe.example.org");
    let shown: Vec<_> = mailbox.shown().filter(|(path, _)| *path == "dns.hostmaster").collect();
    assert_eq!(shown, [("dns.hostmaster", "\"j.doe@example.org\"".to_owned())]);
}

#[test]
fn with_a_certificate_of_its_own_it_listens_nearby_unless_told_where() {
    let ports = |text: &str| {
        let listen = load(&format!("version = 1\n{text}"), |_| ()).unwrap().dns.encrypted.listen;
        [listen.tls, listen.https, listen.quic].map(|list| {
            list.iter().map(|at| (at.ip().is_loopback(), at.port())).collect::<Vec<_>>()
        })
    };
    assert_eq!(ports(""), [vec![], vec![], vec![]]);
    let nearby = [8853, 8443, 8853].map(|port| vec![(true, port)]);
    assert_eq!(ports("tls.self_signed = true"), nearby);
    // HTTPS and QUIC may share a port, which is one of TCP and one of UDP.
    let given = "tls.self_signed = true\n[dns]\nhttps.listen = [\"[::1]:443\"]\n\
                 quic.listen = [\"[::1]:443\"]";
    assert_eq!(ports(given), [vec![], vec![(true, 443)], vec![(true, 443)]]);
}
