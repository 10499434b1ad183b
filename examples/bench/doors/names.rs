//! DNS while somebody reads the longest list over and over again.
//!
//! The floor is asked meanwhile as well: it shares nothing with the lists but the core, so what its
//! p99 suffers is the scheduler's doing, and nobody's answers could suffer less.

use std::{fs, path::Path};

use anyhow::Result;

use super::lists::LONGEST;
use crate::{
    asking::{AskingNow, Requests},
    contestant::Contestant,
    data::{A, Data},
    dnsperf::{Load, Transport},
    part::{Env, Section},
    probe::{Latency, Probing},
    recorded,
    rollcall::Rollcall,
    stats::median,
    table::Table,
    turn::micros,
};

/// Different questions in one file.
const QUESTIONS: usize = 10_000;

/// Asks, and tells how long the answers took.
///
/// # Errors
/// When somebody does not answer.
pub(super) fn tell(
    env: &Env,
    section: &mut Section,
    rollcall: &Rollcall,
    data: Data,
    files: &Path,
) -> Result<()> {
    let (file, list) = (files.join("questions"), files.join("longest"));
    let questions = data.questions(A, QUESTIONS);
    fs::write(&file, &questions)?;
    fs::write(&list, format!("GET {LONGEST}\n"))?;
    let server = &rollcall.server;
    let reply = recorded::median_reply(server, &questions, false)?;
    let floor = recorded::start_floor(env, &reply, questions.lines().next().unwrap_or_default())?;
    let load = Load { questions: &file, transport: Transport::Udp, edns: false };
    let reading = Requests { file: &list, connections: 1, time: Some(env.turn), header: None };
    let beside = |contestant: &Contestant, is_read: bool| -> Result<Latency> {
        let reader = if is_read { Some(reading.start(env, rollcall.http)?) } else { None };
        let seen = Probing::start(env, contestant, &load)?.finish()?;
        reader.map(AskingNow::finish).transpose()?;
        Ok(seen)
    };
    let turns =
        [("at rest", server, false), ("lists are read", server, true), ("floor", &floor, true)];
    let mut seen: [Vec<Latency>; 3] = Default::default();
    for _ in 0..env.rounds {
        for ((_, contestant, is_read), seen) in turns.iter().zip(&mut seen) {
            seen.push(beside(contestant, *is_read)?);
        }
    }
    let middle = |seen: &[Latency], figure: fn(&Latency) -> f64| {
        median(seen.iter().map(figure)).unwrap_or(f64::NAN)
    };
    let p99 = |seen: &[Latency]| middle(seen, |latency| micros(latency.p99));
    let mut table = Table::new(["while", "p50 µs", "p99 µs"]);
    for ((name, ..), seen) in turns.iter().zip(&seen) {
        let p50 = middle(seen, |latency| micros(latency.p50));
        table.row([(*name).to_owned(), format!("{p50:.0}"), format!("{:.0}", p99(seen))]);
    }
    section.text(format!(
        "### DNS meanwhile\n\nA thousand questions a second by UDP, while one client reads \
         `{LONGEST}` over and over again on the same core. The floor is asked beside that, too."
    ));
    section.table(&table);
    if !env.quick {
        let ratio = p99(&seen[1]) / p99(&seen[2]);
        section.at_most("p99 of DNS while lists are read ÷ the floor's", ratio, 2.0, 2);
    }
    Ok(())
}
