//! Clients of Consul's interface on other hosts than the server's: each is on the node that its
//! address names, as if there were an agent on it.

use serde_json::{Value, json};

use crate::support::{eventually, namespace::Namespace};

/// The server, at one address, and two hosts, which are addresses of the same network namespace.
struct Hosts(Namespace);

const SERVER: &str = "10.0.0.2";
const SIX: &str = "10.0.1.6";
const SEVEN: &str = "10.0.1.7";

// === impl Hosts ===

impl Hosts {
    fn start() -> Self {
        let words = ["--http", "10.0.0.2:8500", "--http", "127.0.0.1:8500"];
        let folder = tempfile::tempdir().unwrap();
        let (inside, _) = Namespace::serve_among(&[SERVER, SIX, SEVEN], folder, &words);
        Self(inside)
    }

    /// What a host gets for a request: status and body.
    fn call(&self, from: &str, request: &str, body: &Value) -> (u16, Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let body = if body.is_null() { String::new() } else { format!("-d '{body}'") };
        let curl =
            format!("curl -sS -g -m 20 --interface {from} -X {method} -w '\\n%{{http_code}}'");
        let text = self.0.shell(&format!("{curl} {body} 'http://{SERVER}:8500{path}'")).ok();
        let (text, status) = text.rsplit_once('\n').unwrap();
        let json = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (status.parse().unwrap(), json)
    }

    fn get(&self, from: &str, path: &str) -> Value {
        let (status, body) = self.call(from, &format!("GET {path}"), &Value::Null);
        assert_eq!(status, 200, "{path} from {from}: {body}");
        body
    }

    fn put(&self, from: &str, path: &str, body: &Value) {
        let (status, said) = self.call(from, &format!("PUT {path}"), body);
        assert_eq!(status, 200, "{path} {body} from {from}: {said}");
    }

    /// The nodes of the instances of `web` that pass.
    fn passing(&self) -> Vec<String> {
        let rows = self.get(SERVER, "/v1/health/service/web?passing");
        let nodes = rows.as_array().unwrap().iter();
        nodes.map(|row| row["Node"]["Node"].as_str().unwrap().to_owned()).collect()
    }

    fn keys(&self, from: &str, path: &str) -> Vec<String> {
        self.get(from, path).as_object().unwrap().keys().cloned().collect()
    }

    fn dig(&self, words: &str) -> Vec<String> {
        let text = self.0.shell(&format!("dig +short @127.0.0.1 -p 8600 {words}")).ok();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// The same registration, as two hosts that know nothing of one another send it.
fn web() -> Value {
    json!({"Name": "web", "Port": 8080, "Check": {"TTL": "1h", "Status": "passing"}})
}

#[test]
fn the_same_id_on_two_hosts_is_two_services_that_know_nothing_of_one_another() {
    let hosts = Hosts::start();
    for host in [SIX, SEVEN] {
        hosts.put(host, "/v1/agent/service/register", &web());
        assert_eq!(hosts.keys(host, "/v1/agent/services"), ["web"]);
        assert_eq!(hosts.keys(host, "/v1/agent/checks"), ["service:web"]);
    }
    assert!(hosts.keys(SERVER, "/v1/agent/services").is_empty());
    let both = ["ip-10-0-1-6", "ip-10-0-1-7"];
    assert_eq!(hosts.passing(), both);
    assert_eq!(hosts.dig("web.service.internal"), [SIX, SEVEN]);
    let targets = both.map(|node| format!("1 1 8080 {node}.node.dc1.consul."));
    assert_eq!(hosts.dig("web.service.consul SRV"), targets);
    assert_eq!(hosts.dig("ip-10-0-1-7.node.consul"), [SEVEN]);
    // What one says of its own is not said of the other's.
    for (path, undo) in [
        ("/v1/agent/check/fail/service:web", "/v1/agent/check/pass/service:web"),
        (
            "/v1/agent/service/maintenance/web?enable=true",
            "/v1/agent/service/maintenance/web?enable=false",
        ),
        ("/v1/agent/maintenance?enable=true", "/v1/agent/maintenance?enable=false"),
    ] {
        hosts.put(SEVEN, path, &Value::Null);
        assert_eq!(hosts.passing(), both[..1], "{path}");
        assert_eq!(hosts.dig("web.service.internal"), [SIX], "{path}");
        hosts.put(SEVEN, undo, &Value::Null);
        assert_eq!(hosts.passing(), both, "{undo}");
    }
    // The server's own host has neither.
    for path in ["/v1/agent/check/pass/service:web", "/v1/agent/service/deregister/web"] {
        assert_eq!(hosts.call(SERVER, &format!("PUT {path}"), &Value::Null).0, 404, "{path}");
    }
    hosts.put(SEVEN, "/v1/agent/service/deregister/web", &Value::Null);
    assert_eq!(hosts.passing(), both[..1], "the other one stays");
    let again = hosts.call(SEVEN, "PUT /v1/agent/service/deregister/web", &Value::Null);
    assert_eq!(again.0, 404, "it is no longer its own");
    let from_anywhere = json!({"Node": "ip-10-0-1-6", "ServiceID": "web"});
    hosts.put(SEVEN, "/v1/catalog/deregister", &from_anywhere);
    assert!(hosts.passing().is_empty());
}

#[test]
fn a_host_is_told_of_the_node_that_it_is_on() {
    let hosts = Hosts::start();
    for (host, node) in [(SIX, "ip-10-0-1-6"), (SEVEN, "ip-10-0-1-7")] {
        hosts.put(host, "/v1/agent/service/register", &web());
        let this = hosts.get(host, "/v1/agent/self");
        assert_eq!(
            (&this["Config"]["NodeName"], &this["Member"]["Addr"]),
            (&node.into(), &host.into())
        );
        assert_eq!(this["Member"]["Name"], node);
        // Programs look for themselves in the catalog by it.
        let own = hosts.get(host, &format!("/v1/catalog/node/{node}"));
        assert_eq!(
            (&own["Node"]["Address"], &own["Node"]["ID"]),
            (&host.into(), &this["Config"]["NodeID"])
        );
        assert_eq!(own["Services"]["web"]["Port"], 8080);
        assert_eq!(hosts.get(host, "/v1/agent/checks")["service:web"]["Node"], node);
    }
}

#[test]
fn the_loopback_in_a_check_is_that_of_the_host_that_registers_it() {
    let hosts = Hosts::start();
    let checks = |host: &str| {
        json!({"Name": "web", "ID": format!("web-{host}"), "Port": 8080, "Checks": [
            {"HTTP": "http://127.0.0.1:8081/health", "Interval": "1h"},
            {"HTTP": "http://[::1]/health", "Interval": "1h"},
            {"TCP": "localhost:8082", "Interval": "1h"},
            {"UDP": "127.0.0.1:8083", "Interval": "1h"},
            {"GRPC": "127.0.0.2:8084/shop", "Interval": "1h"},
            {"H2PING": "Localhost:8085", "H2PingUseTLS": false, "Interval": "1h"},
            {"TCP": "10.0.1.7:8086", "Interval": "1h"},
        ]})
    };
    for host in [SIX, SERVER] {
        hosts.put(host, "/v1/agent/service/register", &checks(host));
    }
    let list = hosts.get(SERVER, "/api/v1/services/web/instances");
    let targets = |at: usize| -> Vec<(String, u64)> {
        let checks = list["instances"][at]["checks"].as_array().unwrap().iter();
        let target = |check: &Value| {
            (check["host"].as_str().unwrap().to_owned(), check["port"].as_u64().unwrap())
        };
        checks.map(target).collect()
    };
    let ports = [8081, 80, 8082, 8083, 8084, 8085, 8086];
    let from_server = ["127.0.0.1", "::1", "localhost", "127.0.0.1", "127.0.0.2", "Localhost"];
    let from_six = [SIX; 6];
    let expected = |own: [&str; 6]| -> Vec<(String, u64)> {
        own.into_iter().chain(["10.0.1.7"]).map(str::to_owned).zip(ports).collect()
    };
    let mut all = [targets(0), targets(1)];
    all.sort_by_key(|targets| targets[0].0 == SIX);
    assert_eq!(all, [expected(from_server), expected(from_six)]);
    // Where it is asked is told: nobody listens there.
    eventually("the check by TCP has failed at the host", || {
        let checks = hosts.get(SIX, "/v1/agent/checks");
        let output = checks[format!("service:web-{SIX}:3")]["Output"].as_str().unwrap().to_owned();
        output.contains(&format!("{SIX}:8082")).then_some(())
    });
}

#[test]
fn an_alias_is_of_the_same_host_unless_it_names_another() {
    let hosts = Hosts::start();
    for host in [SIX, SEVEN] {
        hosts.put(host, "/v1/agent/service/register", &web());
    }
    let alias = |id: &str, node: &Value| {
        let check = json!({"AliasService": "web", "AliasNode": node});
        json!({"Name": "front", "ID": id, "Check": check})
    };
    hosts.put(SIX, "/v1/agent/service/register", &alias("same", &json!("")));
    hosts.put(SIX, "/v1/agent/service/register", &alias("other", &json!("ip-10-0-1-7")));
    let passing = || -> Vec<Value> {
        let rows = hosts.get(SERVER, "/v1/health/service/front?passing");
        rows.as_array().unwrap().iter().map(|row| row["Service"]["ID"].clone()).collect()
    };
    assert_eq!(passing(), ["other", "same"]);
    hosts.put(SEVEN, "/v1/agent/check/fail/service:web", &Value::Null);
    assert_eq!(passing(), ["same"]);
    hosts.put(SIX, "/v1/agent/check/fail/service:web", &Value::Null);
    assert!(passing().is_empty());
    hosts.put(SEVEN, "/v1/agent/check/pass/service:web", &Value::Null);
    assert_eq!(passing(), ["other"]);
}

#[test]
fn whoever_has_the_address_that_a_request_came_to_is_on_the_server_s_host() {
    const OTHER: &str = "10.0.0.3";
    let words = ["--http", "10.0.0.2:8500", "--http", "10.0.0.3:8500", "--http", "127.0.0.1:8500"];
    let folder = tempfile::tempdir().unwrap();
    let (inside, _) = Namespace::serve_among(&[SERVER, OTHER, SIX], folder, &words);
    let node = |from: &str, to: &str| {
        let path = "/v1/agent/self";
        let curl = format!("curl -sS -m 20 --interface {from} http://{to}:8500{path}");
        let this: Value = serde_json::from_str(&inside.shell(&curl).ok()).unwrap();
        this["Config"]["NodeName"].as_str().unwrap().to_owned()
    };
    let own = node("127.0.0.1", "127.0.0.1");
    assert_eq!(node(OTHER, OTHER), own);
    assert_eq!(node(SERVER, SERVER), own);
    assert_eq!(node(SIX, OTHER), "ip-10-0-1-6");
}
