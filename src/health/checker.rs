//! The checker as the application sees it: made once, run until it is told to stop.

use tokio_util::sync::CancellationToken;

use super::{
    HealthError, Options, probe::Prober, runner::Runner, scheduler::Scheduler, stats::Stats,
};
use crate::{registry::Registry, telemetry::Metrics, util::Clock};

/// Checks every instance that has an active check. Does nothing until [`Checker::run`].
#[derive(Debug)]
pub struct Checker(Scheduler<Prober>);

/// Prepares the checking of all instances of `registry`.
///
/// # Errors
/// When the file of trusted certificates cannot be used.
pub fn start(
    registry: Registry,
    options: &Options,
    clock: Clock,
    metrics: &Metrics,
) -> Result<Checker, HealthError> {
    let prober = Prober::new(options.ca_file.as_deref())?;
    let runner = Runner::new(prober, options.in_flight_max, clock.clone());
    Ok(Checker(Scheduler::new(registry, runner, clock, Stats::new(metrics))))
}

// === impl Checker ===

impl Checker {
    /// Checks until `stop`. Probes that are then under way are given up: their targets are checked
    /// again after the next start.
    pub async fn run(self, stop: CancellationToken) {
        self.0.run(stop).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;

    use super::start;
    use crate::{
        health::{
            Options,
            probe::testing::{PATIENCE, http_check, instance_at, saying},
        },
        model::{Command, Status, Thresholds},
        registry::{
            Options as RegistryOptions,
            testing::{Kept, key, run},
        },
    };

    #[tokio::test]
    async fn a_real_server_passes_until_it_is_gone() {
        let running = run(Kept::default(), RegistryOptions::default());
        let options = Options::default();
        let registry = running.registry.clone();
        let checker = start(registry, &options, running.clock.clone(), &running.metrics).unwrap();
        let stop = CancellationToken::new();
        let checking = tokio::spawn(checker.run(stop.clone()));

        let (address, heads) = saying("HTTP/1.1 200 OK\r\n\r\nhello").await;
        let often = Thresholds { interval: Duration::from_millis(100), ..Thresholds::DEFAULT };
        let instance = instance_at(address, http_check(|check| check.thresholds = often));
        let command = Command::Register(vec![Arc::new(instance)]);
        running.registry.submit(command).await.unwrap();
        let until = async |status, output: &str| {
            let mut revisions = running.registry.events().subscribe();
            let turn = async {
                loop {
                    let snapshot = running.registry.snapshot();
                    let state = &snapshot.member(&key("web/a")).unwrap().checks[0];
                    if state.status == status && state.output.contains(output) {
                        return;
                    }
                    revisions.changed().await.unwrap();
                }
            };
            timeout(PATIENCE, turn).await.unwrap_or_else(|_| panic!("never {status}: {output}"));
        };
        until(Status::Passing, "HTTP 200 OK: hello").await;
        drop(heads); // the server ends with its listener
        until(Status::Critical, "connection refused").await;
        stop.cancel();
        timeout(PATIENCE, checking).await.expect("it ends").unwrap();
    }
}
