//! `rollcall import`: puts an export into the place of a store, or into etcd.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use super::data::{DataArgs, InEtcd, Place, counted, mention, summary, wait_for};
use crate::{
    cli::{exit::Failure, output::Output},
    cluster::transfer::{How, PATIENCE, Restored, restore},
    model::Timestamp,
    registry::Loaded,
    store::{Store, import},
    util::Clock,
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
    /// so on if there is one already. In etcd: write over the registry that is there
    #[arg(long)]
    replace: bool,
    /// Print JSON instead of text; a failure, too, on standard error
    #[arg(long)]
    pub json: bool,
}

// === impl ImportArgs ===

impl ImportArgs {
    /// Reads the export whole, then replaces the store, and says what is in it now.
    pub(in crate::cli) fn run(
        self,
        stdin: impl BufRead,
        output: &mut Output,
        stderr: impl Write + Send,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let place = self.data.place()?;
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
        let (line, summary) = match place {
            Place::Folder(folder) => into_folder(&folder, loaded, self.replace)?,
            Place::Etcd(etcd) => {
                let at = Timestamp(clock.wall_millis());
                let cluster = format!("{:016x}", fastrand::u64(..));
                let how = How { replace: self.replace, at, cluster, patience: PATIENCE };
                into_etcd(&etcd, loaded, how, (!output.json).then_some(stderr))?
            }
        };
        match output.json {
            true => output.json(&summary)?,
            false => output.line(&line)?,
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn of(file: &Path, folder: &Path, replace: bool) -> Self {
        Self { file: file.to_owned(), data: DataArgs::of(folder), replace, json: false }
    }
}

/// Says what was done, for people and for programs.
fn into_folder(folder: &Path, loaded: Loaded, replace: bool) -> Result<(String, Value), Failure> {
    let (count, mut summary) = (counted(&loaded), summary(&loaded));
    let kept = Store::restore(folder, loaded, replace)
        .map_err(|error| Failure::Negative(error.to_string()))?;
    let mut line = format!("imported {count} into `{}`", folder.display());
    let kept: Vec<_> = kept.iter().map(|file| file.display().to_string()).collect();
    if !kept.is_empty() {
        line += &format!("; the store that was there is kept as `{}`", kept.join("`, `"));
    }
    summary["into"] = json!(folder.display().to_string());
    summary["kept"] = json!(kept);
    Ok((line, summary))
}

/// The same; says on standard error how far it is, where it takes long.
fn into_etcd(
    InEtcd { client, layout, shown }: &InEtcd,
    loaded: Loaded,
    how: How,
    mut stderr: Option<impl Write + Send>,
) -> Result<(String, Value), Failure> {
    /// Changes after which it is said: about a second's.
    const TOLD_EACH: usize = 10_000;
    let (count, mut summary) = (counted(&loaded), summary(&loaded));
    let mut told = 0;
    let mut progress = |written: usize, all: usize| {
        if written / TOLD_EACH > told && written < all {
            told = written / TOLD_EACH;
            if let Some(stderr) = &mut stderr {
                mention(stderr, &format!("{written} of {all} written"));
            }
        }
    };
    let Restored { revision, removed } =
        wait_for(restore(client, layout, loaded, how, &mut progress))?;
    let mut line = format!("imported {count} into {shown}, complete as of revision {revision}");
    if removed > 0 {
        line += &format!("; removed what was there besides: {removed}");
    }
    summary["into"] = json!(shown);
    summary["revision"] = json!(revision.0);
    summary["removed"] = json!(removed);
    Ok((line, summary))
}
