//! Reading a certificate and its key from files (PEM, RFC 7468), or saying what is wrong where.
//!
//! rustls-pki-types decodes; it does not tell lines, so the text is cut into sections here first.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
        pem::{Error as PemError, PemObject as _, SectionKind},
    },
    sign::CertifiedKey,
};

use super::{
    identity::{Identity, provider},
    x509,
};
use crate::util::{FileStamp, read_file};

/// Octets of a file: a chain of a dozen certificates with remarks is a twentieth of it.
const FILE_OCTETS_MAX: usize = 1 << 20;

/// Certificates of a chain: the longest in use have five, and each is sent in every handshake.
const CHAIN_MAX: usize = 16;

/// Bits of the shortest RSA key, the least that clients take (NIST SP 800-57 part 1, §5.6).
const RSA_BITS_MIN: usize = 2_048;

/// Where the certificate and its key are. They may be the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that lead to an authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM: PKCS #8, PKCS #1 or SEC 1), not encrypted.
    pub key: PathBuf,
}

/// A certificate or its key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateError {
    /// The file, as it was given.
    pub file: PathBuf,
    /// The line that is meant; zero for the file as a whole.
    pub line: usize,
    /// What is wrong with it, and the way out.
    pub problem: String,
}

/// A part of a file between two markers.
struct Section {
    line: usize,
    kind: SectionKind,
    der: Vec<u8>,
}

/// What a file has.
#[derive(Default)]
struct Sections {
    /// Those of a kind that is known.
    known: Vec<Section>,
    /// The line of a key that cannot be read without its password.
    encrypted: Option<usize>,
}

// === impl CertificateFiles ===

impl CertificateFiles {
    /// Reads both; blocks while it does.
    ///
    /// # Errors
    /// Names the file, the line and the reason when they cannot be used together.
    pub fn read(&self) -> Result<Identity, CertificateError> {
        let chain = read_chain(&self.certificate)?;
        let (line, key) = read_key(&self.key)?;
        let fault = |problem: String| Err(CertificateError::new(&self.key, line, problem));
        let Ok(key) = provider().key_provider.load_private_key(key) else {
            return fault(format!(
                "the key cannot be used: it is none of RSA with {RSA_BITS_MIN} to 8192 bits, ECDSA \
                 over P-256, P-384 or P-521, and Ed25519"
            ));
        };
        let public = key.public_key().map(|public| public.as_ref().to_vec()).unwrap_or_default();
        let Some((first, facts)) = chain.first() else {
            return Err(CertificateError::new(&self.certificate, 0, "has no certificate".into()));
        };
        if facts.public_key != public {
            let file = self.certificate.display();
            let other = chain.iter().find(|(_, other)| other.public_key == public);
            return fault(match other {
                Some((section, _)) => format!(
                    "the key belongs to the certificate in line {} of `{file}`, which must be the \
                     first one there",
                    section.line
                ),
                None => format!(
                    "the key does not belong to the certificate in line {} of `{file}`; `openssl \
                     pkey -pubout` and `openssl x509 -pubkey` show what would have to be the same",
                    first.line
                ),
            });
        }
        let (line, facts) = (first.line, facts.clone());
        let chain = chain.into_iter().map(|(section, _)| CertificateDer::from(section.der));
        Ok(Identity { key: Arc::new(CertifiedKey::new(chain.collect(), key)), facts, line })
    }

    /// A mistake in the certificate itself, which stands in this line.
    pub(super) fn fault(&self, line: usize, problem: String) -> CertificateError {
        CertificateError::new(&self.certificate, line, problem)
    }

    /// The states of the two files now.
    pub(super) fn stamps(&self) -> [FileStamp; 2] {
        [FileStamp::of(&self.certificate), FileStamp::of(&self.key)]
    }
}

/// The certificates of a file, in their order.
fn read_chain(path: &Path) -> Result<Vec<(Section, x509::Facts)>, CertificateError> {
    let mut chain = Vec::new();
    for section in sections(path)?.known {
        if section.kind != SectionKind::Certificate {
            continue;
        }
        let fault = |problem: String| Err(CertificateError::new(path, section.line, problem));
        if chain.len() == CHAIN_MAX {
            return fault(format!("is above the limit of {CHAIN_MAX} certificates"));
        }
        match x509::read(&section.der) {
            Some(x509::Facts { rsa_bits: Some(bits), .. })
                if chain.is_empty() && bits < RSA_BITS_MIN =>
            {
                return fault(format!(
                    "the RSA key of the certificate is too short: it has {bits} bits, and at least \
                     {RSA_BITS_MIN} are needed"
                ));
            }
            Some(facts) => chain.push((section, facts)),
            None => return fault("the section is no X.509 certificate".into()),
        }
    }
    if chain.is_empty() {
        let problem = "has no certificate: it should begin with `-----BEGIN CERTIFICATE-----`; \
                       `openssl x509 -inform der` turns the binary form into that";
        return Err(CertificateError::new(path, 0, problem.into()));
    }
    Ok(chain)
}

/// The first private key of a file, with its line.
fn read_key(path: &Path) -> Result<(usize, PrivateKeyDer<'static>), CertificateError> {
    let Sections { known, encrypted } = sections(path)?;
    for Section { line, kind, der } in known {
        let key = match kind {
            SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)),
            SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
            SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
            _ => continue,
        };
        return Ok((line, key));
    }
    if let Some(line) = encrypted {
        let shown = path.display();
        let problem = format!(
            "the key is encrypted, and nobody is here to give its password; `openssl pkey -in \
             {shown} -out NEW` makes one that is not"
        );
        return Err(CertificateError::new(path, line, problem));
    }
    let problem = "has no private key that can be read: it should have a section `-----BEGIN \
                   PRIVATE KEY-----`; `openssl pkey` turns other forms into that";
    Err(CertificateError::new(path, 0, problem.into()))
}

/// The sections of a file.
fn sections(path: &Path) -> Result<Sections, CertificateError> {
    let fault = |line, problem: String| CertificateError::new(path, line, problem);
    let text = read_file(path, FILE_OCTETS_MAX)
        .map_err(|error| fault(0, format!("cannot be read: {error}")))?;
    let mut starts = Vec::new();
    let mut at = 0;
    for (index, line) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
        if line.trim_ascii_start().starts_with(b"-----BEGIN") {
            starts.push((index + 1, at));
        }
        at += line.len();
    }
    let mut sections = Sections::default();
    for (number, (line, start)) in starts.iter().copied().enumerate() {
        let end = starts.get(number + 1).map_or(text.len(), |(_, start)| *start);
        if is_encrypted(&text[start..end]) {
            sections.encrypted.get_or_insert(line);
            continue;
        }
        let problem = match <(SectionKind, Vec<u8>)>::from_pem_slice(&text[start..end]) {
            Ok((kind, der)) => {
                sections.known.push(Section { line, kind, der });
                continue;
            }
            // Of a kind that nobody here asks for.
            Err(PemError::NoItemsFound) => continue,
            Err(PemError::MissingSectionEnd { .. }) => "has no `-----END …-----`".to_owned(),
            Err(PemError::IllegalSectionStart { .. }) => "is no `-----BEGIN …-----`".to_owned(),
            Err(PemError::Base64Decode(problem)) => format!("is no base64: {problem}"),
            Err(error) => format!("cannot be read: {error}"),
        };
        return Err(fault(line, format!("the section that begins here {problem}")));
    }
    Ok(sections)
}

/// Whether a section is an encrypted key: of PKCS #8 (RFC 5958 §3), or of the older forms, which
/// have a header that says so (RFC 1421 §4.6.1.1).
fn is_encrypted(section: &[u8]) -> bool {
    let mut lines = section.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    lines.next() == Some(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || lines
            .next()
            .is_some_and(|line| line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED"))
}

// === impl CertificateError ===

impl CertificateError {
    fn new(file: &Path, line: usize, problem: String) -> Self {
        Self { file: file.to_owned(), line, problem }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, problem } = self;
        match line {
            0 => write!(f, "`{}` {problem}", file.display()),
            _ => write!(f, "`{}`, line {line}: {problem}", file.display()),
        }
    }
}

impl std::error::Error for CertificateError {}
