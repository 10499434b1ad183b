//! Long lists: how long they take, and how much memory while they are made and sent.

use std::{fs, path::Path};

use anyhow::Result;

use super::{MIB, filled::Filled};
use crate::{
    asking::Requests,
    data::Data,
    part::{Env, Section},
    stats::median,
    table::Table,
    turn::micros,
};

/// The longest list: all checks that there are.
pub(super) const LONGEST: &str = "/v1/health/state/any";

/// What Eureka's clients ask for twice a minute; with a restart it begins empty.
pub(super) const DELTA: &str = "/eureka/apps/delta";

/// The most memory that one reader of any list may take: that of the longest one's text, 55 MB, and
/// as much again while it is made.
const MIB_MAX: f64 = 128.0;

/// Reads each list, and tells what that took.
///
/// # Errors
/// When the server refuses one.
pub(super) fn tell(env: &Env, section: &mut Section, filled: &Filled, files: &Path) -> Result<()> {
    let process = &filled.rollcall.server.process;
    let service = Data::service(1);
    let mut table = Table::new(["list", "octets", "ms", "CPU ms", "MiB meanwhile"]);
    let mut most = 0.0_f64;
    for (path, header) in [
        (LONGEST.to_owned(), None),
        (LONGEST.to_owned(), Some("accept-encoding: gzip")),
        ("/v1/catalog/services".to_owned(), None),
        ("/v1/catalog/nodes".to_owned(), None),
        ("/v1/agent/services".to_owned(), None),
        (format!("/v1/health/service/{service}"), None),
        ("/eureka/apps".to_owned(), Some("accept: application/json")),
        ("/eureka/apps".to_owned(), Some("accept-encoding: gzip")),
        (DELTA.to_owned(), Some("accept: application/json")),
        (format!("/eureka/apps/{service}"), Some("accept: application/json")),
    ] {
        let file = files.join("list");
        fs::write(&file, format!("GET {path}\n"))?;
        let time = Some(env.turn);
        let requests = Requests { file: &file, connections: 1, time, header };
        let (mut times, mut cpu, mut memory, mut octets) = (vec![], vec![], vec![], 0);
        for _ in 0..env.rounds.min(5) {
            let (before, usage) = (process.resident_octets()? as f64, process.usage()?);
            process.forget_peak()?;
            let asked = requests.ask(env, filled.rollcall.http)?;
            times.push(micros(asked.mean) / 1e3);
            let used = process.usage()?.since(&usage);
            cpu.push(micros(used) / 1e3 / asked.requests as f64);
            memory.push((process.peak_octets()? as f64 - before) / MIB);
            octets = asked.octets;
        }
        let middle = |figures: Vec<f64>| median(figures).unwrap_or(f64::NAN);
        let (times, cpu) = (middle(times), middle(cpu));
        let memory = memory.into_iter().fold(0.0, f64::max);
        most = most.max(memory);
        let with = if header.is_some_and(|line| line.ends_with("gzip")) { ", gzip" } else { "" };
        eprintln!("{path}{with}: {octets} octets, {times:.2} ms, {memory:.0} MiB");
        table.row([
            format!("`{path}`{with}"),
            octets.to_string(),
            format!("{times:.2}"),
            format!("{cpu:.2}"),
            format!("{memory:.0}"),
        ]);
    }
    section.text(format!("### Lists of {} instances", filled.door.name()));
    section.table(&table);
    section.text(format!(
        "Before that start `{DELTA}` had {} octets and took {:.0} ms.",
        filled.delta.octets,
        micros(filled.delta.mean) / 1e3
    ));
    if !env.quick {
        let what = format!("MiB while lists are read, {}", filled.door.name());
        section.at_most(&what, most, MIB_MAX, 0);
    }
    Ok(())
}
