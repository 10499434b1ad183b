//! A server that came up on a store that one interface has filled.

use std::{fs, path::Path};

use anyhow::Result;
use tempfile::TempDir;

use super::{MIB, door::Door, lists::DELTA};
use crate::{
    asking::{Asked, Requests},
    data::Data,
    part::Env,
    process,
    rollcall::{Options, Rollcall},
};

/// The server.
#[derive(Debug)]
pub(super) struct Filled {
    /// By whom.
    pub(super) door: Door,
    /// It.
    pub(super) rollcall: Rollcall,
    /// The memory of the whole process for each instance, in octets.
    pub(super) each: f64,
    /// What changed lately, when all had just been registered.
    pub(super) delta: Asked,
    registered: Asked,
    resident: f64,
    _store: TempDir,
}

// === impl Filled ===

impl Filled {
    /// Registers `data` by `door`, and starts again on what that left.
    ///
    /// # Errors
    /// When the server refuses, or does not come up.
    pub(super) fn by(env: &Env, door: Door, data: Data, files: &Path) -> Result<Self> {
        let store = process::scratch("store")?;
        let options = Options { data: Some(store.path().join("data")), ..Options::default() };
        let rollcall = Rollcall::start(env, &options)?;
        let registered = door.fill(env, rollcall.http, data, files)?;
        let file = files.join("delta");
        fs::write(&file, format!("GET {DELTA}\n"))?;
        let (time, header) = (Some(env.turn), Some("accept: application/json"));
        let delta = Requests { file: &file, connections: 1, time, header };
        let delta = delta.ask(env, rollcall.http)?;
        drop(rollcall);
        let rollcall = Rollcall::start(env, &options)?;
        let resident = rollcall.server.process.settled_octets(env)? as f64;
        let each = resident / f64::from(data.services * data.instances);
        eprintln!("{}: {:.0}/s, {each:.0} octets", door.name(), registered.per_second());
        Ok(Self { door, rollcall, each, delta, registered, resident, _store: store })
    }

    /// What it shows, and its memory in that of one that was filled by the native interface.
    pub(super) fn row(&self, ratio: f64) -> [String; 5] {
        [
            self.door.name().to_owned(),
            format!("{:.0}", self.registered.per_second()),
            format!("{:.0}", self.resident / MIB),
            format!("{:.0}", self.each),
            format!("{ratio:.2}"),
        ]
    }
}
