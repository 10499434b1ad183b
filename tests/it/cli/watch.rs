//! `rollcall watch`: events as they happen, over restarts of the server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;

use crate::support::{Node, PATIENCE, eventually};

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
        Self::timeless(&self.lines.recv_timeout(PATIENCE).expect("an event is printed"))
    }

    /// The next line of an event, where others may have gone on with a shared store meanwhile: then
    /// it is said that events may be missing.
    fn next_of_life(&self, node: &Node) -> (u64, String) {
        let next = || self.lines.recv_timeout(PATIENCE).expect("an event is printed");
        let mut line = next();
        if node.is_shared() && line.contains(" - reset: ") {
            line = next();
        }
        Self::numbered(&Self::timeless(&line))
    }

    fn timeless(line: &str) -> String {
        let mut words: Vec<_> = line.split(' ').collect();
        let time = words.remove(1);
        assert!(time.len() == 24 && time.ends_with('Z'), "`{time}` is no time: {line}");
        words.join(" ")
    }

    /// The revision of the next event, and the rest of its line.
    fn next_event(&self) -> (u64, String) {
        Self::numbered(&self.next())
    }

    fn numbered(line: &str) -> (u64, String) {
        let (revision, event) = line.split_once(' ').expect("a revision and an event");
        (revision.parse().unwrap_or_else(|_| panic!("{line}")), event.to_owned())
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
    let since = node.revision();
    node.cli("register other other-1 --port 80 --address 10.0.0.9").ok();
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let all = Watch::start(&mut node.cli_command(&format!("watch --since {since}")));
    let web = Watch::start(&mut node.cli_command(&format!("watch web --since {since} --json")));
    let (first, other) = all.next_event();
    assert_eq!(other, "registered other/other-1");
    let (mut last, registered) = all.next_event();
    assert!(first > since && last > first, "{since}, {first}, {last}");
    assert_eq!(registered, "registered web/web-1");
    assert_eq!(web.next_json()["revision"], last, "only of the service");
    // Both have caught up: what follows is seen while it happens.
    for (line, event, kind) in [
        ("register web web-2 --port 80 --ttl 100ms", "registered web/web-2", "registered"),
        ("", "status web/web-2 passing -> critical", "status"),
        ("drain web web-1", "drained web/web-1", "drained"),
        ("drain web web-1 --undo", "undrained web/web-1", "undrained"),
        ("policy web --ttl 7s", "policy web", "policy"),
        ("register web web-1 --port 81", "updated web/web-1", "updated"),
        ("deregister web web-1", "deregistered web/web-1", "deregistered"),
    ] {
        if !line.is_empty() {
            node.cli(line).ok();
        }
        let (revision, seen) = all.next_event();
        assert!(revision > last, "{revision} after {last}");
        last = revision;
        assert!(seen.starts_with(event), "`{event}` is not {seen}");
        let data = web.next_json();
        assert_eq!(data["service"], "web", "{kind}");
        assert_eq!(data["revision"], revision, "{kind}");
    }
}

#[test]
fn a_watch_goes_on_over_a_restart_of_the_server() {
    // An address that is this process's alone keeps its port free while the server is away.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = format!("127.77.{high}.{low}:8500");
    let node = Node::builder().arg("--http").arg(&address).start();
    let mut command = node.cli_command(&format!("watch --since {}", node.revision()));
    let watch = Watch::start(command.args(["--server", &address]));
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let (last, event) = watch.next_event();
    assert_eq!(event, "registered web/web-1");
    let node = node.kill_and_restart();
    if node.is_shared() {
        // It is told to list again, as others may have gone on: only what comes then is an event.
        eventually("it watches again", || {
            node.api().text("/metrics").contains("rollcall_watchers 1\n").then_some(())
        });
    }
    node.cli("register web web-2 --port 80 --address 10.0.0.2").ok();
    let (next, event) = watch.next_of_life(&node);
    assert_eq!(event, "registered web/web-2");
    // A new life begins 2²⁴ revisions further on, unless it has those of etcd.
    assert!(next == last + (1 << 24) + 1 || (node.is_shared() && next > last), "{next}");
    node.cli("deregister web web-1").ok();
    let (after, event) = watch.next_event();
    assert!(after > next && event == "deregistered web/web-1", "{after} {event}");
}

#[test]
fn a_watch_from_a_revision_that_is_gone_says_so_and_goes_on() {
    let node = Node::start();
    let newest = node.revision();
    let gone = format!("watch --since {}", newest + (1 << 40));
    let watch = Watch::start(&mut node.cli_command(&gone));
    let line = watch.lines.recv_timeout(PATIENCE).unwrap();
    let (at, _) = line.split_once(" - reset: ").expect("it says so");
    assert!(at.parse::<u64>().unwrap() >= newest, "{line}");
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let (next, event) = watch.next_event();
    assert!(next > newest && event == "registered web/web-1", "{next} {event}");
}

#[test]
fn a_watch_ends_quietly_when_nobody_reads_it() {
    let node = Node::start();
    let mut command = node.cli_command(&format!("watch --since {}", node.revision()));
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
