//! `rollcall export`: writes the store of a stopped server, or what servers share, as JSON lines.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;

use super::data::{DataArgs, InEtcd, Place, counted, mention, wait_for};
use crate::{
    cli::exit::Failure,
    cluster::transfer::load,
    model::Timestamp,
    registry::Loaded,
    store::{Store, export},
    util::Clock,
};

/// From where to where.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Where to write, `-` for standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

// === impl ExportArgs ===

impl ExportArgs {
    /// Writes the export; a file is replaced once the export is whole. What was exported is counted
    /// on standard error, because standard output may be the export itself.
    pub(in crate::cli) fn run(
        self,
        stdout: impl Write,
        mut stderr: impl Write,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let loaded = match self.data.place()? {
            Place::Folder(folder) => {
                Store::read(&folder).map_err(|error| Failure::Negative(error.to_string()))?
            }
            Place::Etcd(etcd) => read(&etcd, &mut stderr)?,
        };
        let at = Timestamp(clock.wall_millis());
        if self.file == Path::new("-") {
            let mut out = BufWriter::new(stdout);
            export(&loaded, at, &mut out)?;
            out.flush()?;
        } else {
            write_whole(&self.file, &loaded, at).map_err(|error| {
                Failure::Negative(format!("`{}` cannot be written: {error}", self.file.display()))
            })?;
        }
        mention(&mut stderr, &format!("exported {}", counted(&loaded)));
        Ok(())
    }
}

/// Reads what servers share, and names what of it is not in the export.
fn read(
    InEtcd { client, layout, shown }: &InEtcd,
    stderr: &mut impl Write,
) -> Result<Loaded, Failure> {
    let found = wait_for(load(client, layout))?;
    for name in &found.passed_over {
        let what = "is of a later version of Rollcall, or mistyped, and is not in the export";
        mention(stderr, &format!("warning: in {shown}, `{name}` {what}"));
    }
    Ok(found.loaded)
}

/// Writes beside the file and renames, so that an old export is lost only to a whole new one.
fn write_whole(file: &Path, loaded: &Loaded, at: Timestamp) -> io::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = (|| {
        let mut out = BufWriter::new(File::create(&partial)?);
        export(loaded, at, &mut out)?;
        out.into_inner()?.sync_all()?;
        std::fs::rename(&partial, file)
    })();
    if written.is_err() {
        // What was wrong is already known; that the rest cannot be removed adds nothing.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

#[cfg(test)]
mod tests;
