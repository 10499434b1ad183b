//! Clients that register, replace, drain and deregister instances, at any server.

use std::time::Duration;

use serde_json::Value;

use super::{PATIENCE, backends::Backends, outcome};
use crate::{
    cluster::{
        ledger::{Change, Key, Outcome, Server, Shown, Sight, State},
        roster::{Kind, state_in},
        scene::{Ends, Scene},
    },
    support::api::Api,
};

/// A client with instances of its own: nobody else changes them.
pub(crate) struct Writer<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) backends: &'a Backends,
    pub(crate) keys: Vec<Key>,
    pub(crate) rng: fastrand::Rng,
}

/// Between two changes of a client, at the most.
const PAUSE: Duration = Duration::from_millis(60);

// === impl Writer ===

impl Writer<'_> {
    /// Makes changes until their end.
    pub(crate) fn run(mut self) {
        while self.scene.pass(PAUSE.mul_f32(self.rng.f32()), Ends::Changes) {
            let key = self.keys[self.rng.usize(..self.keys.len())];
            self.change(key);
        }
    }

    /// Makes a change, if the instance may be changed now and a server is there.
    fn change(&mut self, key: Key) {
        let scene = self.scene;
        let states = {
            let ledger = scene.ledger();
            if !ledger.is_free(key, scene.now()) {
                return;
            }
            ledger.states(key)
        };
        let Some(change) = self.choose(key, &states) else { return };
        let Some(server) = scene.any_server(&mut self.rng) else { return };
        if matches!(change, Change::Register(_)) && self.rng.u8(..) < 32 {
            return self.race(key, server);
        }
        if let Outcome::Taken(revision) = self.send(key, change, server) {
            self.read_elsewhere(key, revision);
        }
    }

    /// What is to become of an instance that is in one of these states.
    fn choose(&mut self, key: Key, states: &[State]) -> Option<Change> {
        let is_plain = self.scene.roster.entry(key).kind == Kind::Plain;
        let again = Change::Register(self.scene.next_generation(key));
        match states {
            // Others change rarely: how they are is to be seen, for longer than it takes to find
            // out.
            [Some(_)] if !is_plain && self.rng.u8(..) > 12 => None,
            [Some(state)] => Some(match self.rng.u8(..100) {
                0..40 => again,
                40..75 => Change::Drain(!state.drained),
                _ => Change::Deregister,
            }),
            // Absent; or nobody knows, and this is the same in either case.
            _ => Some(again),
        }
    }

    /// Registers the same instance twice at the same time, at two servers if there are two.
    fn race(&mut self, key: Key, server: Server) {
        let other = self.scene.any_server(&mut self.rng).unwrap_or(server);
        let this = &*self;
        std::thread::scope(|scope| {
            for server in [server, other] {
                let change = Change::Register(this.scene.next_generation(key));
                scope.spawn(move || this.send(key, change, server));
            }
        });
    }

    /// Asks a server for a change, and notes what came of it.
    fn send(&self, key: Key, change: Change, server: Server) -> Outcome {
        let scene = self.scene;
        let path = scene.roster.entry(key).path();
        let drain = format!("{path}/drain");
        let (request, body) = match change {
            Change::Register(generation) => {
                let port = self.backends.port(key);
                (("PUT", &path), scene.roster.registration(key, generation, port))
            }
            Change::Drain(true) => (("PUT", &drain), Value::Null),
            Change::Drain(false) => (("DELETE", &drain), Value::Null),
            Change::Deregister => (("DELETE", &path), Value::Null),
        };
        let begun = scene.ledger().begin(key, change, scene.now());
        let asked = scene.now();
        let http = scene.servers[server].1;
        let reply = Api::attempt(http, (request.0, request.1), &body, PATIENCE);
        let (outcome, answered) = (outcome(&reply), scene.now());
        let mut ledger = scene.ledger();
        ledger.end(begun, server, outcome, answered);
        let sight = Sight { server, asked, answered };
        match reply.as_ref().map(|reply| reply.status) {
            Ok(200..=299 | 409) => {}
            // As if it had been read.
            Ok(404) => drop(ledger.see(sight, key, Shown::Unknown)),
            _ if ledger.may_be_away(sight) => {}
            _ => ledger.tally.violation(|| format!("{sight:?}: {change:?} {path}: {reply:?}")),
        }
        outcome
    }

    /// Reads what was just written, at whichever server: one that has seen that revision shows it.
    fn read_elsewhere(&mut self, key: Key, revision: u64) {
        let scene = self.scene;
        if self.rng.bool() {
            return;
        }
        let Some(server) = scene.any_server(&mut self.rng) else { return };
        let asked = scene.now();
        let path = format!("{}?min_revision={revision}", scene.roster.entry(key).path());
        let reply = Api::attempt(scene.servers[server].1, ("GET", &path), &Value::Null, PATIENCE);
        let shown = match &reply {
            Ok(reply) if reply.status == 200 => Some(state_in(&reply.body)),
            Ok(reply) if reply.status == 404 => Some(None),
            _ => None,
        };
        let sight = Sight { server, asked, answered: scene.now() };
        let mut ledger = scene.ledger();
        let expected = ledger.states(key);
        ledger.tally.reads += 1;
        match shown {
            Some(state) if expected.contains(&state) => ledger.resolve(key, state, sight.answered),
            None if ledger.may_be_away(sight) => {}
            _ => ledger.tally.violation(|| format!("{sight:?}: {path}, {expected:?}: {reply:?}")),
        }
    }
}
