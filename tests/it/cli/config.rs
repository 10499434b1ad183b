//! Where the configuration comes from, and what is said of a mistake in it.

use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::support::{
    Node,
    api::Api,
    command::{Done, rollcall, run},
    dns::Resolver,
    tls::Certificate,
};

/// Checks a file of this text.
fn check(text: &str) -> Done {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("rollcall.toml"), text).unwrap();
    run(rollcall(["check-config", "rollcall.toml"]).current_dir(scratch.path()))
}

#[test]
fn a_good_file_is_one_line() {
    let example = include_str!("../../../examples/rollcall.toml");
    assert_eq!(check(example).ok(), "rollcall.toml: OK\n");
    assert_eq!(check("version = 1\n").ok(), "rollcall.toml: OK\n");
    // With every line that is a key taken for one, as the file's head tells to.
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') && key.contains(" = ") => key,
        _ => line,
    });
    assert_eq!(check(&lines.collect::<Vec<_>>().join("\n")).ok(), "rollcall.toml: OK\n");
}

#[test]
fn a_mistake_is_pointed_at_by_line_and_column() {
    for (text, place, said) in [
        ("version = 1\n[dns]\nudp_size = 99999\n", "3:12", "`99999` is outside the limits of 512"),
        ("version = 1\n[dns\n", "2:5", "unclosed table"),
        ("version = 1\n[dns]\nlisten = [\"127.0.0.1\"]\n", "3:11", "is no address with a port"),
        ("version = 1\n[dns]\nlistn = []\n", "3:1", "is `listen` meant?"),
        ("version = 1\n[server]\nlame_duck = 3\n", "3:13", "is an integer, not a duration"),
        ("version = 1\n[policy]\nttl = \"5s\"\nttl = \"6s\"\n", "4:1", "duplicate key"),
        ("version = 2\n", "1:11", "`2` is no version that is known"),
        ("[dns]\n", "1:1", "`version` is missing"),
    ] {
        let done = check(text);
        done.fails(78, said);
        assert!(done.stderr.contains(&format!("--> rollcall.toml:{place}\n")), "{done:#?}");
        assert!(done.stderr.trim_end().ends_with('^'), "{done:#?}");
    }
    let two = check("version = 1\n[dns]\nudp_size = 1\n[log]\nformat = \"xml\"\n");
    assert_eq!(two.stderr.matches("error: ").count(), 2, "all mistakes at once: {two:#?}");
    let missing = run(&mut rollcall(["check-config", "/nowhere/rollcall.toml"]));
    missing.fails(78, "`/nowhere/rollcall.toml` cannot be read: No such file");
}

#[test]
fn what_the_file_names_is_read_as_serve_reads_it() {
    let scratch = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(scratch.path().join(name), text).unwrap();
    let check = |text: &str| {
        put("rollcall.toml", &format!("version = 1\n{text}\n"));
        run(rollcall(["check-config", "rollcall.toml"]).current_dir(scratch.path()))
    };
    check("server.zones = \"nope\"").fails(78, "cannot read the zone folder `nope`");
    check("health.ca_file = \"nope\"").fails(78, "`health.ca_file`: `nope` cannot be read");
    let done = check("forward.resolv_conf = \"nope\"");
    done.fails(78, "`forward.resolv_conf`: cannot read `nope`");
    assert!(done.stderr.contains("\n --> rollcall.toml:2:23\n"), "{done:#?}");
    put("resolv.conf", "nameserver 192.0.2.53\nnameserver oops\n");
    let resolv_conf = "forward.resolv_conf = \"resolv.conf\"";
    check(resolv_conf).fails(78, "resolv.conf:2: `oops` is no address of a name server");
    put("resolv.conf", "nameserver 192.0.2.53\n");
    assert_eq!(check(resolv_conf).ok(), "rollcall.toml: OK\n");

    std::fs::create_dir(scratch.path().join("files")).unwrap();
    let zone = |name: &str, more: &str| {
        put(&format!("files/{name}"), &format!("$TTL 5\n@ SOA ns m 1 2 3 4 5\n@ NS ns\n{more}\n"));
    };
    zone("odd.test.zone", "ns A 192.0.2.1\nmail CNAME ns\n@ MX 5 mail");
    let odd = check("server.zones = \"files\"");
    assert_eq!((odd.code, &*odd.stdout), (Some(0), "rollcall.toml: OK\n"));
    assert!(odd.stderr.starts_with("warning: files/odd.test.zone:6: the MX record"), "{odd:#?}");
    zone("bad.test.zone", "ns A 300.1.1.1");
    zone("worse.test.zone", "ns AAAA oops");
    let bad = check("server.zones = \"files\"");
    assert_eq!((bad.code, &*bad.stdout), (Some(78), ""), "{bad:#?}");
    assert!(bad.stderr.contains("\nerror: files/bad.test.zone:4: "), "{bad:#?}");
    assert!(bad.stderr.contains("\n\nerror: files/worse.test.zone:4: "), "all: {bad:#?}");
    assert!(bad.stderr.contains("warning: files/odd.test.zone:6: "), "{bad:#?}");
    let unread = check("[dns]\ncookies = false\ncookie_secret_file = \"nope\"");
    assert_eq!(
        (unread.code, &*unread.stderr),
        (Some(0), "warning: `dns.cookie_secret_file` is not read, as `dns.cookies` is `false`\n")
    );
}

/// It was OK, and each connection to etcd was refused.
#[test]
fn a_certificate_for_etcd_that_has_ended_is_warned_of() {
    let scratch = tempfile::tempdir().unwrap();
    let config = "version = 1\ncluster.advertise = [\"10.0.0.2:8500\"]\n[store]\nkind = \"etcd\"\n\
        endpoints = [\"https://10.0.0.1:2379\"]\ncertificate = \"certificate.pem\"\n\
        key = \"key.pem\"\n";
    std::fs::write(scratch.path().join("rollcall.toml"), config).unwrap();
    let check = |certificate: Certificate| {
        certificate.write(scratch.path());
        let done = run(rollcall(["check-config", "rollcall.toml"]).current_dir(scratch.path()));
        assert_eq!((done.code, &*done.stdout), (Some(0), "rollcall.toml: OK\n"), "{done:#?}");
        done.stderr
    };
    assert_eq!(check(Certificate::new()), "");
    let ended = "`store.certificate`: the certificate for etcd, `certificate.pem`, has ended on \
                 2021-01-01 00:00:00 UTC";
    assert_eq!(check(Certificate::until(2021)), format!("warning: {ended}; renew it\n"));
}

#[test]
fn serve_refuses_what_is_wrong_in_the_words_of_its_source() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rollcall.toml");
    std::fs::write(&file, "version = 1\n[dns]\nudp_size = 1\n").unwrap();
    let serve = || {
        let mut command = rollcall(["serve"]);
        command.current_dir(scratch.path());
        command
    };
    run(serve().args(["--config", "rollcall.toml"])).fails(78, "--> rollcall.toml:3:12");
    run(serve().env("ROLLCALL_CONFIG", &file)).fails(78, "rollcall.toml:3:12");
    let done = run(serve().env("ROLLCALL_DNS_UDP_SIZE", "1"));
    done.fails(78, "--> environment variable ROLLCALL_DNS_UDP_SIZE");
    run(serve().args(["--dns", "localhost:53"])).fails(78, "--> flag --dns");
    run(serve().args(["--domain", "a..b"])).fails(78, "`a..b` has an empty label");
    run(serve().args(["--log-filter", "a=b=c"])).fails(78, "--> flag --log-filter");
    let wrong = scratch.path().join("secrets");
    let file = "version = 1\n[dns]\ncookie_secret_file = \"secrets\"\n";
    std::fs::write(scratch.path().join("rollcall.toml"), file).unwrap();
    let ports = ["--config", "rollcall.toml", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let done = run(serve().args(ports));
    done.fails(78, "`dns.cookie_secret_file`: `secrets` cannot be read: No such file");
    assert!(done.stderr.contains("\n --> rollcall.toml:3:22\n"), "{done:#?}");
    std::fs::write(&wrong, "# of today\nsecret\n").unwrap();
    let done = run(serve().args(ports));
    done.fails(78, "`dns.cookie_secret_file`: `secrets:2` is not 32 hexadecimal digits (`openssl");
    assert!(done.stderr.contains("\n --> rollcall.toml:3:22\n"), "{done:#?}");
    assert_eq!(done.stderr.matches("error:").count(), 1, "{done:#?}");
    let done = run(serve().args(&ports[2..]).env("ROLLCALL_DNS_COOKIE_SECRET_FILE", &wrong));
    done.fails(78, "--> environment variable ROLLCALL_DNS_COOKIE_SECRET_FILE");
    let same = ["--dns", "127.0.0.1:8500", "--http", "127.0.0.1:8500"];
    run(serve().args(same)).fails(78, "is an address of `dns.listen` too");
    assert!(!scratch.path().join("rollcall-data").exists(), "nothing was begun");
}

#[test]
fn a_log_filter_that_would_silence_the_log_by_a_slip_is_refused() {
    for (filter, said) in [
        (
            "inof",
            "(`inof` is neither a level nor a module that writes log lines); is `info` meant?",
        ),
        ("loud", "(`loud` is neither a level nor a module that writes log lines); write `info`"),
        ("bogus=", "(`bogus` is neither a level"),
        ("rollcall=debgu", "(`debgu` is no level); is `debug` meant?"),
        (",", "(it is empty; `off` is what writes nothing)"),
    ] {
        run(&mut rollcall(["serve", "--log-filter", filter])).fails(78, said);
    }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let file = "[server]\ndomain = \"from-file\"\n[policy]\nttl = \"7s\"\nanswer_limit = 2";
    let node = Node::builder()
        .config(file)
        .env("ROLLCALL_SERVER_DOMAIN", "from-env")
        .env("ROLLCALL_POLICY_ANSWER_LIMIT", "3")
        .arg("--domain")
        .arg("from-flag")
        .start();
    for n in 1..=4 {
        node.api().register(
            "web",
            &format!("web-{n}"),
            &json!({"addresses": [format!("10.0.0.{n}")]}),
        );
    }
    let reply = node.resolver().ask("web.service.from-flag.", RecordType::A);
    assert_eq!((reply.answers.len(), reply.answers[0].ttl), (3, 7), "{reply}");
    for domain in ["from-env", "from-file", "internal"] {
        let reply = node.resolver().ask(&format!("web.service.{domain}."), RecordType::A);
        assert!(reply.answers.is_empty(), "{reply}");
    }
}

#[test]
fn every_address_is_listened_on_by_udp_tcp_and_http() {
    let node = Node::builder()
        .dns("127.0.0.1:0")
        .dns("[::1]:0")
        .dns("127.0.0.2:0")
        .arg("--http")
        .arg("[::1]:0")
        .start();
    assert_eq!((node.dns.len(), node.http.len()), (3, 2), "the log says which ports were picked");
    assert!(node.dns.iter().chain(&node.http).all(|address| address.port() != 0));
    node.api().register("web", "web-1", &json!({"addresses": ["10.0.0.1"]}));
    for address in &node.dns {
        let resolver = Resolver::new(*address);
        assert_eq!(resolver.service("web").len(), 1, "{address}");
        let reply = resolver.ask_tcp("web.service.internal.", RecordType::A);
        assert_eq!(reply.answers.len(), 1, "{address}");
    }
    for address in &node.http {
        assert_eq!(Api::new(*address).get("/api/v1/services/web").status, 200, "{address}");
        node.cli(&format!("list --server http://{address}")).ok();
    }
}
