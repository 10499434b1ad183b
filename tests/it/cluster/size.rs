//! A hundred thousand instances on three servers: all show all of them, their heartbeats cost etcd
//! nothing, and a server that comes later knows what the others do. How fast that goes is for the
//! part `cluster` of `examples/bench`, which takes a million as well.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    api::{Api, instance_path},
    dns::Resolver,
    eventually,
    fleet::Fleet,
    lab::alone,
};

const SERVICES: usize = 5_000;
const INSTANCES: usize = 20;
const ALL: usize = SERVICES * INSTANCES;

/// Services whose instances are registered, or heard of, by one request.
const BULK: usize = 250;

/// Every so many instances one beats by a request of its own.
const BY_ITSELF: usize = 25;

/// Services whose instances are compared one by one.
const COMPARED: usize = 50;

/// As many addresses as an answer has without a policy.
const ANSWERED: usize = 8;

/// Between two questions of a client.
const PAUSE: Duration = Duration::from_millis(10);

/// The server that joins when the others have everything.
const LATER: usize = 3;

fn service(number: usize) -> String {
    format!("s{number}")
}

/// The services of a reply.
fn list(reply: &Value) -> &[Value] {
    reply["services"].as_array().unwrap()
}

/// Registrations that live by heartbeats, in bodies for `POST /api/v1/instances`.
fn bulks() -> Vec<Value> {
    let registration = |service: usize, instance: usize| {
        let [_, b, c, d] = u32::try_from(service * INSTANCES + instance).unwrap().to_be_bytes();
        json!({ "service": self::service(service), "instance": format!("i{instance}"),
            "addresses": [format!("10.{b}.{c}.{d}")], "port": 8_080,
            "checks": [{ "type": "ttl", "ttl": "10m" }] })
    };
    let bulk = |first: usize| {
        let services = first..first + BULK;
        services.flat_map(|s| (0..INSTANCES).map(move |i| registration(s, i))).collect()
    };
    (0..SERVICES).step_by(BULK).map(bulk).collect()
}

/// What a client of one server sees of it.
struct Seen {
    api: Api,
    dns: SocketAddr,
}

/// A reply without the revisions of last changes: a registration of a bulk is written twice, and
/// who was there takes the first for its last change, who has come later the second.
fn without_revisions(mut reply: Value) -> Value {
    fn remove(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(remove),
            Value::Object(fields) => {
                fields.remove("revision");
                fields.values_mut().for_each(remove);
            }
            _ => {}
        }
    }
    remove(&mut reply);
    reply
}

// === impl Seen ===

impl Seen {
    fn of(fleet: &Fleet, server: usize) -> Self {
        Self { api: Api::new(fleet.http(server)), dns: fleet.dns(server) }
    }

    /// The sum of a metric over its labels.
    fn metric(&self, name: &str) -> usize {
        let text = self.api.text("/metrics");
        let of_name = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        let values = of_name.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>());
        values.map(Result::unwrap).sum()
    }

    /// All services with their numbers, and not when they last changed: see [`without_revisions`].
    fn services(&self) -> Value {
        without_revisions(self.api.get("/api/v1/services").body)
    }

    /// All of a service's instances, likewise.
    fn instances(&self, service: usize) -> Value {
        let path = format!("/api/v1/services/{}/instances", self::service(service));
        without_revisions(self.api.get(&path).body)
    }

    fn shows_all(&self) -> Option<()> {
        let passing = |service: &Value| service["passing"] == INSTANCES;
        let services = self.services();
        let services = list(&services);
        (services.len() == SERVICES && services.iter().all(passing)).then_some(())
    }

    /// Asks for one service after the other until `ended` is; each question must be answered, and
    /// with as many addresses as there are to be.
    fn ask_until(&self, ended: &mpsc::Receiver<()>) -> usize {
        let resolver = Resolver::new(self.dns);
        let mut rng = fastrand::Rng::with_seed(6);
        let mut asked = 0;
        while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            let service = service(rng.usize(..SERVICES));
            assert_eq!(resolver.service(&service).len(), ANSWERED, "{service} at {}", self.dns);
            asked += 1;
        }
        asked
    }
}

/// Lets time pass for clients that ask, and for these alone.
fn while_asked(servers: &[Seen], act: impl FnOnce()) {
    std::thread::scope(|scope| {
        let clients: Vec<_> = servers
            .iter()
            .map(|server| {
                let (end, ended) = mpsc::channel();
                (end, scope.spawn(move || server.ask_until(&ended)))
            })
            .collect();
        act();
        for (end, client) in clients {
            drop(end);
            let asked = client.join().expect("every question is answered");
            assert!(asked > 10, "hardly anything was asked: {asked}");
        }
    });
}

/// A heartbeat of each instance: of most by registering again, at one server after the other, and
/// of the rest as well by a request of their own.
fn beat_at_all(servers: &[Seen], bulks: &[Value]) {
    std::thread::scope(|scope| {
        for (at, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                for bulk in bulks.iter().skip(at).step_by(servers.len()) {
                    let reply = server.api.post("/api/v1/instances", bulk);
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
                for number in (at * BY_ITSELF..ALL).step_by(BY_ITSELF * servers.len()) {
                    let instance = format!("i{}", number % INSTANCES);
                    let path = instance_path(&service(number / INSTANCES), &instance);
                    let reply = server.api.put(&format!("{path}/heartbeat"), &Value::Null);
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
            });
        }
    });
}

fn revision(fleet: &Fleet) -> u64 {
    let etcd = fleet.etcd.as_ref().expect("they share one");
    let status = etcd.ctl(&["endpoint", "status", "--write-out=json"]).json();
    let of_each = status.as_array().unwrap().iter();
    of_each.map(|member| member["Status"]["header"]["revision"].as_u64().unwrap()).max().unwrap()
}

#[test]
fn a_hundred_thousand_instances_are_shown_by_all_and_their_heartbeats_are_not_written() {
    alone(|| {
        let mut fleet = Fleet::start(3, LATER + 1);
        fleet.kill(LATER);
        let servers: Vec<Seen> = (0..LATER).map(|at| Seen::of(&fleet, at)).collect();
        let bulks = bulks();
        for (bulk, server) in bulks.iter().zip(servers.iter().cycle()) {
            let reply = server.api.post("/api/v1/instances", bulk);
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        for server in &servers {
            eventually("it shows all", || server.shows_all());
            let alive = || (server.metric("rollcall_cluster_servers") == LATER).then_some(());
            eventually("the one that was killed has no lease any more", alive);
        }
        let sum = |name: &str| servers.iter().map(|server| server.metric(name)).sum::<usize>();
        while_asked(&servers, || {
            let before = revision(&fleet);
            beat_at_all(&servers, &bulks);
            // Two of three come to a server that does not count them.
            let name = "rollcall_cluster_beats_received_total";
            eventually("they arrive where they count", || (sum(name) > ALL / 2).then_some(()));
            assert_eq!(revision(&fleet), before, "something was written");
            assert_eq!(sum("rollcall_cluster_beats_dropped_total"), 0);
            fleet.start_again(LATER);
        });
        let later = Seen::of(&fleet, LATER);
        // It is ready, so it knows everything.
        let (all, others) = (later.services(), servers[0].services());
        assert_eq!([list(&all).len(), list(&others).len()], [SERVICES; 2]);
        let mut pairs = list(&all).iter().zip(list(&others));
        assert_eq!(pairs.find(|(one, other)| one != other), None);
        for number in (0..SERVICES).step_by(SERVICES / COMPARED) {
            assert_eq!(later.instances(number), servers[0].instances(number));
        }
    });
}
