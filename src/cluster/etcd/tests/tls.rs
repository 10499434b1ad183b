//! TLS with a real etcd: who is trusted, who is not, and what is said then.

use std::{path::PathBuf, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_util::sync::CancellationToken;

use super::super::{Client, EtcdError, EtcdOptions, EtcdTls, EtcdUser, KeyRange, Range};
use crate::cluster::{
    follow::{
        inspect,
        testing::{common, until},
    },
    testing::{Etcd, PATIENCE},
};

/// A certificate of version 1, as `openssl x509 -req` makes it unless told otherwise, until 2126.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFjCBvQIUSIlYenIukpiExxe9XLTdn/Crwo0wCgYIKoZIzj0EAwIwDTELMAkG
A1UEAwwCdjEwIBcNMjYxMTIxMTQxNjM4WhgPMjEyNjEwMjgxNDE2MzhaMA0xCzAJ
BgNVBAMMAnYxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKN1teOxOFEEQ3s24
clvIUnGNutcggMvZpheQX78B9Ihkhq9dUtGWWB7pWLOHvsWGs5l/YPrqXOmAR5T4
BM3cWTAKBggqhkjOPQQDAgNIADBFAiEAnu8yxslJDjCmZfPV5+jABnNGkKjUo4Nq
f67cMtLN6igCIAcSGK5Y3ooe63s7onjy3ZsqIm4koU3zHchmr2L3sxgT
-----END CERTIFICATE-----
";

/// Its key.
const VERSION_1_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBA3UjHoNc9dpC0Wg
D9m+y8FSMBki1NJOL4+weH5fMjuhRANCAAQo3W147E4UQRDezbhyW8hScY261yCA
y9mmF5BfvwH0iGSGr11S0ZZYHulYs4e+xYazmX9g+upc6YBHlPgEzdxZ
-----END PRIVATE KEY-----
";

/// An authority with a folder for what it issues.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
struct Issued {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for a name, with the same as its CN, after a last touch.
    fn issue(&self, name: &str, touch: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        touch(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let issued = Issued {
            certificate: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        std::fs::write(&issued.certificate, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        issued
    }

    /// A certificate of version 1, which nobody takes.
    fn version_1(&self) -> Issued {
        let file = |name| self.folder.path().join(name);
        let issued = Issued { certificate: file("v1.pem"), key: file("v1.key") };
        std::fs::write(&issued.certificate, VERSION_1).unwrap();
        std::fs::write(&issued.key, VERSION_1_KEY).unwrap();
        issued
    }

    /// An etcd with this certificate, which wants one of clients if that is said.
    fn etcd(&self, shown: &Issued, wants_certificates: bool) -> Etcd {
        let (certificate, key, ca) = (text(&shown.certificate), text(&shown.key), text(&self.ca()));
        let mut flags = vec!["--cert-file", &certificate, "--key-file", &key];
        if wants_certificates {
            flags.extend(["--client-cert-auth", "--trusted-ca-file", &ca]);
        }
        Etcd::start_as("https", &flags)
    }

    /// Switches authentication on, as `root`, whose certificate this is, for a user that is added
    /// so and may do everything below `/rollcall/`.
    fn enable_auth(&self, server: &Etcd, root: &Issued, user: &str) {
        let (ca, certificate, key) = (text(&self.ca()), text(&root.certificate), text(&root.key));
        let add = format!("user add {user}");
        for words in [
            "user add root --no-password",
            &add,
            "role add rollcall",
            "role grant-permission rollcall readwrite /rollcall/ --prefix",
            "user grant-role rollcall rollcall",
            "user grant-role root root",
            "auth enable",
        ] {
            let files = ["--cacert", &ca, "--cert", &certificate, "--key", &key];
            server.etcdctl(&files, words);
        }
    }

    /// Trusts this authority, and shows this certificate.
    fn tls(&self, own: Option<&Issued>) -> EtcdTls {
        EtcdTls {
            ca_file: Some(self.ca()),
            certificate_file: own.map(|own| own.certificate.clone()),
            key_file: own.map(|own| own.key.clone()),
            server_name: None,
        }
    }
}

fn text(path: &std::path::Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn client(server: &Etcd, tls: EtcdTls) -> Result<Client, EtcdError> {
    Client::new(EtcdOptions { tls, ..EtcdOptions::new([server.url.as_str()]) })
}

async fn error_with(server: &Etcd, tls: EtcdTls) -> String {
    let etcd = client(server, tls).unwrap();
    let error = etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap_err();
    assert!(matches!(error, EtcdError::Certificate { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", server.url)), "{text}");
    text
}

#[tokio::test]
async fn etcd_is_believed_by_its_authority_and_its_name() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), false);
    let etcd = client(&server, authority.tls(None)).unwrap();
    etcd.put("/a", "1", None).await.unwrap();

    let stranger = Authority::new();
    let said = error_with(&server, stranger.tls(None)).await;
    assert!(said.contains("issued by nobody who is trusted here"), "{said}");
    // The system's authorities know nothing of it either.
    let said = error_with(&server, EtcdTls::default()).await;
    assert!(said.contains("issued by nobody who is trusted here"), "{said}");
    let name = Some("etcd.example".to_owned());
    let said = error_with(&server, EtcdTls { server_name: name, ..authority.tls(None) }).await;
    assert!(said.contains("its certificate is for 127.0.0.1, not for `etcd.example`"), "{said}");
}

#[tokio::test]
async fn a_name_can_be_expected_that_is_not_the_hosts() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("etcd.example", |_| {}), false);
    let said = error_with(&server, authority.tls(None)).await;
    assert!(said.contains("its certificate is for etcd.example, not for `127.0.0.1`"), "{said}");
    let name = Some("etcd.example".to_owned());
    let etcd = client(&server, EtcdTls { server_name: name, ..authority.tls(None) }).unwrap();
    etcd.put("/a", "1", None).await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_is_told_with_its_date() {
    let authority = Authority::new();
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let server = authority.etcd(&authority.issue("127.0.0.1", expired), false);
    let said = error_with(&server, authority.tls(None)).await;
    assert!(said.contains("its certificate expired 2021-01-01T00:00:00Z; here it is 20"), "{said}");
}

/// It was told as `Other(OtherError(UnsupportedCertVersion))`.
#[tokio::test]
async fn a_certificate_of_version_1_is_told_with_the_way_to_one_of_version_3() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.version_1(), false);
    let said = error_with(&server, authority.tls(None)).await;
    assert!(said.contains("is no X.509 certificate of version 3, but of version 1"), "{said}");
    assert!(said.contains("-extfile") && said.contains("-addext"), "{said}");
}

/// A mistake in renewed files was in the log alone, and there with the next connection only.
#[tokio::test(start_paused = true)]
async fn renewed_files_that_are_of_no_use_are_told_of_until_they_are_good() {
    let authority = Authority::new();
    let own = authority.issue("rollcall", |_| {});
    let options =
        EtcdOptions { tls: authority.tls(Some(&own)), ..EtcdOptions::new(["https://127.0.0.1:1"]) };
    let (common, metrics) = common(Client::new(options).unwrap(), "/rollcall/");
    let board = common.board.clone();
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    tokio::spawn(inspect(common, fastrand::Rng::new(), stop));
    let note = || {
        let told = board.conditions().into_iter().find(|(name, _)| name == "etcd certificate");
        told.map(|(_, told)| told.message).unwrap_or_default()
    };
    let is_loaded = |yes: u8| {
        let line = format!("rollcall_store_tls_last_load_successful {yes}\n");
        metrics.encode().unwrap().contains(&line)
    };
    assert!(is_loaded(1) && note().is_empty(), "{}", note());
    std::fs::write(&own.certificate, "no PEM").unwrap();
    until(|| is_loaded(0)).await;
    let said = note();
    let file = text(&own.certificate);
    for words in [
        "`store.certificate`: `",
        &*file,
        "has no certificate",
        "What it had before stays in use",
        "; since 20",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    authority.issue("rollcall", |params| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    });
    until(|| note().contains("rollcall.pem`, has ended on 2021-01-01")).await;
    assert!(is_loaded(0) && note().contains("What it had before stays in use"), "{}", note());
    authority.issue("rollcall", |_| {});
    until(|| note().is_empty()).await;
    assert!(is_loaded(1));
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_missed_and_refused() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), true);
    let own = authority.issue("rollcall", |_| {});
    let etcd = client(&server, authority.tls(Some(&own))).unwrap();
    etcd.put("/a", "1", None).await.unwrap();

    let said = error_with(&server, authority.tls(None)).await;
    assert!(said.contains("it wants a client certificate"), "{said}");
    let stranger = Authority::new();
    let other = stranger.issue("rollcall", |_| {});
    let said = error_with(&server, authority.tls(Some(&other))).await;
    assert!(said.contains("it refuses our certificate") && said.contains("valid until"), "{said}");
    let expired = authority.issue("old", |params| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    });
    let said = error_with(&server, authority.tls(Some(&expired))).await;
    assert!(
        said.contains(
            "old.pem` (`store.certificate`) expired 2021-01-01T00:00:00Z; it was refused"
        ),
        "{said}"
    );
}

#[tokio::test]
async fn the_name_of_a_client_certificate_is_a_user() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), true);
    let own = authority.issue("rollcall", |_| {});
    let root = authority.issue("root", |_| {});
    authority.enable_auth(&server, &root, "rollcall --no-password");
    let etcd = client(&server, authority.tls(Some(&own))).unwrap();
    etcd.put("/rollcall/a", "1", None).await.unwrap();
    let error = etcd.put("/other", "1", None).await.unwrap_err();
    let expected = "does not let the user (CN) of our certificate write `/other`; grant it";
    assert!(error.to_string().contains(expected), "{error}");
}

/// It was taken for the certificate's name, which may nothing, until it was started again.
#[tokio::test]
async fn who_has_a_certificate_and_a_password_logs_in_when_authentication_is_switched_on() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), true);
    let own = authority.issue("a-machine", |_| {});
    let user = EtcdUser { name: "rollcall".into(), password: "secret".into(), password_file: None };
    let options = EtcdOptions {
        tls: authority.tls(Some(&own)),
        user: Some(user),
        ..EtcdOptions::new([server.url.as_str()])
    };
    let etcd = Client::new(options).unwrap();
    etcd.put("/rollcall/a", "1", None).await.unwrap();
    let root = authority.issue("root", |_| {});
    authority.enable_auth(&server, &root, "rollcall:secret");
    etcd.put("/rollcall/a", "2", None).await.expect("it logs in");
    let lease = etcd.grant(PATIENCE).await.unwrap();
    etcd.keep_alive(lease).beat().await.unwrap();
    let error = etcd.put("/other", "1", None).await.unwrap_err();
    assert!(error.to_string().contains("does not let user `rollcall` write `/other`"), "{error}");
}

#[tokio::test]
async fn certificates_that_were_renewed_are_shown_by_the_next_connection() {
    let authority = Authority::new();
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), true);
    let expire = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let own = authority.issue("rollcall", expire);
    let etcd = client(&server, authority.tls(Some(&own))).unwrap();
    let error = etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap_err();
    assert!(matches!(error, EtcdError::Certificate { .. }), "{error:?}");
    authority.issue("rollcall", |_| {});
    etcd.put("/a", "1", None).await.expect("the files have a new one");
}

#[tokio::test]
async fn http_to_https_and_the_other_way_round_are_told() {
    let authority = Authority::new();
    let plain = Etcd::start(&[]);
    let url = plain.url.replace("http:", "https:");
    let options = EtcdOptions { tls: authority.tls(None), ..EtcdOptions::new([url.as_str()]) };
    let error = Client::new(options).unwrap().status().await.unwrap_err();
    assert!(error.to_string().contains("is its URL http, not https?"), "{error}");
    let server = authority.etcd(&authority.issue("127.0.0.1", |_| {}), false);
    let url = server.url.replace("https:", "http:");
    let deadline = Duration::from_secs(2);
    let etcd = Client::new(EtcdOptions { deadline, ..EtcdOptions::new([url.as_str()]) }).unwrap();
    let error = etcd.status().await.unwrap_err();
    assert!(error.to_string().contains("is its URL https, not http?"), "{error}");
}

#[test]
fn files_that_cannot_be_used_are_refused_by_field_and_file() {
    let authority = Authority::new();
    let own = authority.issue("rollcall", |_| {});
    let other = authority.issue("other", |_| {});
    let https = |tls| Client::new(EtcdOptions { tls, ..EtcdOptions::new(["https://127.0.0.1"]) });
    let whole = || authority.tls(Some(&own));
    let none = Some(PathBuf::from("/none.pem"));
    let old = authority.version_1();
    for (tls, expected) in [
        (
            EtcdTls { ca_file: none.clone(), ..whole() },
            "`store.ca_file`: `/none.pem` cannot be read",
        ),
        (EtcdTls { ca_file: Some(own.key.clone()), ..whole() }, "has no certificate"),
        (EtcdTls { key_file: none, ..whole() }, "`store.key`: `/none.pem` cannot be read"),
        (EtcdTls { key_file: Some(own.certificate.clone()), ..whole() }, "has no private key"),
        (authority.tls(Some(&old)), "v1.pem` is no X.509 certificate of version 3"),
        (EtcdTls { key_file: Some(other.key), ..whole() }, "do not go together"),
        (EtcdTls { key_file: None, ..whole() }, "a certificate is given without its key"),
        (EtcdTls { certificate_file: None, ..whole() }, "a key is given without its certificate"),
        (EtcdTls { server_name: Some("a b".into()), ..whole() }, "`a b` is neither a host's name"),
    ] {
        let error = https(tls).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let options = EtcdOptions { tls: whole(), ..EtcdOptions::new(["http://127.0.0.1"]) };
    let error = Client::new(options).unwrap_err().to_string();
    assert!(error.contains("all endpoints are http; write https"), "{error}");
}

#[test]
fn a_certificate_of_ours_is_told_of_from_the_last_tenth_of_its_life_on() {
    const DAY: i64 = 24 * 3_600;
    let authority = Authority::new();
    let ours = authority.issue("us", |params| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 1, 11));
    });
    let tls = authority.tls(Some(&ours));
    let options = EtcdOptions { tls, ..EtcdOptions::new(["https://127.0.0.1:1"]) };
    let etcd = Client::new(options).unwrap();
    for (day, words) in [
        (-1, "is valid only from 2026-01-01 00:00:00 UTC on"),
        (0, ""),
        (8, ""),
        (9, ""),
        (10, "has ended on 2026-01-11 00:00:00 UTC"),
    ] {
        let said = etcd.certificate_problem(1_767_225_600 + day * DAY).unwrap_or_default();
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{day}: {said}");
    }
    let said = etcd.certificate_problem(1_767_225_600 + 9 * DAY + 1).unwrap();
    assert!(said.contains("us.pem`, ends on 2026-01-11") && said.contains("renew it"), "{said}");
}
