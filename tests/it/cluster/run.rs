//! A run: everybody takes part at the same time, faults come and go, and the ledger says whether
//! all that was acknowledged is there, all that was asked was answered, and nothing was answered
//! that was not so within its bound.
//!
//! The ordinary run is short and always of the same seed, though not the same: what happens depends
//! on how threads and processes take turns. By hand, for as long as one likes and from any seed:
//!
//!     CLUSTER_MINUTES=60 CLUSTER_SEED=42 cargo test --test it cluster::run -- --nocapture

use std::{sync::atomic::AtomicUsize, time::Duration};

use serde_json::Value;

use super::{
    faults::{Conductor, Fault},
    ledger::{Bounds, Key, Server, State},
    roster::{Kind, TTL, state_in},
    scene::{Ends, Scene},
    traffic::{backends::Backends, heartbeats::Heart, resolvers, writers::Writer},
};
use crate::support::{
    api::Api,
    fleet::{Fleet, LEASE},
    lab::alone,
    variable,
};

/// A run of so many members of etcd and servers.
struct Run {
    members: usize,
    servers: usize,
    /// When nobody asks for longer.
    time: Duration,
    /// How long a fault lasts, at the most.
    hold: Duration,
}

/// Clients that change things at the same time.
const WRITERS: usize = 4;

/// For so long all is looked at after it has settled: longer than a silence lasts, or a check that
/// is not made would be noticed.
const LOOK: Duration = Duration::from_secs(7);

/// Where the ordinary run begins.
const SEED: u64 = 6;

/// Ends everything when the run fails, so that nobody goes on for ever.
struct Curtain<'a>(&'a Scene);

// === impl Run ===

impl Run {
    fn play(&self) {
        let minutes = variable("CLUSTER_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
        let time = minutes.unwrap_or(self.time);
        let seed = variable("CLUSTER_SEED").unwrap_or(SEED);
        println!(
            "{} servers, {} members, {time:?}, CLUSTER_SEED={seed}",
            self.servers, self.members
        );
        let mut fleet = Fleet::start(self.members, self.servers);
        let bounds = self.bounds();
        let scene = Scene::new(&fleet, bounds);
        let backends = Backends::start(&scene);
        let silent = AtomicUsize::new(0);
        let mut rng = fastrand::Rng::with_seed(seed);
        std::thread::scope(|scope| {
            let curtain = Curtain(&scene);
            for writer in 0..WRITERS {
                let keys = scene.roster.keys().skip(writer).step_by(WRITERS).collect();
                let writer = Writer { scene: &scene, backends: &backends, keys, rng: rng.fork() };
                scope.spawn(|| writer.run());
            }
            for key in scene.roster.of(Kind::Beating) {
                let heart = Heart { scene: &scene, key, rng: rng.fork(), silent: &silent };
                scope.spawn(|| heart.run());
            }
            for server in 0..self.servers {
                let (scene, rng) = (&scene, rng.fork());
                scope.spawn(move || resolvers::run(scene, server, rng));
            }
            let turns = rng.fork();
            scope.spawn(|| backends.run(&scene, turns));
            self.trouble(&mut fleet, &scene, &mut rng, time);
            scene.end(Ends::Changes);
            scene.pass(bounds.settled, Ends::Everything);
            conclude(&scene);
            drop(curtain);
        });
        let ledger = scene.ledger();
        println!("{}", ledger.tally);
        ledger.tally.check();
        let changes = ledger.tally.changes.taken;
        assert!(changes > time.as_secs(), "one in a second is little: {changes}");
        let untried = ledger.untried();
        for kind in Kind::ALL {
            let of_kind = scene.roster.of(kind);
            let some_is_tried = of_kind.iter().any(|key| !untried.contains(key));
            assert!(some_is_tried, "{kind:?}: none was seen both well and ill");
        }
    }

    /// Lets one fault follow the other for a time, each once before any comes again. Half of them
    /// come before the last has settled; in a long run some only when it is seen that all is well
    /// again, as at the end of each.
    fn trouble(&self, fleet: &mut Fleet, scene: &Scene, rng: &mut fastrand::Rng, time: Duration) {
        let Bounds { settled, moved, .. } = self.bounds();
        let long = moved + LOOK;
        let mut faults = Vec::new();
        while scene.now() < time {
            let calm = match rng.u8(..8) {
                0..4 => settled.mul_f32(0.5 * rng.f32()),
                4 if time > self.time => long,
                _ => (2 * settled).mul_f32(rng.f32()),
            };
            scene.pass(calm, Ends::Changes);
            if faults.is_empty() {
                faults = Fault::all(self.servers, self.members);
                rng.shuffle(&mut faults);
            }
            let fault = faults.pop().expect("there are some");
            let hold = self.hold.mul_f32(rng.f32());
            Conductor { fleet, scene, hold }.carry_out(fault);
        }
        scene.pass(long, Ends::Changes);
    }

    /// What is stated of the weather; see `Bounds`.
    fn bounds(&self) -> Bounds {
        let seen = Duration::from_secs(1);
        if self.members == 0 {
            // A server by itself knows all that there is when it runs.
            return Bounds { seen, settled: seen, moved: TTL + 2 * seen };
        }
        // It tries again within five seconds, and catches up.
        let settled = Duration::from_secs(8);
        Bounds { seen, settled, moved: settled + LEASE + TTL + seen }
    }
}

/// Asks all servers for all there is, and holds them to what was acknowledged.
fn conclude(scene: &Scene) {
    let states: Vec<Vec<State>> = (0..scene.servers.len()).map(|at| states(scene, at)).collect();
    let mut ledger = scene.ledger();
    for key in scene.roster.keys() {
        let of_each: Vec<State> = states.iter().map(|of_all| of_all[key]).collect();
        ledger.conclude(key, &of_each);
    }
}

/// How all instances are registered at a server.
fn states(scene: &Scene, server: Server) -> Vec<State> {
    let api = Api::new(scene.servers[server].1);
    let state = |key: Key| {
        let reply = api.get(&scene.roster.entry(key).path());
        assert!(matches!(reply.status, 200 | 404), "{reply:?}");
        state_in(&if reply.status == 200 { reply.body } else { Value::Null })
    };
    scene.roster.keys().map(state).collect()
}

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.end(Ends::Everything);
    }
}

#[test]
fn a_server_that_is_killed_and_paused_answers_right_and_loses_nothing() {
    let [time, hold] = [8, 3].map(Duration::from_secs);
    alone(|| Run { members: 0, servers: 1, time, hold }.play());
}

#[test]
fn servers_on_one_etcd_answer_right_and_lose_nothing_whatever_dies_or_is_cut() {
    let [time, hold] = [40, 6].map(Duration::from_secs);
    alone(|| Run { members: 3, servers: 3, time, hold }.play());
}
