//! Part `dns`: CPU per query, throughput, latency and memory beside the best servers in C.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    contestant::Contestant,
    data::{A, Data, MIX, Mix, SRV, ZONE},
    dnsperf::{self, Load, Transport},
    part::{Env, Part, Section},
    peers::PEERS,
    process, recorded,
    rollcall::{self, Rollcall},
    rounds::Rounds,
    turn::Turn,
    verify,
};

/// What is served.
const DATA: Data = Data { services: 1_000, instances: 5 };

/// Different questions in one file; dnsperf begins again at the end.
const QUESTIONS: usize = 20_000;

/// Who is measured.
const OURS: &str = "Rollcall";

/// The same server, asked for the same services by the names that Consul's clients use, in turn
/// with the others. With EDNS only: without it these names have fewer answers.
const BY_CONSULS_NAMES: &str = "Rollcall, Consul's names";

/// What stands behind the services in these names, in place of [`ZONE`].
const CONSULS_ZONE: &str = "service.consul";

/// What CPU they are to cost at most, as a multiple of the native names'.
const CONSULS_RATIO_MAX: f64 = 1.10;

/// The part.
#[derive(Debug)]
pub(crate) struct Dns;

/// What is asked, and how.
pub(crate) struct Workload {
    name: &'static str,
    mix: &'static Mix,
    transport: Transport,
    edns: bool,
    /// What Rollcall's CPU per query is to be at most, as a multiple of the floor's.
    floor_ratio_max: f64,
}

const WORKLOADS: &[Workload] = &[
    Workload::by_udp("A", A, false, 1.08),
    Workload::by_udp("A, EDNS", A, true, 1.08),
    // Larger replies: more of them is copied.
    Workload::by_udp("SRV", SRV, false, 1.10),
    Workload::by_udp("SRV, EDNS", SRV, true, 1.10),
    Workload::by_udp("mix", MIX, false, 1.08),
    Workload::by_udp("mix, EDNS", MIX, true, 1.08),
    Workload { transport: Transport::Tcp, ..Workload::by_udp("mix, TCP", MIX, false, 1.0) },
];

// === impl Dns ===

impl Part for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn choices(&self) -> Vec<&'static str> {
        WORKLOADS.iter().map(|workload| workload.name).collect()
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        let peers = if env.quick { &[] } else { PEERS };
        for peer in peers {
            section.version(peer.version()?);
        }
        section.version(dnsperf::version()?);
        section.text(format!(
            "{} services with {} instances each, on loopback; dnsperf on a core of its own.",
            DATA.services, DATA.instances
        ));
        let files = process::scratch("questions")?;
        let mut servers = vec![Rollcall::start_with(env, DATA)?.server];
        if let Some(beside) = &env.beside {
            let other = Env { rollcall: beside.clone(), ..env.clone() };
            let server = Rollcall::start_with(&other, DATA)?.server;
            servers.push(Contestant { name: "another build", ..server });
        }
        for peer in peers {
            servers.push(peer.start(env, DATA).with_context(|| peer.name.to_owned())?);
        }
        for server in &servers {
            for remark in verify::answers(server, DATA)? {
                section.text(remark);
            }
        }
        // The mix has every kind of question: it shows that all of it works.
        let is_wanted = |workload: &&Workload| {
            env.wants(workload.name) && (!env.quick || workload.name.starts_with("mix,"))
        };
        for workload in WORKLOADS.iter().filter(is_wanted) {
            let rounds = workload.measure(env, &files, &servers)?;
            section.text(format!("### {}", workload.name));
            section.table(&rounds.table());
            if !env.quick {
                workload.judge(&rounds, &mut section);
            }
        }
        Ok(section)
    }
}

// === impl Workload ===

impl Workload {
    /// So many of a mix, asked by UDP.
    pub(crate) const fn by_udp(
        name: &'static str,
        mix: &'static Mix,
        edns: bool,
        floor_ratio_max: f64,
    ) -> Self {
        Self { name, mix, transport: Transport::Udp, edns, floor_ratio_max }
    }

    /// What the tables call it.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The turns of all servers, and of the floor, in rounds.
    ///
    /// # Errors
    /// When one of them cannot be asked, or answers wrongly.
    pub(crate) fn measure(
        &self,
        env: &Env,
        files: &TempDir,
        servers: &[Contestant],
    ) -> Result<Rounds> {
        let (questions, text) = self.write_questions(files, ZONE)?;
        let load = Load { questions: &questions, transport: self.transport, edns: self.edns };
        let (renamed, _) = self.write_questions(files, CONSULS_ZONE)?;
        let renamed = Load { questions: &renamed, ..load };
        let floor = match self.transport {
            Transport::Udp => {
                let reply = recorded::median_reply(&servers[0], &text, self.edns)?;
                let question = text.lines().next().context("a first question")?;
                Some(recorded::start_floor(env, &reply, question)?)
            }
            Transport::Tcp => None,
        };
        let mut rounds = Rounds::default();
        let as_they_are = floor.iter().chain(servers).map(|server| (server.name, server, &load));
        let ours = servers.iter().find(|server| server.name == OURS && self.edns);
        let ours = ours.map(|server| (BY_CONSULS_NAMES, server, &renamed));
        let mut order: Vec<(&str, &Contestant, &Load<'_>)> = as_they_are.chain(ours).collect();
        for round in 1..=env.rounds {
            for (name, server, load) in &order {
                let turn = Turn::take(env, server, load)
                    .with_context(|| format!("{} with {name}", self.name))?;
                if *name != recorded::FLOOR {
                    verify::codes(&turn, self.mix).with_context(|| (*name).to_owned())?;
                }
                eprintln!("{}, round {round}, {name}: {turn}", self.name);
                rounds.add(name, turn);
            }
            // Nobody is always the first, while the processor is still cool.
            order.rotate_left(1);
        }
        Ok(rounds)
    }

    fn write_questions(&self, files: &TempDir, zone: &str) -> Result<(PathBuf, String)> {
        let file = files.path().join(format!("{}-{zone}", self.name.replace(", ", "-")));
        let text = DATA.questions(self.mix, QUESTIONS).replace(ZONE, zone);
        fs::write(&file, &text).context("writing the questions")?;
        Ok((file, text))
    }

    /// What is to be reached: near the floor, and below the best; by Consul's names near that.
    fn judge(&self, rounds: &Rounds, section: &mut Section) {
        let ours = OURS;
        if let Some(ratio) = rounds.ratio(BY_CONSULS_NAMES, ours) {
            let what = format!("{}: CPU by Consul's names ÷ by native ones", self.name);
            section.at_most(&what, ratio, CONSULS_RATIO_MAX, 3);
        }
        let limits = [(recorded::FLOOR, self.floor_ratio_max), ("NSD", 1.0), ("Knot", 1.0)];
        for (theirs, limit) in limits {
            // What was asked for by TCP is to cost no more than with Knot.
            let is_asked = self.transport == Transport::Udp || theirs == "Knot";
            if let Some(ratio) = rounds.ratio(ours, theirs).filter(|_| is_asked) {
                section.at_most(&format!("{}: CPU ÷ {theirs}", self.name), ratio, limit, 3);
            }
        }
    }
}
