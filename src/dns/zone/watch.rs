//! Keeps the static zones as the files in the zone folder have them.
//!
//! The files are looked at every second. The system's own notices of changes are not used: they do
//! not come over network file systems, and a container's volume replaces whole folders by links.
//! Write a zone elsewhere and move it into place: a file that is read half-written is reported as
//! broken, or served half for a second.

mod metrics;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::metrics::ZoneMetrics;
use super::{
    build,
    data::Zone,
    error::ZoneError,
    error::ZoneWarning,
    master,
    publish::ZonesHandle,
    set::Zones,
    source::{Folder, Noted},
};
use crate::{
    model::{DnsName, limit},
    telemetry::{Board, Metrics},
    util::FileStamp,
};

/// How long a change may go unnoticed: short enough to try things out, long enough that a thousand
/// files cost nothing to look at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How much of what is odd about a zone is kept: more than a person reads. The log has all of it.
const WARNINGS_MAX: usize = 50;

/// The name of the folder's own condition on the board.
const FOLDER_CONDITION: &str = "zones";

/// Where the static zones are.
#[derive(Debug, Clone)]
pub struct ZoneFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whether it has to be there: an operator who names a folder means it.
    pub is_required: bool,
    /// The origins that the registry answers for; no static zone may be inside one of them.
    pub reserved: Vec<DnsName>,
}

/// The zone folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the zone folder `{}`: {reason}; create it, or name another by --zones",
    .path.display())]
pub struct ZoneFolderError {
    path: PathBuf,
    /// Part of the text, and therefore not told again as its source.
    reason: io::Error,
}

/// Loads zones and loads them again when their files change. Belongs to one task, [`Self::run`].
#[derive(Debug)]
pub struct ZoneWatcher {
    folder: Folder,
    reserved: Arc<[DnsName]>,
    files: BTreeMap<String, File>,
    handle: ZonesHandle,
    /// What was served before and may still be looked at. Freeing a large zone takes a tenth of a
    /// second, which the last one who looks at it would pay: a UDP worker, between two packets.
    retired: Vec<Arc<Zones>>,
    board: Board,
    metrics: ZoneMetrics,
}

/// What is known of one zone file.
#[derive(Debug, Default)]
struct File {
    /// The files it was made of, as they were then.
    stamps: Vec<(String, FileStamp)>,
    /// The last zone that it held without a mistake.
    zone: Option<Arc<Zone>>,
    /// The mistake in it now.
    broken: Option<ZoneError>,
    /// What is odd about that zone, the first of it.
    warnings: Box<[String]>,
    /// Why its zone is not served although there is no mistake in it.
    refused: Option<String>,
    /// Whether its zone was read, and not yet said to be served.
    is_new: bool,
}

/// What there is to say of the zone files, each with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZoneFindings {
    /// Why zones are not served as their files have them now.
    pub mistakes: Vec<String>,
    /// What is odd about those that are.
    pub oddities: Vec<String>,
}

// === impl ZoneFolder ===

impl ZoneFolder {
    /// Checks that the folder can be read, if it has to be there.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<(), ZoneFolderError> {
        let path = self.path.clone();
        match Folder::new(path.clone()).zone_files() {
            Err(reason) if self.is_required => Err(ZoneFolderError { path, reason }),
            _ => Ok(()),
        }
    }
}

// === impl ZoneWatcher ===

impl ZoneWatcher {
    /// Loads all zones for the first time; blocks while it reads. A broken zone file is reported
    /// and does not keep the others from being served.
    ///
    /// # Errors
    /// When the folder has to be there and cannot be read.
    pub fn open(
        folder: ZoneFolder,
        board: Board,
        metrics: &Metrics,
    ) -> Result<Self, ZoneFolderError> {
        folder.check()?;
        let mut watcher = Self {
            folder: Folder::new(folder.path),
            reserved: folder.reserved.into(),
            files: BTreeMap::new(),
            handle: ZonesHandle::default(),
            retired: Vec::new(),
            board,
            metrics: ZoneMetrics::new(metrics),
        };
        watcher.poll();
        Ok(watcher)
    }

    /// What there is to say of the files as they were read last.
    pub fn findings(&self) -> ZoneFindings {
        let mut findings = ZoneFindings::default();
        let pinned = self.board.conditions();
        let folder = pinned.into_iter().filter(|(name, _)| name == FOLDER_CONDITION);
        findings.mistakes.extend(folder.map(|(_, condition)| condition.message));
        for (name, file) in &self.files {
            let broken = file.broken.as_ref().map(|problem| self.folder.shown(problem));
            let refused =
                file.refused.as_ref().map(|why| self.folder.shown(format!("{name}: {why}")));
            findings.mistakes.extend(broken.or(refused));
            findings
                .oddities
                .extend(file.warnings.iter().map(|warning| self.folder.shown(warning)));
        }
        findings
    }

    /// The zones, for those who answer, and for whoever asks for a reload.
    pub fn handle(&self) -> ZonesHandle {
        self.handle.clone()
    }

    /// How many files hold a zone that is not served, for a mistake or because another has it.
    pub fn refused(&self) -> usize {
        let is_refused = |file: &&File| file.broken.is_some() || file.refused.is_some();
        self.files.values().filter(is_refused).count()
    }

    /// Watches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let handle = self.handle();
        loop {
            let is_forced = tokio::select! {
                () = stop.cancelled() => return,
                () = handle.reload_requested() => true,
                () = tokio::time::sleep(POLL_INTERVAL) => false,
            };
            let read = tokio::task::spawn_blocking(move || {
                if is_forced {
                    self.forget_stamps();
                }
                self.poll();
                self
            });
            match read.await {
                Ok(watcher) => self = watcher,
                // Only when the runtime goes down, or by a mistake of ours; the zones stay.
                Err(error) => {
                    error!(%error, "the zone files are no longer watched");
                    return;
                }
            }
        }
    }

    /// Looks at the files once and takes over what changed; blocks while it reads. Returns whether
    /// other zones are served than before.
    pub fn poll(&mut self) -> bool {
        self.retired.retain(|zones| Arc::strong_count(zones) > 1);
        let Some(names) = self.list() else { return false };
        let gone = self.files.extract_if(.., |name, _| !names.contains(name)).collect::<Vec<_>>();
        for (name, file) in &gone {
            info!(file = %name, "the zone file is gone");
            self.board.clear(&condition(name));
            self.metrics.gone(name, file.broken.as_ref());
        }
        let mut is_changed = !gone.is_empty();
        for name in names {
            let known = self.files.get(&name);
            let is_same = |(file, stamp): &(String, FileStamp)| self.folder.stamp(file) == *stamp;
            if known.is_none_or(|file| file.stamps.is_empty() || !file.stamps.iter().all(is_same)) {
                self.load(&name);
                is_changed = true;
            }
        }
        if is_changed {
            self.publish();
        }
        is_changed
    }

    /// Makes the next poll read every file.
    fn forget_stamps(&mut self) {
        self.files.values_mut().for_each(|file| file.stamps.clear());
    }

    /// The zone files there are; nothing when the folder cannot be read, which leaves all as it is.
    fn list(&self) -> Option<Vec<String>> {
        let problem = match self.folder.zone_files() {
            Ok(mut names) => {
                let count = names.len();
                names.truncate(limit::ZONES_MAX);
                if count == names.len() {
                    self.board.clear(FOLDER_CONDITION);
                } else {
                    let problem = format!(
                        "{count} zone files are above the limit of {}; the last ones in the order \
                         of their names are not served",
                        limit::ZONES_MAX
                    );
                    self.report_folder(&problem);
                }
                return Some(names);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.files.is_empty() => {
                return None;
            }
            Err(error) => format!("cannot read the zone folder: {error}; the zones stay as is"),
        };
        self.report_folder(&problem);
        None
    }

    /// Pins what is wrong with the folder, and logs it when it is new.
    fn report_folder(&self, problem: &str) {
        if self.board.note(FOLDER_CONDITION, problem) {
            error!(problem, "zone folder");
        }
    }

    /// Reads one zone file.
    fn load(&mut self, name: &str) {
        let source = Noted::new(&self.folder, name);
        let read = read_zone(&source, name, &self.reserved);
        let file = self.files.entry(name.to_owned()).or_default();
        file.stamps = source.into_stamps();
        self.metrics.read(name, file.broken.take().as_ref(), read.as_ref().err());
        match read {
            Ok((zone, warnings)) => {
                for ZoneWarning { place, problem } in &warnings {
                    warn!(%place, problem, "zone");
                }
                file.warnings = warnings.iter().take(WARNINGS_MAX).map(shown).collect();
                file.zone = Some(Arc::new(zone));
                file.is_new = true;
            }
            Err(problem) => {
                error!(file = name, %problem, "broken zone file; the zone {}", file.fate());
                file.broken = Some(problem);
            }
        }
    }

    /// Puts the zones of all files together, one per name, and shows them.
    fn publish(&mut self) {
        let mut served: BTreeMap<DnsName, (String, Arc<Zone>)> = BTreeMap::new();
        let before = self.handle.load();
        let is_incumbent = |name: &str, zone: &Zone| {
            let known = before.find(zone.origin().as_wire());
            known.is_some_and(|known| known.origin() == zone.origin() && known.file() == name)
        };
        // Who served a zone goes on serving it; else the first by name does.
        let mut order: Vec<_> = self.files.keys().cloned().collect();
        order.sort_by_key(|name| {
            let zone = self.files[name].zone.as_ref();
            !zone.is_some_and(|zone| is_incumbent(name, zone))
        });
        for name in order {
            let Some(file) = self.files.get_mut(&name) else { continue };
            let taken = file.zone.as_ref().and_then(|zone| served.get(zone.origin()));
            let refused = taken.map(|(other, zone)| {
                format!(
                    "the zone `{}` is served from `{other}`; keep one of the two",
                    zone.origin()
                )
            });
            if refused.is_some() && refused != file.refused {
                error!(file = %name, problem = refused, "zone file refused");
                self.metrics.refused();
            }
            file.refused = refused;
            if let (Some(zone), None) = (&file.zone, &file.refused) {
                let (origin, serial) = (zone.origin(), zone.serial());
                if std::mem::take(&mut file.is_new) {
                    let records = zone.record_count();
                    info!(file = name, %origin, serial, records, "zone loaded");
                }
                served.insert(origin.clone(), (name.clone(), Arc::clone(zone)));
            }
            let broken = file.broken.as_ref().map(|p| format!("{p}; the zone {}", file.fate()));
            match broken.or_else(|| file.refused.clone()) {
                Some(problem) => {
                    self.board.note(&condition(&name), problem);
                }
                None => self.board.clear(&condition(&name)),
            }
        }
        self.metrics.served(served.len());
        let zones = served.into_values().map(|(_, zone)| zone);
        let awaited = self.files.values().filter(|file| file.zone.is_none());
        let awaited = awaited.filter_map(|file| file.broken.as_ref()?.zone.clone());
        let next = Zones::new(zones, Arc::clone(&self.reserved)).awaiting(awaited);
        self.retired.push(self.handle.publish(next));
    }
}

// === impl File ===

impl File {
    /// What becomes of the zone of a broken file.
    fn fate(&self) -> &'static str {
        if self.zone.is_some() { "stays as it was" } else { "is not served" }
    }
}

/// The name of a zone file's condition on the board.
fn condition(file: &str) -> String {
    format!("zone {file}")
}

fn shown(warning: &ZoneWarning) -> String {
    format!("{}: {}", warning.place, warning.problem)
}

/// Reads a zone; its name is that of its file unless it says another.
fn read_zone(
    source: &Noted<'_>,
    file: &str,
    reserved: &[DnsName],
) -> Result<(Zone, Vec<ZoneWarning>), ZoneError> {
    let name = file.strip_suffix(".zone").unwrap_or(file);
    let origin = DnsName::parse(name)
        .map_err(|problem| ZoneError::new(file, 0, format!("the file's {problem}")))?;
    let master = master::read(source, file, origin.as_wire())?;
    build::build(&master, reserved).map_err(|error| error.of_zone(&master.origin))
}

#[cfg(test)]
mod tests;
