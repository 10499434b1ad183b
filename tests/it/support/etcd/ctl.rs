//! etcdctl, as an operator uses it.

use std::process::Command;

use super::Etcd;
use crate::support::command::{Done, run, without_variables};

// === impl Etcd ===

impl Etcd {
    /// Runs etcdctl with these words against all members that run, as who it may be.
    pub(crate) fn ctl(&self, words: &[&str]) -> Done {
        let running = self.running().into_iter().map(|at| self.members[at].place.client_url());
        self.ctl_at(&running.collect::<Vec<_>>(), words)
    }

    /// The same against one member.
    pub(crate) fn ctl_on(&self, member: usize, words: &[&str]) -> Done {
        self.ctl_at(&[self.members[member].place.client_url()], words)
    }

    pub(super) fn ctl_at(&self, endpoints: &[String], words: &[&str]) -> Done {
        let mut command = Command::new("etcdctl");
        without_variables(&mut command, "ETCDCTL_");
        // Of versions to 3.3 the default is another.
        command.env("ETCDCTL_API", "3").args(["--command-timeout=3s", "--dial-timeout=1s"]);
        if !endpoints.is_empty() {
            command.arg(format!("--endpoints={}", endpoints.join(",")));
            command.args(self.trust.iter().flat_map(super::Trust::client_flags));
            command.args(self.user.iter().map(|user| format!("--user={user}")));
        }
        run(command.args(words))
    }

    /// The value of a key; none when there is no such key.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let value = self.ctl(&["get", "--print-value-only", key]).ok();
        value.strip_suffix('\n').map(str::to_owned)
    }

    /// Sets the value of a key.
    pub(crate) fn put(&self, key: &str, value: &str) {
        self.ctl(&["put", key, value]).ok();
    }

    /// What it is alarmed about, one line for each member and alarm.
    pub(crate) fn alarms(&self) -> Vec<String> {
        self.ctl(&["alarm", "list"]).ok().lines().map(str::to_owned).collect()
    }

    /// From now on users are asked for; etcdctl is `root` with this password.
    pub(crate) fn enable_auth(&mut self, password: &str) {
        let root = format!("root:{password}");
        for words in [&["user", "add", &root][..], &["user", "grant-role", "root", "root"]] {
            self.ctl(words).ok();
        }
        self.ctl(&["auth", "enable"]).ok();
        self.user = Some(root);
    }
}
