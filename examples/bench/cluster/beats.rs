//! Heartbeats of all instances, each at one of the servers at random, as behind a load balancer.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use fastrand::Rng;

use crate::{data::Data, http::Http};

/// Connections to each server.
const CONNECTIONS: u32 = 16;

/// A round of heartbeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beats {
    pub(super) data: Data,
    /// In a second, at all servers together.
    pub(super) rate: u32,
}

// === impl Beats ===

impl Beats {
    /// Sends one heartbeat for each instance, and returns how long that took.
    ///
    /// # Errors
    /// When one is refused.
    pub(super) fn run(&self, servers: &[SocketAddr]) -> Result<Duration> {
        let begun = Instant::now();
        let all: Result<Vec<()>> = thread::scope(|scope| {
            let work = |number| move || self.work(number, servers, begun);
            let workers: Vec<_> = (0..CONNECTIONS).map(|n| scope.spawn(work(n))).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        });
        all?;
        Ok(begun.elapsed())
    }

    fn work(&self, number: u32, servers: &[SocketAddr], begun: Instant) -> Result<()> {
        let https: Result<Vec<Http>> = servers.iter().copied().map(Http::to).collect();
        let mut https = https?;
        let mut rng = Rng::with_seed(number.into());
        let every = Duration::from_secs(1) * CONNECTIONS / self.rate;
        let mut due = begun + every * number / CONNECTIONS;
        let all = self.data.services * self.data.instances;
        for instance in (number..all).step_by(CONNECTIONS as usize) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let (service, instance) =
                (instance / self.data.instances, instance % self.data.instances);
            let service = Data::service(service);
            let path = format!("/api/v1/services/{service}/instances/i{instance}/heartbeat");
            let server = rng.usize(..https.len());
            let status = https[server].send("PUT", &path, "")?;
            ensure!(status == 200, "PUT {path} is refused with {status}: {}", https[server].body());
            due += every;
        }
        Ok(())
    }
}
