//! What the tests of this folder write.

use crate::cluster::etcd::{Client, KeyRange, Op, Txn};

/// A registration that can be read.
pub(super) const WEB: &str =
    r#"{"addresses":["10.0.0.1"],"port":80,"registered_at":"2026-11-18T11:06:40.000Z"}"#;

/// What is at the end of the key of a registration.
pub(super) fn registration(instance: &str) -> String {
    format!("instances/{instance}/registration")
}

/// Puts a row below `PREFIX/v1/`; says at which revision.
pub(super) async fn put(client: &Client, prefix: &str, name: &str, value: &str) -> u64 {
    let key = format!("{prefix}v1/{name}");
    client.put(key, value.to_owned(), None).await.unwrap().revision
}

/// Registers an instance.
pub(super) async fn register(client: &Client, prefix: &str, instance: &str) -> u64 {
    put(client, prefix, &registration(instance), WEB).await
}

/// Deletes all rows below a name.
pub(super) async fn delete(client: &Client, prefix: &str, name: &str) -> u64 {
    let keys = KeyRange::prefix(format!("{prefix}v1/{name}"));
    let txn = Txn { then: vec![Op::Delete(keys)], ..Txn::default() };
    client.txn(txn).await.unwrap().header.revision
}
