//! Part `scale`: a million instances. Memory, the way from the start to the first answer, and what
//! a query costs beside one at 5,000.
//!
//! The store is filled with `rollcall import`, and the server starts on it as it would again after
//! a stop. Its checks are configured and known, but do not run: they go to a socket that lets
//! nobody in, one at a time. The small server has the same checks.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::{
    contestant,
    data::{A, Data, Kind, MIX, SRV},
    dnsperf::{self, Load, Transport},
    part::{Env, Part, Section},
    process,
    rollcall::{self, Options, Rollcall},
    rounds::Rounds,
    table::Table,
    turn::Turn,
    verify,
};

const LARGE: Data = Data { services: 200_000, instances: 5 };
const SMALL: Data = Data { services: 1_000, instances: 5 };
/// Instead of the large one where only the harness is tried.
const QUICK: Data = Data { services: 4_000, instances: 5 };

/// Different questions in one file: two for each service, so that no answer is in a cache because
/// it was just asked for.
const QUESTIONS: usize = 400_000;

const GIB: f64 = (1_u64 << 30) as f64;
const MIB: f64 = (1_u64 << 20) as f64;

/// The part.
#[derive(Debug)]
pub(crate) struct Scale;

/// The check that is judged; the others are told.
const JUDGED: &str = "tcp";
const CHECKS: [&str; 4] = ["none", "ttl", "http", JUDGED];

/// A server that came up on a store.
struct Started {
    rollcall: Rollcall,
    figures: Figures,
    _store: TempDir,
}

struct Figures {
    import: Duration,
    first_answer: Duration,
    resident: f64,
    peak: f64,
}

/// A socket that is full: who connects waits.
struct Trap {
    address: SocketAddr,
    _socket: Socket,
    _guest: TcpStream,
}

// === impl Scale ===

impl Part for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn choices(&self) -> Vec<&'static str> {
        CHECKS.to_vec()
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        section.version(dnsperf::version()?);
        let trap = Trap::set()?;
        let large = if env.quick { QUICK } else { LARGE };
        let all = f64::from(large.services * large.instances);
        section.text(format!(
            "{all} instances in {} services, two addresses and one tag each, and one check or \
             none, that does not run; imported, then started on one core with the file in the \
             system's cache. Memory is that of the whole process.",
            large.services
        ));
        let mut table =
            Table::new(["check", "import s", "first answer s", "MiB", "peak MiB", "octets each"]);
        let mut judged = None;
        for check in CHECKS.iter().copied().filter(|check| env.wants(check)) {
            let started = Started::on(env, large, &check_of(check, trap.address))?;
            let Figures { import, first_answer, resident, peak } = started.figures;
            table.row([
                check.to_owned(),
                format!("{:.1}", import.as_secs_f64()),
                format!("{:.2}", first_answer.as_secs_f64()),
                format!("{:.0}", resident / MIB),
                format!("{:.0}", peak / MIB),
                format!("{:.0}", resident / all),
            ]);
            judged = (check == JUDGED).then_some(started);
        }
        section.table(&table);
        if let Some(large) = judged {
            let small = Started::on(env, SMALL, &check_of(JUDGED, trap.address))?;
            tell_queries(env, &mut section, &large, &small)?;
            section.at_most(
                "resident memory with a tcp check, GiB",
                large.figures.resident / GIB,
                1.0,
                2,
            );
            let first_answer = large.figures.first_answer.as_secs_f64();
            section.at_most("start to the first answer, s", first_answer, 5.0, 2);
        }
        Ok(section)
    }
}

/// Queries over all services of both, in turns.
fn tell_queries(env: &Env, section: &mut Section, large: &Started, small: &Started) -> Result<()> {
    let files = process::scratch("questions")?;
    let large_data = if env.quick { QUICK } else { LARGE };
    let name_of = |data: Data| format!("{} instances", data.services * data.instances);
    let (many, few) = (name_of(large_data), name_of(SMALL));
    for (started, data) in [(small, SMALL), (large, large_data)] {
        verify::answers(&started.rollcall.server, data)?;
    }
    for (workload, mix) in [("A", A), ("SRV", SRV), ("mix", MIX)] {
        let mut rounds = Rounds::default();
        let mut order = [(&few, small, SMALL), (&many, large, large_data)];
        for round in 1..=env.rounds {
            for (name, started, data) in order {
                let file = files.path().join(format!("{workload}, {name}"));
                if round == 1 {
                    fs::write(&file, data.questions(mix, QUESTIONS))
                        .context("writing the questions")?;
                }
                let load = Load { questions: &file, transport: Transport::Udp, edns: false };
                let turn = Turn::take(env, &started.rollcall.server, &load)?;
                eprintln!("{workload}, {name}, round {round}: {:.2} µs", turn.cpu_micros);
                verify::codes(&turn, mix).with_context(|| name.clone())?;
                rounds.add(name, turn);
            }
            order.rotate_left(1);
        }
        section.text(format!("{workload} by UDP, over all services of each:"));
        section.table(&rounds.table());
        let ratio = rounds.ratio(&many, &few).unwrap_or(f64::NAN);
        section.at_most(&format!("CPU per query, {workload}, {many} ÷ {few}"), ratio, 1.25, 3);
    }
    Ok(())
}

fn check_of(kind: &str, target: SocketAddr) -> Value {
    let (host, port) = (target.ip(), target.port());
    match kind {
        "none" => json!([]),
        "ttl" => json!([{"type": "ttl", "ttl": "24h"}]),
        kind => {
            let mut check = json!({"type": kind, "host": host, "port": port});
            (check["interval"], check["timeout"]) = ("24h".into(), "1h".into());
            if kind == "http" {
                check["path"] = "/health".into();
            }
            json!([check])
        }
    }
}

// === impl Started ===

impl Started {
    fn on(env: &Env, data: Data, checks: &Value) -> Result<Self> {
        let store = process::scratch("store")?;
        let import = import(env, data, checks, store.path())?;
        let options = Options {
            config: "[health]\nin_flight_max = 1\n".to_owned(),
            data: Some(store.path().join("data")),
            ..Options::default()
        };
        let begun = Instant::now();
        let rollcall = Rollcall::start(env, &options)?;
        let query = contestant::query(&Kind::A.question(data.services - 1), 1, false)?;
        let reply = contestant::ask_udp(rollcall.server.dns, &query)?;
        let first_answer = begun.elapsed();
        let answers = u16::from_be_bytes([reply[6], reply[7]]);
        ensure!(u32::from(answers) == data.instances, "the first answer has {answers} records");
        let process = &rollcall.server.process;
        let (resident, peak) = (process.settled_octets(env)? as f64, process.peak_octets()? as f64);
        eprintln!("first answer after {first_answer:?}, {:.0} MiB", resident / MIB);
        let figures = Figures { import, first_answer, resident, peak };
        Ok(Self { rollcall, figures, _store: store })
    }
}

/// Fills the store in `folder/data`, and says how long the import took.
fn import(env: &Env, data: Data, checks: &Value, folder: &Path) -> Result<Duration> {
    let file = folder.join("export.jsonl");
    write_export(&file, data, checks)?;
    let mut command = Command::new(&env.rollcall);
    command.arg("import").arg("--data").arg(folder.join("data")).arg(&file);
    let begun = Instant::now();
    process::output(&command, env.cores.server)?;
    let took = begun.elapsed();
    fs::remove_file(&file).context("the export")?;
    Ok(took)
}

/// Writes what `rollcall export` would, of `data` with `checks`.
///
/// # Errors
/// When there is no room for it.
pub(crate) fn write_export(file: &Path, data: Data, checks: &Value) -> Result<()> {
    let mut out = BufWriter::new(File::create(file).context("the export")?);
    let all = data.services * data.instances;
    writeln!(
        out,
        r#"{{"rollcall_export":1,"revision":{all},"exported_at":"2026-01-01T00:00:00Z"}}"#
    )?;
    let (tags, passing) = (json!(["v1"]), json!("passing"));
    for service in 0..data.services {
        for instance in 0..data.instances {
            let mut line = Data::registration(service, instance);
            line["tags"] = tags.clone();
            line["checks"] = checks.clone();
            line["initial_status"] = passing.clone();
            line["status"] = passing.clone();
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out, r#"{{"end":{{"instances":{all},"policies":0}}}}"#)?;
    out.into_inner().context("the export")?;
    Ok(())
}

// === impl Trap ===

impl Trap {
    fn set() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        // Linux lets one more in than the queue is long.
        socket.listen(0)?;
        let address = socket.local_addr()?.as_socket().context("an address of loopback")?;
        let guest = TcpStream::connect(address).context("the first and last guest")?;
        Ok(Self { address, _socket: socket, _guest: guest })
    }
}
