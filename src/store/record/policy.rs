//! The record of a policy.

use serde::{Deserialize, Serialize};

use super::{RecordError, seal, unseal};
use crate::model::{Policy, ServiceName, Share, WhenNoneHealthy};

#[derive(Serialize, Deserialize)]
struct PolicyRecord {
    ttl_seconds: u32,
    answer_limit: u16,
    when_none_healthy: WhenNoneHealthyRecord,
    min_healthy_millionths: u32,
}

#[derive(Serialize, Deserialize)]
enum WhenNoneHealthyRecord {
    All,
    Nodata,
    Nxdomain,
    Servfail,
}

/// Appends the value of a policy's row to `out`, which ends with the row's key from `key` on.
pub(in crate::store) fn seal_policy(policy: &Policy, out: &mut Vec<u8>, key: usize) {
    let record = PolicyRecord {
        ttl_seconds: policy.ttl_seconds,
        answer_limit: policy.answer_limit,
        when_none_healthy: match policy.when_none_healthy {
            WhenNoneHealthy::All => WhenNoneHealthyRecord::All,
            WhenNoneHealthy::Nodata => WhenNoneHealthyRecord::Nodata,
            WhenNoneHealthy::Nxdomain => WhenNoneHealthyRecord::Nxdomain,
            WhenNoneHealthy::Servfail => WhenNoneHealthyRecord::Servfail,
        },
        min_healthy_millionths: policy.min_healthy.millionths(),
    };
    seal(&record, out, key);
}

/// The policy in a row.
pub(in crate::store) fn decode_policy(
    key: &[u8],
    value: &[u8],
) -> Result<(ServiceName, Policy), RecordError> {
    let record: PolicyRecord = unseal(key, value)?;
    let service = ServiceName::parse(str::from_utf8(key).map_err(|_| RecordError::Key)?)?;
    let policy = Policy {
        ttl_seconds: record.ttl_seconds,
        answer_limit: record.answer_limit,
        when_none_healthy: match record.when_none_healthy {
            WhenNoneHealthyRecord::All => WhenNoneHealthy::All,
            WhenNoneHealthyRecord::Nodata => WhenNoneHealthy::Nodata,
            WhenNoneHealthyRecord::Nxdomain => WhenNoneHealthy::Nxdomain,
            WhenNoneHealthyRecord::Servfail => WhenNoneHealthy::Servfail,
        },
        min_healthy: Share::from_millionths(record.min_healthy_millionths),
    };
    Ok((service, policy.checked()?))
}
