//! `rollcall export`: writes the store of a stopped server, or what servers share, as JSON lines.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::data::{DataArgs, InEtcd, Place, counted, mention, summary, wait_for};
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
    /// Print JSON instead of text; a failure, too, on standard error
    #[arg(long)]
    pub json: bool,
}

// === impl ExportArgs ===

impl ExportArgs {
    /// Writes the export; a file is replaced once the export is whole. What was exported is counted
    /// on standard error, because standard output may be the export itself; as JSON only if it is.
    pub(in crate::cli) fn run(
        self,
        mut stdout: impl Write,
        mut stderr: impl Write,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let (loaded, warnings) = match self.data.place()? {
            Place::Folder(folder) => {
                let read = Store::read(&folder);
                (read.map_err(|error| Failure::Negative(error.to_string()))?, Vec::new())
            }
            Place::Etcd(etcd) => read(&etcd)?,
        };
        for warning in warnings.iter().filter(|_| !self.json) {
            mention(&mut stderr, &format!("warning: {warning}"));
        }
        let at = Timestamp(clock.wall_millis());
        let is_stream = self.file == Path::new("-");
        if is_stream {
            let mut out = BufWriter::new(&mut stdout);
            export(&loaded, at, &mut out)?;
            out.flush()?;
        } else {
            write_whole(&self.file, &loaded, at).map_err(|error| {
                Failure::Negative(format!("`{}` cannot be written: {error}", self.file.display()))
            })?;
        }
        if !self.json {
            mention(&mut stderr, &format!("exported {}", counted(&loaded)));
            return Ok(());
        }
        let mut summary = summary(&loaded);
        summary["file"] = json!(self.file.display().to_string());
        summary["revision"] = json!(loaded.revision.0);
        summary["warnings"] = json!(warnings);
        match is_stream {
            true => mention(&mut stderr, &format!("{summary:#}")),
            false => writeln!(stdout, "{summary:#}")?,
        }
        Ok(())
    }
}

/// Reads what servers share, and names what of it is not in the export.
fn read(InEtcd { client, layout, shown }: &InEtcd) -> Result<(Loaded, Vec<String>), Failure> {
    let found = wait_for(load(client, layout))?;
    let warning = |name: &String| {
        let what = "is of a later version of Rollcall, or mistyped, and is not in the export";
        format!("in {shown}, `{name}` {what}")
    };
    Ok((found.loaded, found.passed_over.iter().map(warning).collect()))
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
