//! How one service is answered, as the API has it.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
};

use super::number::{whole, whole_part};
use crate::{
    model::{Invalid, Policy, Revision, Share, WhenNoneHealthy},
    util::parse_duration,
};

/// The rules for a service's answers; what is left out is the server's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// TTL of the service's records: whole seconds as a number, or text such as `5s`; 0 forbids
    /// caching. At most a day.
    #[serde(default, deserialize_with = "ttl")]
    #[schema(schema_with = ttl_schema)]
    pub ttl: Option<u32>,
    /// How many address records one answer has at most, 1 to 1000.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[schema(minimum = 1, maximum = 1000)]
    pub answer_limit: Option<u16>,
    /// What is answered when no instance is healthy.
    pub when_none_healthy: Option<WhenNone>,
    /// Below this share of healthy weight, 0 to 1, all instances are answered.
    pub min_healthy: Option<f64>,
}

/// The answer of a known service without a healthy instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenNone {
    /// Fail open: all instances that are not drained.
    All,
    /// NOERROR without an answer.
    Nodata,
    /// NXDOMAIN.
    Nxdomain,
    /// SERVFAIL.
    Servfail,
}

/// The policy that a service is answered by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// TTL of the service's records, seconds.
    pub ttl: u32,
    /// How many address records one answer has at most.
    pub answer_limit: u16,
    /// What is answered when no instance is healthy.
    pub when_none_healthy: WhenNone,
    /// Below this share of healthy weight, 0 to 1, all instances are answered.
    pub min_healthy: f64,
    /// Whether the service has a policy of its own; else this is the server's default.
    pub own: bool,
    /// The revision of the service's last change.
    pub revision: u64,
}

// === impl PolicyBody ===

impl PolicyBody {
    /// The policy, with `default` for what was left out.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn into_model(self, default: Policy) -> Result<Policy, Invalid> {
        let policy = Policy {
            ttl_seconds: self.ttl.unwrap_or(default.ttl_seconds),
            answer_limit: self.answer_limit.unwrap_or(default.answer_limit),
            when_none_healthy: self
                .when_none_healthy
                .map_or(default.when_none_healthy, WhenNoneHealthy::from),
            min_healthy: self.min_healthy.map_or(Ok(default.min_healthy), Share::new)?,
        };
        policy.checked()
    }
}

// === impl PolicyView ===

impl PolicyView {
    /// A policy as it is shown.
    pub fn new(policy: &Policy, own: bool, revision: Revision) -> Self {
        Self {
            ttl: policy.ttl_seconds,
            answer_limit: policy.answer_limit,
            when_none_healthy: policy.when_none_healthy.into(),
            min_healthy: policy.min_healthy.as_f64(),
            own,
            revision: revision.0,
        }
    }
}

// === impl WhenNone ===

impl From<WhenNone> for WhenNoneHealthy {
    fn from(name: WhenNone) -> Self {
        match name {
            WhenNone::All => Self::All,
            WhenNone::Nodata => Self::Nodata,
            WhenNone::Nxdomain => Self::Nxdomain,
            WhenNone::Servfail => Self::Servfail,
        }
    }
}

impl From<WhenNoneHealthy> for WhenNone {
    fn from(variant: WhenNoneHealthy) -> Self {
        match variant {
            WhenNoneHealthy::All => Self::All,
            WhenNoneHealthy::Nodata => Self::Nodata,
            WhenNoneHealthy::Nxdomain => Self::Nxdomain,
            WhenNoneHealthy::Servfail => Self::Servfail,
        }
    }
}

fn ttl_schema() -> Schema {
    let says = "TTL of the service's records: whole seconds as a number, or text such as `5s`; 0 \
                forbids caching. At most a day.";
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(86_400)),
        )
        .item(ObjectBuilder::new().schema_type(Type::String))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(says))
        .examples(["5s"])
        .into()
}

struct Ttl;

fn ttl<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    deserializer.deserialize_any(Ttl)
}

/// A TTL on the wire counts whole seconds (RFC 1035 §3.2.1), so that here a bare number has but
/// one meaning.
impl Visitor<'_> for Ttl {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole seconds, such as 5 or \"5s\"")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
        // Whatever the model's limit is, it is below this one and names itself.
        u32::try_from(seconds)
            .map(Some)
            .map_err(|_| E::custom("is above the limit of 86400 seconds"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom("is below the limit of 0"))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Self::Value, E> {
        let refusal = || E::custom("is no whole number of seconds");
        whole_part(seconds).ok_or_else(refusal).and_then(|seconds| self.visit_u64(seconds))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let duration = parse_duration(text).map_err(E::custom)?;
        if duration.subsec_nanos() != 0 {
            return Err(E::custom("is no whole number of seconds"));
        }
        self.visit_u64(duration.as_secs())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
