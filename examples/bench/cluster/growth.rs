//! What a steady load of changes makes of etcd's file, where history is compacted away.

use std::time::Duration;

use anyhow::Result;

use super::{change::Load, fleet::Fleet};
use crate::{part::Env, table::Table};

/// How long history is kept here: short, so that it is seen within minutes that the file stops to
/// grow.
pub(super) const COMPACTION: [&str; 2] =
    ["--auto-compaction-mode=periodic", "--auto-compaction-retention=1m"];

/// Minutes of changes.
const MINUTES: usize = 6;

/// Of these the first ones fill the file: two histories and what compaction frees with the third.
const FILLING: usize = 4;

const MIB: f64 = (1_u64 << 20) as f64;

/// The file at the end of each minute.
#[derive(Debug)]
pub(super) struct Growth {
    /// Octets, and octets of these in use; the first before any change.
    minutes: Vec<(f64, f64)>,
    changes: usize,
}

// === impl Growth ===

impl Growth {
    /// Changes what a fleet has, of which etcd has [`COMPACTION`].
    ///
    /// # Errors
    /// When a change is refused.
    pub(super) fn watch(env: &Env, fleet: &Fleet, rate: u32) -> Result<Self> {
        let (minutes, minute) = if env.quick { (1, env.turn) } else { (MINUTES, MINUTE) };
        let read = || fleet.etcd.read().map(|now| (now.octets, now.octets_used));
        let mut growth = Self { minutes: vec![read()?], changes: 0 };
        for number in 1..=minutes {
            let load = Load { data: fleet.data, rate, time: minute };
            growth.changes += load.run(&fleet.http())?.changes;
            growth.minutes.push(read()?);
            eprintln!("cluster, growth, minute {number}: {:?}", growth.minutes.last());
        }
        Ok(growth)
    }

    /// Changes in all.
    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    /// By how much the file was larger at the end than when it was filled; none when it is not.
    pub(super) fn in_the_end(&self) -> Option<f64> {
        let (filled, last) = (self.minutes.get(FILLING)?, self.minutes.last()?);
        Some(last.0 / filled.0)
    }

    /// Each minute.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(["after minutes", "file MiB", "in use MiB"]);
        for (minute, (octets, used)) in self.minutes.iter().enumerate() {
            let [octets, used] = [octets, used].map(|octets| format!("{:.1}", octets / MIB));
            table.row([minute.to_string(), octets, used]);
        }
        table
    }
}

const MINUTE: Duration = Duration::from_secs(60);
