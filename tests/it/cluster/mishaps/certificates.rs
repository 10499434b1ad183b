//! Certificates of etcd that run out while servers run.

use super::Servers;
use crate::support::{authority::Authority, etcd::Etcd};

#[test]
fn a_certificate_that_has_run_out_is_told_until_it_is_renewed() {
    let authority = Authority::new();
    let mut etcd = Etcd::builder().tls(&authority, authority.issue("etcd", 2040)).start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("authority.pem"), &authority.pem).unwrap();
    authority.issue("rollcall", 2040).write(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "[store]\nca_file = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
        path("authority.pem"),
        path("certificate.pem"),
        path("key.pem"),
    );
    let servers = Servers::configured(&etcd, &config, |builder| builder);

    // Connections that are open are not asked again.
    etcd.renew(&authority.issue("etcd", 2021));
    etcd.kill(0);
    etcd.start(0);
    servers.all_note("etcd", &["since 20", "certificate", "2021-01-01"]);
    servers.all_refuse(503, "store-unreachable");

    etcd.renew(&authority.issue("etcd", 2040));
    servers.end_well(&["etcd", "store"]);
}
