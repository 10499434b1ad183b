//! How one service is answered.

use super::{Invalid, limit};

/// The rules for the answers of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// TTL of the service's records, seconds; 0 forbids caching.
    pub ttl_seconds: u32,
    /// How many address records one answer has at most.
    pub answer_limit: u16,
    /// What is answered when no instance is healthy.
    pub when_none_healthy: WhenNoneHealthy,
    /// Below this share of healthy weight all instances are answered.
    pub min_healthy: Share,
}

/// The answer of a known service without a healthy instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenNoneHealthy {
    /// Fail open: all instances that are not drained.
    All,
    /// NOERROR without answer.
    Nodata,
    /// NXDOMAIN: search lists go on to the next suffix.
    Nxdomain,
    /// SERVFAIL: stub resolvers go on to the next server.
    Servfail,
}

/// A share of a whole in millionths, so that policies compare exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Share(u32);

// === impl Policy ===

impl Default for Policy {
    fn default() -> Self {
        Self {
            ttl_seconds: 5,
            answer_limit: 8,
            when_none_healthy: WhenNoneHealthy::Nodata,
            min_healthy: Share::default(),
        }
    }
}

impl Policy {
    /// Holds the policy to its limits.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn checked(self) -> Result<Self, Invalid> {
        if self.ttl_seconds > limit::POLICY_TTL_SECONDS_MAX {
            let problem =
                format!("is above the limit of {} seconds", limit::POLICY_TTL_SECONDS_MAX);
            return Err(Invalid::new("ttl", self.ttl_seconds, problem));
        }
        if self.answer_limit == 0 || self.answer_limit > limit::POLICY_ANSWER_LIMIT_MAX {
            let problem =
                format!("is outside the limits of 1 to {}", limit::POLICY_ANSWER_LIMIT_MAX);
            return Err(Invalid::new("answer_limit", self.answer_limit, problem));
        }
        Ok(self)
    }
}

// === impl WhenNoneHealthy ===

impl WhenNoneHealthy {
    /// All variants.
    pub const ALL: [Self; 4] = [Self::All, Self::Nodata, Self::Nxdomain, Self::Servfail];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Nodata => "nodata",
            Self::Nxdomain => "nxdomain",
            Self::Servfail => "servfail",
        }
    }

    /// The variant with that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.as_str() == text)
    }
}

// === impl Share ===

impl Share {
    /// Nothing of the whole.
    pub const NONE: Self = Self(0);

    const WHOLE: u32 = 1_000_000;

    /// A share from 0 to 1.
    ///
    /// # Errors
    /// When it is outside, or no number.
    pub fn new(share: f64) -> Result<Self, Invalid> {
        if !(0.0..=1.0).contains(&share) {
            let problem = "is outside the limits of 0 to 1";
            return Err(Invalid::new("min_healthy", share, problem));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        Ok(Self((share * f64::from(Self::WHOLE)).round() as u32))
    }

    /// The share as a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    /// The share in millionths, for a store.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// The share of so many millionths; more than the whole is the whole.
    pub fn from_millionths(millionths: u32) -> Self {
        Self(millionths.min(Self::WHOLE))
    }

    /// Whether `part` of `whole` is less than this share.
    pub fn is_above(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(Self::WHOLE) < u128::from(whole) * u128::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_compares_exactly() {
        let half = Share::new(0.5).unwrap();
        assert!(half.is_above(49, 100));
        assert!(!half.is_above(50, 100));
        assert!(!Share::default().is_above(0, 100));
        assert!(Share::new(1.01).is_err() && Share::new(f64::NAN).is_err());
    }
}
