//! Part `dns`: CPU per query, throughput, latency and memory beside the best servers in C.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    contestant::Contestant,
    data::{Data, Kind, MIX, Mix},
    dnsperf::{Load, Transport},
    machine,
    part::{Env, Part, Section},
    process, recorded,
    rollcall::{self, Rollcall},
    stats::{median, median_ratio},
    table::Table,
    turn::Turn,
};

/// What is served.
const DATA: Data = Data { services: 1_000, instances: 5 };

/// Different questions in one file; dnsperf begins again at the end.
const QUESTIONS: usize = 20_000;

/// The part.
#[derive(Debug)]
pub(crate) struct Dns;

/// What is asked, and how.
struct Workload {
    name: &'static str,
    mix: &'static Mix,
    transport: Transport,
    edns: bool,
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "A", mix: &[(Kind::A, 100)], transport: Transport::Udp, edns: false },
    Workload { name: "A, EDNS", mix: &[(Kind::A, 100)], transport: Transport::Udp, edns: true },
    Workload { name: "SRV", mix: &[(Kind::Srv, 100)], transport: Transport::Udp, edns: false },
    Workload { name: "SRV, EDNS", mix: &[(Kind::Srv, 100)], transport: Transport::Udp, edns: true },
    Workload { name: "mix", mix: MIX, transport: Transport::Udp, edns: false },
    Workload { name: "mix, EDNS", mix: MIX, transport: Transport::Udp, edns: true },
    Workload { name: "mix, TCP", mix: MIX, transport: Transport::Tcp, edns: false },
];

/// The turns of each contestant, by its name.
type Turns = BTreeMap<&'static str, Vec<Turn>>;

// === impl Dns ===

impl Part for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(machine::version("dnsperf", "-h")?);
        let files = process::scratch("questions")?;
        let rollcall = Rollcall::start_with(env, DATA)?.server;
        // The mix has every kind of question: it shows that all of it works.
        let is_wanted = |workload: &&Workload| {
            env.wants(workload.name) && (!env.quick || workload.name.starts_with("mix,"))
        };
        for workload in WORKLOADS.iter().filter(is_wanted) {
            let turns = workload.measure(env, &files, &[&rollcall])?;
            section.text(format!("### {}", workload.name));
            section.table(&table_of(&turns));
        }
        Ok(section)
    }
}

// === impl Workload ===

impl Workload {
    fn measure(&self, env: &Env, files: &TempDir, servers: &[&Contestant]) -> Result<Turns> {
        let (questions, text) = self.write_questions(files)?;
        let load = Load { questions: &questions, transport: self.transport, edns: self.edns };
        let floor = match self.transport {
            Transport::Udp => {
                let reply = recorded::median_reply(servers[0], &text, self.edns)?;
                let question = text.lines().next().context("a first question")?;
                Some(recorded::start_floor(env, &reply, question)?)
            }
            Transport::Tcp => None,
        };
        let mut turns = Turns::new();
        for round in 1..=env.rounds {
            for server in floor.iter().chain(servers.iter().copied()) {
                let turn = Turn::take(env, server, &load)
                    .with_context(|| format!("{} with {}", self.name, server.name))?;
                eprintln!(
                    "{}, round {round}, {}: {:.2} µs, {:.0}/s",
                    self.name, server.name, turn.cpu_micros, turn.per_second
                );
                turns.entry(server.name).or_default().push(turn);
            }
        }
        Ok(turns)
    }

    fn write_questions(&self, files: &TempDir) -> Result<(PathBuf, String)> {
        let file = files.path().join(self.name.replace(", ", "-"));
        let text = DATA.questions(self.mix, QUESTIONS);
        fs::write(&file, &text).context("writing the questions")?;
        Ok((file, text))
    }
}

fn table_of(turns: &Turns) -> Table {
    let mut table =
        Table::new(["server", "CPU µs", "÷ floor", "queries/s", "mean µs", "p99 µs", "memory MiB"]);
    let of = |name: &str, figure: fn(&Turn) -> f64| -> Vec<f64> {
        turns.get(name).into_iter().flatten().map(figure).collect()
    };
    for name in turns.keys() {
        let middle = |figure| median(of(name, figure)).unwrap_or_default();
        let ratio = median_ratio(&of(name, |t| t.cpu_micros), &of("floor", |t| t.cpu_micros));
        table.row([
            (*name).to_owned(),
            format!("{:.2}", middle(|t| t.cpu_micros)),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}")),
            format!("{:.0}", middle(|t| t.per_second)),
            format!("{:.0}", middle(|t| t.mean_micros)),
            format!("{:.0}", middle(|t| t.p99_micros)),
            format!("{:.1}", middle(|t| t.resident_mib)),
        ]);
    }
    table
}
