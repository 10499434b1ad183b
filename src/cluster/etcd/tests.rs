//! Every call, made of a real etcd.

mod auth;
mod fake;
mod faults;
mod kv;
mod lease;
mod member;
mod relay;
mod slow;
mod tls;
mod watch;
