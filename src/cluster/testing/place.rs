//! An etcd that is started several times, on the same ports and on other data.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::Etcd;
use crate::util::free_address;

/// The ports and the folder of an etcd that is started several times.
pub(crate) struct Place {
    /// Where it takes requests, as a URL.
    pub(crate) client: String,
    peer: String,
    folder: tempfile::TempDir,
}

impl Place {
    /// Ports that are free as yet.
    pub(crate) fn new() -> Self {
        let url = || format!("http://{}", free_address());
        Self { client: url(), peer: url(), folder: tempfile::tempdir().unwrap() }
    }

    /// Starts it with the data of that name.
    pub(crate) fn start(&self, data: &str) -> Etcd {
        let data = self.folder.path().join(data);
        let peers = format!("test={}", self.peer);
        Etcd::start(&[
            "--data-dir",
            data.to_str().unwrap(),
            "--listen-client-urls",
            &self.client,
            "--advertise-client-urls",
            &self.client,
            "--listen-peer-urls",
            &self.peer,
            "--initial-advertise-peer-urls",
            &self.peer,
            "--initial-cluster",
            &peers,
        ])
    }

    /// Keeps a copy of all data.
    pub(crate) fn backup(&self) {
        etcdctl(&["--endpoints", &self.client, "snapshot", "save"], &self.file());
    }

    /// Makes data of the backup.
    pub(crate) fn restore(&self, data: &str) {
        let (data, peers) = (self.folder.path().join(data), format!("test={}", self.peer));
        let args = ["snapshot", "restore", "--name", "test", "--initial-cluster", &peers];
        let more = ["--initial-advertise-peer-urls", &self.peer, "--data-dir"];
        etcdctl(&[&args[..], &more[..], &[data.to_str().unwrap()]].concat(), &self.file());
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("backup")
    }
}

fn etcdctl(args: &[&str], file: &Path) {
    let done = Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .args(args)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.expect("there is an etcdctl (Debian: etcd-client)").success(), "{args:?}");
}
