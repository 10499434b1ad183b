//! TLS of the probes against real certificates: trusted, unknown, for another name, not verified.

use std::{io::Write, net::SocketAddr, sync::Arc};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    health::{
        HealthError,
        probe::{
            Prober,
            testing::{http_check, run_with, tls_check},
        },
    },
    model::{CheckSpec, HttpExtra, Status},
};

/// A certificate for `name`, and its key.
pub(crate) fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// The server's side of TLS with `certificate`.
pub(crate) fn acceptor(certificate: &CertifiedKey<KeyPair>, protocol: &[u8]) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let mut config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A file with the certificate, to be trusted.
pub(crate) fn file_of(certificate: &CertifiedKey<KeyPair>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(certificate.cert.pem().as_bytes()).unwrap();
    file
}

async fn https_server(certificate: &CertifiedKey<KeyPair>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor(certificate, b"http/1.1");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsecret").await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn https(skip_verify: bool) -> CheckSpec {
    http_check(|check| (check.tls, check.tls_skip_verify) = (true, skip_verify))
}

#[tokio::test]
async fn a_certificate_is_believed_when_its_authority_is_trusted() {
    let certificate = certificate("127.0.0.1");
    let address = https_server(&certificate).await;
    let file = file_of(&certificate);
    let trusting = Prober::new(Some(file.path())).unwrap();
    let outcome = run_with(&trusting, address, https(false)).await;
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Passing), "HTTP 200 OK: secret"));

    let strangers = Prober::new(None).unwrap();
    let outcome = run_with(&strangers, address, https(false)).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    let expected = format!("TLS with {address}: invalid peer certificate: UnknownIssuer");
    assert_eq!(*outcome.output, expected);
}

#[tokio::test]
async fn a_certificate_for_another_name_fails_although_trusted() {
    let certificate = certificate("elsewhere.example");
    let address = https_server(&certificate).await;
    let file = file_of(&certificate);
    let prober = Prober::new(Some(file.path())).unwrap();
    let outcome = run_with(&prober, address, https(false)).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert!(outcome.output.contains("not valid for name"), "{outcome:?}");
    let outcome = run_with(&prober, address, https(true)).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
}

/// The name is asked for (SNI) and verified, whatever the address that is called.
#[tokio::test]
async fn the_name_that_is_given_is_asked_for_and_verified() {
    let certificate = certificate("web.example");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor(&certificate, b"h2");
    let (names, mut asked) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let _ = names.try_send(stream.get_ref().1.server_name().map(str::to_owned));
        }
    });
    let file = file_of(&certificate);
    let prober = Prober::new(Some(file.path())).unwrap();
    let check = |name: Option<&str>, skip| {
        tls_check(|check| {
            (check.tls, check.tls_skip_verify) = (true, skip);
            check.tls_name = name.map(Into::into);
        })
    };
    let outcome = run_with(&prober, address, check(Some("web.example"), false)).await;
    let expected = format!("TCP connect {address}: success");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Passing), &*expected));
    for (name, skip) in [(None, false), (Some("other.example"), false)] {
        let outcome = run_with(&prober, address, check(name, skip)).await;
        assert_eq!(outcome.status, Some(Status::Critical), "{name:?}");
        assert!(outcome.output.contains("not valid for name"), "{outcome:?}");
    }
    let outcome = run_with(&prober, address, check(None, true)).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    assert_eq!(asked.recv().await.unwrap().as_deref(), Some("web.example"));
    assert_eq!(asked.recv().await.unwrap(), None, "an address is not asked for");
}

#[tokio::test]
async fn https_has_the_name_too() {
    let certificate = certificate("web.example");
    let address = https_server(&certificate).await;
    let file = file_of(&certificate);
    let prober = Prober::new(Some(file.path())).unwrap();
    let named = |name: &str| {
        http_check(|check| {
            check.tls = true;
            check.extra = HttpExtra::new(None, Some(name.into()));
        })
    };
    let outcome = run_with(&prober, address, named("web.example")).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    let outcome = run_with(&prober, address, named("other.example")).await;
    assert!(outcome.output.contains("not valid for name"), "{outcome:?}");
}

#[tokio::test]
async fn any_certificate_will_do_when_told_so() {
    let address = https_server(&certificate("127.0.0.1")).await;
    let outcome = run_with(&Prober::new(None).unwrap(), address, https(true)).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
}

#[tokio::test]
async fn a_server_without_tls_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
            let _ = stream.read(&mut [0; 4_096]).await;
        }
    });
    let tcp = tls_check(|check| (check.tls, check.tls_skip_verify) = (true, true));
    for check in [https(true), tcp] {
        let outcome = run_with(&Prober::new(None).unwrap(), address, check).await;
        assert_eq!(outcome.status, Some(Status::Critical));
        let expected =
            format!("TLS with {address}: received corrupt message of type InvalidContentType");
        assert_eq!(*outcome.output, expected);
    }
}

#[test]
fn a_file_without_certificates_is_refused_at_the_start() {
    let empty = NamedTempFile::new().unwrap();
    for (path, expected) in [
        (empty.path(), "has no certificate that can be used"),
        ("/no/such/file.pem".as_ref(), "cannot be read"),
    ] {
        let error: HealthError = Prober::new(Some(path)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(path.to_str().unwrap()), "{text}");
    }
}
