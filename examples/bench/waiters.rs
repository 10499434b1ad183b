//! Part `waiters`: ten thousand clients of Consul's interface that wait for changes, and what they
//! cost while nothing happens and when something does.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    data::Data,
    part::{Env, Part, Section},
    process::Process,
    rollcall::{self, Rollcall},
    stats::median,
    table::Table,
    turn::micros,
    waiting::{WaitingNow, Woken},
};

const DATA: Data = Data { services: 100, instances: 10 };

/// How many wait, as many for each service; fewer where only the harness is tried.
const CLIENTS: u32 = 10_000;
const QUICK: u32 = 200;

/// For how long the server is watched while nothing happens.
const WATCHED: Duration = Duration::from_secs(5);

/// The server is at rest when it used less than this of a tenth of a second. One that is built
/// without optimisation never is.
const REST: Duration = Duration::from_millis(1);

/// How long it may take until it is.
const PATIENCE: Duration = Duration::from_secs(60);

const MIB: f64 = (1_u64 << 20) as f64;

/// The part.
#[derive(Debug)]
pub(crate) struct Waiters;

/// What the rounds have shown.
#[derive(Default)]
struct Shown {
    woken: Vec<Woken>,
    /// CPU time of the server for each change with all that it led to, in milliseconds.
    cpu_ms: Vec<f64>,
}

// === impl Waiters ===

impl Part for Waiters {
    fn name(&self) -> &'static str {
        "waiters"
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        let clients = if env.quick { QUICK } else { CLIENTS };
        let rollcall = Rollcall::start_with(env, DATA)?;
        let process = &rollcall.server.process;
        let before = process.settled_octets(env)? as f64;
        let mut waiting = WaitingNow::start(env, rollcall.http, DATA.services, clients)?;
        if !env.quick {
            until_at_rest(process)?;
        }
        let (usage, begun) = (process.usage()?, Instant::now());
        sleep(if env.quick { env.turn } else { WATCHED });
        let busy = process.usage()?.since(&usage).as_secs_f64() / begun.elapsed().as_secs_f64();
        let held = process.resident_octets()? as f64 - before;
        let mut shown = Shown::default();
        for round in 0..env.rounds {
            let usage = process.usage()?;
            let woken = waiting.change(round * 7 % DATA.services)?;
            eprintln!("waiters, round {}: {woken:?}", round + 1);
            shown.woken.push(woken);
            shown.cpu_ms.push(micros(process.usage()?.since(&usage)) / 1e3);
        }
        let peak = process.peak_octets()? as f64 - before;
        section.text(format!(
            "{clients} connections, each with a blocking query (`/v1/health/service/S?index=…`), \
             spread over {} services with {} instances. In each round one instance of one service \
             changes; whoever is answered asks again. Memory is that above the {:.0} MiB before \
             they came. Times are from the change's sending; it is acknowledged after {:.1} ms.",
            DATA.services,
            DATA.instances,
            before / MIB,
            shown.middle(|woken| micros(woken.acknowledged) / 1e3),
        ));
        section.table(&shown.table(clients, busy, held, peak));
        let own = clients / DATA.services;
        let is_right = |woken: &&Woken| (woken.own, woken.others) == (u64::from(own), 0);
        let wrong = shown.woken.iter().filter(|woken| !is_right(woken)).count();
        ensure!(!env.quick || wrong == 0, "not those were answered who wait: {:?}", shown.woken);
        if !env.quick {
            section.at_most("MiB of those who wait", held.max(peak) / MIB, 1_024.0, 0);
            section.at_most("CPU of the core while nothing happens, %", 100.0 * busy, 1.0, 2);
            section.at_most("rounds in which others are answered", wrong as f64, 0.0, 0);
            let last = shown.middle(|woken| micros(woken.last) / 1e3);
            section.at_most("the last answer to a change, ms", last, 100.0, 1);
        }
        Ok(section)
    }
}

/// Waits until the server does nothing.
fn until_at_rest(process: &Process) -> Result<()> {
    let begun = Instant::now();
    loop {
        let before = process.usage()?;
        sleep(Duration::from_millis(100));
        let used = process.usage()?.since(&before);
        if used < REST {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "the server is never at rest: {used:?} in 100 ms");
    }
}

// === impl Shown ===

impl Shown {
    fn middle(&self, figure: impl Fn(&Woken) -> f64) -> f64 {
        median(self.woken.iter().map(figure)).unwrap_or(f64::NAN)
    }

    fn table(&self, clients: u32, busy: f64, held: f64, peak: f64) -> Table {
        let mut table = Table::new([
            "waiting",
            "MiB",
            "KiB each",
            "peak MiB",
            "CPU at rest %",
            "answered",
            "others",
            "first ms",
            "last ms",
            "CPU ms a change",
        ]);
        let ms = |figure: fn(&Woken) -> Duration| {
            format!("{:.2}", self.middle(|woken| micros(figure(woken)) / 1e3))
        };
        table.row([
            clients.to_string(),
            format!("{:.0}", held / MIB),
            format!("{:.1}", held / 1_024.0 / f64::from(clients)),
            format!("{:.0}", peak / MIB),
            format!("{:.2}", 100.0 * busy),
            format!("{:.0}", self.middle(|woken| woken.own as f64)),
            format!("{:.0}", self.middle(|woken| woken.others as f64)),
            ms(|woken| woken.first),
            ms(|woken| woken.last),
            format!("{:.2}", median(self.cpu_ms.iter().copied()).unwrap_or(f64::NAN)),
        ]);
        table
    }
}
