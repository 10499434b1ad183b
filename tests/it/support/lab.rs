//! Hosts with a network between them that can be cut: each has a network namespace of its own, and
//! the test is the router in the middle, a client that reaches all of them, and the machine that
//! their checks reach.
//!
//! A link is cut by a rule of the router that throws the packets of one host to another away, as a
//! broken cable does: nobody is told, connections that are open stall, and go on when it is mended
//! in time. Packet filters were not taken, because they need a package and modules of the kernel
//! that `ip rule` does not; routes of type `blackhole` on the hosts themselves were not, because
//! there they are errors that a program sees at once.
//!
//! The test runs itself again in a namespace of networks, processes and mounts ([`alone`]). So labs
//! may have the same addresses at the same time, no name of anything can be taken, and when the
//! test ends, however it does, the kernel takes everything down. It takes root, or leave for users
//! to make namespaces.

mod host;
mod link;

use std::{
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::atomic::AtomicU32,
};

pub(crate) use self::{host::Host, link::Cut};
use super::{command, namespace};

/// Set where a test has been run again.
const INSIDE: &str = "LAB_INSIDE";

/// Hosts by name, and what joins them. Dropped, they are gone.
pub(crate) struct Lab {
    hosts: Vec<Host>,
    /// Of the next rule: of two that are the same, each can be taken back.
    preference: AtomicU32,
}

/// Runs a test on a network of its own, as root, with no process but its own in sight. This is to
/// be all that the test does, and is to be called by its own thread, which has its name.
///
/// # Panics
/// When the test does, or when no namespaces can be made.
pub(crate) fn alone(test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let this = std::thread::current();
    let name = this.name().expect("the thread of a test has its name");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]);
    if !namespace::is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc"]);
    // What it says on standard error comes in its place among what it prints.
    command.arg("ip link set lo up; exec \"$@\" 2>&1").arg("sh");
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(INSIDE, "1").env("PATH", namespace::path());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("setpriv and unshare, of util-linux");
    let mut passed = false;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.unwrap();
        passed |= line.starts_with("test result: ok. 1 passed");
        println!("{line}");
    }
    let status = child.wait().unwrap();
    // Without a test of that name it would end well, and have shown nothing.
    assert!(status.success() && passed, "on a network of its own: {status}");
}

// === impl Lab ===

impl Lab {
    /// Where what the test itself listens on is reached by all hosts.
    pub(crate) const TEST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

    /// Hosts of these names, each on a link of its own to the test, over which it reaches all
    /// others. Only within [`alone`].
    pub(crate) fn new(names: &[&str]) -> Self {
        assert!(std::env::var_os(INSIDE).is_some(), "a lab is for a test that is `alone`");
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("it is the namespace's own");
        ip(&format!("addr add {}/32 dev lo\n", Self::TEST));
        let hosts = (1..).zip(names).map(|(number, name)| Host::new(name, number)).collect();
        Self { hosts, preference: AtomicU32::new(1_000) }
    }

    /// A host by its name.
    pub(crate) fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.unwrap_or_else(|| panic!("no host `{name}` in this lab"))
    }
}

/// Has `ip` carry out these lines in the namespace that the test is in.
fn ip(lines: &str) {
    let done = command::run_with(Command::new("ip").args(["-batch", "-"]), lines);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "ip: {lines}");
}
