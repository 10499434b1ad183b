//! Part `writes`: durable registrations, one by one and in bulks, heartbeats, and whether an
//! acknowledged change is ever missing from DNS.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    contestant::{ask_udp, query},
    data::{Data, Kind},
    http::Http,
    part::{Env, Part, Section},
    process,
    rollcall::{self, Options, Rollcall},
    stats::median,
    table::Table,
    turn::micros,
    writing::{What, Written, registration},
};

/// Connections of the closed loop.
const CONNECTIONS: u32 = 64;
/// Instances that are registered again, or send heartbeats.
const KNOWN: u32 = 5_000;
/// The number of the first instance that nobody has registered yet, for each kind of load.
const FRESH: u32 = 1_000_000;
/// Services that come and go while they are asked for, on each connection.
const ASKED_FOR: u32 = 1_000;
/// Connections that this is done on.
const ASKING: u32 = 8;

/// The part.
#[derive(Debug)]
pub(crate) struct Writes;

/// One kind of load.
struct Load {
    name: &'static str,
    what: What,
    first: u32,
    among: Option<u32>,
    connections: u32,
    requests_max: u32,
}

/// What one turn has shown.
struct Turn {
    written: Written,
    /// CPU time of the server for each instance, in microseconds.
    cpu_micros: f64,
    commits_per_second: f64,
}

const REGISTER: &str = "register";
const BULK: &str = "bulks of 1,000";

const fn closed_loop(name: &'static str, what: What, first: u32, among: Option<u32>) -> Load {
    Load { name, what, first, among, connections: CONNECTIONS, requests_max: u32::MAX }
}

const LOADS: &[Load] = &[
    closed_loop(REGISTER, What::Register, FRESH, None),
    closed_loop("register again, the same", What::Register, 0, Some(KNOWN)),
    closed_loop("heartbeat", What::Heartbeat, 0, Some(KNOWN)),
    Load {
        name: BULK,
        what: What::Thousand,
        first: 4 * FRESH,
        among: None,
        connections: 2,
        requests_max: 200,
    },
    Load {
        name: "one bulk of 100,000",
        what: What::Most,
        first: 8 * FRESH,
        among: None,
        connections: 1,
        requests_max: 1,
    },
];

// === impl Writes ===

impl Part for Writes {
    fn name(&self) -> &'static str {
        "writes"
    }

    fn choices(&self) -> Vec<&'static str> {
        LOADS.iter().map(|load| load.name).collect()
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let loads: Vec<&Load> = LOADS.iter().filter(|load| env.wants(load.name)).collect();
        let mut turns: Vec<Vec<Turn>> = loads.iter().map(|_| Vec::new()).collect();
        let (mut syncs, mut resident, mut stale) = (Vec::new(), Vec::new(), 0);
        for round in 1..=env.rounds {
            eprintln!("writes, round {round}");
            syncs.push(syncs_per_second()?);
            let rollcall = Rollcall::start(env, &Options::default())?;
            let known = (0..KNOWN).map(|number| registration(number).1).collect();
            rollcall.register([known])?;
            for (load, turns) in loads.iter().zip(&mut turns) {
                let turn = load.take_turn(env, &rollcall)?;
                eprintln!("  {}: {:.0}/s", load.name, turn.written.per_second());
                turns.push(turn);
            }
            resident.push(rollcall.server.process.resident_octets()? as f64 / f64::from(1 << 20));
            stale += stale_answers(&rollcall)?;
        }
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        let middle = |figures: &[f64]| median(figures.iter().copied()).unwrap_or(f64::NAN);
        section.text(format!(
            "Each write is acknowledged when it is durable and visible to DNS. The load is a \
             closed loop: so many connections, on each the next request when the last one is \
             acknowledged. Commits share an fsync; the disk under the store syncs an appended \
             page {:.0} times a second when nothing else is done. Resident memory at the end of a \
             round: {:.0} MiB.",
            middle(&syncs),
            middle(&resident),
        ));
        section.table(&table(&loads, &turns));
        section.text(format!(
            "{} times a service was registered and asked for at once when that was acknowledged, \
             and deregistered and asked for again: {stale} answers were stale.",
            env.rounds * ASKING * ASKED_FOR,
        ));
        if !env.quick {
            for (name, least) in [(REGISTER, 20_000.0), (BULK, 200_000.0)] {
                if let Some(turns) = of(&loads, &turns, name) {
                    let rate = median(turns.iter().map(|t| t.written.per_second()));
                    let what = format!("{name}, instances/s");
                    section.at_least(&what, rate.unwrap_or(f64::NAN), least, 0);
                }
            }
            section.at_most("stale answers", f64::from(stale), 0.0, 0);
        }
        Ok(section)
    }
}

fn of<'t>(loads: &[&Load], turns: &'t [Vec<Turn>], name: &str) -> Option<&'t [Turn]> {
    let at = loads.iter().position(|load| load.name == name)?;
    Some(&turns[at])
}

fn table(loads: &[&Load], turns: &[Vec<Turn>]) -> Table {
    let columns =
        ["write", "connections", "instances/s", "CPU µs each", "mean ms", "p99 ms", "commits/s"];
    let mut table = Table::new(columns);
    for (load, turns) in loads.iter().zip(turns) {
        let middle = |figure: fn(&Turn) -> f64, digits: usize| {
            format!("{:.digits$}", median(turns.iter().map(figure)).unwrap_or(f64::NAN))
        };
        table.row([
            load.name.to_owned(),
            load.connections.to_string(),
            middle(|turn| turn.written.per_second(), 0),
            middle(|turn| turn.cpu_micros, 1),
            middle(|turn| micros(turn.written.mean) / 1e3, 2),
            middle(|turn| micros(turn.written.p99) / 1e3, 2),
            middle(|turn| turn.commits_per_second, 0),
        ]);
    }
    table
}

// === impl Load ===

impl Load {
    fn take_turn(&self, env: &Env, rollcall: &Rollcall) -> Result<Turn> {
        let mut arguments = vec![
            format!("--server={}", rollcall.http),
            format!("--what={}", self.what.name()),
            format!("--first={}", self.first),
            format!("--connections={}", self.connections),
            format!("--requests-max={}", self.requests_max),
            format!("--millis={}", env.turn.as_millis()),
        ];
        arguments.extend(self.among.map(|among| format!("--among={among}")));
        let process = &rollcall.server.process;
        let (commits, usage) = (commits(rollcall)?, process.usage()?);
        let written = Written::by(env, &arguments)?;
        let cpu = process.usage()?.since(&usage);
        let commits = self::commits(rollcall)? - commits;
        Ok(Turn {
            written,
            cpu_micros: micros(cpu) / written.instances as f64,
            commits_per_second: commits / written.took.as_secs_f64(),
        })
    }
}

/// Commits so far, each with one fsync.
fn commits(rollcall: &Rollcall) -> Result<f64> {
    let mut http = Http::to(rollcall.http)?;
    http.send("GET", "/metrics", "")?;
    let text = http.body();
    let name = "rollcall_store_commits_total ";
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.context("no metric of commits")?.parse().context("the metric of commits")
}

/// How often an answer did not show what had been acknowledged.
fn stale_answers(rollcall: &Rollcall) -> Result<u32> {
    thread::scope(|scope| {
        let ask = |connection: u32| move || stale_answers_on(rollcall, connection);
        let threads: Vec<_> = (0..ASKING).map(|number| scope.spawn(ask(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread returns")).sum()
    })
}

fn stale_answers_on(rollcall: &Rollcall, connection: u32) -> Result<u32> {
    /// Far behind those of the loads.
    const FIRST_SERVICE: u32 = 900_000;
    let mut http = Http::to(rollcall.http)?;
    let mut stale = 0;
    for number in 0..ASKED_FOR {
        let service = FIRST_SERVICE + connection * ASKED_FOR + number;
        let question = query(&Kind::A.question(service), 1, false)?;
        let path = format!("/api/v1/services/{}/instances/i0", Data::service(service));
        for (method, body, rcode) in
            [("PUT", r#"{"addresses":["10.9.9.9"]}"#, 0), ("DELETE", "", 3)]
        {
            let status = http.send(method, &path, body)?;
            ensure!(status < 300, "{method} {path} is refused with {status}");
            let reply = ask_udp(rollcall.server.dns, &question)?;
            stale += u32::from(reply[3] & 15 != rcode);
        }
    }
    Ok(stale)
}

/// How often the disk under the scratch folder makes an appended page durable in a second.
fn syncs_per_second() -> Result<f64> {
    let scratch = process::scratch("syncs")?;
    let file = File::create(scratch.path().join("file"))?;
    let begun = Instant::now();
    let mut count = 0_u64;
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&[1; 4_096], count * 4_096)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    Ok(rate)
}
