//! What spans several keys of `[store]` and `[cluster]`.

use super::Clash;
use crate::app::config::{Config, StoreKind, spec_v1::keys, store::EtcdSettings};

/// All mistakes; `is_set` says whether somebody has set a key.
pub(super) fn clashes(config: &Config, is_set: impl Fn(&str) -> bool) -> Vec<Clash> {
    let etcd = &config.store.etcd;
    if !config.is_shared() {
        // Whoever says `embedded` means it, perhaps for once; who says nothing has forgotten it.
        let meant = unread(config).next().filter(|_| !is_set("store.kind"));
        let message = |path| {
            format!(
                "`{path}` is for a store that servers share, and this one is embedded; write \
                 `kind = \"{}\"` in `[store]`",
                StoreKind::Etcd.as_str()
            )
        };
        return meant.map(|path| clash(path, message(path))).into_iter().collect();
    }
    [no_endpoints(etcd), mixed(etcd), pair(etcd), needless(etcd), credentials(etcd), alone(config)]
        .into_iter()
        .flatten()
        .collect()
}

/// The keys that are for etcd alone and have been given another value than their default.
pub(in crate::app::config) fn unread(config: &Config) -> impl Iterator<Item = &'static str> {
    let default = Config::default();
    keys()
        .filter(|key| key.path.starts_with("store.") || key.path.starts_with("cluster."))
        .filter(move |key| key.path != "store.kind" && (key.show)(config) != (key.show)(&default))
        .map(|key| key.path)
}

fn clash(path: &'static str, message: String) -> Clash {
    Clash { paths: [path; 2], index: None, message }
}

fn no_endpoints(etcd: &EtcdSettings) -> Option<Clash> {
    let message = "`store.kind` is `etcd`, and `store.endpoints` names none of its members; add \
                   `endpoints = [\"http://127.0.0.1:2379\"]` or where they are (as a flag: \
                   `--store etcd=http://127.0.0.1:2379`)";
    etcd.endpoints.is_empty().then(|| Clash {
        paths: ["store.kind", "store.endpoints"],
        index: None,
        message: message.into(),
    })
}

/// Members of one cluster are all encrypted or none is: the one that is not would tell all.
fn mixed(etcd: &EtcdSettings) -> Option<Clash> {
    let first = etcd.endpoints.first()?;
    let mut endpoints = etcd.endpoints.iter().enumerate();
    let (index, other) = endpoints.find(|(_, it)| it.is_encrypted != first.is_encrypted)?;
    let message = format!(
        "`store.endpoints[{index}]`: `{other}` stands beside `{first}`; write all with `https` or \
         all with `http`"
    );
    Some(Clash { paths: ["store.endpoints"; 2], index: Some(index), message })
}

fn pair(etcd: &EtcdSettings) -> Option<Clash> {
    match (&etcd.certificate, &etcd.key) {
        (Some(_), None) => Some(clash(
            "store.certificate",
            "`store.certificate` is given without `store.key`, the file of its private key".into(),
        )),
        (None, Some(_)) => Some(clash(
            "store.key",
            "`store.key` is given without `store.certificate`, the file of its certificate".into(),
        )),
        _ => None,
    }
}

/// Keys of TLS where nothing is encrypted: somebody believes that it is.
fn needless(etcd: &EtcdSettings) -> Option<Clash> {
    let plain = etcd.endpoints.iter().find(|endpoint| !endpoint.is_encrypted)?;
    let given = [
        ("store.ca_file", etcd.ca_file.is_some()),
        ("store.certificate", etcd.certificate.is_some()),
        ("store.key", etcd.key.is_some()),
        ("store.server_name", etcd.server_name.is_some()),
    ];
    let (path, _) = given.into_iter().find(|(_, is_given)| *is_given)?;
    let message = format!(
        "`{path}` is given, and nothing is encrypted on the way to `{plain}` (`store.endpoints`); \
         write `https`, or leave it out"
    );
    Some(clash(path, message))
}

fn credentials(etcd: &EtcdSettings) -> Option<Clash> {
    match (&etcd.user, &etcd.password_file) {
        (Some(_), None) => Some(clash(
            "store.user",
            "`store.user` is given without `store.password_file`, the file of the password".into(),
        )),
        (None, Some(_)) => Some(clash(
            "store.password_file",
            "`store.password_file` is given without `store.user`, whose password it has".into(),
        )),
        _ => None,
    }
}

/// A server that others share the store with, and cannot reach.
fn alone(config: &Config) -> Option<Clash> {
    let endpoint = config.store.etcd.endpoints.iter().find(|endpoint| !endpoint.is_local())?;
    let is_unreachable = config.http.listen.iter().all(|at| at.ip().to_canonical().is_loopback());
    let is_asked = !config.sources.is_for_client && config.cluster.advertise.is_empty();
    if !is_unreachable || !is_asked {
        return None;
    }
    let message = format!(
        "`http.listen` is on this host alone, and the other servers on the etcd at `{endpoint}` \
         (`store.endpoints`) have to hand heartbeats on to this one; listen on an address of a \
         network, or say in `cluster.advertise` where they reach it"
    );
    Some(Clash { paths: ["http.listen", "store.endpoints"], index: None, message })
}
