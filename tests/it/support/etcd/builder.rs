//! How an etcd is to be started.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{
    Etcd,
    member::{self, Member, Place, Start},
};
use crate::support::{authority::Authority, free_address, lab::Host, tls::Certificate};

/// What is told to etcd, and where its members are.
#[derive(Default)]
pub(crate) struct Builder {
    places: Vec<Place>,
    flags: Vec<String>,
    trust: Option<(String, Certificate, Certificate)>,
}

/// The files with which etcdctl is let in.
pub(crate) struct Trust(PathBuf);

/// How often other ports are tried, when one was taken between being found free and being used.
const TRIES: usize = 5;

// === impl Builder ===

impl Builder {
    /// How many members there are, on ports of loopback.
    pub(crate) fn members(mut self, count: usize) -> Self {
        self.places = vec![Place::default(); count];
        self
    }

    /// One member on each of these hosts, on etcd's own ports.
    pub(crate) fn on(mut self, hosts: &[&Host]) -> Self {
        let place = |host: &&Host| Place {
            enter: host.enter(),
            ip: IpAddr::V4(host.address),
            ports: [2379, 2380, 2381],
            is_secure: false,
        };
        self.places = hosts.iter().map(place).collect();
        self
    }

    /// A further argument of each member, for example `--quota-backend-bytes=16777216`.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Clients speak TLS and show a certificate of this authority; members show `server`. Its
    /// common name is a client's user, where users are asked for.
    pub(crate) fn tls(mut self, authority: &Authority, server: Certificate) -> Self {
        self.trust = Some((authority.pem.clone(), server, authority.issue("root", 2040)));
        self
    }

    /// Starts it, and waits until all members are healthy.
    pub(crate) fn start(mut self) -> Etcd {
        if self.places.is_empty() {
            self = self.members(1);
        }
        for _ in 0..TRIES {
            if let Some(etcd) = self.try_start() {
                etcd.wait_until_healthy();
                return etcd;
            }
        }
        panic!("no ports for etcd, {TRIES} times")
    }

    /// Starts all members; none when a port was taken.
    fn try_start(&self) -> Option<Etcd> {
        let folder = tempfile::Builder::new().prefix("rollcall-etcd-").tempdir().unwrap();
        let trust = self.trust.as_ref().map(|trust| Trust::write(trust, folder.path()));
        let mut members: Vec<Member> = (0..)
            .zip(&self.places)
            .map(|(at, place)| {
                let mut place = place.clone();
                place.is_secure = trust.is_some();
                if place.ports[0] == 0 {
                    place.ports = [(); 3].map(|()| free_address().port());
                }
                Member::new(at, place, folder.path())
            })
            .collect();
        let peers = member::peers(&members);
        let token = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let mut flags = self.flags.clone();
        flags.extend(trust.iter().flat_map(Trust::server_flags));
        for member in &mut members {
            let place = &member.place;
            let mut all = vec![
                format!("--initial-cluster={peers}"),
                format!("--initial-cluster-token={token}"),
                format!("--initial-advertise-peer-urls={}", place.peer_url()),
            ];
            all.extend(flags.iter().cloned());
            member.flags = all;
            member.start();
        }
        let all_run = members.iter_mut().all(|member| match member.wait_for_start() {
            Start::Listens => true,
            Start::PortTaken => false,
        });
        let etcd = Etcd { members, folder, trust, user: None, restored: 0 };
        all_run.then_some(etcd)
    }
}

// === impl Trust ===

impl Trust {
    fn write((authority, server, client): &(String, Certificate, Certificate), to: &Path) -> Self {
        let folder = to.join("tls");
        for (name, certificate) in [("server", server), ("client", client)] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            certificate.write(&folder.join(name));
        }
        std::fs::write(folder.join("authority.pem"), authority).unwrap();
        Self(folder)
    }

    pub(super) fn renew(&self, server: &Certificate) {
        server.write(&self.0.join("server"));
    }

    fn server_flags(&self) -> [String; 4] {
        [
            format!("--trusted-ca-file={}", self.path("authority.pem")),
            format!("--cert-file={}", self.path("server/certificate.pem")),
            format!("--key-file={}", self.path("server/key.pem")),
            "--client-cert-auth".to_owned(),
        ]
    }

    pub(super) fn client_flags(&self) -> [String; 3] {
        [
            format!("--cacert={}", self.path("authority.pem")),
            format!("--cert={}", self.path("client/certificate.pem")),
            format!("--key={}", self.path("client/key.pem")),
        ]
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}
