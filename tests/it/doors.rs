//! What comes by any door is seen through all of them and by DNS, and can be taken out of the
//! answers and away by each.

use hickory_proto::rr::{RData, RecordType};
use serde_json::{Value, json};

use crate::support::{
    Backend, Node,
    api::{Api, instance_path},
    events::Events,
    eventually, raw,
};

/// A way into the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Native,
    Consul,
    Eureka,
}

/// An instance, by the names that it has behind each door.
#[derive(Debug)]
struct Known {
    service: &'static str,
    /// Its last octet in 127.0.0.0/24, and its port above 1000.
    number: u16,
    label: String,
    consul: String,
    eureka: String,
}

/// How an instance is, as each looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    native: &'static str,
    /// The aggregated status of an agent's health report.
    consul: &'static str,
    /// Whether it is among those that pass.
    passes: bool,
    eureka: &'static str,
    is_answered: bool,
}

const DOORS: [Door; 3] = [Door::Native, Door::Consul, Door::Eureka];

const UP: State =
    State { native: "passing", consul: "passing", passes: true, eureka: "UP", is_answered: true };
const WARNING: State = State { native: "warning", consul: "warning", passes: false, ..UP };
const ILL: State = State {
    native: "critical",
    consul: "critical",
    passes: false,
    eureka: "DOWN",
    is_answered: false,
};
const OUT: State =
    State { native: "drained", consul: "maintenance", eureka: "OUT_OF_SERVICE", ..ILL };
const GONE: State = State { native: "", consul: "", eureka: "", ..ILL };

// === impl Door ===

impl Door {
    /// Registers an instance by this door.
    fn register(self, api: &Api) -> Known {
        let (service, number, id) = match self {
            Self::Native => ("alpha", 11, "alpha-1"),
            Self::Consul => ("beta", 12, "host:beta:1012"),
            Self::Eureka => ("gamma", 13, "host:gamma:1013"),
        };
        let (address, port) = (format!("127.0.0.{number}"), 1000 + number);
        match self {
            Self::Native => {
                let check = json!({"type": "ttl", "ttl": "1h"});
                let body = json!({"addresses": [address], "port": port, "checks": [check]});
                api.register(service, id, &body);
            }
            Self::Consul => {
                let check = json!({"TTL": "1h", "Status": "passing"});
                let body = json!({"Name": service, "ID": id, "Address": address, "Port": port,
                                  "Check": check});
                put(api, "/v1/agent/service/register", &body);
            }
            Self::Eureka => {
                let info = json!({"instanceId": id, "hostName": address, "ipAddr": address,
                    "app": "GAMMA", "status": "UP", "port": {"$": port, "@enabled": "true"},
                    "leaseInfo": {"durationInSecs": 3600}, "dataCenterInfo": {"name": "MyOwn"}});
                let reply = api.post("/eureka/apps/GAMMA", &json!({"instance": info}));
                assert_eq!(reply.status, 204, "{reply:?}");
            }
        }
        let list = api.get(&format!("/api/v1/services/{service}/instances")).body;
        let label = list["instances"][0]["instance"].as_str().unwrap().to_owned();
        let eureka = match self {
            Self::Eureka => id.to_owned(),
            _ => format!("rollcall:{service}:{label}"),
        };
        Known { service, number, label, consul: id.to_owned(), eureka }
    }

    /// Takes an instance out of the answers by this door, or puts it back.
    fn drain(self, api: &Api, known: &Known, on: bool) {
        match (self, on) {
            (Self::Native, true) => put(api, &format!("{}/drain", known.path()), &Value::Null),
            (Self::Native, false) => delete(api, &format!("{}/drain", known.path())),
            (Self::Consul, _) => {
                let id = &known.consul;
                let path = format!("/v1/agent/service/maintenance/{id}?enable={on}");
                put(api, &path, &Value::Null);
            }
            (Self::Eureka, true) => {
                let path = format!("{}/status?value=OUT_OF_SERVICE", known.eureka_path());
                put(api, &path, &Value::Null);
            }
            (Self::Eureka, false) => {
                delete(api, &format!("{}/status?value=UP", known.eureka_path()));
            }
        }
    }

    /// Takes an instance away by this door; the status of the reply.
    fn deregister(self, api: &Api, known: &Known) -> u16 {
        match self {
            Self::Native => api.delete(&known.path()).status,
            Self::Consul => {
                let path = format!("/v1/agent/service/deregister/{}", known.consul);
                api.put(&path, &Value::Null).status
            }
            Self::Eureka => api.delete(&known.eureka_path()).status,
        }
    }
}

// === impl Known ===

impl Known {
    fn path(&self) -> String {
        instance_path(self.service, &self.label)
    }

    fn eureka_path(&self) -> String {
        format!("/eureka/apps/{}/{}", self.service.to_uppercase(), self.eureka)
    }

    fn address(&self) -> String {
        format!("127.0.0.{}", self.number)
    }

    fn port(&self) -> u16 {
        1000 + self.number
    }

    /// Asserts that all who look see it in this state.
    #[track_caller]
    fn is_seen(&self, node: &Node, state: State, when: &str) {
        let api = node.api();
        assert_eq!(self.natively(&api), state.native, "natively, {self:?} {when}");
        assert_eq!(self.of_agent(&api), state.consul, "by Consul's agent, {self:?} {when}");
        let rows = |query: &str| self.rows(&api, query);
        assert_eq!(rows(""), state != GONE, "by Consul's health, {self:?} {when}");
        assert_eq!(rows("?passing"), state.passes, "among those that pass, {self:?} {when}");
        assert_eq!(self.by_eureka(node), state.eureka, "by Eureka, {self:?} {when}");
        for domain in ["internal", "consul"] {
            let name = format!("{}.service.{domain}.", self.service);
            let (a, srv) = self.by_dns(node, &name);
            let expected = if state.is_answered { vec![self.address()] } else { Vec::new() };
            assert_eq!((&a, &srv), (&expected, &expected), "{name}, {self:?} {when}");
        }
    }

    fn natively(&self, api: &Api) -> String {
        let reply = api.get(&self.path());
        if reply.status == 404 {
            return String::new();
        }
        let body = reply.body;
        assert_eq!(body["addresses"], json!([self.address()]), "{body}");
        assert_eq!(body["port"], self.port(), "{body}");
        let word =
            if body["drained"] == true { "drained" } else { body["status"].as_str().unwrap() };
        word.to_owned()
    }

    fn of_agent(&self, api: &Api) -> String {
        let path = format!("/v1/agent/health/service/id/{}", self.consul);
        let reply = api.get(&path);
        if reply.status == 404 {
            return String::new();
        }
        let service = &reply.body["Service"];
        assert_eq!(service["Address"], self.address(), "{service}");
        assert_eq!(service["Port"], self.port(), "{service}");
        let status = reply.body["AggregatedStatus"].as_str().unwrap().to_owned();
        let code = match &*status {
            "passing" => 200,
            "warning" => 429,
            _ => 503,
        };
        assert_eq!(reply.status, code, "{reply:?}");
        status
    }

    /// Whether it is a row of `health/service`, as it is of the catalog.
    fn rows(&self, api: &Api, query: &str) -> bool {
        let rows = api.get(&format!("/v1/health/service/{}{query}", self.service)).body;
        let catalog = api.get(&format!("/v1/catalog/service/{}", self.service)).body;
        for row in rows.as_array().unwrap() {
            assert_eq!(row["Service"]["ID"], self.consul, "{row}");
            assert_eq!(catalog[0]["ServiceID"], self.consul, "{catalog}");
            assert_eq!(catalog[0]["ServiceAddress"], self.address(), "{catalog}");
            let ids = row["Checks"].as_array().unwrap().iter().map(|check| &check["CheckID"]);
            assert!(ids.clone().any(|id| id == "serfHealth"), "{row}");
        }
        !rows.as_array().unwrap().is_empty()
    }

    fn by_eureka(&self, node: &Node) -> String {
        let accept = [("accept", "application/json")];
        let get = |path: &str| raw::call(node.http[0], ("GET", path), &accept, b"");
        let app = get(&format!("/eureka/apps/{}", self.service.to_uppercase()));
        let reply = get(&self.eureka_path());
        assert_eq!(app.status, reply.status, "there is one instance of each");
        if reply.status == 404 {
            return String::new();
        }
        let instance = reply.json()["instance"].clone();
        assert_eq!(app.json()["application"]["instance"][0]["status"], instance["status"]);
        assert_eq!(instance["ipAddr"], self.address(), "{instance}");
        assert_eq!(instance["port"]["$"], self.port(), "{instance}");
        instance["status"].as_str().unwrap().to_owned()
    }

    /// The addresses of A, and those that SRV with its port leads to.
    fn by_dns(&self, node: &Node, name: &str) -> (Vec<String>, Vec<String>) {
        let resolver = node.resolver();
        let addresses = |name: &str| -> Vec<String> {
            resolver.addresses(name, RecordType::A).iter().map(ToString::to_string).collect()
        };
        let reply = resolver.ask(name, RecordType::SRV);
        let targets = reply.answers.iter().map(|record| {
            let RData::SRV(srv) = &record.data else { panic!("{record:?}") };
            assert_eq!(srv.port, self.port(), "{record:?}");
            srv.target.to_string()
        });
        (addresses(name), targets.flat_map(|target| addresses(&target)).collect())
    }
}

fn put(api: &Api, path: &str, body: &Value) {
    let reply = api.put(path, body);
    assert_eq!(reply.status, 200, "PUT {path} {body}: {reply:?}");
}

fn delete(api: &Api, path: &str) {
    let reply = api.delete(path);
    assert_eq!(reply.status, 200, "DELETE {path}: {reply:?}");
}

#[test]
fn what_comes_by_any_door_is_seen_through_all() {
    let node = Node::start();
    let all = DOORS.map(|door| door.register(&node.api()));
    for known in &all {
        known.is_seen(&node, UP, "registered");
    }
    let services = node.api().get("/v1/catalog/services").body;
    assert_eq!(services, json!({"alpha": [], "beta": [], "consul": [], "gamma": []}));
    let list = node.api().get("/api/v1/services").body;
    let names: Vec<_> =
        list["services"].as_array().unwrap().iter().map(|s| &s["service"]).collect();
    assert_eq!(names, ["alpha", "beta", "gamma"]);
    let apps = node.api().text("/eureka/apps");
    for name in ["ALPHA", "BETA", "GAMMA"] {
        assert!(apps.contains(&format!("<application><name>{name}</name>")), "{apps}");
    }
    assert!(apps.contains("<apps__hashcode>UP_3_</apps__hashcode>"), "{apps}");
}

#[test]
fn what_is_drained_by_one_door_is_drained_for_all_and_put_back_by_any() {
    let node = Node::start();
    let api = node.api();
    let all = DOORS.map(|door| door.register(&api));
    for known in &all {
        for out in DOORS {
            for back in DOORS {
                out.drain(&api, known, true);
                known.is_seen(&node, OUT, &format!("out by {out:?}"));
                back.drain(&api, known, false);
                known.is_seen(&node, UP, &format!("out by {out:?}, back by {back:?}"));
            }
        }
    }
}

#[test]
fn each_door_takes_away_what_came_by_another_but_eureka_s_only_its_own() {
    let node = Node::start();
    let api = node.api();
    for by in DOORS {
        for door in DOORS {
            let known = by.register(&api);
            let status = door.deregister(&api, &known);
            let (expected, after) = match (door, by) {
                (Door::Native, _) => (204, GONE),
                (Door::Consul, _) | (Door::Eureka, Door::Eureka) => (200, GONE),
                // A client's cancellation is of its own registration.
                (Door::Eureka, _) => (404, UP),
            };
            assert_eq!(status, expected, "{known:?} by {door:?}");
            known.is_seen(&node, after, &format!("taken away by {door:?}"));
        }
    }
}

#[test]
fn how_an_instance_says_that_it_is_by_its_own_door_is_seen_through_all() {
    let node = Node::start();
    let api = node.api();
    let [native, consul, eureka] = DOORS.map(|door| door.register(&api));
    let heartbeat = format!("{}/heartbeat", native.path());
    let update = format!("/v1/agent/check/update/service:{}", consul.consul);
    for (word, state) in [("warning", WARNING), ("critical", ILL), ("passing", UP)] {
        put(&api, &heartbeat, &json!({"status": word}));
        native.is_seen(&node, state, word);
        put(&api, &update, &json!({"Status": word}));
        consul.is_seen(&node, state, word);
    }
    put(&api, &format!("{}/status?value=DOWN", eureka.eureka_path()), &Value::Null);
    eureka.is_seen(&node, ILL, "DOWN");
    put(&api, &format!("{}/status?value=STARTING", eureka.eureka_path()), &Value::Null);
    eureka.is_seen(&node, State { eureka: "STARTING", ..ILL }, "STARTING");
    delete(&api, &format!("{}/status?value=UP", eureka.eureka_path()));
    eureka.is_seen(&node, UP, "UP");
}

#[test]
fn a_check_that_fails_is_seen_through_all() {
    let node = Node::start();
    let api = node.api();
    let [native, consul, _] = DOORS.map(|door| door.register(&api));
    let backend = Backend::start("127.0.0.1");
    let (host, port) = ("127.0.0.1", backend.address.port());
    let check = json!({"type": "http", "host": host, "port": port, "interval": "300ms"});
    let body = json!({"addresses": [native.address()], "port": native.port(), "checks": [check]});
    api.register(native.service, &native.label, &body);
    let check = json!({"HTTP": format!("http://{host}:{port}/"), "Interval": "1s",
                       "ServiceID": consul.consul, "Name": "http"});
    put(&api, "/v1/agent/check/register", &check);
    for (code, state) in [(200, UP), (500, ILL), (200, UP)] {
        backend.set_status(code);
        for known in [&native, &consul] {
            eventually(state.native, || (known.natively(&api) == state.native).then_some(()));
            known.is_seen(&node, state, &code.to_string());
        }
    }
}

#[test]
fn who_watches_at_one_door_hears_of_what_comes_by_the_others() {
    let node = Node::start();
    let api = node.api();
    let mut events = Events::open(node.http[0], "", None);
    for door in DOORS {
        let known = door.register(&api);
        let registered = events.until(|message| message.event == "registered");
        assert_eq!(registered.data["instance"], *known.label, "{door:?}");
        let path = format!("/v1/health/service/{}?passing", known.service);
        let now = raw::call(node.http[0], ("GET", &path), &[], b"");
        let index = now.header("x-consul-index").to_owned();
        let address = node.http[0];
        let waiting = std::thread::spawn(move || {
            let path = format!("{path}&index={index}&wait=9m");
            raw::call(address, ("GET", &path), &[], b"").json()
        });
        assert_eq!(delta(&node, known.service), "ADDED", "{door:?}");
        door.drain(&api, &known, true);
        assert_eq!(waiting.join().unwrap(), json!([]), "{door:?}");
        assert_eq!(delta(&node, known.service), "MODIFIED", "{door:?}");
        assert_eq!(Door::Native.deregister(&api, &known), 204);
        assert_eq!(delta(&node, known.service), "DELETED", "{door:?}");
        events.until(|message| message.event == "deregistered");
    }
}

/// What Eureka's clients are told that has become of the one instance of an application.
fn delta(node: &Node, service: &str) -> String {
    let accept = [("accept", "application/json")];
    let body = raw::call(node.http[0], ("GET", "/eureka/apps/delta"), &accept, b"").json();
    let name = service.to_uppercase();
    let apps = body["applications"]["application"].as_array().unwrap();
    let app = apps.iter().find(|app| app["name"] == *name).unwrap_or_else(|| panic!("{body}"));
    let instances = app["instance"].as_array().unwrap();
    assert_eq!(instances.len(), 1, "{body}");
    instances[0]["actionType"].as_str().unwrap().to_owned()
}
