//! The flood: queries as fast as one core can send them, by somebody who reads no reply.
//!
//! A system call for each packet would flood nobody: the core of the load spends 3 µs on it and the
//! server less than twice that on an answer. So the kernel is handed many queries of one length as
//! one piece and cuts it into packets (UDP_SEGMENT, Linux 4.18).
#![allow(unsafe_code, reason = "no library of ours sets UDP_SEGMENT")]

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{contestant::query, part::Env, process::pinned};

/// Queries in one piece: as many as all kernels cut.
const BURST: usize = 64;

/// The flood.
#[derive(Debug, Parser)]
pub(crate) struct Flood {
    /// Whom to flood.
    #[arg(long)]
    server: SocketAddr,
    /// The file with the questions.
    #[arg(long)]
    questions: PathBuf,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flooded {
    /// Packets that the system took.
    pub(crate) sent: u64,
    /// In this time.
    pub(crate) took: Duration,
}

/// A flood at work.
#[derive(Debug)]
pub(crate) struct Flooding {
    child: Child,
}

// === impl Flood ===

impl Flood {
    /// Floods, and prints what it sent.
    ///
    /// # Errors
    /// When nothing can be sent.
    pub(crate) fn run(self) -> Result<()> {
        let text = fs::read_to_string(&self.questions).context("reading the questions")?;
        let queries: Result<Vec<Vec<u8>>> =
            text.lines().zip((0..=u16::MAX).cycle()).map(|(q, id)| query(q, id, false)).collect();
        let queries = queries?;
        let length = queries.first().context("there are no questions")?.len();
        ensure!(queries.iter().all(|query| query.len() == length), "queries of one length");
        let bursts: Vec<Vec<u8>> = queries.chunks_exact(BURST).map(<[_]>::concat).collect();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(self.server)?;
        cut_at(&socket, length)?;
        let (begun, mut sent) = (Instant::now(), 0);
        for burst in bursts.iter().cycle() {
            if begun.elapsed() > Duration::from_millis(self.millis) {
                break;
            }
            socket.send(burst).context("flooding")?;
            sent += BURST as u64;
        }
        println!("{}", Flooded { sent, took: begun.elapsed() });
        Ok(())
    }
}

/// Has what is sent cut into packets of so many octets.
fn cut_at(socket: &UdpSocket, octets: usize) -> Result<()> {
    let octets = libc::c_int::try_from(octets)?;
    let size = libc::socklen_t::try_from(size_of_val(&octets))?;
    // SAFETY: the descriptor is open while the call lasts, and the value is an int of that size.
    let status = unsafe {
        let value = (&raw const octets).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, value, size)
    };
    ensure!(status == 0, "UDP_SEGMENT: {}", io::Error::last_os_error());
    Ok(())
}

// === impl Flooding ===

impl Flooding {
    /// Starts to flood `server` from the core for loads.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        env: &Env,
        server: SocketAddr,
        questions: &Path,
        time: Duration,
    ) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.args(["flood", "--server", &server.to_string(), "--questions"]).arg(questions);
        command.args(["--millis", &time.as_millis().to_string()]);
        let mut command = pinned(&command, env.cores.load);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.context("starting the flood")? })
    }

    /// Whether it still goes on.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn goes_on(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it has failed.
    pub(crate) fn finish(self) -> Result<Flooded> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the flood has failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).parse()
    }
}

// === impl Flooded ===

impl fmt::Display for Flooded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sent, self.took.as_nanos())
    }
}

impl FromStr for Flooded {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let (sent, nanos) = line.trim().split_once(' ').context("two numbers")?;
        Ok(Self { sent: sent.parse()?, took: Duration::from_nanos(nanos.parse()?) })
    }
}
