//! TLS of the probes: whom we trust, and how to trust anybody when told to.
//!
//! Sessions are not resumed: a resumed one does not show the certificate again, and a check that
//! cannot see a certificate expire is not worth its name.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    ProbeError,
    connect::Destination,
    prober::{Progress, innermost},
};
use crate::health::HealthError;

/// What is spoken inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, also for gRPC.
    Http2,
    /// Nobody knows: nothing is proposed.
    Unknown,
}

/// How a destination is spoken to.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// What is spoken inside.
    pub inside: Inside,
    /// Whether TLS is spoken at all.
    pub tls: bool,
    /// Whether any certificate will do.
    pub skip_verify: bool,
    /// The name that is asked for and that the certificate must have, if not the destination's.
    pub name: Option<&'a str>,
}

/// Makes TLS connections. The system's trusted certificates are read at the first use, once.
#[derive(Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    extra: Vec<CertificateDer<'static>>,
    verifying: OnceCell<Configs>,
    trusting: OnceCell<Configs>,
}

/// The same rules for each protocol inside.
#[derive(Debug)]
struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    unknown: Arc<ClientConfig>,
}

/// Accepts any certificate; that the peer holds its key is verified all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

// === impl Tls ===

impl Tls {
    /// Trusts the certificates in `ca_file` besides the system's.
    ///
    /// # Errors
    /// When the file cannot be read or has no certificate.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, HealthError> {
        Ok(Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            extra: ca_file.map(read_certificates).transpose()?.unwrap_or_default(),
            verifying: OnceCell::new(),
            trusting: OnceCell::new(),
        })
    }

    /// Speaks TLS over `stream`.
    ///
    /// # Errors
    /// When the handshake fails; the certificate's fault is named.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        to: &Destination,
        How { inside, skip_verify, name, .. }: How<'_>,
        progress: &Progress,
    ) -> Result<TlsStream<TcpStream>, ProbeError> {
        let configs = if skip_verify {
            self.trusting.get_or_try_init(|| async { self.trusting() }).await?
        } else {
            self.verifying.get_or_try_init(|| self.verifying()).await?
        };
        let config = match inside {
            Inside::Http1 => &configs.http1,
            Inside::Http2 => &configs.http2,
            Inside::Unknown => &configs.unknown,
        };
        let name = name.map_or_else(|| to.host(), str::to_owned);
        let refuse = |_| ProbeError::Failed(format!("`{name}` is no name for TLS"));
        let name = ServerName::try_from(name.clone()).map_err(refuse)?;
        progress.enter("in the TLS handshake with");
        // Several small writes: waiting for the acknowledgement of one before the next only delays.
        let _ = stream.set_nodelay(true);
        let connector = TlsConnector::from(Arc::clone(config));
        let connected = connector.connect(name, stream).await;
        connected.map_err(|error| {
            // The cause sits inside an I/O error, which does not name it as its source.
            let cause: &(dyn std::error::Error + 'static) = match error.get_ref() {
                Some(inner) => inner,
                None => &error,
            };
            ProbeError::Failed(format!("TLS with {to}: {}", innermost(cause)))
        })
    }

    async fn verifying(&self) -> Result<Configs, ProbeError> {
        let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let loaded = loaded.map_err(|_| ProbeError::NotRun("the server is stopping".into()))?;
        for error in &loaded.errors {
            tracing::warn!(%error, "a trusted certificate of the system could not be read");
        }
        let mut roots = RootCertStore::empty();
        let (added, ignored) = roots.add_parsable_certificates(loaded.certs);
        let (extra, _) = roots.add_parsable_certificates(self.extra.iter().cloned());
        tracing::info!(system = added, extra, ignored, "read the trusted certificates for checks");
        let builder = self.builder()?.with_root_certificates(roots);
        Ok(Configs::new(builder.with_no_client_auth()))
    }

    fn trusting(&self) -> Result<Configs, ProbeError> {
        let verifier = Arc::new(AnyCertificate(Arc::clone(&self.provider)));
        let builder = self.builder()?.dangerous().with_custom_certificate_verifier(verifier);
        Ok(Configs::new(builder.with_no_client_auth()))
    }

    fn builder(
        &self,
    ) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ProbeError> {
        ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ProbeError::NotRun(format!("TLS cannot be set up: {error}")))
    }
}

// === impl Configs ===

impl Configs {
    fn new(mut config: ClientConfig) -> Self {
        config.resumption = Resumption::disabled();
        let unknown = Arc::new(config.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { http1, http2: Arc::new(config), unknown }
    }
}

// === impl AnyCertificate ===

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HealthError> {
    let refuse = |problem: String| HealthError::CaFile { path: path.to_owned(), problem };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let mut usable = RootCertStore::empty();
    match usable.add_parsable_certificates(found.iter().cloned()) {
        (0, _) => Err(refuse("has no certificate that can be used".into())),
        _ => Ok(found),
    }
}

#[cfg(test)]
pub(super) mod tests;
