//! Which failures of a start are mistakes in the configuration.

use crate::{dns::zone::ZoneFolderError, health::HealthError};

/// Whether the configuration names what cannot be used: a file or a folder that is not there or is
/// none of its kind. Starting again does not help before somebody has changed one or the other,
/// which is what tells it from an address in use or a disk that is full. A `ConfigError` says so by
/// itself.
pub fn is_misconfigured(error: &anyhow::Error) -> bool {
    error.is::<HealthError>() || error.is::<ZoneFolderError>()
}
