//! State that several servers share, in etcd.
//!
//! [`layout`] has the keys and values, as every server, and whoever looks with `etcdctl`, finds
//! them there.

pub mod layout;
