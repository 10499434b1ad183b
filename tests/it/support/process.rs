//! A program that runs beside a test: it ends with the test's process, however that ends, and what
//! it has logged is shown when the test fails.
//!
//! `setpriv --pdeathsig` is what ends it, and has a catch: the signal comes when the *thread* ends
//! that started the child, and each test is a thread, as is whoever restarts servers in one. So one
//! thread starts them all, and lives as long as the process.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, LazyLock, mpsc},
};

use parking_lot::Mutex;

use super::{Node, command::without_variables, eventually};

/// Lines of its log that are kept: a failure is explained by the last ones.
const LINES_MAX: usize = 60;

/// A child that is killed when it is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Arc<Mutex<VecDeque<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// A process that does not run, but is there: it goes on when this is dropped.
pub(crate) struct Paused(i32);

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The thread that is the parent of all children.
static PARENT: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, taken) = mpsc::channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in taken {
            let _gone = reply.send(command.spawn());
        }
    });
    orders
});

// === impl Process ===

impl Process {
    /// Starts a program with its arguments, from an environment that has none of `without` as the
    /// beginning of a name: programs read variables that nobody here has set for them.
    pub(crate) fn start(name: &str, words: &[String], without: &str) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(words);
        without_variables(&mut command, without);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (reply, child) = mpsc::channel();
        PARENT.send((command, reply)).expect("the thread lives for ever");
        let mut child = child.recv().expect("it answers").expect("setpriv, of util-linux");
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child.stderr.take().expect("it is piped");
        let shared = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = shared.lock();
                log.truncate(LINES_MAX - 1);
                log.push_front(line);
            }
        });
        Self { name: name.to_owned(), child, log, reader: Some(reader) }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// How it ended, if it has; then its log is whole.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap()?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        Some(status)
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> String {
        self.log.lock().iter().rev().map(|line| format!("{}: {line}\n", self.name)).collect()
    }

    /// Ends it in good order, and waits for that.
    pub(crate) fn stop(mut self) -> ExitStatus {
        signal(self.pid(), "TERM");
        eventually(&format!("{} ends", self.name), || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprint!("{}", self.log());
        }
    }
}

/// Sends a signal by the name that `kill` knows.
pub(crate) fn signal(pid: i32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "kill -s {name} {pid}");
}

// === impl Paused ===

impl Paused {
    /// Stops a process, and waits until it does not run any more.
    pub(crate) fn new(pid: i32) -> Self {
        let paused = Self(pid);
        signal(pid, "STOP");
        eventually("it stands still", || (state(pid) == Some('T')).then_some(()));
        paused
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _gone = Command::new("kill").args(["-s", "CONT", &self.0.to_string()]).output();
    }
}

/// What a process does, as the kernel has it: `T` is stopped.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may have anything in it.
    stat.rsplit_once(") ")?.1.chars().next()
}

// === impl Node ===

impl Node {
    /// Stops its process, which goes on when what is returned is dropped.
    pub(crate) fn pause(&self) -> Paused {
        Paused::new(self.pid())
    }
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let words = ["sleep", "1000"].map(str::to_owned);
    let thread = std::thread::spawn(move || {
        let child = Process::start("sleep", &words, "NOTHING_");
        let name = format!("/proc/{}/comm", child.pid());
        eventually("it runs", || {
            std::fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n").then_some(())
        });
        (child, std::fs::canonicalize("/proc/thread-self").unwrap())
    });
    let (child, task) = thread.join().unwrap();
    eventually("the thread is gone", || (!task.exists()).then_some(()));
    // By this signal, and by none that came before it.
    assert_eq!(child.stop().to_string(), "signal: 15 (SIGTERM)");
}
