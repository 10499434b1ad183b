//! Starting, reloading and going down.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use hickory_proto::{op::ResponseCode, rr::RecordType};
use serde_json::json;

use crate::support::{Node, api::instance_path, eventually};

#[test]
fn the_lines_printed_at_the_start_work_as_they_stand() {
    let builder = Node::builder();
    let mut command = builder.command_in_text();
    command.stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut curl, mut dig) = (None, None);
    for line in stdout.lines().map_while(Result::ok) {
        let line = line.trim().to_owned();
        if line.starts_with("curl ") {
            curl = Some(line);
        } else if line.starts_with("dig ") {
            dig = Some(line);
        }
        if curl.is_some() && dig.is_some() {
            break;
        }
    }
    let shell = |line: Option<String>| {
        let output = Command::new("sh").arg("-c").arg(line.unwrap()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(shell(curl).contains("\"revision\""));
    let answer = shell(dig);
    assert!(answer.contains("status: NOERROR") && answer.contains("127.0.0.1"), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sigterm_refuses_writes_answers_on_and_exits_zero() {
    let mut node = Node::builder().config("[server]\nlame_duck = \"2s\"").start();
    let (api, resolver) = (node.api(), node.resolver());
    api.register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    node.signal("TERM");
    let asked = Instant::now();
    eventually("writes are refused", || {
        let reply =
            api.put(&instance_path("late", "late-1"), &json!({ "addresses": ["10.0.0.2"] }));
        (reply.status == 503).then_some(())
    });
    assert_eq!(api.get("/ready").status, 503, "a load balancer is told");
    assert_eq!(api.get("/api/v1/services/web").status, 200, "reading goes on");
    let mut answered = 0;
    while asked.elapsed().as_millis() < 1_500 {
        assert_eq!(resolver.service("web").len(), 1, "DNS goes on");
        assert_eq!(resolver.ask_tcp("web.service.internal.", RecordType::A).answers.len(), 1);
        answered += 1;
    }
    assert!(answered > 10);
    let status = node.wait();
    assert_eq!(status.code(), Some(0));
    let took = asked.elapsed().as_secs_f64();
    assert!((1.9..15.0).contains(&took), "ended after {took} s");
}

#[test]
fn a_second_signal_ends_the_lame_duck_at_once() {
    let mut node = Node::builder().config("[server]\nlame_duck = \"60s\"").start();
    node.signal("TERM");
    node.wait_for_log("lame duck");
    node.signal("TERM");
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn sighup_applies_what_can_change_and_says_what_cannot() {
    let node = Node::builder().config("[policy]\nttl = \"5s\"").start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    let ttl = || node.resolver().ask("web.service.internal.", RecordType::A).answers[0].ttl;
    assert_eq!(ttl(), 5);
    let config = node.path("rollcall.toml");
    let changed = "version = 1\n[policy]\nttl = \"7s\"\n[server]\ndomain = \"elsewhere\"\n";
    std::fs::write(&config, changed).unwrap();
    node.signal("HUP");
    eventually("the new ttl is answered", || (ttl() == 7).then_some(()));
    let line = node.wait_for_log("server.domain");
    assert!(line.to_string().contains("restart"), "{line}");
    std::fs::write(&config, "version = 1\n[policy]\nttl = 7\nttl = 8\n").unwrap();
    node.signal("HUP");
    let line = node.wait_for_log("ERROR");
    assert!(line.to_string().contains("line 4") || line.to_string().contains(":4:"), "{line}");
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200, "a note only");
    assert_eq!(ready.body["notes"][0]["name"], "configuration", "{ready:?}");
    assert!(node.api().text("/metrics").contains("rollcall_config_last_reload_successful 0"));
    assert_eq!(ttl(), 7, "a broken file leaves everything as it was");
    std::fs::write(&config, changed).unwrap();
    node.signal("HUP");
    eventually("the note is gone", || {
        (node.api().get("/ready").body["notes"] == json!([])).then_some(())
    });
    let forward = format!("{changed}[forward]\nupstreams = [\"192.0.2.53\"]\n");
    std::fs::write(&config, &forward).unwrap();
    node.signal("HUP");
    let line = node.wait_for_log("names that are not ours are forwarded").to_string();
    assert!(line.contains("192.0.2.53") && line.contains("local networks"), "{line}");
    let missing = format!("{forward}[tls]\ncertificate = \"nope\"\nkey = \"nope\"\n");
    std::fs::write(&config, missing).unwrap();
    node.signal("HUP");
    node.wait_for_log("nope` cannot be read");
}

#[test]
fn rules_for_names_that_wait_for_a_restart_wait_with_them() {
    let names = |domain: &str| {
        format!(
            "[server]\ndomain = \"{domain}\"\n[[dns.access]]\nzone = \"service.{domain}\"\n\
             deny = [\"127.0.0.0/8\"]\n"
        )
    };
    let node = Node::builder().config(&names("old")).start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    let ask = || node.resolver().ask("web.service.old.", RecordType::A).metadata.response_code;
    assert_eq!(ask(), ResponseCode::Refused);
    std::fs::write(node.path("rollcall.toml"), format!("version = 1\n{}", names("new"))).unwrap();
    node.signal("HUP");
    let line = node.wait_for_log("these changes need a restart").to_string();
    assert!(line.contains("server.domain") && line.contains("dns.access"), "{line}");
    assert_eq!(ask(), ResponseCode::Refused, "the old names are not open to everybody");
}

#[test]
fn a_reload_warns_of_what_it_brings_and_most_likely_nobody_meant() {
    let node = Node::builder().config("[dns]\ncookies = true").start();
    let config = "version = 1\n[dns]\ncookies = false\ncookie_secret_file = \"nope\"\n";
    std::fs::write(node.path("rollcall.toml"), config).unwrap();
    for reloads in 1..=2 {
        node.signal("HUP");
        eventually("it is read", || {
            (node.count_log("configuration reloaded") == reloads).then_some(())
        });
    }
    assert_eq!(node.count_log("is not read, as `dns.cookies` is `false`"), 1, "once");
}

#[test]
fn a_resolv_conf_that_does_not_answer_stops_neither_start_nor_signals() {
    // Whoever opens a file that is leased waits until it is given back, or for 45 s.
    const LEASE: &str = "import fcntl, signal, sys\n\
        signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
        file = open(sys.argv[1], 'r+')\n\
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
        print('leased', flush=True)\n\
        sys.stdin.read()\n";
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("resolv.conf");
    std::fs::write(&file, "nameserver 192.0.2.53\n").unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", LEASE]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lease = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(lease.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "leased\n");
    let asked = Instant::now();
    let config = format!("[forward]\nresolv_conf = \"{}\"\n", file.display());
    let mut node = Node::builder().config(&config).start();
    let problem = "resolv.conf`: there was no answer within 2s";
    node.wait_for_log(problem);
    assert!(node.api().get("/ready").body.to_string().contains(problem));
    let reply = node.resolver().ask("www.example.", RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail, "{reply}");
    node.signal("HUP");
    node.wait_for_log("configuration reloaded");
    let took = asked.elapsed().as_secs_f64();
    assert!(took < 30.0, "it was waited for until the lease was over: {took} s");
    drop(lease.stdin.take());
    lease.wait().unwrap();
    node.wait_for_log("resolv.conf read");
    assert_eq!(node.count_log(problem), 1, "once");
    eventually("the note is gone", || {
        (node.api().get("/ready").body["notes"] == json!([])).then_some(())
    });
    node.signal("TERM");
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn an_address_in_use_is_named() {
    let node = Node::start();
    let output = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .current_dir(node.path("."))
        .args(["serve", "--http", &node.http[0].to_string(), "--dns", "127.0.0.1:0"])
        .args(["--data", "other-data"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains(&node.http[0].to_string()) && said.contains("in use"), "{said}");
}

#[test]
fn readiness_liveness_and_metrics_are_there() {
    let node = Node::start();
    let api = node.api();
    assert_eq!(api.get("/health").status, 200);
    let ready = api.get("/ready");
    assert_eq!(ready.status, 200, "{ready:?}");
    node.resolver().service("web");
    api.register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    let metrics = api.text("/metrics");
    let written = if node.is_shared() {
        "rollcall_store_transactions_total"
    } else {
        "rollcall_store_commits_total"
    };
    for part in [
        "rollcall_dns_queries_total{",
        "rollcall_dns_responses_total{",
        "rollcall_dns_response_duration_seconds_bucket{",
        "rollcall_http_requests_total{",
        "rollcall_instances{status=\"passing\"} 1",
        "rollcall_services 1",
        written,
        "rollcall_checks",
        "rollcall_build_info{version=",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(part), "{part} is missing in:\n{metrics}");
    }
}
