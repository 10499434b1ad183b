//! Certificates, and a client of DNS over TLS at message level.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName},
};

use super::{PATIENCE, dns::framed, node::Builder};

/// A certificate for `localhost` and 127.0.0.1, with its key, both as files have them.
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// A connection of a client that trusts one certificate.
pub(crate) struct TlsConnection(pub(crate) StreamOwned<ClientConnection, TcpStream>);

// === impl Certificate ===

impl Certificate {
    /// One that is valid for years.
    pub(crate) fn new() -> Self {
        Self::until(2040)
    }

    /// One that is valid from 2020 until a year begins.
    pub(crate) fn until(year: i32) -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Self { der, pem, key: key.serialize_pem() }
    }

    /// Puts the two files into a folder, each as a whole.
    pub(crate) fn write(&self, folder: &Path) {
        put(&folder.join("certificate.pem"), &self.pem);
        put(&folder.join("key.pem"), &self.key);
    }

    /// A client's configuration that trusts this certificate and no other.
    pub(crate) fn client(&self, protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    }
}

/// Moves a file with this text into its place.
pub(crate) fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

// === impl Builder ===

impl Builder {
    /// Serves all encrypted transports on ports that are free, with this certificate.
    pub(crate) fn encrypted(self, certificate: &Certificate) -> Self {
        certificate.write(&self.path("."));
        let paths = [self.path("certificate.pem"), self.path("key.pem")];
        let [certificate, key] = paths.map(|path| path.display().to_string());
        ["--dns-tls", "--dns-https", "--dns-quic"]
            .into_iter()
            .fold(self, |builder, flag| builder.arg(flag).arg("127.0.0.1:0"))
            .arg("--tls-certificate")
            .arg(certificate)
            .arg("--tls-key")
            .arg(key)
    }
}

// === impl TlsConnection ===

impl TlsConnection {
    /// Connects, and shakes hands.
    pub(crate) fn open(server: SocketAddr, certificate: &Certificate) -> Self {
        let config = certificate.client(&["dot"]);
        Self::try_open(server, Arc::new(config)).expect("a handshake")
    }

    /// Connects; an error when the handshake fails.
    pub(crate) fn try_open(server: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(server)?, config)
    }

    /// Shakes hands over a stream.
    pub(crate) fn over(stream: TcpStream, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(config, name).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(Self(stream))
    }

    /// The certificate that the server has shown.
    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// Sends messages, each behind its length, in one write.
    pub(crate) fn send(&mut self, messages: &[&[u8]]) -> std::io::Result<()> {
        let octets: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
        self.0.write_all(&octets)?;
        self.0.flush()
    }

    /// Reads a message; `None` when the server has closed.
    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut message).ok()?;
        Some(message)
    }

    /// How the server ends the connection: with a word of TLS (`Ok`), or by cutting it.
    pub(crate) fn end(&mut self, patience: Duration) -> std::io::Result<usize> {
        self.0.sock.set_read_timeout(Some(patience))?;
        self.0.read(&mut [0; 1])
    }
}
