//! What goes wrong in a run: processes that are killed and stand still, links that are cut.

use std::{net::TcpStream, time::Duration};

use super::{
    bulk::{self, Moment},
    ledger::{Bounds, Excuse, Kind, Server},
    scene::{Ends, Scene},
};
use crate::support::{
    PATIENCE,
    fleet::Fleet,
    lab::{Cut, alone},
};

/// One fault. Members of etcd and servers go by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    KillServer(Server),
    PauseServer(Server),
    /// In good order.
    RestartServer(Server),
    /// All of them, one after the other.
    RestartServers,
    /// A server reaches no member, and all servers and clients.
    CutServerFromEtcd(Server),
    /// A server reaches nobody but clients.
    IsolateServer(Server),
    /// A server reaches nobody but clients and this other server.
    IsolateServerBut(Server, Server),
    /// It is given a body of very many instances, and is killed at this moment of it.
    KillServerInBulk(Server, Moment),
    /// Two servers do not reach one another.
    CutServers(Server, Server),
    /// A server does not reach one member.
    CutServerFromMember(Server, usize),
    /// Each server does not reach one member, and each another one: its own number and so many on.
    CutServersFromMembers(usize),
    KillMember(usize),
    KillLeader,
    /// A majority.
    KillTwoMembers(usize, usize),
    KillEtcd,
    PauseMember(usize),
    PauseLeader,
    PauseFollower,
    /// Two members do not reach one another.
    CutMembers(usize, usize),
    /// The leader reaches no other member, and all servers.
    CutLeader,
    /// All of them, one after the other.
    RestartMembers,
}

/// What carries them out.
pub(super) struct Conductor<'a> {
    pub(super) fleet: &'a mut Fleet,
    pub(super) scene: &'a Scene,
    /// How long a fault lasts.
    pub(super) hold: Duration,
}

// === impl Fault ===

impl Fault {
    /// All there are where there are so many servers and members.
    pub(super) fn all(servers: usize, members: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for one in 0..servers {
            all.extend([Self::KillServer(one), Self::PauseServer(one), Self::RestartServer(one)]);
            all.extend((one + 1..servers).map(|other| Self::CutServers(one, other)));
            if members > 0 {
                all.extend([Self::CutServerFromEtcd(one), Self::IsolateServer(one)]);
                let others = (0..servers).filter(|other| *other != one);
                all.extend(others.map(|other| Self::IsolateServerBut(one, other)));
                all.extend((0..members).map(|member| Self::CutServerFromMember(one, member)));
            }
        }
        for one in 0..members {
            all.extend([Self::KillMember(one), Self::PauseMember(one)]);
            for other in one + 1..members {
                all.extend([Self::KillTwoMembers(one, other), Self::CutMembers(one, other)]);
            }
        }
        if servers > 1 {
            all.push(Self::RestartServers);
        }
        if members > 2 {
            // What is likelier to be felt comes more often than each of its cases.
            let of_leader = [Self::KillLeader, Self::PauseLeader, Self::CutLeader];
            all.extend([of_leader, of_leader].concat());
            all.extend([Self::KillEtcd, Self::RestartMembers]);
        }
        all
    }

    /// Of whom less may be asked meanwhile; of all servers, where there is none.
    fn weather(self) -> (Option<Server>, Kind) {
        match self {
            Self::KillServer(at) | Self::PauseServer(at) | Self::RestartServer(at) => {
                (Some(at), Kind::Down)
            }
            Self::CutServerFromMember(at, _) => (Some(at), Kind::Behind),
            Self::CutServerFromEtcd(at)
            | Self::IsolateServer(at)
            | Self::IsolateServerBut(at, _) => (Some(at), Kind::Apart),
            Self::KillTwoMembers(..) | Self::KillEtcd => (None, Kind::Outage),
            // Each is down at its own time; see `Conductor::restart`.
            Self::CutServers(..) | Self::RestartServers => (None, Kind::Moving),
            // Its own death is noted when it comes; while a bulk is under way all others wait.
            Self::KillServerInBulk(..)
            | Self::CutServersFromMembers(_)
            | Self::KillMember(_)
            | Self::KillLeader
            | Self::PauseMember(_)
            | Self::PauseLeader
            | Self::PauseFollower
            | Self::CutMembers(..)
            | Self::CutLeader
            | Self::RestartMembers => (None, Kind::Behind),
        }
    }
}

// === impl Conductor ===

impl Conductor<'_> {
    /// Does it, lets it last, and undoes it: all runs again when this returns.
    pub(super) fn carry_out(&mut self, fault: Fault) {
        println!("{:8.3?} {fault:?}, for {:?}", self.scene.now(), self.hold);
        let (server, kind) = fault.weather();
        let excuse = self.excuse(server, kind);
        match fault {
            Fault::KillServer(server) => {
                self.fleet.kill(server);
                self.hold();
                self.fleet.start_again(server);
            }
            Fault::PauseServer(server) => {
                let _paused = self.fleet.pause(server);
                self.hold();
            }
            Fault::RestartServer(server) => {
                self.fleet.stop(server);
                self.fleet.start_again(server);
            }
            Fault::RestartServers => (0..self.fleet.size()).for_each(|at| self.restart(at)),
            Fault::KillServerInBulk(server, moment) => bulk::kill(self, server, moment),
            other if !self.cut_servers(other) => self.trouble_etcd(other),
            _ => {}
        }
        self.scene.ledger().over(&excuse, self.scene.now());
    }

    /// Whether that is what the fault is.
    fn cut_servers(&self, fault: Fault) -> bool {
        let members: Vec<usize> = self.all_members();
        let but = |some: &[Server]| -> Vec<Server> {
            (0..self.fleet.size()).filter(|at| !some.contains(at)).collect()
        };
        let _cuts = match fault {
            Fault::CutServerFromEtcd(server) => vec![self.cut(server, &[], &members)],
            Fault::IsolateServer(server) => vec![self.cut(server, &but(&[server]), &members)],
            Fault::IsolateServerBut(server, other) => {
                vec![self.cut(server, &but(&[server, other]), &members)]
            }
            Fault::CutServers(one, other) => vec![self.cut(one, &[other], &[])],
            Fault::CutServerFromMember(server, member) => vec![self.cut(server, &[], &[member])],
            Fault::CutServersFromMembers(on) => {
                let other = |server| members[(server + on) % members.len()];
                (0..self.fleet.size()).map(|at| self.cut(at, &[], &[other(at)])).collect()
            }
            _ => return false,
        };
        self.hold();
        true
    }

    fn trouble_etcd(&mut self, fault: Fault) {
        let leader = self.fleet.etcd.as_ref().expect("there are members").leader();
        match fault {
            Fault::KillMember(member) => self.kill_members(&[member]),
            Fault::KillLeader => self.kill_members(&[leader]),
            Fault::KillTwoMembers(one, other) => self.kill_members(&[one, other]),
            Fault::PauseMember(member) => self.pause_member(member),
            Fault::PauseLeader => self.pause_member(leader),
            Fault::PauseFollower => self.pause_member((leader + 1) % self.fleet.members()),
            Fault::CutMembers(one, other) => self.cut_members(one, &[other]),
            Fault::CutLeader => {
                let others: Vec<usize> =
                    self.all_members().into_iter().filter(|at| *at != leader).collect();
                self.cut_members(leader, &others);
            }
            Fault::RestartMembers => self.all_members().into_iter().for_each(|member| {
                let etcd = self.fleet.etcd.as_mut().expect("there are members");
                etcd.stop(member);
                etcd.start(member);
                etcd.wait_until_healthy();
            }),
            // All others are of servers.
            _ => self.kill_members(&self.all_members()),
        }
        self.fleet.etcd.as_ref().expect("there are members").wait_until_healthy();
    }

    fn kill_members(&mut self, members: &[usize]) {
        let etcd = self.fleet.etcd.as_mut().expect("there are members");
        members.iter().for_each(|member| etcd.kill(*member));
        self.hold();
        let etcd = self.fleet.etcd.as_mut().expect("there are members");
        members.iter().for_each(|member| etcd.start(*member));
    }

    fn pause_member(&self, member: usize) {
        let _paused = self.fleet.etcd.as_ref().expect("there are members").pause(member);
        self.hold();
    }

    fn cut_members(&self, one: usize, others: &[usize]) {
        let names: Vec<String> = others.iter().map(|at| Fleet::host_of_member(*at)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _cut = self.fleet.lab.cut_between(&[&Fleet::host_of_member(one)], &names);
        self.hold();
    }

    /// Cuts a server off from other servers and from members.
    fn cut(&self, one: Server, servers: &[Server], members: &[usize]) -> Cut {
        let servers = servers.iter().map(|at| Fleet::host_of_server(*at));
        let others: Vec<String> =
            servers.chain(members.iter().map(|at| Fleet::host_of_member(*at))).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        self.fleet.lab.cut_between(&[&Fleet::host_of_server(one)], &others)
    }

    fn restart(&mut self, server: Server) {
        let excuse = self.excuse(Some(server), Kind::Down);
        self.fleet.stop(server);
        self.fleet.start_again(server);
        self.scene.ledger().over(&excuse, self.scene.now());
    }

    pub(super) fn excuse(&self, server: Option<Server>, kind: Kind) -> Excuse {
        self.scene.ledger().excuse(server, kind, self.scene.now())
    }

    /// Lets it last, unless the run is over.
    pub(super) fn hold(&self) {
        self.scene.pass(self.hold, Ends::Changes);
    }

    fn all_members(&self) -> Vec<usize> {
        (0..self.fleet.members()).collect()
    }
}

#[test]
fn each_pair_is_cut_and_each_process_dies() {
    let all = Fault::all(3, 3);
    for wanted in [
        Fault::KillServer(2),
        Fault::CutServers(0, 2),
        Fault::CutServers(1, 2),
        Fault::CutServerFromEtcd(1),
        Fault::IsolateServer(0),
        Fault::IsolateServerBut(2, 1),
        Fault::CutServerFromMember(2, 0),
        Fault::KillMember(1),
        Fault::KillTwoMembers(0, 2),
        Fault::CutMembers(1, 2),
        Fault::PauseLeader,
        Fault::KillEtcd,
    ] {
        assert!(all.contains(&wanted), "{wanted:?}");
    }
    let alone = [Fault::KillServer(0), Fault::PauseServer(0), Fault::RestartServer(0)];
    assert_eq!(Fault::all(1, 0), alone);
}

#[test]
fn an_etcd_is_whole_after_each_fault() {
    alone(|| {
        let begun = std::time::Instant::now();
        let mut fleet = Fleet::start(3, 0);
        println!("three members started in {:?}", begun.elapsed());
        let second = Duration::from_secs(1);
        let scene = Scene::new(&fleet, Bounds::of(second));
        let mut done = Vec::new();
        for fault in Fault::all(0, 3) {
            // One of each sort: of whom is a matter of a number.
            if done.contains(&std::mem::discriminant(&fault)) {
                continue;
            }
            done.push(std::mem::discriminant(&fault));
            let hold = Duration::from_millis(200);
            Conductor { fleet: &mut fleet, scene: &scene, hold }.carry_out(fault);
            let etcd = fleet.etcd.as_ref().expect("it has three members");
            assert_eq!(etcd.running(), [0, 1, 2], "{fault:?}");
            etcd.put("fault", &format!("{fault:?}"));
        }
        assert_eq!(done.len(), 9);
    });
}

#[test]
fn servers_run_and_reach_one_another_after_each_fault() {
    alone(|| {
        let begun = std::time::Instant::now();
        let mut fleet = Fleet::start(0, 2);
        println!("two servers started in {:?}", begun.elapsed());
        let second = Duration::from_secs(1);
        let scene = Scene::new(&fleet, Bounds::of(second));
        for fault in Fault::all(2, 0) {
            let hold = Duration::from_millis(100);
            Conductor { fleet: &mut fleet, scene: &scene, hold }.carry_out(fault);
            for (from, to) in [(0, 1), (1, 0)] {
                let host = fleet.lab.host(&Fleet::host_of_server(from));
                let to = fleet.http(to);
                host.run(|| TcpStream::connect_timeout(&to, PATIENCE)).expect("it is there");
            }
        }
    });
}
