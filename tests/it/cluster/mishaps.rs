//! Mishaps that are no matter of processes and links, on a real etcd and two servers: what etcd
//! has, whom it trusts, what time it is, and who else writes.
//!
//! In all of it an instance is asked for at each server without a pause, and every question has to
//! have its answer. What is refused says so, and when to try again; `/ready` says what is the
//! matter; and when it is over, each server takes changes, and all show them, without a restart.

mod certificates;
mod clocks;
mod damaged;
mod outages;
mod passwords;
mod restored;
mod silences;
mod space;
mod versions;

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};
use serde_json::{Value, json};

use crate::support::{
    Node,
    api::{self, Api, Attempt},
    backend::Backend,
    dns::{address, question},
    etcd::Etcd,
    eventually,
    node::Builder,
};

/// Servers that share an etcd, each asked without a pause.
struct Servers {
    nodes: Vec<Node>,
    asking: Vec<Asking>,
}

/// An instance `i` of a service, which is checked each second.
struct Checked {
    backend: Backend,
    service: String,
}

/// A client that asks one server for `kept.service.internal`, which has the address [`KEPT`].
struct Asking {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Asked>,
}

/// What it was told.
#[derive(Debug, Default)]
struct Asked {
    questions: usize,
    /// Answers that were not as they have to be, or missing; the first of them.
    wrong: Vec<String>,
}

/// The address of what is there all the time.
const KEPT: &str = "10.0.0.1";

/// How long a server is taken for alive that says nothing.
const LEASE: Duration = Duration::from_secs(2);

/// The names of the servers.
const NAMES: [&str; 2] = ["a", "b"];

/// How long an answer may take on this machine, however loaded.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a reply of the HTTP interface may take: longer than a server waits for etcd.
const REPLY: Duration = Duration::from_secs(15);

// === impl Servers ===

impl Servers {
    /// Two servers on an etcd. `with` says what more each is told.
    fn start(etcd: &Etcd, with: impl Fn(Builder) -> Builder) -> Self {
        Self::configured(etcd, "", with)
    }

    /// The same with something in their configuration.
    fn configured(etcd: &Etcd, config: &str, with: impl Fn(Builder) -> Builder) -> Self {
        Self::named(etcd, &NAMES, config, with)
    }

    /// The same with servers of these names.
    fn named(etcd: &Etcd, names: &[&str], config: &str, with: impl Fn(Builder) -> Builder) -> Self {
        Self::leased(etcd, names, (LEASE, config), with)
    }

    /// The same with another lease.
    fn leased(
        etcd: &Etcd,
        names: &[&str],
        (lease, config): (Duration, &str),
        with: impl Fn(Builder) -> Builder,
    ) -> Self {
        let start = |name: &&str| {
            let id = format!("[cluster]\nserver_id = \"{name}\"\nlease = \"{lease:?}\"\n{config}");
            let store = format!("etcd={}", etcd.endpoints().join(","));
            with(Node::builder().config(&id).arg("--store").arg(store)).start()
        };
        let mut servers = Self { nodes: names.iter().map(start).collect(), asking: Vec::new() };
        servers.register(0, "kept", KEPT);
        for node in &servers.nodes {
            eventually("both know it", || node.api().status("kept", "i"));
            servers.asking.push(Asking::start(node.dns[0]));
        }
        servers
    }

    fn api(&self, at: usize) -> Api {
        self.nodes[at].api()
    }

    /// Registers an instance `i` of a service, which must succeed; gives its revision.
    fn register(&self, at: usize, service: &str, address: &str) -> u64 {
        let reply = self.attempt(at, service, address).expect("a reply");
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        reply.revision.expect("a change has a revision")
    }

    /// The revision that a server shows.
    fn shown(&self, at: usize) -> u64 {
        let services = ("GET", "/api/v1/services");
        let reply = Api::attempt(self.nodes[at].http[0], services, &Value::Null, REPLY).unwrap();
        reply.revision.expect("a list has a revision")
    }

    fn attempt(&self, at: usize, service: &str, address: &str) -> Option<Attempt> {
        let path = api::instance_path(service, "i");
        let body = json!({ "addresses": [address], "port": 80 });
        Api::attempt(self.nodes[at].http[0], ("PUT", &path), &body, REPLY).ok()
    }

    /// Waits until each server refuses a change with this status and code, says when to try again
    /// if that is worth while, and gives what the last one says.
    fn all_refuse(&self, status: u16, code: &str) -> String {
        let mut said = String::new();
        for at in 0..self.nodes.len() {
            let reply = eventually(&format!("{at} refuses with {code}"), || {
                let reply = self.attempt(at, "refused", "10.0.9.9")?;
                (reply.body["code"] == code).then_some(reply)
            });
            assert_eq!(reply.status, status, "{reply:?}");
            assert_eq!(reply.retry_after.is_some(), status == 503, "{reply:?}");
            said = reply.body["detail"].as_str().unwrap().to_owned();
        }
        said
    }

    /// Waits until `/ready` of each server has a note of this name with all these words in it.
    fn all_note(&self, name: &str, words: &[&str]) {
        for at in 0..self.nodes.len() {
            let mut said = None;
            eventually(&format!("{at} has the note `{name}` with {words:?}"), || {
                let ready = self.api(at).get("/ready");
                assert_eq!(ready.status, 200, "answers go on: {ready:?}");
                let note = note(&ready.body, name);
                if note != said {
                    println!("{at}: {name}: {note:?}");
                    said.clone_from(&note);
                }
                note.filter(|note| words.iter().all(|word| note.contains(word)))
            });
        }
    }

    /// Waits until `/ready` of each server has none of these notes.
    fn none_notes(&self, notes: &[&str]) {
        for at in 0..self.nodes.len() {
            eventually(&format!("{at} notes nothing of {notes:?}"), || {
                let ready = self.api(at).get("/ready").body;
                notes.iter().all(|name| note(&ready, name).is_none()).then_some(())
            });
        }
    }

    /// Waits until each server takes a change that all show, and has none of these notes; ends the
    /// asking, and holds them to their answers.
    fn end_well(self, notes: &[&str]) {
        for at in 0..self.nodes.len() {
            let service = format!("after-{at}");
            let revision = eventually(&format!("{at} takes changes"), || {
                self.attempt(at, &service, "10.0.0.2")?.revision
            });
            for other in 0..self.nodes.len() {
                let path = format!("/api/v1/services/{service}?min_revision={revision}");
                eventually(&format!("{other} shows them"), || {
                    (self.api(other).get(&path).status == 200).then_some(())
                });
            }
        }
        self.none_notes(notes);
        for asking in self.asking {
            let asked = asking.end();
            assert!(asked.wrong.is_empty() && asked.questions > 10, "{asked:?}");
        }
    }
}

fn note(ready: &Value, name: &str) -> Option<String> {
    let notes = ready["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["name"] == name)?;
    Some(note["message"].as_str().unwrap().to_owned())
}

// === impl Checked ===

impl Checked {
    fn register(servers: &Servers) -> Self {
        Self::of(servers, "checked".to_owned())
    }

    /// One of which this server looks after.
    fn register_at(servers: &Servers, owner: &str) -> Self {
        let all = (0..).map(|number| Self::of(servers, format!("checked-{number}")));
        all.into_iter().find(|checked| checked.owner(servers, 0) == owner).unwrap()
    }

    fn of(servers: &Servers, service: String) -> Self {
        let backend = Backend::start("127.0.0.1");
        let body = json!({
            "addresses": ["127.0.0.1"],
            "port": backend.address.port(),
            "checks": [{ "type": "http", "path": "/", "interval": "1s", "timeout": "1s" }],
        });
        servers.api(0).register(&service, "i", &body);
        for at in 0..servers.nodes.len() {
            eventually("it passes", || {
                (servers.api(at).status(&service, "i").as_deref() == Some("passing")).then_some(())
            });
        }
        Self { backend, service }
    }

    /// Which server looks after it, as a server says.
    fn owner(&self, servers: &Servers, at: usize) -> String {
        let path = api::instance_path(&self.service, "i");
        servers.api(at).get(&path).body["owner"].as_str().unwrap_or_default().to_owned()
    }

    /// It fails. Each server finds that, and goes on finding it for longer than what others find
    /// may take to come.
    fn dies_and_stays_dead_at_all(self, servers: &Servers) {
        self.backend.set_status(503);
        let status = |at: usize| servers.api(at).status(&self.service, "i").unwrap();
        let is_dead = |at: usize| status(at) == "critical";
        for at in 0..servers.nodes.len() {
            eventually(&format!("{at} finds it"), || is_dead(at).then_some(()));
        }
        let found = Instant::now();
        eventually("nobody takes it for alive again", || {
            (0..servers.nodes.len()).for_each(|at| assert!(is_dead(at), "{at}"));
            (found.elapsed() > 2 * LEASE).then_some(())
        });
    }
}

// === impl Asking ===

impl Asking {
    fn start(server: SocketAddr) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut asked = Asked::default();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server).unwrap();
            socket.set_read_timeout(Some(ANSWER)).unwrap();
            // A quick test has its answers looked at, too.
            while asked.questions <= 10 || !end.load(Ordering::Relaxed) {
                asked.questions += 1;
                if let Err(wrong) = ask(&socket) {
                    asked.wrong.push(wrong);
                    asked.wrong.truncate(5);
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
            asked
        });
        Self { ends, thread }
    }

    fn end(self) -> Asked {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Asks for what has to be there.
fn ask(socket: &UdpSocket) -> Result<(), String> {
    let query = question("kept.service.internal.", RecordType::A, Some(1232));
    socket.send(&query.to_vec().unwrap()).map_err(|error| error.to_string())?;
    let mut buffer = [0; 1232];
    let length = socket.recv(&mut buffer).map_err(|error| format!("no answer: {error}"))?;
    let reply = Message::from_vec(&buffer[..length]).expect("a message");
    let shown: Vec<IpAddr> = reply.answers.iter().filter_map(|it| address(&it.data)).collect();
    let is_right = reply.metadata.response_code == ResponseCode::NoError
        && shown == [KEPT.parse::<IpAddr>().unwrap()];
    if is_right { Ok(()) } else { Err(reply.to_string()) }
}
