//! Many servers on one etcd, and first of all what these tests stand on: that a link that is cut is
//! cut.

mod links;
