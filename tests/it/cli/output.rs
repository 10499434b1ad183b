//! What is printed: tables for people, JSON for programs, and nothing about a reader who has left.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{
    Node,
    api::instance_path,
    command::{clean, run},
};

/// A server with a service of long names and many tags.
fn node() -> Node {
    let node = Node::start();
    for n in 1..=3 {
        let tags = "--tag version-2 --tag canary --tag europe-west";
        let line = format!("register payment payment-instance-{n} --port 8080 {tags}");
        node.cli(&format!("{line} --address 10.0.0.{n} --address fd00::{n}")).ok();
    }
    node.cli("register web web-1 --port 80 --address 10.0.1.1").ok();
    node
}

/// Runs a command line on a terminal of so many columns, and gives the lines that it shows.
fn on_terminal(node: &Node, width: u16, line: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let binary = env!("CARGO_BIN_EXE_rollcall");
    let shell = format!("stty cols {width}; exec {binary} {line}");
    let mut script = Command::new("script");
    clean(&mut script);
    script.args(["-q", "-e", "-c", &shell, "/dev/null"]);
    script.env("ROLLCALL_SERVER", format!("http://{}", node.http[0]));
    script.env("TERM", "xterm").envs(variables.iter().copied());
    run(&mut script).ok().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => {
                let _colour = characters.by_ref().take_while(|c| *c != 'm').count();
            }
            c => text.push(c),
        }
    }
    text
}

#[test]
fn in_a_pipe_each_row_is_one_line_with_its_columns_below_the_header() {
    let node = node();
    let text = node.cli("list").ok();
    assert_eq!(
        text,
        "\
SERVICE  INSTANCES  ANSWERED  PASSING  WARNING  CRITICAL  SUSPECT  DRAINED  TAGS
payment          3         3        3        0         0        0        0  canary,europe-west,\
version-2
web              1         1        1        0         0        0        0  -
"
    );
    let text = node.cli("show payment").ok();
    let lines: Vec<_> = text.lines().skip(2).collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (name, value) in [("ADDRESS", "10.0.0."), ("STATUS", "passing"), ("TAGS", "canary,")] {
        let at = lines[0].find(name).unwrap();
        assert!(lines[1..].iter().all(|row| row[at..].starts_with(value)), "{name}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "a pipe gets no colours");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
}

#[test]
fn a_narrow_terminal_cuts_lists_and_leaves_names_whole() {
    let node = node();
    for (width, variables) in [(90, &[][..]), (200, &[("COLUMNS", "90")])] {
        let lines = on_terminal(&node, width, "show payment", variables);
        let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 90), "{lines:#?}");
        let blank = lines.iter().position(String::is_empty).unwrap();
        let policy = lines[..blank].join("");
        assert!(blank == 2 && policy.ends_with(" default)"), "wrapped, not cut: {lines:#?}");
        let rows = &lines[blank + 2..];
        assert_eq!(rows.len(), 3, "a row is one line: {lines:#?}");
        for (row, n) in rows.iter().zip(1..) {
            assert!(row.starts_with(&format!("payment-instance-{n}  10.0.0.{n}")), "{row}");
            assert!(row.contains("passing") && row.contains('…'), "{row}");
        }
    }
    for width in [30, 40, 60] {
        let lines = on_terminal(&node, width, "list", &[]);
        let has = |name| lines[0].split_whitespace().any(|column| column == name);
        assert!(has("SERVICE") && has("INSTANCES") && has("ANSWERED"), "{lines:#?}");
        assert!(lines.len() == 3 && lines.iter().all(|l| l.chars().count() <= width.into()));
    }
}

#[test]
fn a_page_in_a_reply_is_one_line_of_the_table() {
    let node = Node::start();
    node.cli("register web web-1 --port 80 --ttl 1h").ok();
    let page = format!("<html>\n{}</html>\n", "  <p>down</p>\n".repeat(200));
    let path = format!("{}/heartbeat", instance_path("web", "web-1"));
    assert_eq!(node.api().put(&path, &json!({"status": "critical", "output": page})).status, 200);
    let text = node.cli("show web").ok();
    let output = text.lines().last().unwrap().rsplit("  ").next().unwrap();
    assert!(output.starts_with("<html> <p>down</p> <p>") && output.ends_with('…'), "{text}");
    assert!(output.chars().count() <= 80, "{text}");
    assert_eq!(node.cli("show web --json").json()["instances"][0]["checks"][0]["output"], page);
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let node = node();
    let shown = |variables: &[_]| on_terminal(&node, 200, "show web", variables).join("\n");
    assert!(shown(&[]).contains("\u{1b}["), "{}", shown(&[]));
    let without = shown(&[("NO_COLOR", "1")]);
    assert!(!without.contains('\u{1b}') && without.contains("passing"), "{without}");
}

#[test]
fn json_is_one_document_of_every_verb() {
    let node = node();
    let dns = node.dns[0];
    for (line, pointer, value) in [
        ("register web web-2 --port 81 --json".to_owned(), "/instance", "web-2"),
        ("list --json".into(), "/services/1/service", "web"),
        ("show web --json".into(), "/instances/1/instance", "web-2"),
        ("show web --json".into(), "/service/policy/when_none_healthy", "nodata"),
        ("servers --json".into(), "/servers/0/version", env!("CARGO_PKG_VERSION")),
        ("drain web web-2 --json".into(), "/instance", "web-2"),
        ("policy web --ttl 7s --json".into(), "/when_none_healthy", "nodata"),
        (format!("resolve web --json --dns {dns}"), "/replies/0/answers/0/data", "10.0.1.1"),
    ] {
        let document = node.cli(&line).json();
        assert_eq!(document.pointer(pointer).and_then(Value::as_str), Some(value), "{line}");
    }
    let gone = node.cli("deregister web web-2 --json").json();
    assert!(gone["revision"].as_u64().unwrap() > 4, "{gone}");
    assert!(node.cli("policy web --unset --json").json()["revision"].is_u64());
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    let node = Node::start();
    // More than a pipe holds, so that the writer meets the closed end.
    let many: Vec<_> = (0..2_000)
        .map(|n| {
            let tags = ["t".repeat(60), format!("n{n}")];
            serde_json::json!({"service": "web", "instance": format!("web-{n}"), "port": 80,
                               "addresses": ["10.0.0.1"], "tags": tags})
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &many.into()).status, 200);
    for line in ["show web", "show web --json", "list --json", "completions bash", "--help"] {
        let mut command = node.cli_command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{line}");
    }
    // Nobody hears what went wrong either, and the code still says it.
    let mut command = node.cli_command("show nobody");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
