//! What an operator decides about checking, and why it cannot start.

use std::{num::NonZeroUsize, path::PathBuf};

/// The settings of the checker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Probes in flight at the same time; what is due beyond that waits in order. Each takes a file
    /// descriptor, which the process's limit has to leave room for.
    pub in_flight_max: NonZeroUsize,
    /// A file of PEM certificates that are trusted for https and grpc besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Why checking cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The file of trusted certificates cannot be used.
    #[error(
        "`health.ca_file`: `{path}` {problem}; name a readable file with PEM certificates, \
         or leave it out"
    )]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

// === impl Options ===

impl Options {
    /// A thousand in flight is 100,000 checks of 10 s whose targets answer within 100 ms.
    pub const IN_FLIGHT_DEFAULT: NonZeroUsize = NonZeroUsize::new(1_000).expect("is not zero");
}

impl Default for Options {
    fn default() -> Self {
        Self { in_flight_max: Self::IN_FLIGHT_DEFAULT, ca_file: None }
    }
}
