//! Instances, checks and policies as JSON that people read: in a backup, and where servers share
//! their state. What servers say to one another is here as well.
//!
//! Fields have the names of the HTTP interface. These shapes are their own all the same: what the
//! interface takes can be widened or told off without a thought for what was written years ago, and
//! what stands here is read by servers of other versions. A field that is new is optional, and left
//! out where it says nothing.

mod beats;
mod check;
mod instance;
mod lenient;
mod policy;
mod read;
mod values;

pub(crate) use beats::{BeatText, BeatsTakenText, BeatsText};
pub(crate) use instance::InstanceText;
pub(crate) use policy::PolicyText;
pub(crate) use read::{Unread, read_leniently, read_strictly};
pub(crate) use values::{Instant, StatusText};
