//! The frame around every record: its version before it, its checksum behind it.

use serde::{Deserialize, Serialize};

use crate::{model::Invalid, store::checksum::crc32c};

/// The version of the records that this code writes.
const VERSION: u8 = 1;
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
    #[error("its key is no name")]
    Key,
    #[error("it has {states} states for {checks} checks")]
    States { states: usize, checks: usize },
    #[error("it has record version {0}, and this version of Rollcall reads version {VERSION}")]
    Version(u8),
}

/// Appends the value of a row to `out`, which ends with the row's key from `key` on.
pub(super) fn seal(record: &impl Serialize, out: &mut Vec<u8>, key: usize) {
    out.push(VERSION);
    *out = postcard::to_extend(record, std::mem::take(out))
        .expect("a record is plain data, which postcard always encodes into a vector");
    let checksum = crc32c(&[&out[key..]]);
    out.extend(checksum.to_le_bytes());
}

/// Reads the value of a row.
pub(super) fn unseal<'a, T: Deserialize<'a>>(
    key: &[u8],
    value: &'a [u8],
) -> Result<T, RecordError> {
    let (sealed, checksum) =
        value.split_last_chunk::<CHECKSUM_OCTETS>().ok_or(RecordError::Checksum)?;
    if crc32c(&[key, sealed]) != u32::from_le_bytes(*checksum) {
        return Err(RecordError::Checksum);
    }
    let (&version, encoded) = sealed.split_first().ok_or(RecordError::Checksum)?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    match postcard::take_from_bytes(encoded).map_err(RecordError::Encoding)? {
        (record, []) => Ok(record),
        _ => Err(RecordError::Encoding(postcard::Error::DeserializeBadEncoding)),
    }
}

/// The checksum that a value carries; zero for one too short to carry any.
pub(super) fn checksum_of(value: &[u8]) -> u32 {
    value.last_chunk().map_or(0, |octets| u32::from_le_bytes(*octets))
}
