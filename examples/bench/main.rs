//! The benchmark: Rollcall beside the best DNS servers, and beside what its tables ask for.
//!
//! `examples/bench/run` installs what is needed, builds and calls this. Each [`part::Part`] starts
//! its servers on one core and their load on another, takes turns in rounds, because a machine is
//! never quiet, prints its tables, and writes its section of RESULTS.md.
//!
//! An example and no bench target: what is measured are processes, from outside, as an operator
//! would. `cargo bench` would build a second server first, with what only tests need compiled in.
#![allow(clippy::disallowed_methods, reason = "real time is what is measured here")]

mod asking;
mod changes;
mod checks;
mod churn;
mod cluster;
mod contestant;
mod cores;
mod cpu;
mod data;
mod dns;
mod dnsperf;
mod doors;
mod flood;
mod floor;
mod guard;
mod http;
mod knock;
mod machine;
mod part;
mod peers;
mod probe;
mod process;
mod recorded;
mod results;
mod rollcall;
mod rounds;
mod scale;
mod stats;
mod table;
mod turn;
mod verify;
mod waiters;
mod waiting;
mod weather;
mod writes;
mod writing;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use crate::{
    asking::Asking,
    checks::Bare,
    churn::Churn,
    cores::Cores,
    flood::Flood,
    floor::Floor,
    knock::Knock,
    part::{Env, PARTS, Part},
    probe::Probe,
    results::Results,
    waiting::Waiting,
    writing::Writing,
};

/// The benchmark of Rollcall.
#[derive(Debug, Parser)]
#[command(name = "examples/bench/run", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, print the tables, and write them to RESULTS.md.
    Run(Run),
    /// The load of requests over HTTP; started by the part `doors`.
    #[command(hide = true)]
    Asking(Asking),
    /// The bare loop that checks are compared with.
    #[command(hide = true)]
    BareCheck(Bare),
    /// The bare responder that nothing can undercut; started by the parts that compare with it.
    #[command(hide = true)]
    Floor(Floor),
    /// The load of changes; started by the part `changes`.
    #[command(hide = true)]
    Churn(Churn),
    /// The load of writes; started by the part `writes`.
    #[command(hide = true)]
    Writing(Writing),
    /// More than can be answered; started by the part `weather`.
    #[command(hide = true)]
    Flood(Flood),
    /// Who needs the HTTP interface meanwhile; started by the part `weather`.
    #[command(hide = true)]
    Knock(Knock),
    /// The latency prober; started beside the load.
    #[command(hide = true)]
    Probe(Probe),
    /// Those who wait for changes; started by the part `waiters`.
    #[command(hide = true)]
    Waiting(Waiting),
}

/// What is to be reached and is not, is told, and no reason for another exit code than 0.
#[derive(Debug, Parser)]
struct Run {
    /// What to measure: dns, guard, scale, changes, writes, checks, weather, waiters, doors,
    /// cluster; all without a name.
    #[arg(value_name = "PART", value_parser = part::by_name)]
    parts: Vec<&'static dyn Part>,
    /// How often each contestant has its turn; medians are taken over the rounds. Many short ones
    /// tell more than few long ones: a virtual machine's speed drifts by a third within minutes,
    /// and ratios are only as good as the two turns are near.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// How long one turn lasts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Only what has this word in its name: a workload of `dns`, `guard` or `writes`, a kind of
    /// check of `scale`, the `cost` or the `crowd` of `checks`, a table of `doors` or `cluster`.
    /// Nothing is written then.
    #[arg(long)]
    only: Option<String>,
    /// How many instances the servers of `cluster` share.
    #[arg(long, default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    instances: u32,
    /// One short round of each part with nobody but Rollcall and the floor; nothing is written.
    #[arg(long)]
    quick: bool,
    /// The binary that is measured.
    #[arg(long, env = "ROLLCALL_BIN", default_value = "target/release/rollcall")]
    rollcall: PathBuf,
    /// Another build that takes part in `dns` and `guard`, to compare with.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// The file that takes the results.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench/RESULTS.md"))]
    results: PathBuf,
}

/// A turn of which no figure is kept.
const QUICK_TURN: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Asking(asking) => asking.run(),
        Command::BareCheck(bare) => bare.run(),
        Command::Floor(floor) => floor.run(),
        Command::Churn(churn) => churn.run(),
        Command::Writing(writing) => writing.run(),
        Command::Flood(flood) => flood.run(),
        Command::Knock(knock) => knock.run(),
        Command::Probe(probe) => probe.run(),
        Command::Waiting(waiting) => waiting.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

// === impl Run ===

impl Run {
    fn run(self) -> Result<()> {
        let env = self.env()?;
        let results = Results::new(&self.results);
        let parts = if self.parts.is_empty() { PARTS.to_vec() } else { self.parts };
        for part in &parts {
            let (word, choices) = (env.only.as_deref().unwrap_or_default(), part.choices());
            ensure!(
                word.is_empty() || choices.iter().any(|choice| choice.contains(word)),
                "--only {word}: part `{}` has no such thing; it has {choices:?}",
                part.name()
            );
        }
        let is_kept = !env.quick && env.only.is_none();
        if is_kept {
            results.try_to_open()?;
        }
        process::sweep()?;
        for part in parts {
            eprintln!("=== {}", part.name());
            let section = part.run(&env).with_context(|| format!("part `{}`", part.name()))?;
            println!("{}", section.markdown());
            if is_kept {
                results.put(part.name(), &section)?;
                eprintln!("written to {}", self.results.display());
            }
        }
        if !is_kept {
            eprintln!("not written to {}", self.results.display());
        }
        Ok(())
    }

    fn env(&self) -> Result<Env> {
        let rollcall = std::fs::canonicalize(&self.rollcall)
            .with_context(|| format!("`{}`: build it first", self.rollcall.display()))?;
        Ok(Env {
            cores: Cores::of_this_process()?,
            rounds: if self.quick { 1 } else { self.rounds },
            turn: if self.quick { QUICK_TURN } else { Duration::from_secs(self.seconds) },
            only: self.only.clone(),
            instances: self.instances,
            quick: self.quick,
            rollcall,
            beside: self.beside.as_ref().map(std::fs::canonicalize).transpose()?,
            bench: std::env::current_exe().context("where this program is")?,
        })
    }
}
