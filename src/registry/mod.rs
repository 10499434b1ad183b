//! The registry: the authoritative state, and its publication to everybody who reads.
//!
//! One writer, one pointer. The `writer` task alone changes the state; it checks a batch of
//! commands, has them made durable by a [`Journal`], builds the touched shards of the next
//! [`Snapshot`] and stores one pointer; only then it replies. Readers load that pointer and see
//! one immutable world: a name, its tags, weights and health never disagree. Revisions only grow.
//!
//! Rejected: locks around a shared map (a reader could see half of a change, and each read would
//! touch a contended line), and a pointer per service (no order between services, so a client that
//! was told revision 7 could still see revision 6 elsewhere).

mod announce;
mod apply;
mod draft;
mod events;
mod followers;
mod handle;
mod holders;
mod index;
mod journal;
mod lease;
mod machines;
mod member;
mod options;
mod origins;
mod ownership;
mod publish;
mod records;
mod restore;
mod selection;
mod shards;
mod shared;
mod snapshot;
mod steps;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(unused, reason = "the targets need some of it"))]
#[allow(clippy::unwrap_used, reason = "for tests and targets only, which clippy does not see")]
pub(crate) mod testing;
mod walk;
mod writer;

pub use events::{Events, Gone};
pub use followers::Followers;
pub use handle::{Applied, Registry, RegistryError};
pub use holders::Holders;
pub use journal::{Change, Journal, JournalError, Loaded};
pub use machines::NodesAt;
pub use member::Member;
pub use options::{Options, SelfPreservation};
pub use origins::Origins;
pub use ownership::{Company, Ownership, Peer, Return, ServerId, View};
pub use publish::Reader;
pub use records::{Records, Target};
pub use selection::{FailOpen, Group, Outcome, Selection, Tier};
pub use shards::Shards;
pub use shared::{
    Astray, Beat, Contact, Dissent, Edit, Followed, Guard, Health, Kept, Opinion, Proposal,
    Refused, Registration, Share, SharedRow, SharedSetup, Weather, loaded,
};
pub use snapshot::{Counts, ServiceEntry, Snapshot};
pub use steps::Steps;
pub use walk::{SLICE, Walk, rested};
pub use writer::{Keeping, Setup, Writer, start};
