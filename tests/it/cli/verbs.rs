//! What each verb does, seen from the API and from DNS.

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use crate::support::{
    Backend, Node,
    api::instance_path,
    command::{rollcall, run, run_with},
    eventually,
};

/// The revision in what a verb printed, which has to be this otherwise.
#[track_caller]
fn told(printed: &str, what: &str) -> u64 {
    let (said, revision) = printed.split_once(" (revision ").expect("it says the revision");
    assert_eq!(said, what);
    revision.strip_suffix(")\n").expect("it ends the line").parse().expect("a number")
}

#[test]
fn register_takes_everything_that_an_instance_has() {
    let node = Node::start();
    let line = "register payment payment-1 --address 10.0.1.6 --address fd00::6 --port 8080 \
                --weight 10 --priority 2 --tag v1 --tag eu --meta version=1.4.2 --meta k=a=b \
                --deregister-after 10m --http /health --http /deep --tcp --grpc shop.Cart \
                --ttl 15s --interval 24h --check-timeout 1s --rise 3 --fall 4";
    let revision = told(&node.cli(line).ok(), "registered payment/payment-1");
    let instance = node.api().get(&instance_path("payment", "payment-1")).body;
    assert!(instance["revision"].as_u64() >= Some(revision), "its checks may have run");
    let expected = json!({
        "addresses": ["10.0.1.6", "fd00::6"], "port": 8080, "weight": 10, "priority": 2,
        "tags": ["eu", "v1"], "meta": {"version": "1.4.2", "k": "a=b"}, "deregister_after": "10m",
        "service": "payment", "instance": "payment-1", "drained": false,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&instance[field], value, "{field}");
    }
    let active = json!({"interval": "24h", "timeout": "1s", "rise": 3, "fall": 4});
    let checks = [
        json!({"type": "http", "path": "/health", "method": "GET", "expect": "200-299"}),
        json!({"type": "http", "path": "/deep"}),
        json!({"type": "tcp"}),
        json!({"type": "grpc", "service": "shop.Cart"}),
        json!({"type": "ttl", "ttl": "15s"}),
    ];
    assert_eq!(instance["checks"].as_array().unwrap().len(), checks.len(), "{instance}");
    for (index, check) in checks.iter().enumerate() {
        let seen = &instance["checks"][index];
        let common = if check["type"] == "ttl" { &json!({}) } else { &active };
        for (field, value) in check.as_object().unwrap().iter().chain(common.as_object().unwrap()) {
            assert_eq!(&seen[field], value, "{field} of {seen}");
        }
    }
}

#[test]
fn register_without_an_address_takes_the_callers_and_says_when_it_replaces() {
    let node = Node::start();
    let line = "register web web-1 --port 80";
    let first = told(&node.cli(line).ok(), "registered web/web-1");
    assert_eq!(node.resolver().service("web"), ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    let again = told(&node.cli(line).ok(), "updated web/web-1");
    assert_eq!(again, first, "nothing is different");
    let changed = told(&node.cli("register web web-1 --port 81").ok(), "updated web/web-1");
    assert!(changed > first, "{changed} after {first}");
    let host = "register mail mail-1 --port 25 --address mail.example.net";
    node.cli(host).ok();
    let answer = node.resolver().ask("mail.service.internal.", RecordType::A);
    assert_eq!(answer.answers[0].record_type(), RecordType::CNAME);
}

#[test]
fn register_takes_a_file_or_standard_input_as_it_is() {
    let node = Node::start();
    let body = r#"{"addresses": ["10.0.0.1"], "port": 80, "meta": {"k": "v"},
                   "checks": [{"type": "ttl", "ttl": "1h"}], "initial_status": "passing"}"#;
    std::fs::write(node.path("web.json"), body).unwrap();
    node.cli("register web web-1 --file web.json").ok();
    run_with(&mut node.cli_command("register web web-2 --file -"), body).ok();
    for instance in ["web-1", "web-2"] {
        let seen = node.api().get(&instance_path("web", instance)).body;
        assert_eq!((&seen["port"], &seen["meta"]["k"]), (&json!(80), &json!("v")), "{seen}");
        assert_eq!(seen["checks"][0]["ttl"], "1h");
    }
    let twice = "{\"port\": 80,\n \"port\": 81}";
    let done = run_with(&mut node.cli_command("register web web-3 --file -"), twice);
    done.fails(1, "`port`: is there twice");
    assert!(done.stderr.contains("line 2"), "{done:#?}");
    assert_eq!(node.api().status("web", "web-3"), None);
}

#[test]
fn deregister_and_drain_are_seen_by_the_next_query() {
    let node = Node::start();
    let resolver = node.resolver();
    for n in 1..=2 {
        node.cli(&format!("register web web-{n} --port 80 --address 10.0.0.{n}")).ok();
    }
    assert_eq!(resolver.service("web").len(), 2);
    let drained = told(&node.cli("drain web web-1").ok(), "drained web/web-1");
    assert_eq!(resolver.service("web").len(), 1);
    let again = told(&node.cli("drain web web-1").ok(), "drained web/web-1");
    // What others may have changed meanwhile is written again, and is so from then on.
    assert!(again == drained || node.is_shared() && again > drained, "{drained}, {again}");
    assert_eq!(node.cli("show web").words()[3][5], "passing,drained");
    assert_eq!(node.cli("list").words()[1], ["web", "2", "1", "2", "0", "0", "0", "1", "-"]);
    let put_back = told(&node.cli("drain web web-1 --undo").ok(), "put back web/web-1");
    assert_eq!(resolver.service("web").len(), 2);
    let gone = told(&node.cli("deregister web web-1").ok(), "deregistered web/web-1");
    assert!(drained < put_back && put_back < gone, "{drained}, {put_back}, {gone}");
    assert_eq!(resolver.service("web").len(), 1);
    node.cli("deregister web web-1").fails(1, "there is no instance `web-1` of service `web`");
}

#[test]
fn with_json_a_mistake_names_its_flag_or_its_variable() {
    let told = |command: &mut std::process::Command| {
        let done = run(command);
        assert_eq!(done.code, Some(78), "{done:#?}");
        let told: Value = serde_json::from_str(&done.stderr).expect(&done.stderr);
        told["errors"][0].clone()
    };
    let flag = told(&mut rollcall(["export", "--json", "--store", "etcd=nowhere"]));
    let wrong = told(rollcall(["export", "--json"]).env("ROLLCALL_STORE_PREFIX", "a"));
    let unknown = told(rollcall(["export", "--json"]).env("ROLLCALL_STORE_PERFIX", "a"));
    for (mistake, source) in [
        (flag, "flag --store"),
        (wrong, "environment variable ROLLCALL_STORE_PREFIX"),
        (unknown, "environment variable ROLLCALL_STORE_PERFIX"),
    ] {
        assert_eq!((&mistake["source"], &mistake["file"]), (&json!(source), &Value::Null));
        let message = mistake["message"].as_str().unwrap();
        assert!(!message.contains('\n'), "{message}");
    }
}

/// They were text, whatever was asked for.
#[test]
fn with_json_a_failure_is_json_too() {
    let node = Node::start();
    let resolve = format!("resolve nowhere --json --dns {}", node.dns[0]);
    for (line, code, said) in [
        ("drain web web-1 --json", 1, "there is no instance `web-1` of service `web`"),
        ("--json deregister web web-1", 1, "there is no instance `web-1` of service `web`"),
        ("show web --json", 1, "there is no service `web`"),
        (&resolve, 1, "nowhere"),
        ("list --json --server http://127.0.0.1:1", 69, "cannot be reached"),
        ("list --json --server ftp://a", 2, "is no URL of an HTTP server"),
        ("check-config none.toml --json", 78, "none.toml"),
        ("--json import none.jsonl --data none", 1, "`none.jsonl` cannot be read"),
        ("export --data none --json", 1, "there is no store in"),
        ("--timeout 1s export --json", 2, "--timeout means nothing to `export`"),
    ] {
        let done = node.cli(line);
        assert_eq!(done.code, Some(code), "{line}: {done:#?}");
        let told: Value = serde_json::from_str(&done.stderr).expect(&done.stderr);
        assert!(told["error"].as_str().unwrap().contains(said), "{line}: {told}");
        assert_eq!(told["exit_code"], code, "{line}: {told}");
        let is_refused = line.contains("web");
        assert_eq!(told["problem"]["status"].as_u64(), is_refused.then_some(404), "{line}: {told}");
    }
}

#[test]
fn show_tells_what_the_checks_say_and_that_a_service_fails_open() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    backend.set_status(503);
    let port = backend.address.port();
    let check = "--http /health --interval 100ms --check-timeout 100ms";
    let line = format!("register web web-1 --address 127.0.0.1 --port {port} --tag v1 {check}");
    node.cli(&line).ok();
    eventually("the check has a result", || (backend.requests() > 0).then_some(()));
    eventually("the result is shown", || {
        let text = node.cli("show web").ok();
        (text.contains("critical") && text.contains("HTTP 503")).then_some(())
    });
    assert!(!node.cli("show web").ok().contains("failing open"));
    let policy = node.cli("policy web --when-none-healthy all").ok();
    assert!(policy.contains("when_none_healthy all") && policy.contains("(its own)"), "{policy}");
    let shown = node.cli("show web").ok();
    assert!(shown.contains("failing open: none is healthy, so all are answered"), "{shown}");
    let line = node.wait_for_log("failing open: all instances are answered");
    assert_eq!(line["fields"]["reason"], "none_healthy", "in the API's word: {line}");
    assert_eq!(node.resolver().service("web").len(), 1);
    backend.set_status(204);
    eventually("it is healthy", || {
        let line = node.cli("list").words()[1].join(" ");
        (line == "web 1 1 1 0 0 0 0 v1").then_some(())
    });
}

#[test]
fn policy_changes_what_it_names_and_unset_goes_back() {
    let node = Node::start();
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let ttl = || node.resolver().ask("web.service.internal.", RecordType::A).answers[0].ttl;
    let default = "web: ttl 5s, answer_limit 8, when_none_healthy nodata, min_healthy 0 \
                   (the server's default)\n";
    assert_eq!(node.cli("policy web").ok(), default);
    node.cli("policy web --ttl 1m --min-healthy 0.25").ok();
    assert_eq!(ttl(), 60);
    let kept =
        "web: ttl 60s, answer_limit 1, when_none_healthy nodata, min_healthy 0.25 (its own)\n";
    assert_eq!(node.cli("policy web --answer-limit 1").ok(), kept);
    node.cli("policy web --ttl 0s").ok();
    assert_eq!(ttl(), 0);
    assert!(node.cli("policy web --unset").ok().starts_with("policy of web unset (revision "));
    assert_eq!(node.cli("policy web").ok(), default);
    assert_eq!(ttl(), 5);
    node.cli("policy web --unset").fails(1, "service `web` has no policy of its own");
    node.cli("policy nobody").fails(1, "there is no service `nobody`");
}

#[test]
fn client_options_stand_anywhere_and_win_over_the_variable() {
    let node = Node::start();
    let server = format!("http://{}", node.http[0]);
    for line in [format!("--server {server} list"), format!("list --server {server}/")] {
        let mut command = node.cli_command(&line);
        command.env("ROLLCALL_SERVER", "http://127.0.0.1:1");
        run(&mut command).ok();
    }
    let mut command = node.cli_command("list");
    command.env("ROLLCALL_SERVER", "http://127.0.0.1:1");
    run(&mut command).fails(69, "http://127.0.0.1:1 cannot be reached");
}
