//! State that several servers share: what crosses between the registry and the store they share.
//!
//! The store is the judge. What is asked for is drafted on the newest snapshot, proposed, and only
//! shown when the store gives it back, to this server as to all others: so all of them show the
//! same changes in the same order. What is seen of the world is shown at once, as always, and
//! written by the server whose task the instance is.

mod beat;
mod contact;
mod edits;
mod fold;
mod opinions;
mod overlay;
mod row;
#[cfg(test)]
pub(super) mod testing;

pub use beat::{Astray, Beat};
pub use contact::Contact;
pub(super) use edits::{again, edits, registered_by, settle_unchanged};
pub use fold::loaded;
pub(super) use fold::{are_the_same, gathered, rank};
pub use opinions::Dissent;
pub(super) use opinions::Opinions;
pub(super) use overlay::{Division, Noted, Overlay, Told};
pub use row::{
    Edit, Followed, Guard, Health, Kept, Opinion, Proposal, Refused, Registration, Share,
    SharedRow, SharedSetup, Weather,
};
