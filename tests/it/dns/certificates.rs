//! The certificate of the encrypted transports: exchanged while the server runs, or refused.

use hickory_proto::{op::Message, rr::RecordType};
use serde_json::json;

use super::{full, said};
use crate::support::{
    Node,
    command::{rollcall, run},
    dns::question,
    eventually,
    tls::{Certificate, TlsConnection, put},
};

/// With a key of RSA that has 1024 bits.
const SHORT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIB9DCCAV2gAwIBAgIUPSyfhknHKf19kDNhVsLZASaCPzYwDQYJKoZIhvcNAQEL\n\
BQAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjAxNjI2MDVaFw0yNjEyMjAxNjI2MDVa\n\
MAwxCjAIBgNVBAMMAXgwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAPB4P3h2\n\
zXPlWGa6DjiStmcEfN/TshuJgigMiSwKeA25IHXWwHx+vE65YWNcTi7Pngf5+FBd\n\
da6Ke3eVpJHUNbO0tgWmbyPchqv0MEt9B6IznTLiyR1Ml2LkPHct0yL772U5t/IP\n\
3/Jys7vFWbzU1IOfUS3TjYsYdcc8XzWMtc1vAgMBAAGjUzBRMB0GA1UdDgQWBBSt\n\
QSFdXymkNDm0EvhTX+1FPET6IzAfBgNVHSMEGDAWgBStQSFdXymkNDm0EvhTX+1F\n\
PET6IzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4GBAACQAehWRqUa\n\
QrgXBjixFC62+vUsnQq1hdwFJ/6cb3k8w3R0TKifsnoGfhzEYrLH04A8OZVH24bF\n\
mxuwKI5Ju8GpgYZReAvB8Wqa5lBoFopk6fAep9FS7VWQkexps386u+bfEOYjCYYC\n\
7hVwbbW6kyGaPZlzYlwG5GJMlmUxAFDI\n\
-----END CERTIFICATE-----\n";

fn node(certificate: &Certificate) -> Node {
    let node = Node::builder().config("").encrypted(certificate).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    node
}

fn is_served(connection: &mut TlsConnection) -> bool {
    let message = question(&full("web"), RecordType::A, None).to_vec().unwrap();
    let _closed = connection.send(&[&message]);
    let reply = connection.read().map(|reply| Message::from_vec(&reply).unwrap());
    reply.is_some_and(|reply| said(&reply) == "A 10.0.0.1")
}

/// Whether the server shows this certificate to whoever comes now.
fn is_shown(node: &Node, certificate: &Certificate) -> bool {
    let config = std::sync::Arc::new(certificate.client(&[]));
    TlsConnection::try_open(node.encrypted("tls"), config)
        .is_ok_and(|connection| connection.shown() == certificate.der)
}

#[test]
fn a_new_certificate_is_shown_to_whoever_comes_then() {
    let (first, second, third) = (Certificate::new(), Certificate::new(), Certificate::new());
    let node = node(&first);
    let mut open = TlsConnection::open(node.encrypted("tls"), &first);
    assert!(is_served(&mut open));
    second.write(&node.path("."));
    eventually("the second is shown", || is_shown(&node, &second).then_some(()));
    assert!(!is_shown(&node, &first));
    assert!(is_served(&mut open), "who came before stays");
    // On a signal at once, whatever the times of the files.
    third.write(&node.path("."));
    node.signal("HUP");
    eventually("the third is shown", || is_shown(&node, &third).then_some(()));
    assert!(is_served(&mut open));
    // A line of the log is there a moment after what it tells of.
    eventually("both are told of", || {
        (node.count_log("TLS certificate exchanged") == 2).then_some(())
    });
    assert_eq!(node.count_log("TLS certificate refused"), 0, "not even between two files");
}

#[test]
fn a_wrong_certificate_is_refused_by_file_and_line_and_the_one_before_stays() {
    let (first, other) = (Certificate::new(), Certificate::new());
    let node = node(&first);
    let (certificate, key) = (node.path("certificate.pem"), node.path("key.pem"));
    let mut open = TlsConnection::open(node.encrypted("tls"), &first);
    let remark = format!("# ours\n{}", first.pem);
    let end = "-----END CERTIFICATE-----";
    let headers = "EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
    let old_encrypted = first.key.replacen("PRIVATE KEY-----\n", headers, 1);
    let old_encrypted = format!("# mine\n{old_encrypted}");
    for (path, text, told) in [
        (&certificate, other.pem.clone(), "key.pem`, line 1: the key does not belong to the"),
        (&certificate, remark.replace(end, ""), "certificate.pem`, line 2: the section"),
        (&certificate, remark.replace("MII", "M!I"), "certificate.pem`, line 2: the section"),
        (&certificate, first.pem.replace("CERTIFICATE", "X"), "certificate.pem` has no certif"),
        (&certificate, format!("{}{}", other.pem, first.pem), "must be the first one there"),
        (
            &key,
            first.key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "key.pem`, line 1: the key is en",
        ),
        (&key, old_encrypted, "key.pem`, line 2: the key is encrypted"),
        (
            &certificate,
            SHORT.to_owned(),
            "certificate.pem`, line 1: the RSA key of the certificate is",
        ),
        (&key, first.pem.clone(), "key.pem` has no private key"),
        (&key, String::new(), "key.pem` has no private key"),
    ] {
        put(path, &text);
        node.signal("HUP");
        let ready = eventually(&format!("/ready tells of it: {told}"), || {
            Some(node.api().text("/ready")).filter(|ready| ready.contains(told))
        });
        assert!(ready.contains("is still shown"), "{ready}");
        node.wait_for_log("TLS certificate refused");
        assert!(is_shown(&node, &first) && is_served(&mut open), "{told}");
        let metrics = node.api().text("/metrics");
        assert!(metrics.contains("rollcall_tls_last_load_successful 0\n"), "{metrics}");
        first.write(&node.path("."));
        node.signal("HUP");
        eventually("all is well again", || {
            let metrics = node.api().text("/metrics");
            metrics.contains("rollcall_tls_last_load_successful 1\n").then_some(())
        });
        assert!(!node.api().text("/ready").contains("tls certificate"));
    }
    // One that nobody would take is no exchange for one that everybody takes.
    Certificate::until(2021).write(&node.path("."));
    eventually("/ready tells of its time", || {
        let ready = node.api().text("/ready");
        let told = "certificate.pem`, line 1: the certificate is valid from 2020-01-01 00:00:00 \
                    UTC to 2021-01-01 00:00:00 UTC";
        (ready.contains(told) && ready.contains("is still shown")).then_some(())
    });
    assert!(is_shown(&node, &first) && is_served(&mut open));
    std::fs::remove_file(&key).unwrap();
    eventually("/ready tells that a file is gone", || {
        node.api().text("/ready").contains("key.pem` cannot be read: No such file").then_some(())
    });
    assert!(is_shown(&node, &first));
}

#[test]
fn at_the_start_a_wrong_certificate_is_refused_and_so_it_is_by_check_config() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let folder = tempfile::tempdir().unwrap();
    certificate.write(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let file = |key: &str| {
        let keys = format!("certificate = {:?}\nkey = {:?}", path("certificate.pem"), path(key));
        let text = format!("version = 1\n[dns.tls]\nlisten = [\"127.0.0.1:0\"]\n[tls]\n{keys}\n");
        std::fs::write(folder.path().join("rollcall.toml"), text).unwrap();
        path("rollcall.toml")
    };
    let right = file("key.pem");
    assert!(run(&mut rollcall(["check-config", &right])).ok().ends_with("rollcall.toml: OK\n"));
    put(&folder.path().join("other.pem"), &other.key);
    let wrong = file("other.pem");
    let told = "other.pem`, line 1: the key does not belong to the certificate in line 1 of";
    let done = run(&mut rollcall(["check-config", &wrong]));
    done.fails(78, told);
    assert!(done.stderr.contains("\n --> ") && done.stderr.contains("toml:6:7\n"), "{done:#?}");
    let (chain, key) = (path("certificate.pem"), path("other.pem"));
    for (certificate, key, flag) in [(&chain, &key, "--tls-key"), (&key, &key, "--tls-certificate")]
    {
        let mut serve = rollcall(["serve", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        serve.args(["--data", &path("data"), "--tls-certificate", certificate, "--tls-key", key]);
        run(&mut serve).fails(78, &format!("\n --> flag {flag}"));
    }
    let data = path("data");
    let words =
        ["serve", "--config", &wrong, "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"];
    let mut serve = rollcall(words);
    let done = run(serve.arg(&data));
    done.fails(78, told);
    assert!(done.stderr.contains("openssl"), "the way out: {done:#?}");
    let pipe = folder.path().join("pipe.pem");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    run(&mut rollcall(["check-config", &file("pipe.pem")])).fails(78, "is no regular file");
    let mut missing = rollcall(["serve", "--dns-tls", "127.0.0.1:0"]);
    run(&mut missing).fails(78, "`dns.tls.listen` needs `tls.certificate` and `tls.key`");
}

#[test]
fn a_certificate_that_has_ended_is_served_and_told_of() {
    let ended = Certificate::until(2021);
    let node = node(&ended);
    let ready = node.api().text("/ready");
    assert!(ready.contains("has ended on 2021-01-01 00:00:00 UTC"), "{ready}");
    node.wait_for_log("clients may refuse to come");
    let metrics = node.api().text("/metrics");
    let ends = "rollcall_tls_certificate_not_after_seconds 1609459200\n";
    assert!(metrics.contains(ends), "{metrics}");
    Certificate::until(2022).write(&node.path("."));
    eventually("it is told of the certificate that is shown", || {
        let ready = node.api().text("/ready");
        ready.contains("has ended on 2022-01-01 00:00:00 UTC").then_some(())
    });
    Certificate::new().write(&node.path("."));
    eventually("the new one clears it", || {
        (!node.api().text("/ready").contains("has ended")).then_some(())
    });
}

#[test]
fn a_certificate_that_is_shown_to_nobody_or_has_ended_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let keys =
        format!("[tls]\ncertificate = {:?}\nkey = {:?}", path("certificate.pem"), path("key.pem"));
    let check = |listen: &str, certificate: &Certificate| {
        certificate.write(folder.path());
        std::fs::write(path("rollcall.toml"), format!("version = 1\n{listen}{keys}\n")).unwrap();
        let done = run(&mut rollcall(["check-config", &path("rollcall.toml")]));
        assert_eq!(
            (done.code, &*done.stdout),
            (Some(0), &*format!("{}: OK\n", path("rollcall.toml")))
        );
        done.stderr
    };
    let listen = "[dns.quic]\nlisten = [\"127.0.0.1:0\"]\n";
    let nobody = "`tls.certificate` is shown to nobody: there is no address in `dns.tls.listen`, \
                  `dns.https.listen` or `dns.quic.listen`";
    assert_eq!(check(listen, &Certificate::new()), "");
    let ended = "the TLS certificate has ended on 2021-01-01 00:00:00 UTC; renew it";
    assert_eq!(check(listen, &Certificate::until(2021)), format!("warning: {ended}\n"));
    assert_eq!(check("", &Certificate::new()), format!("warning: {nobody}\n"));
    let node = Node::builder().config(&keys).start();
    node.wait_for_log("is shown to nobody");
}
