//! From files to a configuration.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _, x509::X509Version};

use super::{Own, fault::NOT_OF_VERSION_3};
use crate::{
    cluster::etcd::{EtcdError, EtcdTls},
    util::read_file,
};

/// Octets of one file: a bundle of all the public authorities is a fifth of that.
const FILE_OCTETS_MAX: usize = 1 << 20;

/// The keys of the configuration that name the files. What is wrong with a certificate and its key
/// together is said of the former.
const CA: &str = "store.ca_file";
const CERTIFICATE: &str = "store.certificate";
const KEY: &str = "store.key";

/// What TLS is spoken with, and what our certificate says, for messages.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Arc<ClientConfig>,
    pub(super) own: Option<Own>,
}

/// Reads what the files have now. It waits for the disk.
///
/// # Errors
/// When one cannot be read, or does not have what it should; the message names it.
pub(super) fn load(tls: &EtcdTls) -> Result<Loaded, EtcdError> {
    let roots = match &tls.ca_file {
        Some(path) => trusted(path)?,
        None => of_the_system(),
    };
    let refuse = |problem| EtcdError::Options { field: CERTIFICATE, problem };
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?
        .with_root_certificates(roots);
    let (mut config, own) = match (&tls.certificate_file, &tls.key_file) {
        (Some(certificate), Some(key)) => {
            let (chain, own) = chain(certificate)?;
            let with_both = builder.with_client_auth_cert(chain, private_key(key)?);
            let config = with_both.map_err(|error| {
                let (certificate, key) = (certificate.display(), key.display());
                refuse(format!("`{certificate}` and `{key}` do not go together: {error}"))
            })?;
            (config, Some(own))
        }
        (Some(_), None) => return Err(refuse("a certificate is given without its key".into())),
        (None, Some(_)) => return Err(refuse("a key is given without its certificate".into())),
        (None, None) => (builder.with_no_client_auth(), None),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Loaded { config: Arc::new(config), own })
}

fn trusted(path: &Path) -> Result<RootCertStore, EtcdError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(CA, path)?);
    if added == 0 {
        return Err(fault(CA, path, "has no certificate that can be used"));
    }
    Ok(roots)
}

fn of_the_system() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a trusted certificate of the system could not be read");
    }
    let mut roots = RootCertStore::empty();
    let _counts = roots.add_parsable_certificates(found.certs);
    roots
}

/// Our certificate with its chain, and what the certificate says.
fn chain(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Own), EtcdError> {
    let chain = certificates(CERTIFICATE, path)?;
    let first = chain.first().and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, first)) = first else {
        return Err(fault(CERTIFICATE, path, "has no certificate that can be read"));
    };
    // rustls would say that certificate and key do not go together.
    if first.version() != X509Version::V3 {
        let problem = format!("is {NOT_OF_VERSION_3}");
        return Err(fault(CERTIFICATE, path, &problem));
    }
    let own = Own {
        file: path.to_owned(),
        not_before: first.validity().not_before.timestamp(),
        not_after: first.validity().not_after.timestamp(),
    };
    Ok((chain, own))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, EtcdError> {
    let text = read(KEY, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let problem = format!(
            "has no private key that can be read ({error}); `openssl pkey -in FILE -out NEW` turns \
             other forms, also encrypted ones, into one"
        );
        fault(KEY, path, &problem)
    })
}

fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, EtcdError> {
    let text = read(field, path)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| fault(field, path, &format!("cannot be read: {error}")))?;
    if found.is_empty() {
        let problem = "has no certificate: it should have a section `-----BEGIN CERTIFICATE-----`";
        return Err(fault(field, path, problem));
    }
    Ok(found)
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, EtcdError> {
    read_file(path, FILE_OCTETS_MAX)
        .map_err(|error| fault(field, path, &format!("cannot be read: {error}")))
}

fn fault(field: &'static str, path: &Path, problem: &str) -> EtcdError {
    EtcdError::Options { field, problem: format!("`{}` {problem}", path.display()) }
}
