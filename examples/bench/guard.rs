//! Part `guard`: what it costs that somebody might abuse the server.
//!
//! The common case is a client of a local network and no rule at all; with `--beside` it is
//! compared with another build, for example one from before a change. Beside it stand the same
//! server with rules for many zones, and one to which everybody is a stranger whose replies are
//! counted, at a rate that is hardly reached.

use std::fmt::Write;

use anyhow::Result;

use crate::{
    contestant::Contestant,
    data::{A, Data, MIX},
    dns::Workload,
    dnsperf,
    part::{Env, Part, Section},
    process,
    rollcall::{self, Options, Rollcall},
};

const DATA: Data = Data { services: 1_000, instances: 5 };

const WORKLOADS: &[Workload] =
    &[Workload::by_udp("A", A, false, 1.08), Workload::by_udp("mix", MIX, false, 1.08)];

/// What the contestants are called.
const PLAIN: &str = "Rollcall";
const BESIDE: &str = "another build";
const RULES: &str = "64 access rules";
const STRANGERS: &str = "only strangers";

/// Zones with a rule, and networks of each.
const ZONES: u32 = 63;
const NETWORKS: u32 = 50;

/// The part.
#[derive(Debug)]
pub(crate) struct Guard;

// === impl Guard ===

impl Part for Guard {
    fn name(&self) -> &'static str {
        "guard"
    }

    fn choices(&self) -> Vec<&'static str> {
        WORKLOADS.iter().map(Workload::name).collect()
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(dnsperf::version()?);
        let files = process::scratch("guard")?;
        let servers = self.start(env, &mut section)?;
        let is_wanted = |workload: &&Workload| {
            env.wants(workload.name()) && (!env.quick || workload.name() == "mix")
        };
        for workload in WORKLOADS.iter().filter(is_wanted) {
            let rounds = workload.measure(env, &files, &servers)?;
            section.text(format!("### {}", workload.name()));
            section.table(&rounds.table());
            if env.quick {
                continue;
            }
            for (ours, theirs) in [(PLAIN, BESIDE), (RULES, PLAIN)] {
                if let Some(ratio) = rounds.ratio(ours, theirs) {
                    let what = format!("{}: CPU of {ours} ÷ {theirs}", workload.name());
                    section.at_most(&what, ratio, 1.03, 3);
                }
            }
        }
        Ok(section)
    }
}

impl Guard {
    fn start(&self, env: &Env, section: &mut Section) -> Result<Vec<Contestant>> {
        let mut servers = vec![Rollcall::start_with(env, DATA)?.server];
        for (name, config) in [(RULES, rules()), (STRANGERS, strangers().to_owned())] {
            let rollcall = Rollcall::start(env, &Options { config, ..Options::default() })?;
            rollcall.register(DATA.bulks())?;
            servers.push(Contestant { name, ..rollcall.server });
        }
        if let Some(beside) = &env.beside {
            let other = Env { rollcall: beside.clone(), ..env.clone() };
            section.version(format!("{BESIDE}: {}", rollcall::version(&other)?));
            servers.push(Contestant { name: BESIDE, ..Rollcall::start_with(&other, DATA)?.server });
        }
        Ok(servers)
    }
}

/// A configuration with many rules, the last of which is that of the zone that is asked for.
fn rules() -> String {
    let mut config = String::from("[dns]\naccess = [\n");
    for zone in 0..ZONES {
        let networks: Vec<_> = (0..NETWORKS).map(|n| format!("\"10.{zone}.{n}.0/24\"")).collect();
        let networks = networks.join(", ");
        let _ = writeln!(config, "{{ zone = \"zone{zone}.test\", allow = [{networks}] }},");
    }
    config += "{ zone = \"service.internal\", allow = [\"127.0.0.0/8\"] },\n]\n";
    config
}

/// A configuration in which nobody is exempt, and no rate is reached.
fn strangers() -> &'static str {
    "[dns.rate_limit]\nexempt = []\nunproven_udp_size = 1232\n\
     responses_per_second = 100000\nall_per_second = 100000\n"
}
