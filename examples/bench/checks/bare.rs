//! The floor: what a check costs when nothing is done but the check.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{part::Env, process};

/// As many octets as Rollcall's.
const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nhost: 127.1.100.100:18080\r\n\
    user-agent: rollcall/0.1.0\r\naccept: */*\r\nconnection: close\r\n\r\n";

/// The bare loop.
#[derive(Debug, Parser)]
pub(crate) struct Bare {
    /// The targets' port.
    #[arg(long)]
    port: u16,
    /// For how long, in milliseconds.
    #[arg(long)]
    millis: u64,
}

// === impl Bare ===

impl Bare {
    /// Loops and prints processor time in microseconds per check.
    ///
    /// # Errors
    /// When a check fails.
    pub(crate) fn run(self) -> Result<()> {
        let (begun, before) = (Instant::now(), on_core()?);
        let (mut checks, mut reply) = (0_u32, [0; 4_096]);
        while begun.elapsed() < Duration::from_millis(self.millis) {
            let address = address(checks % super::FEW);
            let mut stream = TcpStream::connect((address, self.port)).context("connecting")?;
            stream.write_all(REQUEST)?;
            let octets = stream.read(&mut reply)?;
            ensure!(reply[..octets].starts_with(b"HTTP/1.1 200"), "no target answers so");
            checks += 1;
        }
        let micros = (on_core()? - before).as_secs_f64() * 1e6;
        println!("{}", micros / f64::from(checks));
        Ok(())
    }

    /// One turn on the server's core; processor time in microseconds per check.
    ///
    /// # Errors
    /// When it has failed.
    pub(super) fn take(env: &Env, port: u16) -> Result<f64> {
        let mut command = Command::new(&env.bench);
        command.args(["bare-check", "--port", &port.to_string()]);
        command.args(["--millis", &env.turn.as_millis().to_string()]);
        let line = process::output(&command, env.cores.server)?;
        line.trim().parse().with_context(|| format!("the bare loop says `{line}`"))
    }
}

/// The address of target `index`.
pub(super) fn address(index: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + index)
}

fn on_core() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/schedstat").context("schedstat")?;
    let nanos = stat.split_whitespace().next().context("schedstat has no time")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
