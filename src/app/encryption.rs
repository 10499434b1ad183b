//! The certificate of the encrypted transports, as the configuration has it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{config::Config, serve::Common};
use crate::{
    dns::tls::{CertificateWatcher, self_signed},
    model::DnsName,
};

/// Reads the certificate, or makes it for `zone`, the service zone, and its name servers; nothing
/// when none is configured.
///
/// # Errors
/// When it cannot be used, or made.
pub(super) fn certificate(
    config: &Config,
    zone: &DnsName,
    common: &Common,
) -> anyhow::Result<Option<CertificateWatcher>> {
    let Common { clock, board, metrics, .. } = common;
    let (clock, board) = (clock.clone(), board.clone());
    if let Some(files) = config.tls.files() {
        let opened = CertificateWatcher::open(files, clock, board, metrics);
        return Ok(Some(opened.map_err(|error| config.certificate_mistake(&error))?));
    }
    if !config.tls.self_signed {
        return Ok(None);
    }
    let servers = config.dns.nameservers.iter().map(|server| format!("{}.{zone}", server.name));
    let names: Vec<String> = servers.chain([zone.to_string()]).collect();
    let listen = &config.dns.encrypted.listen;
    let listened = [&listen.tls, &listen.https, &listen.quic].into_iter().flatten();
    let addresses: Vec<IpAddr> = listened.map(SocketAddr::ip).collect();
    let now = Duration::from_millis(clock.wall_millis());
    let identity = self_signed(&names, &addresses, now)?;
    Ok(Some(CertificateWatcher::without_files(identity, clock, board, metrics)))
}
