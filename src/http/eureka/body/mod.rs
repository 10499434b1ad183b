//! The nouns of Eureka's wire format, each with what may be left out and what stands for it then.
//!
//! They are read from a tree (see [`super::tree`]) and refuse hardly anything; their `Serialize` is
//! the JSON that Eureka's own server writes: numbers as strings where it has them so, names of Java
//! classes where its clients look for them.

mod data_center;
mod field;
mod instance;
mod lease;
mod metadata;
mod port;
mod replication;
mod status;

pub(crate) use data_center::DataCenterInfo;
pub(crate) use instance::Instance;
pub(crate) use lease::LeaseInfo;
pub(crate) use metadata::Metadata;
pub(crate) use port::Port;
pub(crate) use replication::{
    Replication, ReplicationAction, ReplicationBatch, ReplicationReplies, ReplicationReply,
};
pub(crate) use status::{ActionType, InstanceStatus};
