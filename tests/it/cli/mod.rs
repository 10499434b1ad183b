//! Every verb of the command line against a running server, as a person or a script uses it.

mod backup;
mod config;
mod defaults;
mod etcd;
mod help;
mod output;
mod refusals;
mod resolve;
mod verbs;
mod watch;
