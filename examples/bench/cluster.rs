//! Part `cluster`: three servers on an etcd of three members, all on this machine.
//!
//! Seven processes and the load share both cores, because one would not do; so times are those of a
//! machine that is busy with everything at once, and CPU is told apart by process. `--instances`
//! says how many instances they share.

mod beats;
mod change;
mod death;
mod etcd;
mod fleet;
mod growth;

use std::{thread, time::Duration};

use anyhow::{Result, ensure};

use self::{
    beats::Beats,
    change::{Changed, Load, millis_at},
    death::Death,
    etcd::{Etcd, Reading},
    fleet::Fleet,
    growth::{COMPACTION, Growth},
};
use crate::{
    cpu::Usage,
    part::{Env, Part, Section},
    rollcall::{self, Rollcall},
    stats::median,
    table::Table,
    turn::micros,
};

/// Changes in a second that are to be shown in time.
const RATE: u32 = 500;
/// The same where only the harness is tried.
const QUICK_RATE: u32 = 50;
/// Rates at which it is tried how many can be, as long as they can.
const RATES: [u32; 7] = [100, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000];
/// All servers are to show a change within so many milliseconds, 99 of 100 times.
const SHOWN_MS: f64 = 50.0;
/// The shortest load of changes.
const TURN_MIN: Duration = Duration::from_secs(3);
/// Loads at each rate; more of them tell little more.
const TURNS_MAX: u32 = 5;
/// Servers that only follow, to see what one more costs.
const FOLLOWERS: usize = 10;
/// Above so many instances there is no room for them.
const FOLLOWED_MAX: u32 = 200_000;
/// Changes in a second then: so few that each is a transaction of its own, with and without them.
const FOLLOWED_RATE: u32 = 100;
/// Instances of which the growth is watched, at the most: so few that each is changed often.
const GROWING_MAX: u32 = 20_000;
/// Heartbeats in a second: those of 100,000 instances, each 20 s.
const BEATS: u32 = 5_000;
/// How long all is watched when nothing happens.
const WATCHED: Duration = Duration::from_secs(20);
/// Instances where only the harness is tried.
const QUICK: u32 = 2_000;

const MIB: f64 = (1_u64 << 20) as f64;

const FRESH: &str = "fresh";
const REST: &str = "rest";
const CHANGES: &str = "changes";
const LIMIT: &str = "limit";
const DEATH: &str = "death";
const COPIES: &str = "copies";
const GROWTH: &str = "growth";

/// The part.
#[derive(Debug)]
pub(crate) struct Cluster;

/// Measures one thing of a fleet, and tells of it.
type Measure = fn(&Env, &mut Fleet, &mut Section) -> Result<()>;

/// One load of changes, and what it cost.
struct Turn {
    changed: Changed,
    /// Revisions of etcd for each change.
    revisions: f64,
    /// CPU of all members for each change, in microseconds.
    etcd_micros: f64,
    /// The same of one of the servers that take changes.
    server_micros: f64,
    /// And of one that only follows; NaN without any.
    follower_micros: f64,
    /// By how many octets for each change the file of a member grew.
    octets: f64,
}

// === impl Cluster ===

impl Part for Cluster {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn choices(&self) -> Vec<&'static str> {
        vec![REST, FRESH, CHANGES, LIMIT, DEATH, COPIES, GROWTH]
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(Etcd::version()?);
        let instances = if env.quick { QUICK } else { env.instances };
        section.text(format!(
            "{instances} instances with one ttl check each on three servers and three members of \
             etcd, all on loopback and, with the load, on two cores."
        ));
        if self.choices().iter().any(|name| *name != GROWTH && env.wants(name)) {
            let mut fleet = Fleet::start(env, instances, &[])?;
            let parts = [
                // Before anybody dies: a lease that runs out is a write.
                (REST, rest as Measure),
                (FRESH, fresh),
                (CHANGES, changes),
                (LIMIT, limit),
                (DEATH, death),
                (COPIES, copies),
            ];
            for (name, part) in parts {
                if env.wants(name) {
                    eprintln!("cluster, {name}");
                    part(env, &mut fleet, &mut section)?;
                }
            }
        }
        if env.wants(GROWTH) {
            eprintln!("cluster, {GROWTH}");
            let fleet = Fleet::start(env, instances.min(GROWING_MAX), &COMPACTION)?;
            growth(env, &fleet, &mut section)?;
        }
        Ok(section)
    }
}

/// How fast servers start that know nothing, and what they take.
fn fresh(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    for _ in 1..if env.quick { 1 } else { env.rounds.min(TURNS_MAX) } {
        let another = fleet.start_another(env)?;
        another.kill()?;
    }
    let hundred_thousands = f64::from(fleet.instances()) / 1e5;
    let middle = |figure: fn(&fleet::Start) -> f64| {
        median(fleet.starts.iter().map(figure)).unwrap_or(f64::NAN)
    };
    let ready = middle(|start| start.ready.as_secs_f64());
    let etcd = fleet.etcd.read()?;
    let mut table =
        Table::new(["instances", "import s", "ready s", "MiB", "peak MiB", "etcd's file MiB"]);
    table.row([
        fleet.instances().to_string(),
        format!("{:.1}", fleet.import.as_secs_f64()),
        format!("{ready:.2}"),
        format!("{:.0}", middle(|start| start.resident) / MIB),
        format!("{:.0}", middle(|start| start.peak) / MIB),
        format!("{:.0}", etcd.octets / MIB),
    ]);
    section.text("### A fresh server\n\nFrom its start to its first answer.");
    section.table(&table);
    if !env.quick {
        let each = ready / hundred_thousands;
        section.at_most("a fresh server is ready, s for 100000 instances", each, 5.0, 2);
    }
    Ok(())
}

/// What is written while nothing happens but heartbeats.
fn rest(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    let (watched, rate) = if env.quick { (env.turn, RATE) } else { (WATCHED, BEATS) };
    let mut table = Table::new([
        "for",
        "heartbeats/s",
        "revisions",
        "log entries/s",
        "written KiB/s",
        "etcd CPU %",
        "a server's CPU %",
    ]);
    let mut row = |name: &str, act: &dyn Fn(&Fleet) -> Result<u32>| -> Result<f64> {
        let (before, usage) = (fleet.etcd.read()?, Fleet::usage(&fleet.servers)?);
        let beats = act(fleet)?;
        let (after, usage) = (fleet.etcd.read()?, mean_since(&fleet.servers, &usage)?);
        let seconds = after.time_since(&before).as_secs_f64();
        let revisions = after.revision - before.revision;
        table.row([
            format!("{name}, {seconds:.0} s"),
            format!("{:.0}", f64::from(beats) / seconds),
            format!("{revisions:.0}"),
            format!("{:.1}", (after.entries - before.entries) / seconds),
            format!("{:.0}", (after.written - before.written) / 1_024.0 / seconds),
            format!("{:.1}", 100.0 * after.cpu_since(&before).as_secs_f64() / seconds),
            format!("{:.1}", usage / 1e4 / seconds),
        ]);
        Ok(revisions)
    };
    row("nothing", &|_| {
        thread::sleep(watched);
        Ok(0)
    })?;
    let revisions = row("heartbeats", &|fleet| {
        Beats { data: fleet.data, rate }.run(&fleet.http())?;
        Ok(fleet.instances())
    })?;
    section.text(
        "### At rest\n\nA heartbeat of each instance, each at one of the servers at random. Log \
         entries are what members ask one another to carry out, writes or not.",
    );
    section.table(&table);
    ensure!(!env.quick || revisions == 0.0, "heartbeats are written: {revisions} revisions");
    section.at_most("revisions of etcd by heartbeats", revisions, 0.0, 0);
    Ok(())
}

/// Whether changes are shown in time.
fn changes(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    let rate = if env.quick { QUICK_RATE } else { RATE };
    let turns = turns(env, fleet, rate)?;
    section.text(
        "### Changes\n\nAn instance is replaced at one of the servers, whose reply is waited for; \
         shown is when clients of all three servers have been told of it. Times are from when a \
         change was due.",
    );
    let mut table = change_table();
    table.row(row_of(rate, &turns));
    section.table(&table);
    if !env.quick {
        let what = format!("shown by all servers at {rate} changes/s, p99 ms");
        section.at_most(&what, shown(&turns), SHOWN_MS, 1);
        let octets = middle(&turns, |turn| turn.octets);
        section.text(format!(
            "Without compaction etcd's file grows by {octets:.0} octets a change: {:.1} GiB in an \
             hour of {rate} changes/s.",
            octets * f64::from(rate) * 3_600.0 / (1_u64 << 30) as f64
        ));
    }
    Ok(())
}

/// How many changes in a second are shown in time.
fn limit(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    let mut table = change_table();
    for rate in RATES.into_iter().take(if env.quick { 1 } else { RATES.len() }) {
        let turns = turns(env, fleet, rate)?;
        table.row(row_of(rate, &turns));
        if shown(&turns) > SHOWN_MS {
            break;
        }
    }
    section.text(format!("### More changes\n\nUntil it takes longer than {SHOWN_MS} ms."));
    section.table(&table);
    Ok(())
}

/// What it takes until the death of a server is made up for.
fn death(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    let rounds = if env.quick { 1 } else { env.rounds.min(TURNS_MAX) };
    let deaths: Result<Vec<Death>> = (0..rounds).map(|_| Death::of_a_server(env, fleet)).collect();
    let deaths = deaths?;
    section.text(
        "### The death of a server\n\nIt is killed while the others are asked; its work is theirs \
         when its lease of 10 s has run out. Then another is started in its place.",
    );
    section.table(&Death::table(&deaths));
    section.at_most("unanswered by the other servers", Death::unanswered(&deaths) as f64, 0.0, 0);
    Ok(())
}

/// What one more server costs that follows.
fn copies(env: &Env, fleet: &mut Fleet, section: &mut Section) -> Result<()> {
    let (rate, followers) = match (env.quick, fleet.instances() > FOLLOWED_MAX) {
        (true, _) => (QUICK_RATE, 1),
        (false, true) => (FOLLOWED_RATE, 1),
        (false, false) => (FOLLOWED_RATE, FOLLOWERS),
    };
    let mut table = Table::new([
        "servers",
        "that follow only",
        "etcd CPU µs a change",
        "a server's",
        "of one that follows",
        "shown p99 ms",
    ]);
    let mut etcd_micros = Vec::new();
    for count in [0, followers] {
        while fleet.followers.len() < count {
            let another = fleet.start_another(env)?;
            fleet.followers.push(another);
        }
        let turns = turns(env, fleet, rate)?;
        table.row([
            (fleet.servers.len() + count).to_string(),
            count.to_string(),
            format!("{:.0}", middle(&turns, |turn| turn.etcd_micros)),
            format!("{:.0}", middle(&turns, |turn| turn.server_micros)),
            match count {
                0 => "-".to_owned(),
                _ => format!("{:.0}", middle(&turns, |turn| turn.follower_micros)),
            },
            format!("{:.1}", shown(&turns)),
        ]);
        etcd_micros.push(middle(&turns, |turn| turn.etcd_micros));
    }
    section.text(format!(
        "### Copies\n\nWhat it costs to have more servers follow, at {rate} changes/s; what they \
         use at rest is in it. With them a change costs etcd {:.2} of what it does without.",
        etcd_micros[1] / etcd_micros[0]
    ));
    section.table(&table);
    Ok(())
}

/// What steady changes make of etcd's file.
fn growth(env: &Env, fleet: &Fleet, section: &mut Section) -> Result<()> {
    let rate = if env.quick { QUICK_RATE } else { RATE };
    let growth = Growth::watch(env, fleet, rate)?;
    section.text(format!(
        "### Growth\n\n{} changes of {} instances, {rate} a second, with `{}`.",
        growth.changes(),
        fleet.instances(),
        COMPACTION.join(" ")
    ));
    section.table(&growth.table());
    if let Some(in_the_end) = growth.in_the_end() {
        section.at_most("etcd's file after 6 minutes ÷ after 4", in_the_end, 1.05, 3);
    }
    Ok(())
}

/// Loads at one rate, one after the other.
fn turns(env: &Env, fleet: &Fleet, rate: u32) -> Result<Vec<Turn>> {
    let rounds = if env.quick { 1 } else { env.rounds.min(TURNS_MAX) };
    let time = if env.quick { env.turn } else { env.turn.max(TURN_MIN) };
    (0..rounds).map(|_| Turn::take(fleet, Load { data: fleet.data, rate, time })).collect()
}

fn middle(turns: &[Turn], figure: impl Fn(&Turn) -> f64) -> f64 {
    median(turns.iter().map(figure)).unwrap_or(f64::NAN)
}

/// Until all servers have shown 99 of 100 changes, in milliseconds.
fn shown(turns: &[Turn]) -> f64 {
    middle(turns, |turn| millis_at(&turn.changed.shown, 99))
}

fn change_table() -> Table {
    Table::new([
        "changes/s",
        "done/s",
        "reply p50 ms",
        "p99",
        "shown p50 ms",
        "p99",
        "max",
        "revisions each",
        "etcd CPU µs each",
        "a server's",
        "octets each",
    ])
}

fn row_of(rate: u32, turns: &[Turn]) -> [String; 11] {
    let figure =
        |digits: usize, of: &dyn Fn(&Turn) -> f64| format!("{:.digits$}", middle(turns, of));
    [
        rate.to_string(),
        figure(0, &|turn| turn.changed.per_second()),
        figure(1, &|turn| millis_at(&turn.changed.replies, 50)),
        figure(1, &|turn| millis_at(&turn.changed.replies, 99)),
        figure(1, &|turn| millis_at(&turn.changed.shown, 50)),
        figure(1, &|turn| millis_at(&turn.changed.shown, 99)),
        figure(1, &|turn| millis_at(&turn.changed.shown, 100)),
        figure(2, &|turn| turn.revisions),
        figure(0, &|turn| turn.etcd_micros),
        figure(0, &|turn| turn.server_micros),
        figure(0, &|turn| turn.octets),
    ]
}

/// What servers have used of the processor since then, in microseconds, on average.
fn mean_since(servers: &[Rollcall], before: &[Usage]) -> Result<f64> {
    let now = Fleet::usage(servers)?;
    let used = now.iter().zip(before).map(|(now, then)| micros(now.since(then)));
    Ok(used.sum::<f64>() / servers.len() as f64)
}

// === impl Turn ===

impl Turn {
    fn take(fleet: &Fleet, load: Load) -> Result<Self> {
        let usage = [Fleet::usage(&fleet.servers)?, Fleet::usage(&fleet.followers)?];
        let before: Reading = fleet.etcd.read()?;
        let changed = load.run(&fleet.http())?;
        let after = fleet.etcd.read()?;
        let each = |figure: f64| figure / changed.changes as f64;
        let turn = Self {
            revisions: each(after.revision - before.revision),
            etcd_micros: each(micros(after.cpu_since(&before))),
            server_micros: each(mean_since(&fleet.servers, &usage[0])?),
            follower_micros: each(mean_since(&fleet.followers, &usage[1])?),
            octets: each(after.octets - before.octets),
            changed,
        };
        eprintln!("cluster, {}", row_of(load.rate, std::slice::from_ref(&turn)).join(" · "));
        Ok(turn)
    }
}
