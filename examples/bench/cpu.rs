//! What a process has used of the processor and of memory, with all its threads and children.
//!
//! Time comes from `schedstat`, which counts nanoseconds on a core, user and system together, while
//! `stat` counts ticks. It is kept by thread, with its name, so that a part can tell the time of
//! one kind of threads from the others'.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use anyhow::{Context, Result};

/// One thread of one process.
type ThreadId = (u32, u32);

/// A reading of the processor time of a process, its threads and its children.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    threads: BTreeMap<ThreadId, Thread>,
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
        for process in with_children(pid)? {
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
        Ok(Self { threads })
    }

    /// The time that all threads have used since `earlier`. What a thread used that ended between
    /// the two is not in it: read often enough, or have no such threads.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        self.since_of(earlier, |_| true)
    }

    /// The time that threads with such names have used since `earlier`.
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
        // The name stands in parentheses and may have any character, so count from its end.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let parent = after_name.split_whitespace().nth(1).and_then(|field| field.parse().ok());
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
