//! `rollcall import`: puts an export into the place of a store.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;

use super::data::{DataArgs, counted};
use crate::{
    cli::{exit::Failure, output::Output},
    store::{Store, import},
};

/// From where to where.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// What to read, `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Put a store that is there aside, be it sound or damaged: as rollcall.redb.old, or .old.1 and
    /// so on if there is one already
    #[arg(long)]
    replace: bool,
}

// === impl ImportArgs ===

impl ImportArgs {
    /// Reads the export whole, then replaces the store, and says what is in it now.
    pub(in crate::cli) fn run(
        self,
        stdin: impl BufRead,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let folder = self.data.folder()?;
        let file = self.file.display();
        let read = if self.file == Path::new("-") {
            let mut stdin = stdin;
            import(&mut stdin)
        } else {
            let opened = File::open(&self.file)
                .map_err(|error| Failure::Negative(format!("`{file}` cannot be read: {error}")))?;
            import(&mut BufReader::new(opened))
        };
        let loaded = read.map_err(|error| {
            Failure::Negative(format!("`{file}`, {error}; nothing was changed"))
        })?;
        let count = counted(&loaded);
        let kept = Store::restore(&folder, loaded, self.replace)
            .map_err(|error| Failure::Negative(error.to_string()))?;
        let mut line = format!("imported {count} into `{}`", folder.display());
        if !kept.is_empty() {
            let kept: Vec<_> = kept.iter().map(|file| format!("`{}`", file.display())).collect();
            line += &format!("; the store that was there is kept as {}", kept.join(", "));
        }
        Ok(output.line(&line)?)
    }

    #[cfg(test)]
    pub(super) fn of(file: &Path, folder: &Path, replace: bool) -> Self {
        Self { file: file.to_owned(), data: DataArgs::of(folder), replace }
    }
}
