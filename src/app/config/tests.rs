//! The configuration through its front door: texts in, errors and settings out.

mod derived;
mod example;
mod mistakes;
mod refusals;
mod reload;
mod sources;
mod store;

use std::fs;

use super::{Config, Sources};

const EXAMPLE: &str = include_str!("../../../examples/rollcall.toml");

/// Loads a file called `rollcall.toml` with `text`.
pub(super) fn load(text: &str, change: impl FnOnce(&mut Sources)) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollcall.toml");
    fs::write(&path, text).unwrap();
    let mut sources = Sources { file: Some(path), ..Sources::default() };
    change(&mut sources);
    let prefix = format!("{}/", folder.path().display());
    let loaded = Config::load(sources).map_err(|error| error.to_string().replace(&prefix, ""));
    loaded.map(|config| Config { sources: Sources::default(), ..config })
}

pub(super) fn error_of(text: &str) -> String {
    load(text, |_| ()).unwrap_err()
}

/// Each of these lines is refused by what is said of it, and shown.
pub(super) fn are_refused(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let error = error_of(&format!("version = 1\n{line}\n"));
        assert!(error.contains(expected), "{line}: {error}");
        assert!(error.contains("\n --> rollcall.toml:"), "{line}: {error}");
    }
}
