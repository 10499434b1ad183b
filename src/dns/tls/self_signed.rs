//! A certificate to try things out with: made at the start, signed by itself, written nowhere.
//!
//! In a file it would be a secret to guard, and something that comes to be relied on; as it is,
//! its pin is another after each start, and whoever wants more gets a certificate.

use std::{net::IpAddr, sync::Arc, time::Duration};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{
    identity::{Identity, provider},
    x509,
};

/// How long it is valid: longer than anybody tries things out.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3_600);

/// How far clocks may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(3_600);

/// A certificate for `names`, the addresses and this host's loopback, valid from `now` on, which is
/// since the Unix epoch.
///
/// # Errors
/// When a name is none that a certificate can have, or the system has no randomness.
pub fn self_signed(
    names: &[String],
    addresses: &[IpAddr],
    now: Duration,
) -> anyhow::Result<Identity> {
    let usual = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let addresses = addresses.iter().filter(|ip| !ip.is_unspecified()).map(ToString::to_string);
    let mut all: Vec<String> =
        usual.into_iter().chain(names.iter().cloned()).chain(addresses).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| seen.insert(name.clone()));
    // What parses as an address becomes one.
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Rollcall, self-signed");
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + now + LIFETIME;
    let pair = KeyPair::generate()?;
    let certificate = params.self_signed(&pair)?.der().clone();
    let facts = x509::read(&certificate)
        .ok_or_else(|| anyhow::anyhow!("the certificate that was just made cannot be read"))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let key = provider().key_provider.load_private_key(key)?;
    Ok(Identity { key: Arc::new(CertifiedKey::new(vec![certificate], key)), facts, line: 0 })
}
