//! Short lists, which clients ask for all the time, beside Consul's own agent.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Result;

use super::{CONNECTIONS, agent::Agent, door::Door};
use crate::{
    asking::{Asked, Requests},
    data::Data,
    part::{Env, Section},
    process::Process,
    rollcall::{Options, Rollcall},
    stats::{median, median_ratio},
    table::Table,
    turn::micros,
};

const DATA: Data = Data { services: 100, instances: 10 };

/// What one turn has shown.
struct Turn {
    asked: Asked,
    /// CPU time of the server for each request, in microseconds.
    cpu_micros: f64,
}

/// Asks both, and tells how they did.
///
/// # Errors
/// When one of them does not come up, or refuses.
pub(super) fn tell(env: &Env, section: &mut Section, files: &Path) -> Result<()> {
    let rollcall = Rollcall::start(env, &Options::default())?;
    let agent = if env.quick { None } else { Some(Agent::start(env)?) };
    let mut servers = vec![("Rollcall", rollcall.http, &rollcall.server.process)];
    if let Some(agent) = &agent {
        section.version(Agent::version()?);
        servers.push(("Consul", agent.http, &agent.process));
    }
    for (_, server, _) in &servers {
        Door::Consul.fill(env, *server, DATA, files)?;
    }
    let file = files.join("short");
    let path = |service| format!("GET /v1/health/service/{}?passing\n", Data::service(service));
    fs::write(&file, (0..DATA.services).map(path).collect::<String>())?;
    section.text(format!(
        "### Beside Consul's agent\n\n`/v1/health/service/S?passing`, {} services with {} \
         instances each, over {CONNECTIONS} connections. The agent is its own server.",
        DATA.services, DATA.instances
    ));
    let mut table =
        Table::new(["server", "requests/s", "CPU µs each", "mean ms", "p99 ms", "octets"]);
    for header in [None, Some("accept-encoding: gzip")] {
        let with = if header.is_some() { ", gzip" } else { "" };
        let time = Some(env.turn);
        let requests = Requests { file: &file, connections: CONNECTIONS, time, header };
        let mut turns: Vec<Vec<Turn>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..env.rounds {
            for ((_, server, process), turns) in servers.iter().zip(&mut turns) {
                turns.push(Turn::take(env, *server, process, &requests)?);
            }
        }
        for ((name, ..), turns) in servers.iter().zip(&turns) {
            table.row(row(format!("{name}{with}"), turns));
        }
        if let [ours, theirs] = &turns[..] {
            let ratio = median_ratio(&rates(ours), &rates(theirs)).unwrap_or(f64::NAN);
            section.at_least(&format!("requests/s ÷ Consul's{with}"), ratio, 1.0, 2);
        }
    }
    section.table(&table);
    Ok(())
}

fn rates(turns: &[Turn]) -> Vec<f64> {
    turns.iter().map(|turn| turn.asked.per_second()).collect()
}

fn row(name: String, turns: &[Turn]) -> [String; 6] {
    let middle = |figure: fn(&Turn) -> f64, digits: usize| {
        format!("{:.digits$}", median(turns.iter().map(figure)).unwrap_or(f64::NAN))
    };
    [
        name,
        middle(|turn| turn.asked.per_second(), 0),
        middle(|turn| turn.cpu_micros, 1),
        middle(|turn| micros(turn.asked.mean) / 1e3, 2),
        middle(|turn| micros(turn.asked.p99) / 1e3, 2),
        middle(|turn| turn.asked.octets as f64, 0),
    ]
}

// === impl Turn ===

impl Turn {
    fn take(
        env: &Env,
        server: SocketAddr,
        process: &Process,
        requests: &Requests<'_>,
    ) -> Result<Self> {
        let before = process.usage()?;
        let asked = requests.ask(env, server)?;
        let cpu_micros = micros(process.usage()?.since(&before)) / asked.requests as f64;
        Ok(Self { asked, cpu_micros })
    }
}
