//! One host of a lab: a network namespace, which a process of ours holds open.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    os::fd::AsFd,
    process::{Child, Command, Stdio},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::ip;
use crate::support::command;

/// A host. Its namespace is gone when this is dropped and no process is in it.
pub(crate) struct Host {
    pub(crate) name: String,
    /// Where all others reach it.
    pub(crate) address: Ipv4Addr,
    holder: Child,
}

// === impl Host ===

impl Host {
    pub(super) fn new(name: &str, number: u8) -> Self {
        let mut holder = Command::new("unshare")
            // Lives as long as its standard input is open.
            .args(["--net", "sh", "-c", "echo up; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut said = String::new();
        let stdout = holder.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(said, "up\n", "no namespace for the host `{name}`");
        let [router, address] = [1, 2].map(|end| Ipv4Addr::new(10, 9, number, end));
        let host = Self { name: name.to_owned(), address, holder };
        ip(&format!(
            "link add link{number} type veth peer name eth0 netns {pid}\n\
             addr add {router}/24 dev link{number}\n\
             link set link{number} up\n",
            pid = host.holder.id()
        ));
        let lines = format!(
            "link set lo up\n\
             addr add {address}/24 dev eth0\n\
             link set eth0 up\n\
             route add default via {router}\n"
        );
        let mut inside = host.command("ip");
        let done = command::run_with(inside.args(["-batch", "-"]), &lines);
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "ip on `{name}`: {lines}");
        host
    }

    /// The words before a command that make it run here.
    pub(crate) fn enter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.namespace())]
    }

    /// What a closure gives that runs here. The sockets it opens are this host's for good, whoever
    /// uses them later.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.namespace()).unwrap();
        // A thread that has entered cannot be used for anything else.
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let only = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), only).unwrap();
                body()
            });
            inside.join().expect("it does not panic")
        })
    }

    /// A program that is to run here.
    pub(crate) fn command(&self, program: &str) -> Command {
        let words = self.enter();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended = self.holder.kill();
        let _status = self.holder.wait();
    }
}
