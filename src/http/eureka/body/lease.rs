//! How long an instance is believed to live without a sign of life.

use serde::Serialize;

use super::field::{int, long};
use crate::{http::eureka::tree::Node, model::Invalid};

/// The lease of an instance. Instants are milliseconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaseInfo {
    /// How often it renews, seconds; above 0.
    pub(crate) renewal_interval_in_secs: i32,
    /// The longest silence that is believed, seconds; above 0.
    pub(crate) duration_in_secs: i32,
    /// When it was registered.
    pub(crate) registration_timestamp: i64,
    /// When it was last heard of.
    pub(crate) last_renewal_timestamp: i64,
    /// When it was removed.
    pub(crate) eviction_timestamp: i64,
    /// Since when it is up.
    pub(crate) service_up_timestamp: i64,
}

// === impl LeaseInfo ===

impl LeaseInfo {
    /// The lease that is said; what is left out, or no duration at all, is Eureka's default.
    ///
    /// # Errors
    /// When a number is none.
    pub(super) fn read(field: &str, node: &Node) -> Result<Self, Invalid> {
        let mut lease = Self::default();
        for (name, value) in node.children() {
            lease.set(name, value).map_err(|invalid| invalid.under(field))?;
        }
        Ok(lease)
    }

    fn set(&mut self, name: &str, value: &Node) -> Result<(), Invalid> {
        let seconds = |default| Ok(int(name, value)?.filter(|count| *count > 0).unwrap_or(default));
        let instant = || Ok(long(name, value)?.unwrap_or(0));
        match name {
            "renewalIntervalInSecs" => {
                self.renewal_interval_in_secs = seconds(self.renewal_interval_in_secs)?;
            }
            "durationInSecs" => self.duration_in_secs = seconds(self.duration_in_secs)?,
            "registrationTimestamp" => self.registration_timestamp = instant()?,
            "lastRenewalTimestamp" => self.last_renewal_timestamp = instant()?,
            "evictionTimestamp" => self.eviction_timestamp = instant()?,
            "serviceUpTimestamp" => self.service_up_timestamp = instant()?,
            _ => {}
        }
        Ok(())
    }
}

impl Default for LeaseInfo {
    fn default() -> Self {
        Self {
            renewal_interval_in_secs: 30,
            duration_in_secs: 90,
            registration_timestamp: 0,
            last_renewal_timestamp: 0,
            eviction_timestamp: 0,
            service_up_timestamp: 0,
        }
    }
}
