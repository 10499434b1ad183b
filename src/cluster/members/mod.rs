//! Which servers are alive, and that this one is.
//!
//! Each server has one row, bound to a lease that it renews three times in its life (10 s unless
//! configured otherwise). No other lease is renewed: etcd carries some dozens of renewals each
//! second for a hundred servers, whatever the number of instances. A lease for each instance would
//! end near ten thousand renewals a second, and leaders that were paused have been seen to revoke
//! leases that were kept alive (etcd issue 15247).
//!
//! The revision that made the row is the server's *fence*: what it writes as owner is compared with
//! it in the same transaction, so a server that was paused, and does not know that it is taken for
//! dead, writes nothing. A row is therefore never put over another one: the old one is deleted, and
//! a new one made.
//!
//! When the own row or lease is lost, this server first says that nothing is its task, and only
//! then joins anew. When others' rows vanish their work is taken over at once, unless etcd itself
//! was away (`roll`). When nothing is heard of etcd for a lease's time, this server is cut off: the
//! view stays as it is, and it checks everything by itself.
//!
//! The rows of the servers come with the follower's watch, not with one of their own.

mod count;
mod differ;
mod keeper;
mod roll;
mod row;
mod start;
#[cfg(test)]
mod tests;
mod views;

pub use count::count;
pub use row::{Server, Servers};
pub use start::{LEASE, Members, MembersSetup};
