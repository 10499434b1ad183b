//! What the tests of this layer share: a real etcd.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use parking_lot::Mutex;

pub(crate) use self::place::Place;
use super::etcd::{Client, EtcdOptions};
use crate::util::free_address;

mod place;

/// Long enough for a loaded machine; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An etcd of one member on ports of its own, with its data in a folder that goes with it.
#[derive(Debug)]
pub(crate) struct Etcd {
    /// A shell that ends etcd and removes the folder when its standard input ends, which it does
    /// with this process, however that ends.
    shell: Child,
    leash: Option<ChildStdin>,
    pid: u32,
    log: Arc<Mutex<String>>,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

/// The first word is the folder, the others are etcd's flags. It prints etcd's number.
const SHELL: &str = "trap : INT TERM
folder=$1
shift
setpriv --pdeathsig KILL etcd --data-dir \"$folder\" \"$@\" 2>&1 &
echo \"pid $!\"
read -r _
kill -KILL $!
wait
rm -rf \"$folder\"";

/// The etcd of all tests that keep to a prefix of their own: starting one takes half a second.
static SHARED: LazyLock<Etcd> = LazyLock::new(|| Etcd::start(&[]));

/// A client of the etcd that tests share, and a prefix that no other test has.
pub(crate) fn shared() -> (Client, String) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    (SHARED.client(), format!("/test-{number}/"))
}

/// The endpoint of the etcd that tests share.
pub(crate) fn shared_url() -> &'static str {
    &SHARED.url
}

// === impl Etcd ===

impl Etcd {
    /// Starts an etcd with these flags besides its own, and waits until it serves.
    ///
    /// # Panics
    /// When there is no etcd on this machine, or it does not start.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_as("http", flags)
    }

    /// The same for clients that come by `https`; the flags say with which certificate.
    pub(crate) fn start_as(scheme: &str, flags: &[&str]) -> Self {
        let mut last = String::new();
        // Between our looking for a free port and its binding another process may take it.
        for _ in 0..5 {
            match Self::spawn(scheme, flags) {
                Ok(etcd) => return etcd,
                Err(log) => last = log,
            }
        }
        panic!("etcd does not start (Debian: etcd-server): {last}");
    }

    /// Two members of one cluster, neither of which can do without the other.
    pub(crate) fn pair() -> [Self; 2] {
        for _ in 0..5 {
            let peers = [(); 2].map(|()| format!("http://{}", free_address()));
            let cluster = format!("a={},b={}", peers[0], peers[1]);
            let launch = |name: &str, peer: &str| {
                Self::launch("http", peer, &["--name", name, "--initial-cluster", &cluster])
            };
            // Neither serves before the other is there.
            let launched = [launch("a", &peers[0]), launch("b", &peers[1])];
            if let [Ok(first), Ok(second)] = launched.map(Self::wait) {
                return [first, second];
            }
        }
        panic!("no two etcds start together");
    }

    fn spawn(scheme: &str, flags: &[&str]) -> Result<Self, String> {
        let peer = format!("http://{}", free_address());
        let cluster = format!("test={peer}");
        let own = ["--name", "test", "--initial-cluster", &cluster];
        Self::wait(Self::launch(scheme, &peer, &[&own, flags].concat()))
    }

    fn launch(scheme: &str, peer: &str, flags: &[&str]) -> (Self, mpsc::Receiver<()>) {
        let folder = tempfile::Builder::new().prefix("etcd-").tempdir().unwrap().keep();
        let url = format!("{scheme}://{}", free_address());
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(folder)
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(shell.stdout.take().expect("it is piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = mpsc::channel();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if line.contains("serving client traffic") {
                    let _gone = ready.send(());
                }
                let mut kept = kept.lock();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let leash = shell.stdin.take();
        (Self { shell, leash, pid: 0, log, url }, is_ready)
    }

    /// Waits until it serves; else what it has logged.
    fn wait((mut etcd, is_ready): (Self, mpsc::Receiver<()>)) -> Result<Self, String> {
        // A process that ends closes its log, and the channel with it.
        if is_ready.recv_timeout(PATIENCE).is_err() {
            return Err(etcd.log());
        }
        let pid = etcd.log().lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok());
        etcd.pid = pid.expect("the shell prints it");
        Ok(etcd)
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(EtcdOptions::new([self.url.as_str()])).unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Runs `etcdctl` against it, with these words and those of a line.
    #[track_caller]
    pub(crate) fn etcdctl(&self, words: &[&str], line: &str) {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.url]).args(words);
        let done = command.args(line.split(' ')).output().expect("Debian: etcd-client");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{line}: {said}");
    }

    /// Stops it where it is, all of its threads, until it is resumed.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        // The signal is sent; each thread stops in its own time.
        while !self.is_paused() {
            std::thread::yield_now();
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn is_paused(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        threads.map_while(Result::ok).all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // proc_pid_stat(5): the state follows the name, which is in brackets.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        drop(self.leash.take());
        let _status = self.shell.wait();
    }
}
