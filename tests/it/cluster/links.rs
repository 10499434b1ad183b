//! A link of a lab that is cut is cut, for connections that are open as for new ones, and no other
//! link is.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use crate::support::{
    PATIENCE,
    etcd::Etcd,
    lab::{Host, Lab, alone},
};

/// Both ends of a connection, or of a pair of UDP sockets.
struct Pair<T>([T; 2]);

/// Long enough for a packet to arrive on this machine, however loaded: when nothing is to come.
const NOTHING_COMES: Duration = Duration::from_millis(300);

// === impl Pair ===

impl Pair<TcpStream> {
    fn open(from: &Host, to: &Host) -> Self {
        let listener = listen(to);
        let address = listener.local_addr().unwrap();
        let near = from.run(|| TcpStream::connect(address)).unwrap();
        let far = listener.accept().unwrap().0;
        near.set_nodelay(true).unwrap();
        far.set_nodelay(true).unwrap();
        Self([near, far])
    }

    fn send(&self, from: usize, text: &str) {
        (&self.0[from]).write_all(text.as_bytes()).unwrap();
    }

    /// What arrives at an end within a time.
    fn arrives(&self, at: usize, within: Duration) -> String {
        self.0[at].set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 64];
        match (&self.0[at]).read(&mut buffer) {
            Ok(length) => String::from_utf8(buffer[..length].to_vec()).unwrap(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => String::new(),
            Err(error) => panic!("the connection does not stay open: {error}"),
        }
    }

    fn carries(&self) {
        for (from, to) in [(0, 1), (1, 0)] {
            self.send(from, "hello");
            assert_eq!(self.arrives(to, PATIENCE), "hello");
        }
    }
}

impl Pair<UdpSocket> {
    fn open_udp(one: &Host, other: &Host) -> Self {
        let bind = |host: &Host| {
            let socket = host.run(|| UdpSocket::bind((host.address, 0))).unwrap();
            socket.set_read_timeout(Some(NOTHING_COMES)).unwrap();
            socket
        };
        Self([bind(one), bind(other)])
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        let address = self.0[to].local_addr().unwrap();
        self.0[from].send_to(b"hello", address).expect("nobody is told");
        self.0[to].recv(&mut [0; 64]).is_ok()
    }
}

fn listen(host: &Host) -> TcpListener {
    host.run(|| TcpListener::bind((host.address, 0))).unwrap()
}

fn connects(from: &Host, to: SocketAddr) -> Result<TcpStream, ErrorKind> {
    from.run(|| TcpStream::connect_timeout(&to, NOTHING_COMES)).map_err(|error| error.kind())
}

#[test]
fn a_connection_over_a_link_that_is_cut_stalls_and_goes_on_when_it_is_mended() {
    alone(|| {
        let lab = Lab::new(&["a", "b", "c"]);
        let [a, b, c] = ["a", "b", "c"].map(|name| lab.host(name));
        let [open, other] = [Pair::open(a, b), Pair::open(a, c)];
        let listener = listen(b);
        let address = listener.local_addr().unwrap();
        open.carries();
        let cut = lab.cut("a", "b");
        open.send(0, "late");
        open.send(1, "late too");
        assert_eq!(open.arrives(1, NOTHING_COMES), "");
        assert_eq!(open.arrives(0, NOTHING_COMES), "");
        assert_eq!(connects(a, address).unwrap_err(), ErrorKind::TimedOut);
        other.carries();
        Pair::open(c, b).carries();
        // What is cut twice is whole when it was mended twice.
        let again = lab.cut("b", "a");
        drop(cut);
        assert_eq!(open.arrives(1, NOTHING_COMES), "");
        drop(again);
        assert_eq!(open.arrives(1, PATIENCE), "late");
        assert_eq!(open.arrives(0, PATIENCE), "late too");
        connects(a, address).unwrap();
    });
}

#[test]
fn a_host_that_is_mute_hears_on() {
    alone(|| {
        let lab = Lab::new(&["a", "b", "c"]);
        let [a, b, c] = ["a", "b", "c"].map(|name| lab.host(name));
        let [pair, other] = [Pair::open_udp(a, b), Pair::open_udp(a, c)];
        let mute = lab.mute("a", "b");
        assert!(!pair.passes(0, 1));
        assert!(pair.passes(1, 0));
        assert!(other.passes(0, 1) && other.passes(1, 0));
        drop(mute);
        assert!(pair.passes(0, 1));
        let split = lab.cut_between(&["a"], &["b", "c"]);
        for pair in [&pair, &other] {
            assert!(!pair.passes(0, 1) && !pair.passes(1, 0));
        }
        assert!(Pair::open_udp(b, c).passes(0, 1));
        drop(split);
        assert!(other.passes(1, 0));
    });
}

#[test]
fn all_hosts_reach_the_test_and_are_reached_by_it() {
    alone(|| {
        let lab = Lab::new(&["a", "b"]);
        let [a, b] = ["a", "b"].map(|name| lab.host(name));
        let own = TcpListener::bind((Lab::TEST, 0)).unwrap();
        let _cut = lab.cut("a", "b");
        for host in [a, b] {
            let listener = listen(host);
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            connects(host, own.local_addr().unwrap()).unwrap();
            // What runs there has an address of its own as well, which no other host has.
            let alone = host.run(|| TcpListener::bind("127.0.0.1:2379")).unwrap();
            assert_eq!(connects(a, alone.local_addr().unwrap()).is_ok(), host.name == "a");
        }
        let done = crate::support::command::run(a.command("ip").args(["-4", "-br", "addr"]));
        assert!(done.ok().contains(&a.address.to_string()));
    });
}

#[test]
fn an_etcd_leader_that_is_cut_off_leads_no_more() {
    alone(|| {
        let names = ["etcd-1", "etcd-2", "etcd-3"];
        let lab = Lab::new(&names);
        let etcd = Etcd::builder().on(&names.map(|name| lab.host(name))).start();
        etcd.put("key", "before");
        let old = etcd.leader();
        let others: Vec<&str> = names.into_iter().filter(|name| *name != names[old]).collect();
        let cut = lab.cut_between(&[names[old]], &others);
        let new = etcd.leader_after(old);
        crate::support::eventually("it knows", || {
            (etcd.metric(old, "etcd_server_has_leader") == Some(0.0)).then_some(())
        });
        etcd.ctl_on(new, &["put", "key", "after"]).ok();
        assert_ne!(etcd.ctl_on(old, &["get", "key"]).code, Some(0));
        drop(cut);
        etcd.wait_until_healthy();
        assert_eq!(etcd.value("key").as_deref(), Some("after"));
    });
}

#[test]
fn a_test_that_is_alone_has_the_first_process_there_and_no_other_network() {
    alone(|| {
        assert_eq!(std::process::id(), 1, "all others end with it");
        let done = crate::support::command::run(
            std::process::Command::new("ip").args(["-br", "link", "show", "type", "veth"]),
        );
        assert_eq!(done.ok(), "");
        let _lab = Lab::new(&["a"]);
    });
}
