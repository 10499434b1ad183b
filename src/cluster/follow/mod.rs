//! What others change, as etcd tells of it.
//!
//! Everything is read once, page by page at one revision, and then watched from the next revision
//! on: one list and one watch of the whole prefix, so that registrations, health, servers and all
//! else come in one order, with one question of whether the store is alive. Whole revisions are
//! handed to the registry by a bounded queue; when that is full nothing more is read, and etcd
//! keeps what waits. Nothing is dropped.
//!
//! What libraries of etcd leave to their users is the work here:
//!
//! - **A watch that breaks** goes on behind the last revision that was told of, at another
//!   endpoint, after a wait of random length.
//! - **A compaction** may have taken revisions that nobody has seen. Then everything is listed
//!   again and applied as a difference: what is not in the list is gone, also what was deleted
//!   unseen, and what has not changed is not touched. Answers are never empty meanwhile.
//! - **A member that says nothing** is asked for progress after five seconds, and left if it does
//!   not answer within five more. A paused etcd keeps its connections open for as long as it likes.
//! - **Progress that overtakes events**: before 3.4.25 and 3.5.8 the answer to that question may
//!   name a revision whose events are still on their way (etcd issue 15220). There it is taken for
//!   a sign of life only.
//! - **A history that is another one** (a backup was restored) is noticed at each reconnection: by
//!   the cluster's id, by a revision or an election that went back, or because a row that was seen
//!   at a revision is not there at that revision any more. Then everything is listed, with a
//!   warning. An etcd that has nothing of ours at all, or another state, is not believed: what is
//!   known stays in the answers until somebody puts a registry there (an import says when all of it
//!   is), or restarts the server. An empty list would take all services away; so would the events
//!   of a deletion of everything, which end before the revision that deleted the state's name.
//! - **A bulk**, which no transaction would take, comes in parts, whose rows count from one
//!   revision on; they are handed on as changes of that one.
//! - **A row that cannot be read** leaves what is known in place, is counted, and pinned on the
//!   board. The registry is told of those of registrations: to register as before writes them
//!   again. What a later version has written beside what is known here is told of as long as it
//!   is there.
//!
//! Rejected: a watch for each kind of row (no order between them, and four liveness questions), and
//! reading from a member's own memory (`serializable`), which may be behind what was told already.

mod backoff;
mod bulks;
mod changes;
mod contact;
mod course;
mod follower;
mod fresh;
mod inspect;
mod later;
mod list;
mod listen;
mod notes;
mod sort;
#[cfg(test)]
pub(in crate::cluster) mod testing;
#[cfg(test)]
mod tests;
mod unreadable;

pub(in crate::cluster) use backoff::Backoff;
pub use contact::answer;
pub use follower::{Follower, Relayed};
pub use inspect::inspect;
