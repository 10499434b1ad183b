//! The frame around every record: its version before it, its checksum behind it.

use serde::{Deserialize, Serialize};

use crate::{model::Invalid, store::checksum::crc32c};

/// The version of most records.
pub(super) const VERSION: u8 = 1;
/// The version of the records of instances that version 1 has no words for.
pub(super) const VERSION_2: u8 = 2;
/// Octets of the checksum behind a record.
pub(super) const CHECKSUM_OCTETS: usize = 4;

/// Why a row is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum RecordError {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it does not decode: {0}")]
    Encoding(postcard::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("a check of kind `{0}` has a fact that it cannot have")]
    Fact(&'static str),
    #[error("its key is no name")]
    Key,
    #[error("it has a node and no origin")]
    Node,
    #[error("it has {states} states for {checks} checks")]
    States { states: usize, checks: usize },
    #[error("it has record version {0}, and this version of Rollcall reads up to {VERSION_2}")]
    Version(u8),
}

/// Appends the value of a row to `out`, which ends with the row's key from `key` on.
pub(super) fn seal(record: &impl Serialize, out: &mut Vec<u8>, key: usize) {
    seal_as(VERSION, record, out, key);
}

/// As [`seal`], with a version of its own.
pub(super) fn seal_as(version: u8, record: &impl Serialize, out: &mut Vec<u8>, key: usize) {
    out.push(version);
    *out = postcard::to_extend(record, std::mem::take(out))
        .expect("a record is plain data, which postcard always encodes into a vector");
    let checksum = crc32c(&[&out[key..]]);
    out.extend(checksum.to_le_bytes());
}

/// Reads the value of a row of the ordinary version.
pub(super) fn unseal<'a, T: Deserialize<'a>>(
    key: &[u8],
    value: &'a [u8],
) -> Result<T, RecordError> {
    match open(key, value)? {
        (VERSION, encoded) => decode(encoded),
        (version, _) => Err(RecordError::Version(version)),
    }
}

/// The version of a row's value, and what it frames.
pub(super) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<(u8, &'a [u8]), RecordError> {
    let (sealed, checksum) =
        value.split_last_chunk::<CHECKSUM_OCTETS>().ok_or(RecordError::Checksum)?;
    if crc32c(&[key, sealed]) != u32::from_le_bytes(*checksum) {
        return Err(RecordError::Checksum);
    }
    let (&version, encoded) = sealed.split_first().ok_or(RecordError::Checksum)?;
    Ok((version, encoded))
}

/// Reads a record to its last octet.
pub(super) fn decode<'a, T: Deserialize<'a>>(encoded: &'a [u8]) -> Result<T, RecordError> {
    match postcard::take_from_bytes(encoded).map_err(RecordError::Encoding)? {
        (record, []) => Ok(record),
        _ => Err(RecordError::Encoding(postcard::Error::DeserializeBadEncoding)),
    }
}

/// The checksum that a value carries; zero for one too short to carry any.
pub(super) fn checksum_of(value: &[u8]) -> u32 {
    value.last_chunk().map_or(0, |octets| u32::from_le_bytes(*octets))
}
