//! Many servers on one etcd, and first of all what these tests stand on: that an etcd is real, that
//! a link that is cut is cut.

mod etcds;
mod jury;
mod links;
