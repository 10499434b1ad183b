//! A thin client of etcd's v3 interface: gRPC over connections of our own.
//!
//! # What is promised
//! - [`Client`] connects when it is used, and again when that is needed. One endpoint is used until
//!   it fails; a call that was lost on the way is made at the next one, if it is a read, or was
//!   never sent. A write that may have been done says so ([`EtcdError::Unsure`]), and is never sent
//!   twice. Each attempt has its time.
//! - A member that knows no leader refuses at once, and its watches end (`hasleader`); without that
//!   calls wait for seconds, and watches of a member that was cut off are silent for ever.
//! - [`WatchStream`] gives whole revisions, and says how far it has come only if that is true.
//! - Errors tell what was asked of whom by whom, and what to do ([`EtcdError`]).
//!
//! What it does not do is what only its users know how to: watch again, list again, wait between
//! attempts. tonic's and prost's types, and etcd's messages (`proto`), do not leave this folder.
//!
//! # Why not the JSON gateway
//! etcd offers the same calls as JSON over HTTP/1.1, which would need no new part. Measured against
//! each other by programs of the same kind (hyper, serde_json), on one etcd 3.4.23 in memory and
//! two busy cores, medians of three rounds:
//!
//! | | gRPC | gateway |
//! | --- | --- | --- |
//! | put of 256 octets, one at a time, p50 / p99 | 0.11 / 0.56 ms | 0.20 / 0.76 ms |
//! | the same, 32 at once | 1.3 / 15 ms, 15,500/s | 2.5 / 29 ms, 7,700/s |
//! | CPU of etcd for a put, one at a time / 32 at once | 60 / 34 µs | 177 / 85 µs |
//! | our CPU for a put | 53 / 19 µs | 40 / 14 µs |
//! | list of 100,000 keys of 400 octets, pages of 5,000 | 0.62 s | 2.29 s |
//! | CPU of that, ours / etcd's | 50 / 390 ms | 70 / 1,220 ms |
//! | from a put to its event in a watch, 500/s, p50 / p99 | 0.26 / 0.65 ms | 0.33 / 0.83 ms |
//!
//! The gateway is a client inside etcd that translates, and takes etcd, of which there is one for
//! all of our servers, two to three times the work. There are no pings, so a watch that has stalled
//! looks like one on which nothing happens, unless it is asked for its progress, which takes a
//! request whose body is left open while the reply comes. It knows no user by the name of a client
//! certificate; and it may be switched off (`--enable-grpc-gateway=false`).
//!
//! Of the libraries, etcd-client needs protoc to be built, and neither resumes watches nor tells a
//! write that was lost from one that was not sent: what is hard would still be ours.
//!
//! # What etcd is known to do
//! - It hangs up (`too_many_pings`) on whoever pings while nothing is under way, after 40 seconds
//!   of a ping each 10, and on whoever pings more often than each 5. So pings go with calls and
//!   streams only. That an idle connection is dead is noticed by the next call, which takes its
//!   time, and moves on.
//! - Before 3.4.25 and 3.5.8 its answer to a request for progress overtakes events (issue 15220):
//!   of these [`Watched::Progress`] tells no more than what has come. From there to 3.4.30 and
//!   3.5.12 no answer may come while nothing was ever delivered. What it says by itself is right in
//!   all.
//! - A member that lags behind sends what is before the beginning of a watch (issue 20221), which
//!   is left out here.
//! - A watch with a token that is not known any more is `permission denied` in some versions.
//! - Versions with defects that matter are warned of when they are met; below 3.4 there is no
//!   request for progress at all, and they are refused.

mod auth;
mod buffers;
mod call;
mod client;
mod connection;
mod dial;
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
mod password;
mod pool;
mod proto;
mod range;
#[cfg(test)]
mod tests;
mod tls;
mod txn;
mod watch;
mod wire;

pub use buffers::MANY;
pub use client::Client;
pub use error::{Attempt, EtcdError, Late};
pub use gather::Event;
pub use keep_alive::KeepAlive;
pub use key::KeyRange;
#[cfg(test)]
pub(super) use lease::TimeToLive;
pub use lease::{Granted, LeaseId};
pub use member::{Alarm, AlarmKind, Member};
pub use options::{DEADLINE, ENDPOINTS_MAX, EtcdOptions, EtcdTls, EtcdUser};
pub use pages::Pages;
pub use password::read_password;
pub use range::{Header, KeyValue, Listing, Range};
pub use txn::{Compare, Op, OpReply, Relation, Txn, TxnReply};
pub use watch::{Watch, WatchStream, Watched};
