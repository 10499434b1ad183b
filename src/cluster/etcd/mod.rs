//! A client of etcd's v3 interface (gRPC).

mod auth;
mod call;
mod client;
mod connection;
mod endpoint;
mod error;
mod failure;
mod gather;
mod keep_alive;
mod key;
mod lease;
mod member;
mod options;
mod pages;
mod pool;
mod proto;
mod range;
mod tls;
mod txn;
mod watch;
mod wire;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use error::{Attempt, EtcdError};
pub use gather::Event;
pub use keep_alive::KeepAlive;
pub use key::KeyRange;
pub use lease::{Granted, LeaseId, TimeToLive};
pub use member::{Alarm, AlarmKind, Member};
pub use options::{DEADLINE, ENDPOINTS_MAX, EtcdOptions, EtcdTls, EtcdUser};
pub use pages::Pages;
pub use range::{Header, KeyValue, Listing, Range};
pub use txn::{Compare, Op, OpReply, Relation, Txn, TxnReply};
pub use watch::{Only, Watch, WatchStream, Watched};
