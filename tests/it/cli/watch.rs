//! `rollcall watch`: events as they happen, over restarts of the server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;

use crate::support::{Node, PATIENCE};

/// A watch that runs until it is dropped.
struct Watch {
    child: Child,
    lines: mpsc::Receiver<String>,
}

// === impl Watch ===

impl Watch {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _gone = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// The next line without its time, which is looked at here.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("an event is printed");
        let mut words: Vec<_> = line.split(' ').collect();
        let time = words.remove(1);
        assert!(time.len() == 24 && time.ends_with('Z'), "`{time}` is no time: {line}");
        words.join(" ")
    }

    fn next_json(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("an event is printed");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn events_are_printed_as_they_happen() {
    let node = Node::start();
    node.cli("register other other-1 --port 80 --address 10.0.0.9").ok();
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let all = Watch::start(&mut node.cli_command("watch --since 0"));
    let web = Watch::start(&mut node.cli_command("watch web --since 0 --json"));
    assert_eq!(all.next(), "1 registered other/other-1");
    assert_eq!(all.next(), "2 registered web/web-1");
    assert_eq!(web.next_json()["revision"], 2, "only of the service");
    // Both have caught up: what follows is seen while it happens.
    for (line, event, kind) in [
        ("register web web-2 --port 80 --ttl 100ms", "3 registered web/web-2", "registered"),
        ("", "4 status web/web-2 passing -> critical", "status"),
        ("drain web web-1", "5 drained web/web-1", "drained"),
        ("drain web web-1 --undo", "6 undrained web/web-1", "undrained"),
        ("policy web --ttl 7s", "7 policy web", "policy"),
        ("register web web-1 --port 81", "8 updated web/web-1", "updated"),
        ("deregister web web-1", "9 deregistered web/web-1", "deregistered"),
    ] {
        if !line.is_empty() {
            node.cli(line).ok();
        }
        let seen = all.next();
        assert!(seen.starts_with(event), "`{event}` is not {seen}");
        let data = web.next_json();
        assert_eq!(data["service"], "web", "{kind}");
        assert_eq!(data["revision"].to_string(), event[..1], "{kind}");
    }
}

#[test]
fn a_watch_goes_on_over_a_restart_of_the_server() {
    // An address that is this process's alone keeps its port free while the server is away.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = format!("127.77.{high}.{low}:8500");
    let node = Node::builder().arg("--http").arg(&address).start();
    let mut command = node.cli_command("watch --since 0");
    let watch = Watch::start(command.args(["--server", &address]));
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    assert_eq!(watch.next(), "1 registered web/web-1");
    let node = node.kill_and_restart();
    node.cli("register web web-2 --port 80 --address 10.0.0.2").ok();
    // A new life begins 2²⁴ revisions further on.
    assert_eq!(watch.next(), "16777218 registered web/web-2");
    node.cli("deregister web web-1").ok();
    assert_eq!(watch.next(), "16777219 deregistered web/web-1");
}

#[test]
fn a_watch_from_a_revision_that_is_gone_says_so_and_goes_on() {
    let node = Node::start();
    let watch = Watch::start(&mut node.cli_command("watch --since 99999"));
    let line = watch.lines.recv_timeout(PATIENCE).unwrap();
    assert!(line.starts_with("0 - reset: "), "{line}");
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    assert_eq!(watch.next(), "1 registered web/web-1");
}

#[test]
fn a_watch_ends_quietly_when_nobody_reads_it() {
    let node = Node::start();
    let mut command = node.cli_command("watch --since 0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]));
}

#[test]
fn the_limit_of_watchers_is_told() {
    let node = Node::builder().config("[http]\nwatchers_max = 0").start();
    node.cli("watch").fails(1, "there are 0 watchers, which is the limit");
}
