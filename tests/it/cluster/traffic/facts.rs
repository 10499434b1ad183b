//! A client that sets policies of services and says how instances are: of each one thing after the
//! other, at any server. Before it says the next, all servers that have settled have to show the
//! last that was acknowledged.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PATIENCE, outcome};
use crate::{
    cluster::{
        ledger::{At, Outcome, Server, Sight},
        scene::{Ends, Scene},
    },
    support::{api, api::Api},
};

/// What this client says.
pub(crate) struct Facts<'a> {
    scene: &'a Scene,
    all: Vec<Fact>,
    rng: fastrand::Rng,
}

/// Something that one thing after the other is said of.
struct Fact {
    sort: Sort,
    /// Where it is set, and where it is read.
    paths: [String; 2],
    /// How often something was said of it, and when it was last.
    count: usize,
    said: At,
    /// What it may be, as nobody says anything else of it.
    may_be: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// How a service is answered.
    Policy,
    /// How an instance is, by a heartbeat that is good for longer than a run: what an instance says
    /// twice at two servers within three seconds is another matter.
    Word,
}

/// How many there are of each: with the pause between two, one comes again after five seconds.
const POLICIES: usize = 4;
const WORDS: usize = 12;
const PAUSE: Duration = Duration::from_millis(300);

/// A word is acknowledged after three seconds, though etcd has not got it.
const UNWRITTEN: Duration = Duration::from_millis(2_900);

/// What instances say, in turns.
const STATES: [&str; 3] = ["critical", "warning", "passing"];

/// The service of those instances.
const SERVICE: &str = "speaking";

// === impl Facts ===

impl<'a> Facts<'a> {
    /// Registers the instances, at a server that has nothing else to do yet.
    pub(crate) fn start(scene: &'a Scene, rng: fastrand::Rng) -> Self {
        let api = Api::new(scene.servers[0].1);
        let checks = json!([{ "type": "ttl", "ttl": "1h" }]);
        let body = json!({ "addresses": ["192.0.2.1"], "checks": checks });
        let policy = |n: usize| {
            let path = format!("/api/v1/services/answered-{n}/policy");
            api.put(&path, &json!({ "ttl": 1 }));
            Fact::new(Sort::Policy, [path.clone(), path], json!(1))
        };
        let word = |n: usize| {
            let path = api::instance_path(SERVICE, &format!("{SERVICE}-{n}"));
            api.register(SERVICE, &format!("{SERVICE}-{n}"), &body);
            Fact::new(Sort::Word, [format!("{path}/heartbeat"), path], json!("passing"))
        };
        let all = (0..POLICIES).map(policy).chain((0..WORDS).map(word)).collect();
        Self { scene, all, rng }
    }

    /// Says one after the other until the end of changes, and looks until everything ends.
    pub(crate) fn run(mut self) {
        let count = self.all.len();
        for at in (0..count).cycle() {
            if !self.scene.pass(PAUSE, Ends::Everything) {
                return;
            }
            self.all[at].look(self.scene);
            if self.scene.pass(Duration::ZERO, Ends::Changes)
                && let Some(server) = self.scene.any_server(&mut self.rng)
            {
                self.all[at].say(self.scene, server);
            }
        }
    }
}

// === impl Fact ===

impl Fact {
    fn new(sort: Sort, paths: [String; 2], value: Value) -> Self {
        Self { sort, paths, count: 0, said: At::ZERO, may_be: vec![value] }
    }

    /// Says the next thing at a server.
    fn say(&mut self, scene: &Scene, server: Server) {
        self.count += 1;
        let (value, field) = match self.sort {
            Sort::Policy => (json!(self.count + 1), "ttl"),
            Sort::Word => (json!(STATES[self.count % STATES.len()]), "status"),
        };
        let (asked, body) = (scene.now(), json!({ field: value }));
        let request = ("PUT", &*self.paths[0]);
        let reply = Api::attempt(scene.servers[server].1, request, &body, PATIENCE);
        let (outcome, answered) = (outcome(&reply), scene.now());
        let (sight, mut ledger) = (Sight { server, asked, answered }, scene.ledger());
        self.said = answered;
        match outcome {
            Outcome::Taken(_)
                if self.sort == Sort::Policy
                    || (answered - asked < UNWRITTEN
                        && !ledger.may_be_unheard(asked, answered)) =>
            {
                self.may_be = vec![value];
            }
            Outcome::Refused => {}
            Outcome::Taken(_) | Outcome::Unsure => self.may_be.push(value),
        }
        ledger.tally.changes.count(outcome);
        if !matches!(outcome, Outcome::Taken(_)) && !ledger.may_be_away(sight) {
            ledger.tally.violation(|| format!("{sight:?}: {request:?} {body}: {reply:?}"));
        }
    }

    /// Holds all servers that have settled to what was said.
    fn look(&self, scene: &Scene) {
        let field = match self.sort {
            Sort::Policy => "ttl",
            Sort::Word => "status",
        };
        for server in 0..scene.servers.len() {
            let request = ("GET", &*self.paths[1]);
            let asked = scene.now();
            if scene.ledger().is_down(server) {
                continue;
            }
            let reply = Api::attempt(scene.servers[server].1, request, &Value::Null, PATIENCE);
            let sight = Sight { server, asked, answered: scene.now() };
            let mut ledger = scene.ledger();
            let shown = reply.as_ref().map(|reply| &reply.body[field]);
            let is_right = shown.is_ok_and(|shown| self.may_be.contains(shown));
            if !is_right && !ledger.may_be_away(sight) {
                let Self { paths, said, may_be, .. } = self;
                ledger.tally.violation(|| {
                    format!("{sight:?}: {paths:?}, {may_be:?} since {said:?}: {reply:?}")
                });
            }
            ledger.tally.reads += 1;
        }
    }
}
