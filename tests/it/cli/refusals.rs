//! What is said when something is wrong, and the exit code that a script sees.

use std::net::{TcpListener, UdpSocket};

use crate::support::{
    Node,
    command::{rollcall, run, run_with},
};

#[test]
fn what_the_server_refuses_is_told_with_field_value_and_limit() {
    let node = Node::start();
    let long = "a".repeat(64);
    let cases = [
        ("show nobody".to_owned(), "there is no service `nobody`"),
        ("show we_b".into(), "`service`: `we_b` has the character '_' at position 3"),
        ("drain web web-1".into(), "there is no instance `web-1` of service `web`"),
        (format!("register {long} w --port 1"), "has 64 characters, above the limit of 63"),
        ("register web a.b --port 1".into(), "`instance`: `a.b` has the character '.' at"),
        ("register web w --port 1 --tag v_1".into(), "`tags[0]`: `v_1` has the character '_'"),
        ("register web w --port 1 --address 10.0.0.300".into(), "`addresses[0]`: `10.0.0.300`"),
        ("register web w --port 1 --address 0.0.0.0".into(), "is no address of a host"),
        (
            "register web w --port 1 --address web.service.internal".into(),
            "`addresses[0]`: `web.service.internal` is a name of the service itself",
        ),
        (
            "register web w --port 1 --address v1.web.service.dc1.consul".into(),
            "`addresses[0]`: `v1.web.service.dc1.consul` is a name of the service itself",
        ),
        ("register web w --port 1 --meta =v".into(), "`meta`: is no key"),
        ("register web w --port 1 --http x".into(), "`checks[0].path`: `x` is no path"),
        (
            "register web w --port 1 --tcp --interval 50ms".into(),
            "`checks[0].interval`: `50ms` is below the limit of 100ms",
        ),
        (
            "register web w --port 1 --tcp --interval 1s --check-timeout 3s".into(),
            "`checks[0].timeout`: `3s` is above the limit of 1s",
        ),
        ("register web w --port 1 --tcp --rise 0".into(), "`0` is outside the limits of 1 to 100"),
        ("policy web --answer-limit 1001".into(), "`1001` is outside the limits of 1 to 1000"),
        ("policy web --ttl 25h".into(), "`ttl`: `90000` is above the limit of 86400 seconds"),
        ("watch we_b".into(), "`we_b` has the character '_' at position 3"),
    ];
    for (line, said) in &cases {
        let done = node.cli(line);
        done.fails(1, said);
        assert_eq!(done.stderr.lines().count(), 1, "{done:#?}");
        assert_eq!(done.stdout, "", "{line}");
    }
    assert_eq!(node.cli("list").ok().lines().count(), 1, "nothing of that was registered");
}

#[test]
fn what_is_wrong_with_the_command_line_is_code_2() {
    let node = Node::start();
    let cases = [
        ("", "Usage: rollcall"),
        ("registre web w", "similar subcommand"),
        ("register web w", "--port <N>"),
        ("register web w --prot 80", "'--port'"),
        ("register web w --port 65536", "65536 is not in 0..=65535"),
        ("register web w --port 80 --weight 70000", "70000 is not in 0..=65535"),
        ("register web w --port 80 --weight -1", "-1 is not in 0..=65535"),
        ("register web w --port 80 --meta novalue", "no `=` between key and value"),
        ("register web w --port 80 --meta k=1 --meta k=2", "the key `k` is there twice"),
        ("register web w --port 80 --ttl 5", "write a number and its unit"),
        ("register web w --port 80 --rise 2", "--rise means nothing without --http, --tcp,"),
        ("register web w --port 80 --file w.json", "cannot be used with"),
        ("register web w --file nowhere.json", "`nowhere.json` cannot be read"),
        ("policy web --min-healthy nan", "is outside the limits of 0 to 1"),
        ("policy web --min-healthy -0.5", "is outside the limits of 0 to 1"),
        ("policy web --when-none-healthy maybe", "[possible values: all, nodata, nxdomain, "),
        ("policy web --unset --ttl 5s", "cannot be used with"),
        ("watch --since yesterday", "--since"),
        ("list extra", "'extra'"),
        ("list --server https://rollcall", "asks for TLS"),
        ("list --server ftp://rollcall", "is no URL of an HTTP server"),
        ("resolve web --server http://127.0.0.1:8500", "--dns names the place"),
        ("resolve web --dns localhost", "an IP address, with or without a port"),
        ("resolve web --type NONE", "`NONE` is no record type"),
        ("--json serve", "--json means nothing to `serve`"),
        ("serve --unknown", "'--unknown'"),
        ("check-config", "<FILE>"),
        ("completions tcsh", "[possible values: bash, elvish, fish, powershell, zsh]"),
    ];
    for (line, said) in cases {
        let done = node.cli(line);
        assert_eq!(done.code, Some(2), "{line}: {done:#?}");
        assert!(done.stderr.contains(said), "{line}: `{said}` is not in {done:#?}");
        assert_eq!(done.stdout, "", "{line}");
    }
    for (body, said) in [("[1]", "is no registration"), ("{", "is no JSON: EOF")] {
        run_with(&mut node.cli_command("register web w --file -"), body).fails(2, said);
    }
    assert_eq!(node.cli("list").ok().lines().count(), 1, "nothing of that was registered");
}

#[test]
fn a_server_that_is_not_there_or_silent_is_code_69() {
    // Bound and never accepted or answered: a connection is made, a reply never comes.
    let (tcp, udp) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let silent = format!("http://{}", tcp.local_addr().unwrap());
    let mute = udp.local_addr().unwrap().to_string();
    let reading = ["list", "servers", "show web", "watch", "policy web"];
    for line in reading.into_iter().chain(["deregister web w", "drain web w"]) {
        let words: Vec<_> = line.split(' ').collect();
        let mut command = rollcall([]);
        let done = run(command.args(&words).args(["--server", &silent, "--timeout", "100ms"]));
        done.fails(69, &format!("{silent} has not answered within 100ms (--timeout)"));
        let mut command = rollcall([]);
        let done = run(command.args(&words).args(["--server", "http://127.0.0.1:1"]));
        done.fails(69, "http://127.0.0.1:1 cannot be reached: Connection refused");
        assert!(done.stderr.contains("is `rollcall serve` running there?"), "{done:#?}");
    }
    let mut command = rollcall(["resolve", "web", "--timeout", "200ms", "--dns", &mute]);
    run(&mut command).fails(69, "has not answered within");
    let mut command = rollcall(["resolve", "web", "--tcp", "--dns", "127.0.0.1:1"]);
    run(&mut command).fails(69, "127.0.0.1:1 cannot be reached");
    let unknown = ["list", "--timeout", "5s", "--server", "http://name.invalid:8500"];
    run(&mut rollcall(unknown)).fails(69, "http://name.invalid:8500 ");
}

#[test]
fn a_folder_that_serve_cannot_use_is_told_once() {
    let scratch = tempfile::tempdir().unwrap();
    let serve = |words: &[&str]| {
        let mut command = rollcall(["serve", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        run(command.args(words).current_dir(scratch.path()))
    };
    let done = serve(&["--zones", "nowhere"]);
    done.fails(78, "cannot read the zone folder `nowhere`");
    assert_eq!(done.stderr.matches("No such file").count(), 1, "{done:#?}");
    std::fs::write(scratch.path().join("ca.toml"), "version = 1\nhealth.ca_file = \"no.pem\"\n")
        .unwrap();
    serve(&["--config", "ca.toml"]).fails(78, "`health.ca_file`: `no.pem`");
    std::fs::write(scratch.path().join("file"), "").unwrap();
    serve(&["--data", "file"]).fails(1, "the directory `file`: it is there and is no folder");
    let done = serve(&["--dns", "203.0.113.1:53"]);
    done.fails(1, "203.0.113.1:53");
    assert_eq!(done.stderr.matches("os error").count(), 1, "{done:#?}");
}

#[test]
fn a_server_on_its_way_down_refuses_changes_readably() {
    let node = Node::builder().config("[server]\nlame_duck = \"60s\"").start();
    node.cli("register web web-1 --port 80").ok();
    node.signal("TERM");
    node.wait_for_log("lame duck");
    node.cli("register web web-2 --port 80").fails(1, "the server is stopping");
    assert_eq!(node.cli("list").ok().lines().count(), 2, "reading goes on");
    let reasons = node.api().get("/ready").body["reasons"].take();
    assert_eq!(reasons.as_array().map(Vec::len), Some(1), "said once: {reasons}");
}
