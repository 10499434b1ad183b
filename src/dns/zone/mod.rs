//! Static zones: master files in a folder, answered beside the services.
//!
//! A file's way to an answer, one step per file: `token` splits it into words, `master` follows
//! its directives and makes records of them, `rdata` (with hickory) encodes their data, `build`
//! checks what must be true of the zone as a whole and lays it out as `data`, `set` puts all
//! zones side by side, `publish` shows them to the readers, and `watch` starts over when a file
//! has changed. A query comes in at `answer`, which asks `lookup` name by name.
//!
//! Which files: those in the zone folder whose name ends in `.zone`. The zone's name is what
//! `$ORIGIN` says before the first record, else the file's name without `.zone`.
//!
//! A mistake is reported with file and line, and the zone stays as it was; other zones do not
//! notice. hickory's own zone handler is not used because of what it answers to wildcards, empty
//! non-terminals, delegations and negative questions; its reader of files is not, because of its
//! errors without a line (see `master`).

mod answer;
mod binding;
mod build;
mod built_in;
mod data;
mod error;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod lint;
mod lookup;
mod master;
mod name;
mod publish;
mod rdata;
mod set;
mod source;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(unused, reason = "the targets need some of it"))]
#[allow(clippy::unwrap_used, reason = "for tests and targets only, which clippy does not see")]
mod testing;
#[cfg(test)]
mod tests;
mod token;
mod watch;

pub use answer::{Answered, Departure, Writing};
pub use data::Zone;
pub(super) use data::target;
pub use error::{Place, ZoneError, ZoneWarning};
#[cfg(any(test, fuzzing))]
pub use fuzzing::zone_file;
pub use publish::{ZonesHandle, ZonesReader};
pub(super) use rdata::to_wire;
pub use set::Zones;
pub(super) use set::is_within;
pub use watch::{ZoneFindings, ZoneFolder, ZoneFolderError, ZoneWatcher};
