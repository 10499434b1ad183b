//! Instances that beat, at any server, and now and then fall silent.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::Value;

use crate::{
    cluster::{
        ledger::{Key, Server, Shown, Sight},
        roster::TTL,
        scene::{Ends, Scene},
    },
    support::api::Api,
};

/// An instance's own client.
pub(crate) struct Heart<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) key: Key,
    pub(crate) rng: fastrand::Rng,
    /// How many of all are silent.
    pub(crate) silent: &'a AtomicUsize,
}

/// So many may be silent at the same time: more would be doubted.
const SILENT_MAX: usize = 2;

/// How long it waits for a server before it asks another.
const PATIENCE: Duration = Duration::from_secs(1);

// === impl Heart ===

impl Heart<'_> {
    /// Beats until everything ends.
    pub(crate) fn run(mut self) {
        loop {
            let beats = self.rng.u32(5..15);
            let mut servers: Vec<Server> = (0..self.scene.servers.len()).collect();
            self.rng.shuffle(&mut servers);
            for _ in 0..beats {
                self.beat(&servers);
                let pause = (TTL / 3).mul_f32(self.rng.f32().mul_add(0.3, 0.7));
                if !self.scene.pass(pause, Ends::Everything) {
                    return;
                }
            }
            self.fall_silent();
        }
    }

    /// For longer than it takes until it is known; not when others are, or when it is to end.
    fn fall_silent(&mut self) {
        let more = |silent: usize| (silent < SILENT_MAX).then_some(silent + 1);
        if self.silent.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok() {
            let time = TTL + Duration::from_secs(3).mul_f32(self.rng.f32().mul_add(1.0, 1.0));
            self.scene.pass(time, Ends::Changes);
            self.silent.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Asks one server after the other, until one takes it: the same ones first each time, so that
    /// others hear nothing of it.
    fn beat(&self, servers: &[Server]) {
        for &server in servers {
            if self.scene.ledger().is_down(server) {
                continue;
            }
            if self.scene.ledger().states(self.key) == [None] || self.is_taken_by(server) {
                return;
            }
        }
    }

    fn is_taken_by(&self, server: Server) -> bool {
        let (scene, key) = (self.scene, self.key);
        let path = format!("{}/heartbeat", scene.roster.entry(key).path());
        let begun = scene.ledger().begin_beat(key, server, scene.now());
        let asked = scene.now();
        let reply = Api::attempt(scene.servers[server].1, ("PUT", &path), &Value::Null, PATIENCE);
        let answered = scene.now();
        let status = reply.ok().map(|reply| reply.status);
        let mut ledger = scene.ledger();
        ledger.end_beat(begun, status == Some(200), answered);
        if status == Some(404) {
            ledger.see(Sight { server, asked, answered }, key, Shown::Unknown);
        }
        status == Some(200)
    }
}
