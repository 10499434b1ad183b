//! One turn of one contestant: loaded for a while, and what that cost.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    contestant::Contestant,
    cpu::Usage,
    dnsperf::{Load, Seen, Until},
    part::Env,
    probe::Probing,
};

/// Who answers fewer queries a second was not measured, but something that is between: a turn of so
/// few is taken again, once.
const PER_SECOND_MIN: f64 = 1_000.0;

/// Of so many queries one may be lost: loopback drops nothing, but a full buffer does.
const LOST_MAX: f64 = 1e-4;

/// What one turn has shown.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Processor time of the server from the beginning of the load to its end, in microseconds per
    /// query that was answered.
    pub(crate) cpu_micros: f64,
    /// Answered queries per second.
    pub(crate) per_second: f64,
    /// The mean time to the answer, in microseconds.
    pub(crate) mean_micros: f64,
    /// The time that 99 of 100 answers did not exceed, in microseconds.
    pub(crate) p99_micros: f64,
    /// Resident memory at the end, in MiB.
    pub(crate) resident_mib: f64,
    /// How many queries were answered.
    pub(crate) answered: f64,
    /// The shares of response codes.
    pub(crate) seen: Seen,
    /// What the server had used before and after, by thread.
    pub(crate) usage: [Usage; 2],
    /// How long it was between the two: the load's time, and that of its start and end.
    pub(crate) lasted: Duration,
}

// === impl Turn ===

impl Turn {
    /// Asks everything once, so that nobody pays for a first time; then loads `server` for a turn.
    ///
    /// # Errors
    /// When the server loses queries, or the load fails.
    pub(crate) fn take(env: &Env, server: &Contestant, load: &Load<'_>) -> Result<Self> {
        load.run(env, server.dns, Until::Asked)?;
        Self::take_warm(env, server, load)
    }

    /// Loads `server` for a turn, as it is.
    ///
    /// # Errors
    /// As [`Turn::take`].
    pub(crate) fn take_warm(env: &Env, server: &Contestant, load: &Load<'_>) -> Result<Self> {
        let turn = Self::take_once(env, server, load)?;
        if turn.per_second >= PER_SECOND_MIN {
            return Ok(turn);
        }
        eprintln!("{}: {turn}; once more", server.name);
        let turn = Self::take_once(env, server, load)?;
        ensure!(turn.per_second >= PER_SECOND_MIN, "`{}` hardly answers: {turn}", server.name);
        Ok(turn)
    }

    fn take_once(env: &Env, server: &Contestant, load: &Load<'_>) -> Result<Self> {
        let (begun, before) = (Instant::now(), server.process.usage()?);
        let probing = Probing::start(env, server, load)?;
        let seen = load.run(env, server.dns, Until::Elapsed(env.turn))?;
        let latency = probing.finish()?;
        let (after, lasted) = (server.process.usage()?, begun.elapsed());
        ensure!(
            seen.lost <= seen.completed * LOST_MAX,
            "`{}` lost {} of {} queries",
            server.name,
            seen.lost,
            seen.completed
        );
        let answered = seen.completed + latency.asked as f64;
        Ok(Self {
            cpu_micros: micros(after.since(&before)) / answered,
            per_second: seen.per_second,
            mean_micros: micros(seen.latency),
            p99_micros: micros(latency.p99),
            resident_mib: server.process.resident_octets()? as f64 / f64::from(1 << 20),
            answered,
            seen,
            usage: [before, after],
            lasted,
        })
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_micros, per_second, p99_micros, .. } = self;
        write!(f, "{cpu_micros:.3} µs, {per_second:.0}/s, p99 {p99_micros:.0} µs")
    }
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
