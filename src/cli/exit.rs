//! How a command ends: exit codes that a script can tell apart, and what is said of a failure.
//!
//! 69 and 78 are `EX_UNAVAILABLE` and `EX_CONFIG` of BSD's `sysexits.h`; 2 is what clap and the
//! shells use for a wrong command line.

use std::{io, process::ExitCode};

use serde_json::{Value, json};

use crate::app::{
    self,
    config::{ConfigError, Mistake},
};

/// The codes, as `--help` shows them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   it worked
  1   the answer is no (not found, no such name or records, refused by the server), or it failed
  2   the command line is wrong
  69  the server cannot be reached
  78  the configuration is wrong, or the value of a flag of `serve`, which is part of it";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration is wrong. The text has its own `error:`.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The answer is no.
    #[error("{0}")]
    Negative(String),
    /// The server's answer is no, with the problem document that says why.
    #[error("{said}")]
    Refused {
        /// The document in a sentence.
        said: String,
        /// The document, or null.
        problem: Value,
    },
    /// Anything that has no code of its own.
    #[error("{0}")]
    Other(anyhow::Error),
    /// Standard output or a file cannot be written or read.
    #[error("{0}")]
    Output(#[from] io::Error),
    /// Nobody answers there.
    #[error("{0}")]
    Unreachable(String),
    /// The command line is wrong in a way that clap cannot see.
    #[error("{0}")]
    Usage(String),
}

// === impl Failure ===

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Output(error) if is_closed_pipe(error) => 0,
            Self::Other(error) if app::is_misconfigured(error) => 78,
            Self::Negative(_) | Self::Other(_) | Self::Output(_) | Self::Refused { .. } => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 69,
            Self::Config(_) => 78,
        }
    }

    /// What is said on standard error, if anything.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Self::Output(error) if is_closed_pipe(error) => None,
            Self::Config(error) => Some(error.to_string()),
            Self::Other(error) => Some(format!("error: {}", whole(error))),
            other => Some(format!("error: {other}")),
        }
    }
}

/// The same for who has asked for JSON.
impl Failure {
    /// What is said on standard error, as an object: `error` has the message, `exit_code` the
    /// code, and `problem` what the server has sent. Of a configuration `errors` has each mistake.
    pub(super) fn json(&self) -> Option<String> {
        let message = self.message()?;
        let error = message.strip_prefix("error: ").unwrap_or(&message);
        let problem = match self {
            Self::Refused { problem, .. } => problem,
            _ => &Value::Null,
        };
        let mut object = json!({"error": error, "exit_code": self.code(), "problem": problem});
        if let Self::Config(error) = self {
            let mistake = |Mistake { message, place, source, .. }: &Mistake| {
                let (place, at) = (place.as_ref(), place.as_ref().and_then(|place| place.at));
                json!({"message": message, "file": place.map(|place| &place.file),
                    "line": at.map(|at| at.line), "column": at.map(|at| at.column),
                    "source": source})
            };
            object["errors"] = error.mistakes().iter().map(mistake).collect();
        }
        Some(format!("{object:#}"))
    }
}

/// A mistake in the configuration stays one, wherever it is found.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast() {
            Ok(config) => Self::Config(config),
            Err(other) => Self::Other(other),
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        failure.code().into()
    }
}

/// Whether whoever read our output has enough of it, as in `rollcall list | head -1`: no failure.
pub(super) fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// An error with its causes, without those whose text an error before them has in its own.
fn whole(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        match (said.is_empty(), said.contains(&cause)) {
            (true, _) => cause,
            (false, true) => said,
            (false, false) => format!("{said}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Failure;
    use crate::app::config::{Config, Sources};

    #[test]
    fn each_kind_of_failure_has_its_code() {
        let missing = Sources { file: Some("/nowhere".into()), ..Sources::default() };
        let config = Config::load(missing).unwrap_err();
        let cases = [
            (Failure::Negative(String::new()), 1),
            (Failure::Usage(String::new()), 2),
            (Failure::Unreachable(String::new()), 69),
            (Failure::Config(config), 78),
            (Failure::Output(io::ErrorKind::StorageFull.into()), 1),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.code(), code, "{failure:?}");
            assert!(failure.message().unwrap().starts_with("error: "), "{failure:?}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = || anyhow::anyhow!("in use");
        for (error, told) in [
            (cause().context("cannot bind"), "error: cannot bind: in use"),
            (
                cause().context("in use, so take another").context("a"),
                "error: a: in use, so take another",
            ),
        ] {
            assert_eq!(Failure::Other(error).message().unwrap(), told);
        }
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let failure = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((failure.code(), failure.message(), failure.json()), (0, None, None));
    }
}
