//! The rows of the store: what each octet is.
//!
//! A key is the service's name, and for an instance a zero octet (which no name has) and its own
//! name behind it; so rows are sorted by service, then by instance. A value is
//!
//! ```text
//! version (1 octet) · postcard · CRC-32C of key, version and postcard (4, little endian)
//! ```
//!
//! An instance's record is of version 2 when version 1 has no words for something in it. What few
//! have is a list of facts there, of an enum each (`CheckFact`, `MemberFact`): a fact that is new
//! is a variant behind the others, and octets that were written before mean what they meant.
//!
//! The types that postcard encodes are this module's own: the nouns of the model can be reshaped
//! without a thought for what lies on disks, and a change here is a new version, never an edit. The
//! order of their fields and variants *is* the format; a test holds its octets.

mod check;
mod head;
mod intern;
mod member;
mod policy;
mod seal;

pub(super) use head::{Head, Totals};
pub(crate) use intern::Interner;
pub(super) use member::{decode_member, member_key, seal_member};
pub(super) use policy::{decode_policy, seal_policy};
pub(super) use seal::RecordError;
use seal::{checksum_of, seal, unseal};

#[cfg(test)]
mod tests;
