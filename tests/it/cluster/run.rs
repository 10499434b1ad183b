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
    settle::settle,
    traffic::{backends::Backends, facts::Facts, heartbeats::Heart, resolvers, writers::Writer},
};
use crate::support::{
    api::Api,
    fleet::{Fleet, LEASE},
    lab::alone,
    variable,
};

/// A run of so many members of etcd and servers.
pub(super) struct Run {
    pub(super) members: usize,
    pub(super) servers: usize,
    pub(super) plan: Plan,
}

/// What goes wrong in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plan {
    /// Whatever comes.
    AsItComes {
        /// When nobody asks for longer.
        time: Duration,
        /// How long a fault lasts, at the most.
        hold: Duration,
    },
    /// These faults, in this order, each for so many milliseconds at the most; after each all
    /// servers have to be found as they should be.
    InOrder(&'static [(Fault, u64)]),
}

/// How long a run is in which instances of each kind are seen both well and ill.
const ALL_KINDS_WITHIN: Duration = Duration::from_secs(40);

/// Clients that change things at the same time.
const WRITERS: usize = 4;

/// For so long all is looked at after it has settled: longer than a silence lasts, or a check that
/// is not made would be noticed.
const LOOK: Duration = Duration::from_secs(7);

/// Where the ordinary run begins.
const SEED: u64 = 6;

/// Faults that come and go in a run.
struct Trouble<'a> {
    of: &'a Run,
    /// How long this is when nobody asks for longer.
    usual: Duration,
    hold: Duration,
}

/// For so long answers are held to the bounds of good weather after each fault.
const STRICT: Duration = Duration::from_secs(1);

/// Ends everything when the run fails, so that nobody goes on for ever.
struct Curtain<'a>(&'a Scene);

// === impl Run ===

impl Run {
    pub(super) fn play(&self) {
        let seed = variable("CLUSTER_SEED").unwrap_or(SEED);
        println!("{} servers, {} members, CLUSTER_SEED={seed}", self.servers, self.members);
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
            let facts = Facts::start(&scene, rng.fork());
            scope.spawn(|| facts.run());
            let turns = rng.fork();
            scope.spawn(|| backends.run(&scene, turns));
            match self.plan {
                Plan::AsItComes { time, hold } => {
                    let minutes = variable("CLUSTER_MINUTES");
                    let asked = minutes.map(|minutes| Duration::from_secs(60 * minutes));
                    let trouble = Trouble { of: self, usual: time, hold };
                    trouble.come(&mut fleet, &scene, &mut rng, asked.unwrap_or(time));
                }
                Plan::InOrder(faults) => in_order(faults, &mut fleet, &scene, bounds),
            }
            // What is shown of health has had its time, and is looked at.
            scene.pass(bounds.moved + LOOK, Ends::Changes);
            scene.end(Ends::Changes);
            scene.pass(bounds.settled, Ends::Everything);
            conclude(&scene);
            drop(curtain);
        });
        let ledger = scene.ledger();
        println!("{}", ledger.tally);
        ledger.tally.check();
        let changes = ledger.tally.changes.taken;
        assert!(changes > scene.now().as_secs(), "one in a second is little: {changes}");
        let untried = ledger.untried();
        // In a run of seconds, most of which the server was dead, chance may leave one out.
        for kind in Kind::ALL.into_iter().filter(|_| scene.now() >= ALL_KINDS_WITHIN) {
            let of_kind = scene.roster.of(kind);
            let some_is_tried = of_kind.iter().any(|key| !untried.contains(key));
            assert!(some_is_tried, "{kind:?}: none was seen both well and ill");
        }
    }

    /// What is stated of the weather; see `Bounds`.
    fn bounds(&self) -> Bounds {
        let seen = Duration::from_secs(1);
        if self.members == 0 {
            // A server by itself knows all that there is when it runs.
            return Bounds {
                seen,
                settled: seen,
                checked: seen,
                noticed: seen,
                moved: TTL + 2 * seen,
            };
        }
        // It tries again within five seconds, and catches up.
        let settled = Duration::from_secs(8);
        let checked = settled + LEASE;
        // A lease until they take themselves for cut off, and what they say to one another.
        let noticed = LEASE + 2 * seen;
        Bounds { seen, settled, checked, noticed, moved: checked + TTL + seen }
    }
}

// === impl Trouble ===

impl Trouble<'_> {
    /// Lets one fault follow the other for a time, each once before any comes again. Half of them
    /// come before the last has settled; in a long run some only when it is seen that all is well
    /// again, as at the end of each.
    fn come(&self, fleet: &mut Fleet, scene: &Scene, rng: &mut fastrand::Rng, time: Duration) {
        println!("for {time:?}");
        let Run { members, servers, .. } = *self.of;
        let Bounds { settled, moved, .. } = self.of.bounds();
        let mut faults = Vec::new();
        while scene.now() < time {
            let calm = match rng.u8(..8) {
                0..4 => settled.mul_f32(0.5 * rng.f32()),
                4 if time > self.usual => moved + LOOK,
                _ => (2 * settled).mul_f32(rng.f32()),
            };
            scene.pass(calm, Ends::Changes);
            if faults.is_empty() {
                faults = Fault::all(servers, members);
                rng.shuffle(&mut faults);
            }
            let fault = faults.pop().expect("there are some");
            let hold = self.hold.mul_f32(rng.f32());
            Conductor { fleet, scene, hold }.carry_out(fault);
        }
    }
}

/// Carries out one fault after the other. After each, all servers have to take and show changes
/// within the bound for that, and from then on nothing is excused by it but what health takes.
fn in_order(faults: &[(Fault, u64)], fleet: &mut Fleet, scene: &Scene, bounds: Bounds) {
    for &(fault, hold) in faults {
        let begun = scene.now();
        let taken = scene.ledger().tally.changes.taken;
        Conductor { fleet, scene, hold: Duration::from_millis(hold) }.carry_out(fault);
        let lasted = scene.now() - begun;
        let settled = settle(scene);
        println!("         lasted {lasted:.1?}, settled in {settled:.1?}");
        scene.ledger().caught_up(scene.now());
        scene.pass(STRICT, Ends::Changes);
        let ledger = scene.ledger();
        let (what, taken) = (format!("{fault:?}"), ledger.tally.changes.taken - taken);
        ledger.tally.check_after(&what);
        assert!(settled <= bounds.settled, "{what}: all take changes only after {settled:?}");
        assert!(taken > 0, "{what}: nobody could change anything");
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
    let plan = Plan::AsItComes { time, hold };
    alone(|| Run { members: 0, servers: 1, plan }.play());
}

#[test]
fn servers_on_one_etcd_answer_right_and_lose_nothing_whatever_dies_or_is_cut() {
    let [time, hold] = [40, 6].map(Duration::from_secs);
    let plan = Plan::AsItComes { time, hold };
    alone(|| Run { members: 3, servers: 3, plan }.play());
}
