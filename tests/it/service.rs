//! `examples/service.rs`: its life with the server, and that nobody sees it go.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use hickory_proto::rr::RecordType;

use super::support::{Node, eventually, raw};

struct Service {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    fn start(node: &Node, grace: &str) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_rollcall")).parent().unwrap();
        let binary = folder.join("examples/service");
        let mut child = Command::new(&binary)
            .args(["--listen", "127.0.0.1:0", "--ttl", "30s", "--grace", grace])
            .args(["--server", &format!("http://{}", node.http[0])])
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test` builds it; before a single test: cargo build --example service");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What follows `begin` on the next line.
    fn says(&mut self, begin: &str) -> String {
        let line = self.lines.next().expect("it says more").unwrap();
        line.strip_prefix(begin).unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_service_that_stops_loses_its_name_first_then_its_connections_then_its_port() {
    let node = Node::start();
    let mut service = Service::start(&node, "2s");
    let address = service.says("serving http://");
    let address = address.trim_end_matches('/').parse().unwrap();
    service.says("registered ");
    let answers = || {
        let reply = node.resolver().ask("payment.service.internal.", RecordType::A);
        reply.answers.len()
    };
    eventually("its check has passed", || (answers() == 1).then_some(()));

    // A client that keeps its connection asks no resolver.
    let kept = raw::connect(address);
    let ask = || {
        use std::io::Write;
        (&kept).write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        raw::read_reply(&mut BufReader::new(&kept), false)
    };
    assert_eq!((ask().header("connection"), &*ask().text), ("", "payment-1\n"));

    let pid = service.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    service.says("deregistered");
    assert_eq!(answers(), 0, "its name is gone");
    let last = ask();
    assert_eq!((last.status, last.header("connection")), (200, "close"), "{last:?}");
    assert_eq!(raw::read_to_close(&kept), b"");
    assert_eq!(raw::call(address, ("GET", "/"), &[], b"").status, 200, "late answers are served");
    service.says("all requests finished");
    assert!(service.child.wait().unwrap().success());
    assert!(std::net::TcpStream::connect(address).is_err());
}
