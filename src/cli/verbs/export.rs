//! `rollcall export`: writes the store of a stopped server, or what servers share, as JSON lines.

use std::{
    fs::{File, Metadata, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
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
    /// Where to write, `-` for standard output; a regular file is replaced as a whole
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
    /// Writes the export; a regular file is replaced once the export is whole. What was exported is
    /// counted on standard error, because standard output may be the export itself; as JSON only if
    /// it is.
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
        // What standard output is goes on after what was written to it, also if it is a file.
        let is_stream = [Path::new("-"), Path::new("/dev/stdout")].contains(&&*self.file);
        if is_stream {
            let mut out = BufWriter::new(&mut stdout);
            export(&loaded, at, &mut out)?;
            out.flush()?;
        } else {
            write(&self.file, &loaded, at).map_err(|error| {
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

/// Writes to what the file is: a regular one, or the one that a symbolic link leads to, is
/// replaced, and anything else, a pipe or a device, is opened and written to.
fn write(file: &Path, loaded: &Loaded, at: Timestamp) -> io::Result<()> {
    match std::fs::metadata(file) {
        Ok(known) if known.is_dir() => {
            Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"))
        }
        Ok(known) if known.is_file() => replace(&led_to(file)?, Some(&known), loaded, at),
        Ok(_) => {
            let mut out = BufWriter::new(OpenOptions::new().write(true).open(file)?);
            export(loaded, at, &mut out)?;
            out.flush()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(&led_to(file)?, None, loaded, at)
        }
        Err(error) => Err(error),
    }
}

/// The file itself, or what symbolic links lead to in its place, there or not.
fn led_to(file: &Path) -> io::Result<PathBuf> {
    let found = std::fs::canonicalize(file);
    match (found, std::fs::read_link(file)) {
        // One of a circle of links is another error, so this comes to an end.
        (Err(error), Ok(to)) if error.kind() == io::ErrorKind::NotFound => {
            led_to(&file.with_file_name("").join(to))
        }
        (Err(error), Err(_)) if error.kind() == io::ErrorKind::NotFound => Ok(file.to_owned()),
        (found, _) => found,
    }
}

/// Writes beside the file and renames, so that an old export is lost only to a whole new one.
fn replace(file: &Path, old: Option<&Metadata>, loaded: &Loaded, at: Timestamp) -> io::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = (|| {
        let mut out = BufWriter::new(create_like(&partial, old)?);
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

/// Creates a file with the mode of the one that it will replace, from its first moment on, and with
/// its owner, which not everybody may give.
fn create_like(file: &Path, old: Option<&Metadata>) -> io::Result<File> {
    // One that was left by an export that was killed may be open to all.
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = old.map_or(0o666, |old| old.mode() & 0o777);
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    if let Some(old) = old {
        let is_alike = fchown(&created, Some(old.uid()), Some(old.gid()))
            .or_else(|_| fchown(&created, None, Some(old.gid())));
        // What the umask has taken from it; another group gets nothing that the old one had.
        let mode = if is_alike.is_ok() { old.mode() } else { old.mode() & !0o070 };
        created.set_permissions(Permissions::from_mode(mode & 0o7777))?;
    }
    Ok(created)
}

#[cfg(test)]
mod tests;
