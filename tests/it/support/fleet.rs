//! Several servers, and an etcd that they share, each on a host of its own.

use std::net::SocketAddr;

use super::{Node, etcd::Etcd, lab::Lab, node::Builder, process::Paused};

/// Servers that go by their place, from 0, and all that they stand on.
pub(crate) struct Fleet {
    servers: Vec<Server>,
    /// What they share; none when each keeps what it is told to itself.
    pub(crate) etcd: Option<Etcd>,
    pub(crate) lab: Lab,
}

/// A server, whether it runs or not.
struct Server {
    name: String,
    dns: SocketAddr,
    http: SocketAddr,
    builder: Builder,
    node: Option<Node>,
}

/// How long a server is taken for alive that is not heard of: short, so that a test sees what
/// follows, and several times what an election takes.
pub(crate) const LEASE: std::time::Duration = std::time::Duration::from_secs(3);

// === impl Fleet ===

impl Fleet {
    /// So many members of etcd on the hosts `etcd-1`, `etcd-2` and so on, and so many servers on
    /// `rollcall-1` and so on that share it; without members each server has a store of its own.
    /// Only within [`alone`](super::lab::alone).
    pub(crate) fn start(members: usize, servers: usize) -> Self {
        let members: Vec<String> = (0..members).map(Self::host_of_member).collect();
        let servers: Vec<String> = (0..servers).map(Self::host_of_server).collect();
        let names: Vec<&str> = members.iter().chain(&servers).map(String::as_str).collect();
        let lab = Lab::new(&names);
        let hosts: Vec<_> = members.iter().map(|name| lab.host(name)).collect();
        let etcd = (!hosts.is_empty()).then(|| Etcd::builder().on(&hosts).start());
        let servers = servers.iter().map(|name| Server::new(&lab, name, etcd.as_ref())).collect();
        let mut fleet = Self { servers, etcd, lab };
        fleet.servers.iter_mut().for_each(Server::start);
        fleet
    }

    /// How many servers there are, running or not.
    pub(crate) fn size(&self) -> usize {
        self.servers.len()
    }

    /// How many members of etcd there are, running or not.
    pub(crate) fn members(&self) -> usize {
        self.etcd.as_ref().map_or(0, |etcd| etcd.endpoints().len())
    }

    /// The host of a server.
    pub(crate) fn host_of_server(server: usize) -> String {
        format!("rollcall-{}", server + 1)
    }

    /// The host of a member of etcd.
    pub(crate) fn host_of_member(member: usize) -> String {
        format!("etcd-{}", member + 1)
    }

    /// Where a server answers DNS.
    pub(crate) fn dns(&self, server: usize) -> SocketAddr {
        self.servers[server].dns
    }

    /// Where a server's HTTP interface is.
    pub(crate) fn http(&self, server: usize) -> SocketAddr {
        self.servers[server].http
    }

    /// Kills a server without warning.
    pub(crate) fn kill(&mut self, server: usize) {
        // Dropping it does just that.
        self.servers[server].node.take().expect("it runs");
    }

    /// Ends a server in good order.
    pub(crate) fn stop(&mut self, server: usize) {
        let mut node = self.servers[server].node.take().expect("it runs");
        node.signal("TERM");
        assert!(node.wait().success(), "{} ends well", self.servers[server].name);
    }

    /// Starts a server again, on its data if it has any of its own, and waits until it is ready.
    pub(crate) fn start_again(&mut self, server: usize) {
        assert!(self.servers[server].node.is_none(), "it runs");
        self.servers[server].start();
    }

    /// Stops a server's process, which goes on when what is returned is dropped.
    pub(crate) fn pause(&self, server: usize) -> Paused {
        self.servers[server].node.as_ref().expect("it runs").pause()
    }
}

// === impl Server ===

impl Server {
    fn new(lab: &Lab, name: &str, etcd: Option<&Etcd>) -> Self {
        let host = lab.host(name);
        let mut builder = Node::builder().host(host);
        if let Some(etcd) = etcd {
            let lease = LEASE.as_secs();
            builder = builder
                .config(&format!("[cluster]\nserver_id = \"{name}\"\nlease = \"{lease}s\"\n"))
                .arg("--store")
                .arg(format!("etcd={}", etcd.endpoints().join(",")));
        }
        let [dns, http] = [53, 8500].map(|port| SocketAddr::from((host.address, port)));
        Self { name: name.to_owned(), dns, http, builder, node: None }
    }

    fn start(&mut self) {
        self.node = Some(self.builder.clone().start());
    }
}
