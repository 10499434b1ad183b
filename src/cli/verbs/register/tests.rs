//! From the command line to the body of the request.

use std::fs;

use clap::Parser;
use serde_json::{Value, json};

use super::RegisterArgs;
use crate::cli::testing::{Buffer, Stub};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    register: RegisterArgs,
}

fn parse(line: &str) -> Result<RegisterArgs, String> {
    let words = ["register", "web", "web-1"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.register).map_err(|error| error.to_string())
}

#[test]
fn each_option_has_its_field() {
    let cases = [
        ("--port 80", json!({"port": 80})),
        (
            "--address 10.0.0.1 --address fd00::1 --port 80 --weight 0 --priority 2 --tag v1 \
             --tag eu --meta version=1.4 --meta q=a=b --deregister-after 10m",
            json!({"addresses": ["10.0.0.1", "fd00::1"], "port": 80, "weight": 0, "priority": 2,
                   "tags": ["v1", "eu"], "meta": {"version": "1.4", "q": "a=b"},
                   "deregister_after": "10m"}),
        ),
        (
            "--port 80 --http /a --http /b --interval 5s --check-timeout 500ms --rise 2 --fall 3",
            json!({"port": 80, "checks": [
                {"type": "http", "path": "/a", "interval": "5s", "timeout": "500ms",
                 "rise": 2, "fall": 3},
                {"type": "http", "path": "/b", "interval": "5s", "timeout": "500ms",
                 "rise": 2, "fall": 3}]}),
        ),
        (
            "--port 80 --tcp --grpc --ttl 15s --interval 1s",
            json!({"port": 80, "checks": [
                {"type": "tcp", "interval": "1s"}, {"type": "grpc", "interval": "1s"},
                {"type": "ttl", "ttl": "15s"}]}),
        ),
        (
            "--port 80 --weight 10 --warning-weight 1 --tcp --fall 3 --warn-after 1",
            json!({"port": 80, "weight": 10, "warning_weight": 1,
                   "checks": [{"type": "tcp", "fall": 3, "warn_after": 1}]}),
        ),
        ("--port 80 --udp --rise 2", json!({"port": 80, "checks": [{"type": "udp", "rise": 2}]})),
        ("--port 80 --h2ping", json!({"port": 80, "checks": [{"type": "h2ping"}]})),
        (
            "--port 80 --udp --h2ping --rise 2",
            json!({"port": 80, "checks": [
                {"type": "udp", "rise": 2}, {"type": "h2ping", "rise": 2}]}),
        ),
        (
            "--port 80 --grpc shop.Cart",
            json!({"port": 80, "checks": [
            {"type": "grpc", "service": "shop.Cart"}]}),
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(parse(line).unwrap().registration().unwrap(), expected, "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_is_sent() {
    for (line, problem) in [
        ("", "--port"),
        ("--port 70000", "70000 is not in 0..=65535"),
        ("--port 80 --ttl 15", "is no duration, which needs a unit; write a number and its unit"),
        ("--port 80 --meta x", "there is no `=`"),
        ("--file x.json --port 80", "cannot be used with"),
        ("--file x.json --tcp", "cannot be used with"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(problem), "{line}: {error}");
    }
    for (line, problem) in [
        ("--port 80 --interval 5s --ttl 9s", "--interval means nothing without"),
        ("--port 80 --meta a=1 --meta a=2", "the key `a` is there twice"),
    ] {
        let failure = parse(line).unwrap().registration().unwrap_err();
        assert_eq!(failure.code(), 2);
        assert!(failure.to_string().contains(problem), "{line}: {failure}");
    }
}

#[tokio::test]
async fn the_reply_says_whether_anything_is_new() {
    let stub = Stub::replying(vec![(201, "{}".into()), (200, "{}".into())]).await;
    let buffer = Buffer::default();
    for _ in 0..2 {
        let verb = parse("--port 80").unwrap();
        verb.run(&stub.client(), &mut buffer.output(false)).await.unwrap();
    }
    assert_eq!(
        buffer.text(),
        "registered web/web-1 (revision 7)\nupdated web/web-1 (revision 7)\n"
    );
    assert_eq!(stub.asked(), ["PUT /api/v1/services/web/instances/web-1"; 2]);
}

#[tokio::test]
async fn a_registration_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web-1.json");
    let registration = json!({"port": 80, "checks": [{"type": "https", "path": "/"}]});
    fs::write(&file, registration.to_string()).unwrap();
    let stub = Stub::replying(vec![(201, "{}".into())]).await;
    let run = async |url: &Stub| {
        let verb = parse(&format!("--file {}", file.display())).unwrap();
        verb.run(&url.client(), &mut Buffer::default().output(false)).await
    };
    run(&stub).await.unwrap();
    let sent: Value = serde_json::from_str(&stub.requests()[0].body).unwrap();
    assert_eq!(sent, registration);
    for (text, problem) in [("{", "is no JSON"), ("[]", "is no registration")] {
        fs::write(&file, text).unwrap();
        let failure = run(&stub).await.unwrap_err();
        assert_eq!(failure.code(), 2);
        assert!(failure.to_string().contains(problem), "{failure}");
    }
}
