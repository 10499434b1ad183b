//! One thing that is measured, and what it says.
//!
//! To add a part: a file of its own with a type that is a [`Part`], and its place in [`PARTS`].

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{
    changes::Changes, checks::Checks, cluster::Cluster, cores::Cores, dns::Dns, doors::Doors,
    guard::Guard, scale::Scale, table::Table, waiters::Waiters, weather::Weather, writes::Writes,
};

/// All parts, in the order in which they run and stand in RESULTS.md.
pub(crate) const PARTS: &[&dyn Part] =
    &[&Dns, &Guard, &Scale, &Changes, &Writes, &Checks, &Weather, &Waiters, &Doors, &Cluster];

/// One thing that is measured.
pub(crate) trait Part: Send + Sync {
    /// Its name on the command line, and its section in RESULTS.md.
    fn name(&self) -> &'static str;

    /// What `--only` can choose of it; nothing when it is measured as a whole.
    fn choices(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Measures it.
    ///
    /// # Errors
    /// When it cannot be measured, or when a contestant answers wrongly: figures of one that does
    /// not do the work mean nothing.
    fn run(&self, env: &Env) -> Result<Section>;
}

/// What a part is given.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    /// Who runs where.
    pub(crate) cores: Cores,
    /// How often each contestant has its turn.
    pub(crate) rounds: u32,
    /// How long a turn lasts.
    pub(crate) turn: Duration,
    /// A word that restricts what a part measures, by the names that the part has for it.
    pub(crate) only: Option<String>,
    /// How many instances servers share that share some.
    pub(crate) instances: u32,
    /// Only show that everything works: nobody but Rollcall and the floor, small sizes.
    pub(crate) quick: bool,
    /// The server that is measured.
    pub(crate) rollcall: PathBuf,
    /// Another build to compare with.
    pub(crate) beside: Option<PathBuf>,
    /// This program: its hidden commands are contestants and tools.
    pub(crate) bench: PathBuf,
}

/// What a part has found.
#[derive(Debug, Default)]
pub(crate) struct Section {
    blocks: Vec<String>,
    versions: Vec<String>,
    goals: Vec<Goal>,
}

/// One figure that is to be reached.
#[derive(Debug)]
struct Goal {
    what: String,
    reach: String,
    measured: String,
    is_reached: bool,
}

// === impl Env ===

impl Env {
    /// Whether what has this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|word| name.contains(word))
    }
}

// === impl Section ===

impl Section {
    /// Adds a paragraph, or a heading: markdown.
    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(text.into());
    }

    /// Adds a table.
    pub(crate) fn table(&mut self, table: &Table) {
        self.blocks.push(table.markdown());
    }

    /// Names a program that took part, with its version.
    pub(crate) fn version(&mut self, version: impl Into<String>) {
        self.versions.push(version.into());
    }

    /// States a figure with `digits` after the point that is to be at most `most`.
    pub(crate) fn at_most(&mut self, what: &str, measured: f64, most: f64, digits: usize) {
        self.goals.push(Goal {
            what: what.to_owned(),
            reach: format!("≤ {most:.digits$}"),
            measured: format!("{measured:.digits$}"),
            is_reached: measured <= most,
        });
    }

    /// States a figure with `digits` after the point that is to be at least `least`.
    pub(crate) fn at_least(&mut self, what: &str, measured: f64, least: f64, digits: usize) {
        self.goals.push(Goal {
            what: what.to_owned(),
            reach: format!("≥ {least:.digits$}"),
            measured: format!("{measured:.digits$}"),
            is_reached: measured >= least,
        });
    }

    /// All of it: text and tables in their order, then what was to be reached.
    pub(crate) fn markdown(&self) -> String {
        let mut blocks = self.blocks.clone();
        if !self.goals.is_empty() {
            let mut table = Table::new(["to reach", "limit", "measured", ""]);
            for goal in &self.goals {
                let verdict = if goal.is_reached { "reached" } else { "NOT reached" };
                table.row([&goal.what, &goal.reach, &goal.measured, verdict]);
            }
            blocks.push(table.markdown());
        }
        blocks.join("\n\n")
    }

    /// The programs that took part.
    pub(crate) fn versions(&self) -> &[String] {
        &self.versions
    }
}

impl fmt::Debug for dyn Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The part of that name.
///
/// # Errors
/// When there is none; says which there are.
pub(crate) fn by_name(name: &str) -> Result<&'static dyn Part, String> {
    let names = || PARTS.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ");
    let found = PARTS.iter().find(|part| part.name() == name);
    found.copied().ok_or_else(|| format!("no such part; there are {}", names()))
}
