//! One running server.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, LazyLock, mpsc},
};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    PATIENCE, api::Api, command::rollcall, disk::Disk, dns::Resolver, etcd::Etcd, lab::Host,
};

/// The etcd in which servers keep their registries, where `ROLLCALL_TEST_STORE=etcd` says so: what
/// a server promises does not depend on its store. A test that is about one store says which.
static SHARED: LazyLock<Option<Etcd>> =
    LazyLock::new(|| match std::env::var("ROLLCALL_TEST_STORE").unwrap_or_default().as_str() {
        "etcd" => Some(Etcd::single()),
        "" | "embedded" => None,
        other => panic!("ROLLCALL_TEST_STORE={other} is neither `embedded` nor `etcd`"),
    });

/// How a server is to be started.
#[derive(Clone)]
pub(crate) struct Builder {
    arguments: Vec<String>,
    config: Option<String>,
    environment: Vec<(String, String)>,
    scratch: Arc<TempDir>,
    dns: Vec<String>,
    http: Vec<String>,
    /// Whether its store is the embedded one, whatever others have.
    is_embedded: bool,
    /// A command that runs the server, if it is not run as it is.
    wrapper: Vec<String>,
}

/// A server that runs until it is dropped, with a scratch directory of its own.
pub(crate) struct Node {
    child: Child,
    builder: Builder,
    log: Arc<Mutex<Vec<Value>>>,
    lines: mpsc::Receiver<Value>,
    /// Where DNS listens, in the order of the flags.
    pub(crate) dns: Vec<SocketAddr>,
    /// Where the encrypted transports listen, each with its name.
    pub(crate) encrypted: Vec<(String, SocketAddr)>,
    /// Where HTTP listens.
    pub(crate) http: Vec<SocketAddr>,
}

// === impl Builder ===

impl Builder {
    /// A further argument of `serve`.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The content of the configuration file.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        self.config = Some(format!("version = 1\n{toml}"));
        self
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Where to listen in place of `127.0.0.1:0`.
    pub(crate) fn dns(mut self, address: &str) -> Self {
        self.dns.push(address.into());
        self
    }

    /// The same for HTTP.
    pub(crate) fn http(mut self, address: &str) -> Self {
        self.http.push(address.into());
        self
    }

    /// Keeps the registry in the embedded store, whatever other tests have: for those that are
    /// about that store's folder and files.
    pub(crate) fn embedded(mut self) -> Self {
        self.is_embedded = true;
        self
    }

    /// Runs it on a host of a lab, on its ports of old. The etcd of other tests is out of its
    /// reach.
    pub(crate) fn host(mut self, host: &Host) -> Self {
        self.wrapper = host.enter();
        self.dns = vec![format!("{}:53", host.address)];
        self.http = vec![format!("{}:8500", host.address)];
        self.embedded()
    }

    /// A file in the zones folder.
    pub(crate) fn zone(self, name: &str, text: &str) -> Self {
        let folder = self.path("zones");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
        self
    }

    /// A path in the scratch directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Keeps the embedded store on a disk of its own.
    pub(crate) fn disk(mut self, disk: &Disk) -> Self {
        self.wrapper = disk.enter();
        self.embedded()
    }

    /// Lets it have so many descriptors open and no more.
    pub(crate) fn files(mut self, max: usize) -> Self {
        let limited = format!("ulimit -n {max}; exec \"$@\"");
        self.wrapper = ["sh", "-c", &limited, "sh"].map(str::to_owned).to_vec();
        self
    }

    /// The etcd that all share, if this server's registry is in it, and the prefix there: a
    /// registry of its own for each, as a data folder is.
    fn shared(&self) -> Option<(String, String)> {
        let is_told = self.arguments.iter().any(|argument| argument == "--store");
        let etcd = SHARED.as_ref().filter(|_| !is_told && !self.is_embedded)?;
        let name = self.scratch.path().file_name().expect("it has one").to_string_lossy();
        Some((format!("etcd={}", etcd.endpoints().join(",")), format!("/{name}")))
    }

    /// `rollcall export` or `import`, of the registry of this server.
    pub(crate) fn transfer(&self, verb: &str) -> Command {
        let mut command = rollcall([verb]);
        command.current_dir(self.scratch.path());
        match self.shared() {
            Some((store, prefix)) => {
                command.args(["--store", &store]).env("ROLLCALL_STORE_PREFIX", prefix)
            }
            None => command.arg("--data").arg(self.path("data")),
        };
        command
    }

    /// The command that would be run, with a log for people.
    pub(crate) fn command_in_text(&self) -> Command {
        self.command_with_log("text")
    }

    /// The command that would be run.
    pub(crate) fn command(&self) -> Command {
        self.command_with_log("json")
    }

    fn command_with_log(&self, format: &str) -> Command {
        let binary = env!("CARGO_BIN_EXE_rollcall").to_owned();
        let mut words = self.wrapper.iter().chain([&binary]);
        let mut command = Command::new(words.next().expect("the binary, if nothing else"));
        command.args(words).current_dir(self.scratch.path());
        command.args(["serve", "--log-format", format]);
        for (flag, addresses) in [("--dns", &self.dns), ("--http", &self.http)] {
            let default = ["127.0.0.1:0".to_owned()];
            let given = if addresses.is_empty() { &default[..] } else { addresses };
            command.args(given.iter().flat_map(|address| [flag, address]));
        }
        command.arg("--data").arg(self.path("data"));
        if let Some((store, prefix)) = self.shared() {
            command.args(["--store", &store]).env("ROLLCALL_STORE_PREFIX", &prefix);
            // Under its name it is at once what it was before a restart.
            command.env("ROLLCALL_CLUSTER_SERVER_ID", prefix.trim_start_matches('/'));
        }
        if self.path("zones").exists() {
            command.arg("--zones").arg(self.path("zones"));
        }
        if let Some(config) = &self.config {
            std::fs::write(self.path("rollcall.toml"), config).unwrap();
            command.arg("--config").arg(self.path("rollcall.toml"));
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(self) -> Node {
        let mut node = self.launch();
        node.wait_until_ready();
        node
    }

    /// Starts the server, which may have to wait for something first; then see
    /// [`Node::wait_until_ready`].
    pub(crate) fn launch(self) -> Node {
        let mut command = self.command();
        command.stdout(Stdio::null());
        let mut child = command.spawn().expect("the binary is built with the tests");
        let (sender, lines) = mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().expect("it is piped");
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                shared.lock().push(line.clone());
                let _closed = sender.send(line);
            }
        });
        let (dns, encrypted, http) = (Vec::new(), Vec::new(), Vec::new());
        Node { child, builder: self, log, lines, dns, encrypted, http }
    }
}

// === impl Node ===

impl Node {
    /// A builder with a fresh scratch directory.
    pub(crate) fn builder() -> Builder {
        let scratch = tempfile::Builder::new().prefix("rollcall-it-").tempdir().unwrap();
        Builder {
            arguments: Vec::new(),
            config: None,
            environment: Vec::new(),
            scratch: Arc::new(scratch),
            dns: Vec::new(),
            http: Vec::new(),
            is_embedded: false,
            wrapper: Vec::new(),
        }
    }

    /// A server with its defaults.
    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    /// A client of its HTTP interface.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.http[0])
    }

    /// A client of its DNS.
    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::new(self.dns[0])
    }

    /// Whether its registry is in the etcd that all share, where `ROLLCALL_TEST_STORE` says so.
    pub(crate) fn is_shared(&self) -> bool {
        self.builder.shared().is_some()
    }

    /// The revision that it shows.
    pub(crate) fn revision(&self) -> u64 {
        self.api().get("/ready").body["revision"].as_u64().unwrap()
    }

    /// Whether it shows the change of this revision, and nothing later. Of a shared store the
    /// revision goes on with what is written for others, which cannot be told apart here.
    pub(crate) fn is_at(&self, revision: &Value) -> bool {
        let (shown, wanted) = (self.revision(), revision.as_u64().expect("a number"));
        shown == wanted || (self.is_shared() && shown > wanted)
    }

    /// `rollcall export` or `import`, of its registry.
    pub(crate) fn transfer(&self, verb: &str) -> Command {
        self.builder.transfer(verb)
    }

    /// Where an encrypted transport listens, for example `tls`.
    pub(crate) fn encrypted(&self, transport: &str) -> SocketAddr {
        let found = self.encrypted.iter().find(|(name, _)| name == transport);
        found.unwrap_or_else(|| panic!("it does not listen for {transport}")).1
    }

    /// A path in its scratch directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.builder.path(name)
    }

    /// What its process has in memory, KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends it a signal by the name that `kill` knows.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success(), "kill -s {name}");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        super::eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// Kills it without warning, and starts it again on the same data.
    pub(crate) fn kill_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let builder = self.builder.clone();
        drop(self);
        builder.start()
    }

    /// Waits for a log line whose text has `part` in it, looking at all since the start.
    pub(crate) fn wait_for_log(&self, part: &str) -> Value {
        super::eventually(&format!("a log line with `{part}`"), || self.find_log(part))
    }

    /// The first log line whose text has `part` in it.
    pub(crate) fn find_log(&self, part: &str) -> Option<Value> {
        self.log.lock().iter().find(|line| line.to_string().contains(part)).cloned()
    }

    /// How many log lines since the start have `part` in their text.
    pub(crate) fn count_log(&self, part: &str) -> usize {
        self.log.lock().iter().filter(|line| line.to_string().contains(part)).count()
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Waits until it is ready; from then on it is known where it listens.
    pub(crate) fn wait_until_ready(&mut self) {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let status = self.child.try_wait();
                panic!("the server did not become ready ({status:?}): {:#?}", self.log.lock());
            };
            let fields = &line["fields"];
            match fields["message"].as_str() {
                Some("listening") => {
                    let address = fields["address"].as_str().unwrap().parse().unwrap();
                    if let Some(transport) = fields["transport"].as_str() {
                        self.encrypted.push((transport.to_owned(), address));
                        continue;
                    }
                    let list = match fields["protocol"].as_str() {
                        Some("dns") => &mut self.dns,
                        _ => &mut self.http,
                    };
                    list.push(address);
                }
                Some("ready") => return,
                _ => {}
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already, which is what some tests are about.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            let log = self.log.lock();
            for line in log.iter().rev().take(40).rev() {
                eprintln!("server: {line}");
            }
        }
    }
}

/// A file's content as text.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
