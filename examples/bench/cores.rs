//! Which core serves and which one loads it.
//!
//! A server that shares its core with its load is slowed by it at random. The numbers come from the
//! set of cores that this process may use: in a container it seldom begins at 0.

use anyhow::{Context, Result, bail};

/// The two cores of a measurement; the same one when there is no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cores {
    /// Where the server under test runs, alone.
    pub(crate) server: usize,
    /// Where its load comes from.
    pub(crate) load: usize,
}

// === impl Cores ===

impl Cores {
    /// Both of them as a list, for what is too much for one: whoever runs there may take turns.
    pub(crate) fn both(self) -> String {
        format!("{},{}", self.server, self.load)
    }

    /// The first two cores that this process may run on.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn of_this_process() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("/proc/self/status has no `Cpus_allowed_list`")?;
        Self::first_two_of(list.trim())
    }

    /// `list` is the kernel's: `0-3,8`.
    fn first_two_of(list: &str) -> Result<Self> {
        let mut cores = Vec::new();
        for range in list.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first: usize = first.parse().with_context(|| format!("the cores `{list}`"))?;
            let last: usize = last.parse().with_context(|| format!("the cores `{list}`"))?;
            cores.extend((first..=last).take(2));
        }
        match cores[..] {
            [] => bail!("no core is allowed in `{list}`"),
            [only] => {
                eprintln!("only one core: server and load share it, the figures mean little");
                Ok(Self { server: only, load: only })
            }
            [server, load, ..] => Ok(Self { server, load }),
        }
    }
}
