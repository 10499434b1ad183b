//! Every call, made of a real etcd.

mod faults;
mod kv;
mod lease;
mod member;
mod watch;
