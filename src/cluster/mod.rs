//! Many servers that share one registry through an etcd cluster.
//!
//! Every server holds all of it in memory, as with the embedded store, and answers from there. What
//! etcd adds is one order of all changes, kept by a majority of its members: consensus, replication
//! and leases are its work, and nothing of that kind is ours. So a server that loses sight of etcd
//! loses nothing but the writing.
//!
//! [`etcd`] is the way there: a thin client, whose libraries' types end in that folder. [`layout`]
//! has the keys and values, as every server, and whoever looks with `etcdctl`, finds them there.
//! [`transfer`] moves a registry into it, and out of it. [`follow`] tells the registry what others
//! change, [`mod@write`] carries out what it proposes, and [`members`] says which servers are
//! alive, so that each instance is the task of one of them. What these three know together is in
//! [`Common`]. [`beats`] brings heartbeats to the server whose task their instance is.

mod agreed;
pub mod beats;
mod common;
pub mod etcd;
pub mod follow;
pub mod layout;
pub mod members;
mod meta;
mod metrics;
mod pins;
#[cfg(test)]
pub(crate) mod testing;
pub mod transfer;
pub mod write;

pub use common::{Common, Roster};
pub use metrics::ClusterMetrics;
pub use pins::Pins;
