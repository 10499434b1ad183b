//! Part `checks`: what an HTTP check costs beside a bare loop, and 100,000 of them on one core, in
//! good and in bad weather.
//!
//! The targets are one nginx on the core of the load, asked at as many addresses of 127.0.0.0/8 as
//! there are checks: as with real instances, source ports and TIME_WAIT are then counted by target.

mod bare;
pub(crate) mod metrics;
mod phase;
mod targets;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

pub(crate) use bare::Bare;

use self::{bare::address, metrics::Scrape, phase::Phase, targets::Targets};
use crate::{
    data::Data,
    machine,
    part::{Env, Part, Section},
    rollcall::{self, Options, Rollcall},
    stats::{median, median_ratio},
    table::Table,
};

/// The part.
#[derive(Debug)]
pub(crate) struct Checks;

/// Checks of which the cost of one is measured: at two a second as many as the large crowd makes.
const FEW: u32 = 5_000;
/// The large crowd.
const MANY: u32 = 100_000;
/// Registrations in one request.
const BULK: u32 = 20_000;
/// Instances of one service.
const INSTANCES: u32 = 5;
/// Rollcall shortens intervals by up to a tenth, at random, so that checks do not fall into step:
/// so much of an interval lies between two checks on average.
const INTERVAL_SHARE: f64 = 0.95;
/// How long the large crowd is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// How long each weather lasts: long enough for every check to fail twice, which is believed.
const WEATHER: Duration = Duration::from_secs(30);
/// How long a crowd may take to be all passing, or all critical.
const PATIENCE: Duration = Duration::from_secs(120);

/// So many checks, so often.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    count: u32,
    interval: Duration,
}

// === impl Checks ===

impl Part for Checks {
    fn name(&self) -> &'static str {
        "checks"
    }

    fn choices(&self) -> Vec<&'static str> {
        vec!["cost", "crowd"]
    }

    fn run(&self, env: &Env) -> Result<Section> {
        // Rollcall does it for itself; its targets and the harness need as many.
        rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")?;
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(machine::version("nginx", "nginx", "-v")?);
        if env.wants("cost") {
            cost(env, &mut section)?;
        }
        if env.wants("crowd") {
            crowd(env, &mut section)?;
        }
        Ok(section)
    }
}

/// One check beside a bare loop, in turns.
fn cost(env: &Env, section: &mut Section) -> Result<()> {
    // As many of them would take a whole core of a build without optimisation, and time out.
    let count = if env.quick { FEW / 10 } else { FEW };
    let few = Crowd { count, interval: Duration::from_millis(500) };
    let targets = Targets::start(env)?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=env.rounds {
        let floor = Bare::take(env, targets.port)?;
        let phase = few.one_turn(env, targets.port)?;
        eprintln!("cost, round {round}: bare {floor:.2} µs, Rollcall {:.2} µs", phase.cpu_micros());
        ensure!(phase.failed == 0.0, "{} checks failed", phase.failed);
        bare.push(floor);
        ours.push(phase.cpu_micros());
    }
    let middle = |figures: &[f64]| median(figures.iter().copied()).unwrap_or_default();
    let ratio = median_ratio(&ours, &bare).unwrap_or_default();
    section.text(
        "### One HTTP check, without keep-alive\n\nBare: one thread that connects, sends the same \
         request, reads once and closes, one after the other, on Rollcall's core. Rollcall: the \
         whole process with 5,000 checks twice a second.",
    );
    let mut table = Table::new(["", "CPU µs per check", "÷ bare"]);
    table.row(["bare loop".to_owned(), format!("{:.1}", middle(&bare)), "1".to_owned()]);
    table.row(["Rollcall".to_owned(), format!("{:.1}", middle(&ours)), format!("{ratio:.2}")]);
    section.table(&table);
    section.at_most("CPU per HTTP check ÷ a bare loop", ratio, 1.5, 2);
    Ok(())
}

/// The large crowd from its registration through three kinds of weather.
fn crowd(env: &Env, section: &mut Section) -> Result<()> {
    let (watched, weather, many) = if env.quick {
        let many = Crowd { count: 2_000, interval: Duration::from_secs(1) };
        (Duration::from_secs(2), Duration::from_secs(6), many)
    } else {
        (WATCHED, WEATHER, Crowd { count: MANY, interval: Duration::from_secs(10) })
    };
    let targets = Targets::start(env)?;
    let rollcall = Rollcall::start(env, &Options::default())?;
    let begun = Instant::now();
    many.register(&rollcall, targets.port)?;
    let registered = begun.elapsed();
    let until_passing = many.until_all(&rollcall, "passing")?;
    // The second checks are spread over one interval, and so are all after them.
    std::thread::sleep(many.interval + Duration::from_secs(1));
    let mut table = Table::new([
        "while",
        "checks/s",
        "CPU of the core %",
        "late p99 s",
        "latest s",
        "failed",
        "skipped",
        "DNS p99 µs",
        "memory MiB",
    ]);
    let mut watch = |name: &str, length| -> Result<Phase> {
        let phase = Phase::watch(env, &rollcall, length)?;
        table.row(phase.row(name));
        Ok(phase)
    };
    let steady = watch("all is well", watched)?;
    ensure!(steady.failed == 0.0, "{} checks failed", steady.failed);
    let port = targets.port;
    drop(targets);
    let until_critical = std::thread::scope(|scope| {
        let counting = scope.spawn(|| many.until_all(&rollcall, "critical"));
        watch("all are refused", weather)?;
        counting.join().expect("it does not panic")
    })?;
    let targets = Targets::start_at(env, port)?;
    watch("all come back", weather)?;
    many.until_all(&rollcall, "passing")?;
    targets.hang()?;
    watch("all hang, into a timeout of 2 s", weather)?;
    section.text(format!(
        "### {} HTTP checks, one every {:?} each, on one core\n\nRegistered within {:.1} s; all \
         passing {:.1} s after the last bulk was acknowledged; all critical {:.1} s after all \
         began to be refused (two failures are believed). Late is how long after its time a check \
         started, by Rollcall's own histogram (the bucket's upper bound), first checks apart. DNS \
         is asked 1,000 times a second on the same core.",
        many.count,
        many.interval,
        registered.as_secs_f64(),
        until_passing.as_secs_f64(),
        until_critical.as_secs_f64(),
    ));
    section.table(&table);
    let due = f64::from(many.count) / many.interval.as_secs_f64() / INTERVAL_SHARE;
    section.at_least("checks/s", steady.per_second(), 0.99 * due, 0);
    section.at_most("latest start of 100,000 checks every 10 s, s", steady.latest, 1.0, 3);
    Ok(())
}

// === impl Crowd ===

impl Crowd {
    /// A server of its own with this crowd, watched for one turn once every check has run.
    fn one_turn(self, env: &Env, port: u16) -> Result<Phase> {
        let rollcall = Rollcall::start(env, &Options::default())?;
        self.register(&rollcall, port)?;
        self.until_all(&rollcall, "passing")?;
        std::thread::sleep(self.interval * 2);
        Phase::watch_alone(&rollcall, env.turn)
    }

    fn register(self, rollcall: &Rollcall, port: u16) -> Result<()> {
        let all: Vec<u32> = (0..self.count).collect();
        let bulk =
            |bulk: &[u32]| bulk.iter().map(|index| self.registration(*index, port)).collect();
        rollcall.register(all.chunks(BULK as usize).map(bulk))
    }

    fn registration(self, index: u32, port: u16) -> Value {
        let interval = format!("{}ms", self.interval.as_millis());
        json!({
            "service": Data::service(index / INSTANCES),
            "instance": format!("i{}", index % INSTANCES),
            "addresses": [address(index)],
            "port": port,
            "checks": [{ "type": "http", "path": "/health", "interval": interval }],
        })
    }

    /// Waits until all instances have that status, and says how long it took.
    fn until_all(self, rollcall: &Rollcall, status: &str) -> Result<Duration> {
        let (begun, label) = (Instant::now(), format!("\"{status}\""));
        loop {
            let count = Scrape::of(rollcall.http)?.sum("rollcall_instances", &[&label]);
            if count >= f64::from(self.count) {
                return Ok(begun.elapsed());
            }
            ensure!(begun.elapsed() < PATIENCE, "only {count} of {} are {status}", self.count);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
