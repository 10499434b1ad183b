//! Part `weather`: more than the server can take, and whether it stays what it was.
//!
//! A flood of queries from a core of its own, three times what the server can answer and never
//! read; then a crowd: connections that say nothing and connections that ask and never read, while
//! others ask over TCP as ever. All the time an operator knocks at the HTTP interface.

use std::{
    fs,
    io::{ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::{
    contestant::{ask_udp, query},
    data::{Data, Kind, MIX},
    dnsperf::{Load, Transport},
    flood::{Flooded, Flooding},
    http::Http,
    knock::{Knocked, Knocking},
    part::{Env, Part, Section},
    process,
    rollcall::{self, Rollcall},
    table::Table,
    turn::Turn,
};

const DATA: Data = Data { services: 1_000, instances: 5 };

/// Different questions in one file.
const QUESTIONS: usize = 20_000;

/// Connections of one client; the server's own limit is a hundred.
const EACH: u8 = 90;

/// Clients whose connections say nothing. One more has connections that are never read, and there
/// is room for the load up to the limit of a thousand.
const IDLE_CLIENTS: u8 = 9;

/// Queries of one kind that are asked after the flood, one at a time.
const AFTER: u16 = 1_000;

/// The part.
#[derive(Debug)]
pub(crate) struct Weather;

/// What the server counts, and how much memory it has.
#[derive(Debug, Clone, Copy)]
struct Reading {
    answered: u64,
    dropped: u64,
    connections: u64,
    timed_out: u64,
    resident_mib: f64,
}

/// What a flood has shown.
struct Storm {
    flooded: Flooded,
    knocked: Knocked,
    before: Reading,
    after: Reading,
    peak_mib: f64,
    /// Packets that were sent to see whether the flood is over.
    asked: u64,
    first_reply: Duration,
    worst_reply: Duration,
}

// === impl Weather ===

impl Part for Weather {
    fn name(&self) -> &'static str {
        "weather"
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        let files = process::scratch("questions")?;
        let file = files.path().join("mix");
        fs::write(&file, DATA.questions(MIX, QUESTIONS)).context("writing the questions")?;
        let rollcall = Rollcall::start_with(env, DATA)?;
        let storm = |round| {
            eprintln!("weather, flood {round}");
            Storm::blow(env, &rollcall, &file)
        };
        let storms: Result<Vec<Storm>> = (1..=env.rounds).map(storm).collect();
        tell_of_storms(env, &storms?, &mut section);
        eprintln!("weather, connections that are idle or not read");
        crowd(env, &rollcall, &file, &mut section)?;
        Ok(section)
    }
}

// === impl Reading ===

impl Reading {
    fn take(rollcall: &Rollcall) -> Result<Self> {
        let mut http = Http::to(rollcall.http)?;
        ensure!(http.send("GET", "/metrics", "")? == 200, "/metrics");
        let text = http.body();
        let sum = |start: &str| -> u64 {
            let lines = text.lines().filter(|line| line.starts_with(start));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Ok(Self {
            answered: sum("rollcall_dns_responses_total{transport=\"udp\""),
            dropped: sum("rollcall_dns_dropped_total"),
            connections: sum("rollcall_dns_connections{"),
            timed_out: sum("rollcall_dns_connections_timed_out_total"),
            resident_mib: resident_mib(rollcall)?,
        })
    }
}

// === impl Storm ===

impl Storm {
    fn blow(env: &Env, rollcall: &Rollcall, file: &Path) -> Result<Self> {
        let dns = rollcall.server.dns;
        let before = Reading::take(rollcall)?;
        let mut flooding = Flooding::start(env, dns, file, env.turn)?;
        let knocking = Knocking::start(env, rollcall.http, env.turn * 9 / 10)?;
        let mut peak_mib = before.resident_mib;
        while flooding.goes_on()? {
            peak_mib = peak_mib.max(resident_mib(rollcall)?);
            std::thread::sleep(Duration::from_millis(20));
        }
        let flooded = flooding.finish()?;
        let (first_reply, mut asked) = until_answered(dns)?;
        let mut worst_reply = first_reply;
        for id in 1..AFTER {
            let began = Instant::now();
            ask_udp(dns, &query(&Kind::A.question(id.into()), id, false)?)?;
            asked += 1;
            worst_reply = worst_reply.max(began.elapsed());
        }
        Ok(Self {
            flooded,
            knocked: knocking.finish()?,
            before,
            after: Reading::take(rollcall)?,
            peak_mib,
            asked,
            first_reply,
            worst_reply,
        })
    }

    /// Of the queries of the flood.
    fn answered(&self) -> u64 {
        self.after.answered - self.before.answered - self.asked
    }

    fn dropped(&self) -> u64 {
        self.after.dropped - self.before.dropped
    }

    fn offered_to_answered(&self) -> f64 {
        self.flooded.sent as f64 / self.answered() as f64
    }

    /// Queries that were neither answered nor counted as dropped.
    fn unexplained(&self) -> i128 {
        i128::from(self.flooded.sent) - i128::from(self.answered()) - i128::from(self.dropped())
    }

    fn row(&self) -> [String; 12] {
        let per_second =
            |count: u64| format!("{:.0}", count as f64 / self.flooded.took.as_secs_f64());
        let [health, metrics, put] = self.knocked.worst.map(millis);
        [
            per_second(self.flooded.sent),
            per_second(self.answered()),
            format!("{:.2}", self.offered_to_answered()),
            self.unexplained().to_string(),
            health,
            metrics,
            put,
            self.knocked.rounds.to_string(),
            format!("{:.1}", self.before.resident_mib),
            format!("{:.1}", self.peak_mib),
            millis(self.first_reply),
            millis(self.worst_reply),
        ]
    }
}

/// Asks until the first reply: how long that took, and in how many packets. The queue is still full
/// and may drop them.
fn until_answered(dns: SocketAddr) -> Result<(Duration, u64)> {
    const AGAIN: Duration = Duration::from_millis(10);
    const PATIENCE: Duration = Duration::from_secs(10);
    let query = query(&Kind::A.question(0), 0, false)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(AGAIN))?;
    socket.connect(dns)?;
    let (began, mut asked) = (Instant::now(), 0);
    while began.elapsed() < PATIENCE {
        socket.send(&query)?;
        asked += 1;
        if socket.recv(&mut [0; 4_096]).is_ok() {
            return Ok((began.elapsed(), asked));
        }
    }
    bail!("no reply {PATIENCE:?} after the flood")
}

fn tell_of_storms(env: &Env, storms: &[Storm], section: &mut Section) {
    section.text(format!(
        "### Flood\n\nThe mix by UDP as fast as one core can send it, for {} s each time, while \
         `/health`, `/metrics` and a registration are asked for one after the other. What is \
         neither answered nor counted as dropped is \"unexplained\". Times are the worst, in ms; \
         \"first\" and \"worst\" are those of the first query, and of the first {AFTER}, after the \
         flood. Memory is in MiB.",
        env.turn.as_secs_f64()
    ));
    let mut table = Table::new([
        "offered/s",
        "answered/s",
        "÷",
        "unexplained",
        "/health",
        "/metrics",
        "PUT",
        "knocks",
        "before",
        "peak",
        "first",
        "worst",
    ]);
    for storm in storms {
        table.row(storm.row());
    }
    section.table(&table);
    if env.quick {
        return;
    }
    let worst = |figure: fn(&Storm) -> f64| storms.iter().map(figure).fold(0.0, f64::max);
    let least = storms.iter().map(Storm::offered_to_answered).fold(f64::INFINITY, f64::min);
    section.at_least("offered ÷ answered, each round", least, 3.0, 2);
    let unexplained = worst(|s| s.unexplained().unsigned_abs() as f64 / s.flooded.sent as f64);
    section.at_most("unexplained ÷ offered", unexplained, 0.0, 6);
    section.at_most("MiB above before", worst(|s| s.peak_mib - s.before.resident_mib), 8.0, 1);
    let knock = worst(|s| s.knocked.worst.iter().max().map_or(0.0, Duration::as_secs_f64));
    section.at_most("worst HTTP request during the flood, s", knock, 1.0, 3);
    let first = worst(|s| s.first_reply.as_secs_f64());
    section.at_most("first reply after the flood, s", first, 0.1, 3);
}

/// Connections that say nothing and connections that are never read, and what others see of them.
fn crowd(env: &Env, rollcall: &Rollcall, file: &Path, section: &mut Section) -> Result<()> {
    let load = Load { questions: file, transport: Transport::Tcp, edns: false };
    let alone = Turn::take(env, &rollcall.server, &load)?;
    let before = Reading::take(rollcall)?;
    let mut crowd = Vec::new();
    for client in 1..=IDLE_CLIENTS + 1 {
        for _ in 0..EACH {
            crowd.push(connect_from(client, rollcall.server.dns)?);
        }
    }
    let octets = never_read(crowd.iter_mut().rev().take(EACH.into()))?;
    let amid = Reading::take(rollcall)?;
    ensure!(amid.connections >= crowd.len() as u64, "{amid:?}: they are all let in");
    let knocking = Knocking::start(env, rollcall.http, env.turn)?;
    let turn = Turn::take_warm(env, &rollcall.server, &load)?;
    let knocked = knocking.finish()?;
    let peak_mib = resident_mib(rollcall)?;
    let begun = Instant::now();
    let mut last = Reading::take(rollcall)?;
    while last.connections > 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
        last = Reading::take(rollcall)?;
    }
    let [health, metrics, put] = knocked.worst.map(millis);
    section.text(format!(
        "### Crowd\n\n{} connections that say nothing and {EACH} that have sent {:.1} MiB of \
         queries and read no reply, beside the mix over TCP. Worst times of HTTP requests \
         meanwhile, ms: `/health` {health}, `/metrics` {metrics}, a registration {put}. After the \
         idle timeout {} connections are left and {} were closed for it.",
        crowd.len() - usize::from(EACH),
        octets as f64 / f64::from(1 << 20),
        last.connections,
        last.timed_out - before.timed_out,
    ));
    let mut table = Table::new(["", "queries/s", "CPU µs", "p99 µs", "memory MiB"]);
    for (name, turn, mib) in
        [("alone", &alone, alone.resident_mib), ("amid the crowd", &turn, peak_mib)]
    {
        let figures = [
            format!("{:.0}", turn.per_second),
            format!("{:.2}", turn.cpu_micros),
            format!("{:.0}", turn.p99_micros),
            format!("{mib:.1}"),
        ];
        table.row(std::iter::once(name.to_owned()).chain(figures));
    }
    section.table(&table);
    if !env.quick {
        section.at_most("MiB of the crowd", peak_mib - alone.resident_mib, 64.0, 1);
        section.at_most("connections left after the idle timeout", last.connections as f64, 0.0, 0);
        let knock = knocked.worst.iter().max().map_or(0.0, Duration::as_secs_f64);
        section.at_most("worst HTTP request amid the crowd, s", knock, 1.0, 3);
    }
    Ok(())
}

fn connect_from(client: u8, server: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let own = SocketAddr::from((Ipv4Addr::new(127, 0, 1, client), 0));
    socket.bind(&own.into())?;
    socket.connect(&server.into()).context("joining the crowd")?;
    Ok(socket.into())
}

/// Asks on each connection for as long as the server takes it, and reads nothing; how many octets
/// it took.
fn never_read<'a>(connections: impl Iterator<Item = &'a mut TcpStream>) -> Result<usize> {
    let query = query(&Kind::Srv.question(0), 1, false)?;
    let length = u16::try_from(query.len())?.to_be_bytes();
    let queries = [&length, &query[..]].concat().repeat(1_000);
    let mut octets = 0;
    for connection in connections {
        connection.set_write_timeout(Some(Duration::from_millis(20)))?;
        loop {
            match connection.write(&queries) {
                Ok(written) => octets += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("asking without end"),
            }
        }
    }
    Ok(octets)
}

fn resident_mib(rollcall: &Rollcall) -> Result<f64> {
    Ok(rollcall.server.process.resident_octets()? as f64 / f64::from(1 << 20))
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
