//! A policy as text.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::values::Period;
use crate::model::{Invalid, Policy, Share, WhenNoneHealthy};

/// A policy; what is left out is as the default has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyText {
    ttl: Option<Period>,
    answer_limit: Option<u16>,
    when_none_healthy: Option<String>,
    min_healthy: Option<f64>,
}

// === impl PolicyText ===

impl From<&Policy> for PolicyText {
    fn from(policy: &Policy) -> Self {
        Self {
            ttl: Some(Period(Duration::from_secs(policy.ttl_seconds.into()))),
            answer_limit: Some(policy.answer_limit),
            when_none_healthy: Some(policy.when_none_healthy.as_str().into()),
            min_healthy: Some(policy.min_healthy.as_f64()),
        }
    }
}

impl PolicyText {
    /// The policy.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub(crate) fn into_model(self) -> Result<Policy, Invalid> {
        let mut policy = Policy::default();
        if let Some(Period(ttl)) = self.ttl {
            policy.ttl_seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
            if ttl.subsec_nanos() > 0 {
                let problem = "is no whole number of seconds";
                return Err(Invalid::new("ttl", format!("{ttl:?}"), problem));
            }
        }
        if let Some(limit) = self.answer_limit {
            policy.answer_limit = limit;
        }
        if let Some(text) = self.when_none_healthy {
            let problem = "is none of `all`, `nodata`, `nxdomain` and `servfail`";
            policy.when_none_healthy = WhenNoneHealthy::parse(&text)
                .ok_or_else(|| Invalid::new("when_none_healthy", &text, problem))?;
        }
        if let Some(share) = self.min_healthy {
            policy.min_healthy = Share::new(share)?;
        }
        policy.checked()
    }
}
