//! A real etcd of one or several members, each a process that can be killed, paused and started
//! again on its data.
//!
//! It elects quickly (heartbeats each 100 ms, elections after a second), so that what follows the
//! loss of a leader is seen within seconds. Members listen on ports of loopback that were free a
//! moment ago; when one is taken in the meantime, all are tried anew. On hosts of a
//! [`Lab`](super::lab::Lab) they have etcd's own ports.

mod builder;
mod ctl;
mod member;

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;

pub(crate) use self::builder::Builder;
use self::{builder::Trust, member::Member};
use super::{eventually, process::Paused};

/// All members of one etcd, which ends when this is dropped. Members go by their place, from 0.
pub(crate) struct Etcd {
    members: Vec<Member>,
    folder: TempDir,
    trust: Option<Trust>,
    /// What etcdctl says it is: `name:password`.
    user: Option<String>,
    /// How often it was started from a backup.
    restored: usize,
}

// === impl Etcd ===

impl Etcd {
    /// One of a single member.
    pub(crate) fn single() -> Self {
        Self::cluster(1)
    }

    /// One of so many members.
    pub(crate) fn cluster(members: usize) -> Self {
        Self::builder().members(members).start()
    }

    /// One that is told more.
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// Where members take requests, as URLs.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.place.client_url()).collect()
    }

    /// The members that run, paused ones among them.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|at| self.members[*at].process.is_some()).collect()
    }

    /// Kills a member without warning.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].process.take().expect("it runs");
    }

    /// Ends a member in good order.
    pub(crate) fn stop(&mut self, member: usize) {
        self.members[member].process.take().expect("it runs").stop();
    }

    /// Starts a member again on its data. It is healthy when a majority is there; see
    /// [`Etcd::wait_until_healthy`].
    pub(crate) fn start(&mut self, member: usize) {
        let member = &mut self.members[member];
        assert!(member.process.is_none(), "{} runs", member.name);
        member.start();
    }

    /// Stops a member's process, which goes on when what is returned is dropped.
    pub(crate) fn pause(&self, member: usize) -> Paused {
        Paused::new(self.members[member].process.as_ref().expect("it runs").pid())
    }

    /// Waits until each member that runs can write.
    pub(crate) fn wait_until_healthy(&self) {
        for member in &self.members {
            if member.process.is_some() {
                eventually(&format!("{} is healthy", member.name), || member.is_healthy());
            }
        }
    }

    /// Which member leads. One that is paused or dead is not asked; one that was cut off a moment
    /// ago may believe for a second (the time of an election) that it still does.
    pub(crate) fn leader(&self) -> usize {
        eventually("a leader", || self.leads(None))
    }

    /// Which member leads in place of `old`.
    pub(crate) fn leader_after(&self, old: usize) -> usize {
        eventually("another leader", || self.leads(Some(old)))
    }

    fn leads(&self, except: Option<usize>) -> Option<usize> {
        let mut running = self.running().into_iter().filter(|at| Some(*at) != except);
        running.find(|at| self.members[*at].metric("etcd_server_is_leader") == Some(1.0))
    }

    /// A number that a member shows under `/metrics`; none when it does not answer.
    pub(crate) fn metric(&self, member: usize, name: &str) -> Option<f64> {
        self.members[member].metric(name)
    }

    /// Members show another certificate from the next connection on.
    pub(crate) fn renew(&self, server: &super::tls::Certificate) {
        self.trust.as_ref().expect("clients speak TLS").renew(server);
    }

    /// Keeps a copy of all data in a file of the scratch folder.
    pub(crate) fn save(&self, name: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        let words = ["snapshot", "save", &file.display().to_string()];
        let saved = self.ctl_on(self.leader(), &words);
        assert_eq!(saved.code, Some(0), "{saved:?}");
        file
    }

    /// Puts a copy in the place of all data, as after the loss of everything: all members are
    /// killed and begin anew from it, as a cluster of another id.
    pub(crate) fn restore(&mut self, copy: &std::path::Path) {
        self.restored += 1;
        let peers = member::peers(&self.members);
        let token = format!("restored-{}", self.restored);
        for at in 0..self.members.len() {
            drop(self.members[at].process.take());
            let member = &mut self.members[at];
            member.folder = self.folder.path().join(format!("{}-{token}", member.name));
            let (folder, url) = (member.folder.display().to_string(), member.place.peer_url());
            let (copy, name) = (copy.display().to_string(), member.name.clone());
            let words = [
                ["snapshot", "restore"],
                [&copy, "--name"],
                [&name, "--data-dir"],
                [&folder, "--initial-cluster"],
                [&peers, "--initial-cluster-token"],
                [&token, "--initial-advertise-peer-urls"],
            ];
            let words: Vec<&str> = words.into_iter().flatten().chain([url.as_str()]).collect();
            let restored = self.ctl_at(&[], &words);
            assert_eq!(restored.code, Some(0), "{restored:?}");
        }
        self.members.iter_mut().for_each(Member::start);
        self.wait_until_healthy();
    }
}

/// How long one question of ours to a member may take: one that is paused does not answer.
const QUESTION: Duration = Duration::from_millis(500);
