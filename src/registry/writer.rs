//! stub
use super::{Journal, Loaded, Options, Registry, RegistryError};
use crate::{
    telemetry::{Board, Metrics},
    util::Clock,
};
use tokio_util::sync::CancellationToken;

/// What a registry is started with.
pub struct Setup {
    /// What the store has kept.
    pub loaded: Loaded,
    /// Where changes are kept.
    pub journal: Box<dyn Journal>,
    /// The operator's settings.
    pub options: Options,
    /// The time.
    pub clock: Clock,
    /// Where trouble is pinned.
    pub board: Board,
    /// Where numbers are shown.
    pub metrics: Metrics,
}

/// The one task that changes the state.
#[derive(Debug)]
pub struct Writer;

/// Starts a registry from what the store has kept.
///
/// # Errors
/// When what was kept contradicts itself.
pub fn start(_setup: Setup) -> Result<(Registry, Writer), RegistryError> {
    Err(RegistryError::Stopping)
}

impl Writer {
    /// Carries out commands until `stop`, then finishes those that were accepted.
    pub async fn run(self, _stop: CancellationToken) {}
}
