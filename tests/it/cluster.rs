//! Many servers on one etcd, and first of all what these tests stand on: that an etcd is real, that
//! a link that is cut is cut, that what is judged is judged well.
//!
//! `run` is the test of it all: real traffic (`traffic`) throughout, of instances (`roster`) that
//! are changed, checked and asked for, while processes die and links break (`faults`); the `ledger`
//! knows what may be answered, and `scene` is where they all meet. `scenarios` are the same with
//! each fault that is stated, in order. `weather` and `mishaps` are what is no matter of links.

mod buffers;
mod bulk;
mod company;
mod deaf;
mod etcds;
mod faults;
mod jury;
mod ledger;
mod links;
mod mishaps;
mod resuming;
mod roster;
mod run;
mod scenarios;
mod scene;
mod settle;
mod size;
mod traffic;
mod weather;
