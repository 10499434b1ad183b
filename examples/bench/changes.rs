//! Part `changes`: DNS while 2,000 changes a second are applied, beside DNS at rest.
//!
//! One core does both, so there are two readings of "CPU per query", and both are told and judged.
//! That of the threads that answer UDP is what a query costs, with all that changes do to it: cold
//! caches, fresh snapshots, longer queues. That of the whole process has the changes in it as well,
//! HTTP and commits, spread over as many queries as happened to be answered meanwhile; what it adds
//! is the price of the changes, which is told by itself: CPU per change with and without queries.
//!
//! Latency has a yardstick of its own: the floor, asked while the same changes are applied by
//! Rollcall beside it. It shares nothing with them but the core, so what its p99 suffers is the
//! scheduler's doing, and nobody's answers could suffer less.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    churn::{Churned, Churning, with_ttl},
    data::{Data, MIX},
    dnsperf::{self, Load, Transport, Until},
    part::{Env, Part, Section},
    process,
    recorded::{self, FLOOR},
    rollcall::{self, Rollcall},
    rounds::Rounds,
    stats::median,
    turn::{Turn, micros},
    verify,
};

const DATA: Data = Data { services: 1_000, instances: 5 };

/// Different questions in one file; dnsperf begins again at the end.
const QUESTIONS: usize = 20_000;

/// Changes in a second.
const RATE: u32 = 2_000;

/// The changes begin before the load and end after it.
const LEAD: Duration = Duration::from_millis(300);

/// What the threads are called that answer UDP.
const UDP_THREADS: &str = "dns-udp-";

/// The part.
#[derive(Debug)]
pub(crate) struct Changes;

/// What the rounds have shown.
#[derive(Default)]
struct Shown {
    rounds: Rounds,
    changes_per_second: Vec<f64>,
    /// CPU time of one change while nobody asks, in microseconds.
    idle_change_micros: Vec<f64>,
    /// CPU time of the threads that do not answer UDP, for each change while the mix is asked.
    busy_change_micros: Vec<f64>,
}

const FLOOR_BESIDE: &str = "floor beside changes";
const AT_REST: &str = "at rest";
const UNDER_CHANGES: &str = "under changes";

// === impl Changes ===

impl Part for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let files = process::scratch("questions")?;
        let file = files.path().join("mix");
        let questions = DATA.questions(MIX, QUESTIONS);
        fs::write(&file, &questions).context("writing the questions")?;
        let mut shown = Shown::default();
        for round in 1..=env.rounds {
            eprintln!("changes, round {round}");
            shown.take_round(env, &file, &questions)?;
        }
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(dnsperf::version()?);
        shown.tell(env, &mut section);
        Ok(section)
    }
}

// === impl Shown ===

impl Shown {
    /// One round on a server of its own, so that each begins with the same registry.
    fn take_round(&mut self, env: &Env, file: &Path, questions: &str) -> Result<()> {
        let rollcall = Rollcall::start_with(env, DATA)?;
        let server = &rollcall.server;
        verify::answers(server, DATA)?;
        let last = |service| with_ttl(Data::registration(service, DATA.instances - 1));
        rollcall.register([(0..DATA.services).map(last).collect::<Value>()])?;
        let reply = recorded::median_reply(server, questions, false)?;
        let first = questions.lines().next().context("a first question")?;
        let floor = recorded::start_floor(env, &reply, first)?;
        let load = Load { questions: file, transport: Transport::Udp, edns: false };

        self.rounds.add(FLOOR, Turn::take(env, &floor, &load)?);
        let at_rest = Turn::take(env, server, &load)?;
        verify::codes(&at_rest, MIX)?;
        self.rounds.add(AT_REST, at_rest);
        load.run(env, server.dns, Until::Asked)?;
        let beside = |contestant| -> Result<(Turn, Churned)> {
            let time = env.turn + 2 * LEAD;
            let changing = Churning::start(env, rollcall.http, DATA, RATE, time)?;
            std::thread::sleep(LEAD);
            let turn = Turn::take_warm(env, contestant, &load)?;
            if contestant.name != FLOOR {
                verify::codes(&turn, MIX)?;
            }
            Ok((turn, changing.finish()?))
        };
        let (turn, churned) = beside(server)?;
        self.changes_per_second.push(churned.per_second());
        let changes = churned.per_second() * turn.lasted.as_secs_f64();
        self.busy_change_micros.push(micros(other_threads(&turn)) / changes);
        self.rounds.add(UNDER_CHANGES, turn);
        self.rounds.add(FLOOR_BESIDE, beside(&floor)?.0);
        self.idle_change_micros.push(Self::price_of_a_change(env, &rollcall)?);
        Ok(())
    }

    /// The CPU time of one change, in microseconds, while nobody asks.
    fn price_of_a_change(env: &Env, rollcall: &Rollcall) -> Result<f64> {
        let process = &rollcall.server.process;
        let before = process.usage()?;
        let churned: Churned =
            Churning::start(env, rollcall.http, DATA, RATE, env.turn)?.finish()?;
        Ok(micros(process.usage()?.since(&before)) / churned.changes as f64)
    }

    fn tell(&self, env: &Env, section: &mut Section) {
        let middle = |figures: &[f64]| median(figures.iter().copied()).unwrap_or(f64::NAN);
        let rate = middle(&self.changes_per_second);
        section.text(format!(
            "The mix by UDP, at rest and while instances are registered, deregistered and \
             reported critical and passing over HTTP: {rate:.0} changes/s of {RATE}/s due were \
             acknowledged, each durable and visible. A change costs {:.0} µs of CPU beside these \
             queries, and {:.0} µs when nobody asks.",
            middle(&self.busy_change_micros),
            middle(&self.idle_change_micros),
        ));
        section.table(&self.rounds.table());
        if !env.quick {
            let ratio_of = |ours, theirs, figure: fn(&Turn) -> f64| {
                self.rounds.ratio_of(ours, theirs, figure).unwrap_or(f64::NAN)
            };
            let ratio = |figure| ratio_of(UNDER_CHANGES, AT_REST, figure);
            let (answering, whole) = (ratio(answering_micros), ratio(|turn| turn.cpu_micros));
            section.text(format!(
                "The floor shares nothing with the changes but the core: its p99 beside them is \
                 {:.2} of that at rest.",
                ratio_of(FLOOR_BESIDE, FLOOR, |turn| turn.p99_micros)
            ));
            section.at_most("CPU per query ÷ at rest, UDP threads", answering, 1.15, 3);
            section.at_most("CPU per query ÷ at rest, whole process", whole, 1.15, 3);
            section.at_most("p99 ÷ at rest", ratio(|turn| turn.p99_micros), 2.0, 2);
            section.at_least("changes/s", rate, 0.99 * f64::from(RATE), 0);
        }
    }
}

/// The CPU time of all threads but those that answer UDP.
fn other_threads(turn: &Turn) -> Duration {
    let [before, after] = &turn.usage;
    after.since_of(before, |name| !name.starts_with(UDP_THREADS))
}

/// The CPU time per query of the threads that answer UDP, in microseconds.
fn answering_micros(turn: &Turn) -> f64 {
    let [before, after] = &turn.usage;
    micros(after.since_of(before, |name| name.starts_with(UDP_THREADS))) / turn.answered
}
