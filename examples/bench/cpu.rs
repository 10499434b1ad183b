//! What a process has used of the processor and of memory, with all its threads and children.
//!
//! Time comes from `schedstat`, which counts nanoseconds on a core, user and system together, by
//! thread and with the thread's name, so that a part can tell one kind of threads from another. It
//! forgets a thread that has ended; `stat` does not, but counts ticks of 10 ms. So the ticks are
//! read as well, and where they say a good deal more, threads have come and gone (PowerDNS has one
//! for each TCP connection) and the ticks are right.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use anyhow::{Context, Result};

/// A tick of `stat`: the kernel shows it in hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// By how much the ticks may be ahead of the nanoseconds without anything having been forgotten.
const TICKS_AHEAD_MAX: Duration = Duration::from_millis(30);

/// One thread of one process.
type ThreadId = (u32, u32);

/// A reading of the processor time of a process, its threads and its children.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    threads: BTreeMap<ThreadId, Thread>,
    /// Of all threads there ever were.
    ticks: Duration,
}

#[derive(Debug, Clone)]
struct Thread {
    name: String,
    on_core: Duration,
}

// === impl Usage ===

impl Usage {
    /// Reads it now.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        let mut ticks = 0;
        for process in with_children(pid)? {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // User, system, and both of children that were waited for.
            ticks +=
                fields(&stat).skip(11).take(4).filter_map(|f| f.parse::<u32>().ok()).sum::<u32>();
            let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for task in tasks.flatten() {
                let id = task.file_name().to_string_lossy().parse().unwrap_or_default();
                // A thread that ends while it is read has nothing to say.
                let Ok(name) = fs::read_to_string(task.path().join("comm")) else { continue };
                let Ok(stat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                let nanos = stat.split_whitespace().next().and_then(|field| field.parse().ok());
                let on_core = Duration::from_nanos(nanos.context("schedstat has no time")?);
                threads.insert((process, id), Thread { name: name.trim().to_owned(), on_core });
            }
        }
        anyhow::ensure!(!threads.is_empty(), "process {pid} is gone");
        Ok(Self { threads, ticks: TICK * ticks })
    }

    /// The time that has been used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        let nanos = self.since_of(earlier, |_| true);
        if ticks > nanos + TICKS_AHEAD_MAX { ticks } else { nanos }
    }

    /// The time that threads with such names have used since `earlier`, if they are still there.
    pub(crate) fn since_of(&self, earlier: &Self, has: impl Fn(&str) -> bool) -> Duration {
        self.threads
            .iter()
            .filter(|(_, thread)| has(&thread.name))
            .map(|(id, now)| {
                let before = earlier.threads.get(id).map_or(Duration::ZERO, |then| then.on_core);
                now.on_core.saturating_sub(before)
            })
            .sum()
    }
}

/// The memory of a process and its children that is resident now, in octets: the proportional share
/// where pages are shared, as forked children do, or else what is resident.
///
/// # Errors
/// When the process is gone.
pub(crate) fn resident_octets(pid: u32) -> Result<u64> {
    let mut octets = 0;
    for process in with_children(pid)? {
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
        let status = || fs::read_to_string(format!("/proc/{process}/status"));
        let kib = match rollup.ok().as_deref().and_then(|text| kib_after(text, "Pss:")) {
            Some(kib) => kib,
            None => kib_after(&status()?, "VmRSS:").context("the process has no memory")?,
        };
        octets += kib * 1_024;
    }
    Ok(octets)
}

/// The most memory of a process alone that was resident at one time, in octets.
///
/// # Errors
/// When the process is gone.
pub(crate) fn peak_octets(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(kib_after(&status, "VmHWM:").context("the process has no memory")? * 1_024)
}

fn kib_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The process and all below it.
fn with_children(pid: u32) -> Result<BTreeSet<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc")?.flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = fields(&stat).nth(1).and_then(|field| field.parse().ok());
        parents.extend(parent.map(|parent: u32| (process, parent)));
    }
    let mut found = BTreeSet::from([pid]);
    loop {
        let before = found.len();
        found.extend(
            parents
                .iter()
                .filter(|(_, up)| found.contains(up))
                .map(|(p, _)| *p)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            return Ok(found);
        }
    }
}

/// The fields of `stat` from the third on, the state: the name before it stands in parentheses and
/// may have any character.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}
