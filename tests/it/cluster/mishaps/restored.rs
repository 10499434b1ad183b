//! An etcd that is restored from a backup: its revision goes back.

use super::Servers;
use crate::support::{etcd::Etcd, eventually};

#[test]
fn what_a_backup_has_not_is_gone_and_nothing_else_and_no_server_is_restarted() {
    let mut etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    let copy = etcd.save("copy.db");
    for n in 0..20 {
        servers.register(n % 2, "lost", &format!("10.0.1.{n}"));
    }
    let shown = [0, 1].map(|at| servers.shown(at));
    etcd.restore(&copy);
    for at in 0..servers.nodes.len() {
        eventually("what the backup has not is gone", || {
            servers.api(at).status("lost", "i").is_none().then_some(())
        });
        assert!(servers.api(at).status("kept", "i").is_some());
    }
    servers.all_note("etcd history", &["What the backup has not is gone"]);
    // What a server shows never goes back, for those who follow it by revision.
    for (at, before) in shown.into_iter().enumerate() {
        servers.register(at, "new", &format!("10.0.2.{at}"));
        let now = servers.shown(at);
        assert!(now > before, "{now} after {before} at server {at}");
    }
    servers.end_well(&["etcd", "store"]);
}
