//! What an operator decides about checking, and why it cannot start.

use std::{num::NonZeroUsize, path::PathBuf};

use super::probe::Prober;

/// The settings of the checker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Probes in flight at the same time; what is due beyond that waits in order. Each takes a file
    /// descriptor, which the process's limit has to leave room for.
    pub in_flight_max: NonZeroUsize,
    /// A file of PEM certificates that are trusted by checks over TLS besides the system's.
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
    /// 100,000 checks of 10 s that all run into a timeout of 2 s: a network that is cut makes no
    /// check late of what is still to be reached.
    pub const IN_FLIGHT_DEFAULT: NonZeroUsize = NonZeroUsize::new(20_000).expect("is not zero");

    /// Checks what checking would not start for.
    ///
    /// # Errors
    /// When the file of trusted certificates cannot be used.
    pub fn check(&self) -> Result<(), HealthError> {
        Prober::new(self.ca_file.as_deref()).map(drop)
    }

    /// The same with no more than half of the `files` that the process may have open: connections
    /// that are refused for want of one would be a worse answer than checks that wait.
    #[must_use]
    pub fn within(mut self, files: u64) -> Self {
        let half = usize::try_from(files / 2).unwrap_or(usize::MAX).max(1);
        if let Some(half) = NonZeroUsize::new(half).filter(|half| *half < self.in_flight_max) {
            self.in_flight_max = half;
        }
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { in_flight_max: Self::IN_FLIGHT_DEFAULT, ca_file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn half_of_the_files_is_left_to_connections() {
        let of = |files| Options::default().within(files).in_flight_max.get();
        assert_eq!([0, 1, 1_024, 30_000, u64::MAX].map(of), [1, 1, 512, 15_000, 20_000]);
    }
}
