//! dnsperf, the load that DNS people use, and what it reports.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{machine, part::Env, process};

/// How the queries travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Datagrams.
    Udp,
    /// Connections that stay open, with many queries on their way.
    Tcp,
}

/// One run of dnsperf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// The file with the questions.
    pub(crate) questions: &'a Path,
    /// How they travel.
    pub(crate) transport: Transport,
    /// Whether they carry an OPT record.
    pub(crate) edns: bool,
}

/// What dnsperf saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Queries that were answered.
    pub(crate) completed: f64,
    /// Queries that were not.
    pub(crate) lost: f64,
    /// Answered queries per second.
    pub(crate) per_second: f64,
    /// The mean time to the answer.
    pub(crate) latency: Duration,
    /// The share of NOERROR among the answers.
    pub(crate) noerror: f64,
    /// The share of NXDOMAIN among the answers.
    pub(crate) nxdomain: f64,
}

/// The longest that asking everything once may take.
const ASKED_MAX: Duration = Duration::from_secs(30);

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so many seconds.
    Elapsed(Duration),
    /// After each question has been asked once.
    Asked,
}

/// Its name and version.
///
/// # Errors
/// When it is not installed.
pub(crate) fn version() -> Result<String> {
    machine::version("dnsperf", "dnsperf", "-h")
}

// === impl Load ===

impl Load<'_> {
    /// Loads `server` from the core for loads.
    ///
    /// # Errors
    /// When dnsperf fails or says what cannot be read.
    pub(crate) fn run(&self, env: &Env, server: SocketAddr, until: Until) -> Result<Seen> {
        let mut command = Command::new("dnsperf");
        command.args(["-s", &server.ip().to_string(), "-p", &server.port().to_string()]);
        command.arg("-d").arg(self.questions);
        match until {
            Until::Elapsed(time) => command.args(["-l", &time.as_secs().to_string()]),
            // With an end: a server that is gone would be asked for ever.
            Until::Asked => command.args(["-n", "1", "-l", &ASKED_MAX.as_secs().to_string()]),
        };
        match self.transport {
            Transport::Udp => command.args(["-q", "100"]),
            Transport::Tcp => command.args(["-m", "tcp", "-c", "20", "-q", "200"]),
        };
        if self.edns {
            command.arg("-e");
        }
        Seen::read(&process::output(&command, env.cores.load)?)
    }
}

// === impl Seen ===

impl Seen {
    fn read(report: &str) -> Result<Self> {
        let number = |key: &str| -> Result<f64> {
            let rest = report.split_once(key).map(|(_, rest)| rest.trim_start());
            let word = rest.and_then(|rest| rest.split_whitespace().next());
            let number = word.and_then(|word| word.parse().ok());
            number.with_context(|| format!("dnsperf says no `{key}`:\n{report}"))
        };
        let completed = number("Queries completed:")?;
        ensure!(completed > 0.0, "nothing was answered:\n{report}");
        let codes = |code: &str| number(&format!("{code} ")).unwrap_or(0.0) / completed;
        Ok(Self {
            completed,
            lost: number("Queries lost:")?,
            per_second: number("Queries per second:")?,
            latency: Duration::from_secs_f64(number("Average Latency (s):")?),
            noerror: codes("NOERROR"),
            nxdomain: codes("NXDOMAIN"),
        })
    }
}
