//! Some time in the life of a crowd, and what Rollcall did in it.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::metrics::Scrape;
use crate::{
    data::{Data, Kind},
    dnsperf::{Load, Transport},
    part::Env,
    probe::Probing,
    process,
    rollcall::Rollcall,
};

/// What was seen.
#[derive(Debug)]
pub(super) struct Phase {
    checks: f64,
    lasted: Duration,
    on_core: Duration,
    late_p99: f64,
    /// How late the latest check started, in seconds: the upper bound of its bucket.
    pub(super) latest: f64,
    /// Checks that did not pass.
    pub(super) failed: f64,
    skipped: f64,
    dns_p99: Duration,
    resident_mib: f64,
}

// === impl Phase ===

impl Phase {
    /// Watches for as long as `length`, while DNS is asked a thousand times a second.
    ///
    /// # Errors
    /// When the server or the prober fails.
    pub(super) fn watch(env: &Env, rollcall: &Rollcall, length: Duration) -> Result<Self> {
        let scratch = process::scratch("questions")?;
        let questions = scratch.path().join("questions");
        let services = Data { services: 400, instances: super::INSTANCES };
        fs::write(&questions, services.questions(&[(Kind::A, 100)], 10_000))?;
        let load = Load { questions: &questions, transport: Transport::Udp, edns: false };
        let env = Env { turn: length, ..env.clone() };
        Self::during(rollcall, || Ok(Probing::start(&env, &rollcall.server, &load)?.finish()?.p99))
    }

    /// Watches for as long as `length`, and nobody asks anything.
    ///
    /// # Errors
    /// When the server fails.
    pub(super) fn watch_alone(rollcall: &Rollcall, length: Duration) -> Result<Self> {
        Self::during(rollcall, || {
            std::thread::sleep(length);
            Ok(Duration::ZERO)
        })
    }

    fn during(rollcall: &Rollcall, happens: impl FnOnce() -> Result<Duration>) -> Result<Self> {
        let before = (Scrape::of(rollcall.http)?, rollcall.server.process.usage()?, Instant::now());
        let dns_p99 = happens()?;
        let lasted = before.2.elapsed();
        let usage = rollcall.server.process.usage()?;
        let after = Scrape::of(rollcall.http)?;
        let grown = |name, parts: &[&str]| after.sum(name, parts) - before.0.sum(name, parts);
        let results = "rollcall_check_results_total";
        let checks = grown(results, &[]);
        #[expect(clippy::cast_precision_loss, reason = "memory is less than 2^53 octets")]
        let resident = rollcall.server.process.resident_octets()? as f64;
        Ok(Self {
            checks,
            lasted,
            on_core: usage.since(&before.1),
            late_p99: after.lateness(&before.0, 0.99),
            latest: after.lateness(&before.0, 1.0),
            failed: checks - grown(results, &["result=\"passing\""]),
            skipped: grown("rollcall_checks_skipped_total", &[]),
            dns_p99,
            resident_mib: resident / 1_048_576.0,
        })
    }

    /// Checks that came back in a second.
    pub(super) fn per_second(&self) -> f64 {
        self.checks / self.lasted.as_secs_f64()
    }

    /// Processor time of the whole server per check, in microseconds.
    pub(super) fn cpu_micros(&self) -> f64 {
        self.on_core.as_secs_f64() * 1e6 / self.checks
    }

    /// Which share of the time the server was on its core.
    pub(super) fn core_share(&self) -> f64 {
        self.on_core.as_secs_f64() / self.lasted.as_secs_f64()
    }

    /// It as a row of the table.
    pub(super) fn row(&self, name: &str) -> [String; 9] {
        let bound = |late: f64| {
            if late.is_finite() { format!("≤ {late}") } else { "> 60".to_owned() }
        };
        [
            name.to_owned(),
            format!("{:.0}", self.per_second()),
            format!("{:.0}", 100.0 * self.core_share()),
            bound(self.late_p99),
            bound(self.latest),
            format!("{:.0}", self.failed),
            format!("{:.0}", self.skipped),
            format!("{:.0}", self.dns_p99.as_secs_f64() * 1e6),
            format!("{:.0}", self.resident_mib),
        ]
    }
}
