//! What is checked of an instance, how often, and how many results it takes to believe them.

use std::time::Duration;

use super::{Invalid, Status, limit};

mod kind;
pub mod text;

pub use kind::{
    AliasCheck, CheckKind, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra, Target, TcpCheck,
    UdpCheck,
};

/// One check of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckSpec {
    /// What is done.
    pub kind: CheckKind,
    /// The state before the first result; stronger than the instance's own.
    pub start: Option<Status>,
    /// How long it may be critical before the instance is removed; `None` keeps it. Zero, which a
    /// `ttl` check alone can have, removes the instance as soon as it is silent, whatever it says.
    pub deregister_after: Option<Duration>,
}

/// The times and counts of an active check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// From one check's start to the next one's.
    pub interval: Duration,
    /// After which an unanswered check has failed.
    pub timeout: Duration,
    /// Successes in a row that turn a critical check.
    pub rise: u16,
    /// Failures in a row that turn a check critical.
    pub fall: u16,
    /// Failures in a row that turn a passing check warning; 0 when it stays passing until `fall`.
    pub warn_after: u16,
}

// === impl CheckSpec ===

impl CheckSpec {
    /// A check that starts as its kind does, and by which no instance is removed.
    pub fn new(kind: CheckKind) -> Self {
        Self { kind, start: None, deregister_after: None }
    }

    /// The thresholds of an active check; `None` for one that nobody probes.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        self.kind.probe().map(|(_, thresholds)| thresholds)
    }

    /// The thresholds of an active check.
    pub fn thresholds_mut(&mut self) -> Option<&mut Thresholds> {
        self.kind.thresholds_mut()
    }

    /// Whether `other` is a check that does the very same, however often and however patiently:
    /// what one has found is what the other would have found. A `ttl` check never is: a heartbeat
    /// comes with each registration.
    pub fn probes_the_same(&self, other: &Self) -> bool {
        let mut like = self.kind.clone();
        match (like.thresholds_mut(), other.thresholds()) {
            (Some(thresholds), Some(others)) => *thresholds = *others,
            _ if self.kind == CheckKind::Manual => {}
            _ => return false,
        }
        like == other.kind
    }

    /// The ttl of a `ttl` check; `None` for any other.
    pub fn ttl(&self) -> Option<Duration> {
        match self.kind {
            CheckKind::Ttl { ttl } => Some(ttl),
            _ => None,
        }
    }

    /// Whether the instance is removed as soon as nothing is heard of it, and only then: a lease.
    pub fn is_lease(&self) -> bool {
        self.ttl().is_some() && self.deregister_after == Some(Duration::ZERO)
    }

    /// The name of the kind: [`CheckKind::name`].
    pub fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whom it takes its state from; `None` for a check of any other kind.
    pub fn alias(&self) -> Option<&AliasCheck> {
        match &self.kind {
            CheckKind::Alias(alias) => Some(alias),
            _ => None,
        }
    }

    /// Where an active check goes.
    pub fn target_mut(&mut self) -> Option<&mut Target> {
        self.kind.target_mut()
    }

    /// Where an active check goes; `None` for one that nobody probes.
    pub fn target(&self) -> Option<&Target> {
        self.kind.probe().map(|(target, _)| target)
    }
}

// === impl Thresholds ===

impl Thresholds {
    /// Every ten seconds, two seconds' patience, one success and two failures believed.
    pub const DEFAULT: Self = Self {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        rise: 1,
        fall: 2,
        warn_after: 0,
    };

    /// Holds the times and counts to their limits.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn checked(self) -> Result<Self, Invalid> {
        checked_period("interval", self.interval)?;
        checked_period("timeout", self.timeout)?;
        for (field, value) in [("rise", self.rise), ("fall", self.fall)] {
            if value == 0 || value > limit::CHECK_THRESHOLD_MAX {
                let problem =
                    format!("is outside the limits of 1 to {}", limit::CHECK_THRESHOLD_MAX);
                return Err(Invalid::new(field, value, problem));
            }
        }
        if self.warn_after >= self.fall && self.warn_after > 0 {
            let problem = format!("is not below the limit of {}, which is `fall`", self.fall);
            return Err(Invalid::new("warn_after", self.warn_after, problem));
        }
        Ok(self)
    }
}

/// Holds an interval or a timeout to its limits.
///
/// # Errors
/// When it is below 100 ms or above a day.
fn checked_period(field: &str, period: Duration) -> Result<Duration, Invalid> {
    checked_between(field, period, limit::CHECK_PERIOD_MAX, "is above the limit of 24h")
}

/// Holds a ttl to its limits. Jobs that run once a day or a week report that they did by it.
///
/// # Errors
/// When it is below 100 ms or above a year.
fn checked_ttl(ttl: Duration) -> Result<Duration, Invalid> {
    checked_between("ttl", ttl, limit::CHECK_TTL_MAX, "is above the limit of 8760h")
}

/// Holds a `deregister_after` to its limits.
///
/// # Errors
/// When it is below 100 ms or above a year.
pub(super) fn checked_deregister_after(after: Duration) -> Result<Duration, Invalid> {
    let problem = "is above the limit of 8760h";
    checked_between("deregister_after", after, limit::DEREGISTER_AFTER_MAX, problem)
}

fn checked_between(
    field: &str,
    period: Duration,
    most: Duration,
    problem: &str,
) -> Result<Duration, Invalid> {
    if period < limit::CHECK_PERIOD_MIN {
        return Err(Invalid::new(field, format!("{period:?}"), "is below the limit of 100ms"));
    }
    if period > most {
        return Err(Invalid::new(field, format!("{period:?}"), problem));
    }
    Ok(period)
}
