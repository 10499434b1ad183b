//! The latency prober: one query at a time, beside the load, and how long each took.
//!
//! dnsperf knows a mean and a maximum, but no percentile. This asks a thousand times a second,
//! which the server hardly feels, on the core of the load but ahead of it (`SCHED_FIFO`, where that
//! is allowed), so that it measures the server and its queue and not the wait for its own core.

use std::{
    fmt, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hdrhistogram::Histogram;

use crate::{
    contestant::{Contestant, query},
    dnsperf::{Load, Transport},
    part::Env,
    process::pinned,
};

/// Between two queries, when replies are faster.
const EVERY: Duration = Duration::from_millis(1);

/// A reply that takes longer counts as that long.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is measured first is the start of the load, not the load.
const LEAD: Duration = Duration::from_millis(200);

/// So many different questions are enough.
const QUESTIONS: usize = 10_000;

/// The latency prober.
#[derive(Debug, Parser)]
pub(crate) struct Probe {
    /// Whom to ask.
    #[arg(long)]
    server: SocketAddr,
    /// The file with the questions.
    #[arg(long)]
    questions: PathBuf,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
    /// Ask with an OPT record.
    #[arg(long)]
    edns: bool,
    /// Ask over one connection.
    #[arg(long)]
    tcp: bool,
}

/// What the prober saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    /// Queries that it asked.
    pub(crate) asked: u64,
    /// Half of the replies took no longer.
    pub(crate) p50: Duration,
    /// Of a hundred replies 99 took no longer.
    pub(crate) p99: Duration,
}

/// A prober at work.
#[derive(Debug)]
pub(crate) struct Probing {
    child: Child,
}

/// The prober's way to the server.
enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

// === impl Probe ===

impl Probe {
    /// Probes and prints what it saw.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(crate) fn run(self) -> Result<()> {
        let text = fs::read_to_string(&self.questions).context("reading the questions")?;
        let queries: Result<Vec<Vec<u8>>> =
            text.lines().take(QUESTIONS).map(|line| query(line, 0, self.edns)).collect();
        let queries = queries?;
        ensure!(!queries.is_empty(), "there are no questions");
        let mut way = Way::to(self.server, self.tcp)?;
        let mut histogram = Histogram::<u64>::new(3).context("the histogram")?;
        let begun = Instant::now();
        let mut asked = 0;
        for (query, id) in queries.iter().cycle().zip((0..=u16::MAX).cycle()) {
            let at = begun.elapsed();
            if at > Duration::from_millis(self.millis) {
                break;
            }
            let mut query = query.clone();
            query[..2].copy_from_slice(&id.to_be_bytes());
            let sent = Instant::now();
            if !way.exchange(&query)? {
                eprintln!("no reply within {PATIENCE:?}");
            }
            let took = sent.elapsed();
            asked += 1;
            if at > LEAD {
                // What was not asked while this one took so long would have taken long as well.
                let (took, every) = (nanos(took), nanos(EVERY));
                histogram.record_correct(took, every).context("recording a latency")?;
            }
            std::thread::sleep(EVERY.saturating_sub(took));
        }
        let at = |share| Duration::from_nanos(histogram.value_at_quantile(share));
        println!("{}", Latency { asked, p50: at(0.5), p99: at(0.99) });
        Ok(())
    }
}

// === impl Latency ===

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.asked, self.p50.as_nanos(), self.p99.as_nanos())
    }
}

impl FromStr for Latency {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [asked, p50, p99] = numbers?[..] else { anyhow::bail!("the prober says `{line}`") };
        Ok(Self { asked, p50: Duration::from_nanos(p50), p99: Duration::from_nanos(p99) })
    }
}

// === impl Probing ===

impl Probing {
    /// Starts to ask `server` what `load` asks, for one turn.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(env: &Env, server: &Contestant, load: &Load<'_>) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.args(["probe", "--server", &server.dns.to_string(), "--questions"]);
        command.arg(load.questions).args(["--millis", &env.turn.as_millis().to_string()]);
        if load.edns {
            command.arg("--edns");
        }
        if load.transport == Transport::Tcp {
            command.arg("--tcp");
        }
        let mut command = pinned(&ahead(&command), env.cores.load);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.context("starting the prober")? })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it has failed.
    pub(crate) fn finish(self) -> Result<Latency> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the prober has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse()
    }
}

// === impl Way ===

impl Way {
    fn to(server: SocketAddr, tcp: bool) -> Result<Self> {
        if tcp {
            let stream = TcpStream::connect_timeout(&server, PATIENCE).context("connecting")?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            return Ok(Self::Tcp(stream));
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::Udp(socket))
    }

    /// Asks, and waits for the reply; whether it came in time.
    fn exchange(&mut self, query: &[u8]) -> Result<bool> {
        let mut reply = [0; 4_096];
        match self {
            Self::Udp(socket) => {
                socket.send(query)?;
                // A late reply to an earlier query is not this one's.
                while let Ok(octets) = socket.recv(&mut reply) {
                    if octets > 2 && reply[..2] == query[..2] {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Tcp(stream) => {
                let length = u16::try_from(query.len())?.to_be_bytes();
                stream.write_all(&[&length, query].concat())?;
                let mut length = [0; 2];
                stream.read_exact(&mut length)?;
                let length = usize::from(u16::from_be_bytes(length));
                stream.read_exact(reply.get_mut(..length).context("a reply of that length")?)?;
                Ok(true)
            }
        }
    }
}

/// `command` ahead of what else runs on its core, where that is allowed.
pub(crate) fn ahead(command: &Command) -> Command {
    let words: &[&str] = &["chrt", "-f", "1"];
    let allowed =
        Command::new(words[0]).args(&words[1..]).arg("true").stderr(Stdio::null()).status();
    let words = if allowed.is_ok_and(|status| status.success()) { words } else { &["env"] };
    let mut ahead = Command::new(words[0]);
    ahead.args(&words[1..]).arg(command.get_program()).args(command.get_args());
    ahead
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
