//! What an operator decides about the registry.

use std::time::Duration;

use crate::model::Policy;

/// The settings of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// The policy of services that have none of their own.
    pub default_policy: Policy,
    /// Whether to keep an index from addresses to instances, for reverse zones.
    pub index_addresses: bool,
    /// When lost heartbeats are doubted.
    pub self_preservation: SelfPreservation,
}

/// When lost heartbeats are blamed on the network rather than on the instances.
///
/// When within `window` more than `max(min_silent, share_silent × all)` of the instances that are
/// kept alive by heartbeats fall silent, their expiry is held: it is likelier that we are deaf than
/// that they are all dead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfPreservation {
    /// Whether expiry is ever held.
    pub enabled: bool,
    /// The time within which silences are counted together.
    pub window: Duration,
    /// Up to so many silences are believed, however small the registry.
    pub min_silent: usize,
    /// Up to this share of all instances with heartbeats is believed, from 0 to 1.
    pub share_silent: f64,
    /// How long an expiry is held at the most.
    pub max_hold: Duration,
}

// === impl SelfPreservation ===

impl SelfPreservation {
    /// What holds when nothing is configured.
    pub const DEFAULT: Self = Self {
        enabled: true,
        window: Duration::from_secs(15),
        min_silent: 3,
        share_silent: 0.15,
        max_hold: Duration::from_secs(15 * 60),
    };
}

impl Default for SelfPreservation {
    fn default() -> Self {
        Self::DEFAULT
    }
}
