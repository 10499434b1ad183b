//! The death of a server: what those see who ask the others, when these have its work, and when a
//! new one answers in its place.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::fleet::Fleet;
use crate::{
    contestant::{ask_udp, query},
    data::Kind,
    part::Env,
    stats::median,
    table::Table,
};

/// Between two questions to a server.
const PAUSE: Duration = Duration::from_millis(1);

/// How long the others may take to have all of its work: the lease's ten seconds, and some.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(60);

/// What one death has shown.
#[derive(Debug)]
pub(super) struct Death {
    asked: usize,
    unanswered: usize,
    longest: Duration,
    /// Until the others had its work; none where that was not waited for.
    taken_over: Option<Duration>,
    /// From its start to the first answer of the new one.
    again: Duration,
}

/// What a client saw.
#[derive(Debug, Default)]
struct Client {
    asked: usize,
    unanswered: usize,
    longest: Duration,
}

// === impl Death ===

impl Death {
    /// Kills the first server, and starts another.
    ///
    /// # Errors
    /// When that does not come up, or nobody takes over.
    pub(super) fn of_a_server(env: &Env, fleet: &mut Fleet) -> Result<Self> {
        let ended = AtomicBool::new(false);
        let dead = fleet.servers.remove(0);
        let others: Vec<SocketAddr> = fleet.servers.iter().map(|other| other.server.dns).collect();
        let services = fleet.data.services;
        let (clients, taken_over) = thread::scope(|scope| {
            let ask = |server| {
                let ended = &ended;
                move || Client::ask(server, services, ended)
            };
            let clients: Vec<_> = others.iter().map(|other| scope.spawn(ask(*other))).collect();
            let taken_over = dead.kill().and_then(|()| {
                if env.quick { Ok(None) } else { until_taken_over(fleet).map(Some) }
            });
            ended.store(true, Ordering::Relaxed);
            let clients: Result<Vec<Client>> = clients
                .into_iter()
                .map(|client| client.join().expect("a client returns"))
                .collect();
            (clients, taken_over)
        });
        let (clients, taken_over) = (clients?, taken_over?);
        let another = fleet.start_another(env)?;
        fleet.servers.push(another);
        let again = fleet.starts.last().map(|start| start.ready).unwrap_or_default();
        Ok(Self {
            asked: clients.iter().map(|client| client.asked).sum(),
            unanswered: clients.iter().map(|client| client.unanswered).sum(),
            longest: clients.iter().map(|client| client.longest).max().unwrap_or_default(),
            taken_over,
            again,
        })
    }

    /// How many questions had no answer.
    pub(super) fn unanswered(deaths: &[Self]) -> usize {
        deaths.iter().map(|death| death.unanswered).sum()
    }

    /// All that they have shown.
    pub(super) fn table(deaths: &[Self]) -> Table {
        let mut table = Table::new([
            "deaths",
            "asked",
            "unanswered",
            "longest ms",
            "work taken over s",
            "a new one answers s",
        ]);
        let middle = |figure: &dyn Fn(&Self) -> Option<Duration>| {
            let figures = deaths.iter().filter_map(figure).map(|time| time.as_secs_f64());
            median(figures).map_or_else(|| "-".to_owned(), |middle| format!("{middle:.2}"))
        };
        let longest = deaths.iter().map(|death| death.longest).max().unwrap_or_default();
        table.row([
            deaths.len().to_string(),
            deaths.iter().map(|death| death.asked).sum::<usize>().to_string(),
            Self::unanswered(deaths).to_string(),
            format!("{:.1}", longest.as_secs_f64() * 1e3),
            middle(&|death| death.taken_over),
            middle(&|death| Some(death.again)),
        ]);
        table
    }
}

/// Waits until each instance is the task of a server that is left.
fn until_taken_over(fleet: &Fleet) -> Result<Duration> {
    let begun = Instant::now();
    let all = f64::from(fleet.instances());
    while fleet.metric("rollcall_cluster_instances_owned")? < all {
        ensure!(begun.elapsed() < TAKEN_OVER_WITHIN, "nobody has taken over its work");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(begun.elapsed())
}

// === impl Client ===

impl Client {
    /// Asks a server for services at random until the end.
    fn ask(server: SocketAddr, services: u32, ended: &AtomicBool) -> Result<Self> {
        let mut rng = Rng::with_seed(server.port().into());
        let mut client = Self::default();
        while !ended.load(Ordering::Relaxed) {
            let query = query(&Kind::A.question(rng.u32(..services)), rng.u16(..), false)?;
            let asked = Instant::now();
            let reply = ask_udp(server, &query);
            client.longest = client.longest.max(asked.elapsed());
            client.asked += 1;
            let is_answered = reply.is_ok_and(|reply| reply[3] & 15 == 0 && reply[7] > 0);
            client.unanswered += usize::from(!is_answered);
            thread::sleep(PAUSE);
        }
        Ok(client)
    }
}
