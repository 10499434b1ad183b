//! Eureka's clients, unmodified, against the real server: one in Python and one in JavaScript.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::SystemTime,
};

use hickory_proto::rr::{RData, RecordType};
use serde_json::{Value, json};

use crate::support::{Node, events::Events, eventually};

/// How long the leases of these clients last, milliseconds.
const LEASE_MS: i128 = 3_000;

/// A service with a client of Eureka in it.
struct Service {
    child: Child,
    replies: BufReader<ChildStdout>,
}

// === impl Service ===

impl Service {
    fn python(node: &Node, app: &str, port: u16) -> Self {
        Self::start("python3", "client.py", ("PYTHONPATH", "python"), node, (app, port))
    }

    fn javascript(node: &Node, app: &str, port: u16) -> Self {
        Self::start("node", "client.js", ("NODE_PATH", "node/node_modules"), node, (app, port))
    }

    fn start(
        program: &str,
        script: &str,
        (variable, libraries): (&str, &str),
        node: &Node,
        (app, port): (&str, u16),
    ) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let libraries = root.join("target/eureka").join(libraries);
        assert!(libraries.is_dir(), "tests/run tools fetches {}", libraries.display());
        let mut command = Command::new(program);
        command.arg(root.join("tests/it/eureka").join(script)).arg(node.api().base());
        command.args([app, &port.to_string()]).env(variable, libraries);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap());
        let mut service = Self { child, replies };
        assert_eq!(service.reply(), "registered");
        service
    }

    /// Which ports of an application it would call.
    fn sees(&mut self, app: &str) -> String {
        self.say(app);
        self.reply()
    }

    fn finds(&mut self, app: &str, ports: &str) {
        eventually(&format!("{app} at {ports:?}"), || (self.sees(app) == ports).then_some(()));
    }

    fn stop(mut self) {
        self.say("stop");
        assert_eq!(self.reply(), "stopped");
    }

    /// As if its machine had gone; the milliseconds of the wall clock.
    fn kill(mut self) -> i128 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i128::try_from(now.as_millis()).unwrap()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The ports that DNS gives of a service.
fn ports(node: &Node, service: &str) -> Vec<u16> {
    ports_of(node, &format!("{service}.service.internal"))
}

fn ports_of(node: &Node, name: &str) -> Vec<u16> {
    let reply = node.resolver().ask(name, RecordType::SRV);
    let port = |data: &RData| if let RData::SRV(srv) = data { Some(srv.port) } else { None };
    reply.answers.iter().filter_map(|record| port(&record.data)).collect()
}

/// By DNS under all its names, and by Consul's interface with the id that its client gave it.
fn is_found(node: &Node, service: &str, port: u16) {
    for name in [
        format!("{service}.service.internal"),
        format!("{service}.service.consul"),
        format!("_{service}._tcp.service.consul"),
    ] {
        assert_eq!(ports_of(node, &name), [port], "{name}");
        let addresses = node.resolver().addresses(&name, RecordType::A);
        assert_eq!(addresses, [std::net::IpAddr::from([127, 0, 0, 1])], "{name}");
    }
    let rows = node.api().get(&format!("/v1/health/service/{service}?passing")).body;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    let shown = &rows[0]["Service"];
    assert_eq!((&shown["Port"], &shown["Address"]), (&json!(port), &json!("127.0.0.1")), "{rows}");
    let apps = node.api().text(&format!("/eureka/apps/{}", service.to_uppercase()));
    // An id that is a host's name does not say of which application it is.
    let application = format!("{}:", service.to_uppercase());
    let id = shown["ID"].as_str().unwrap();
    let id = id.strip_prefix(&application).unwrap_or(id);
    assert!(apps.contains(&format!("<instanceId>{id}</instanceId>")), "{id}: {apps}");
    let catalog = node.api().get("/v1/catalog/services").body;
    assert!(catalog.get(service).is_some(), "{catalog}");
}

#[test]
fn services_in_two_languages_find_one_another_and_by_dns() {
    let node = Node::start();
    let mut shop = Service::javascript(&node, "shop", 9090);
    let mut payment = Service::python(&node, "PAYMENT", 8080);
    for (service, port) in [("payment", 8080), ("shop", 9090)] {
        is_found(&node, service, port);
    }
    shop.finds("PAYMENT", "8080");
    payment.finds("SHOP", "9090");
    let native = json!({ "addresses": ["127.0.0.7"], "port": 7070 });
    node.api().register("native", "native-1", &native);
    shop.finds("NATIVE", "7070");
    payment.finds("NATIVE", "7070");
    node.api().deregister("native", "native-1");
    shop.finds("NATIVE", "");
    payment.finds("NATIVE", "");
    payment.stop();
    assert!(ports(&node, "payment").is_empty());
    shop.finds("PAYMENT", "");
}

#[test]
fn what_is_killed_is_gone_within_its_lease_and_a_second() {
    let node = Node::start();
    let mut payment = Service::python(&node, "payment", 8080);
    let shop = Service::javascript(&node, "shop", 9090);
    payment.finds("SHOP", "9090");
    let mut events = Events::open(node.http[0], "?service=shop", None);
    let killed = shop.kill();
    let event = events.until(|message| message.event == "deregistered");
    let at = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lived = i128::from(at(&event.data["at"]).as_millisecond()) - killed;
    // Its last renewal was up to a second before it was killed.
    assert!((LEASE_MS - 2_000..=LEASE_MS + 1_000).contains(&lived), "{lived} ms");
    assert!(ports(&node, "shop").is_empty());
    payment.finds("SHOP", "");
    assert_eq!(ports(&node, "payment"), [8080], "who renews stays");
}

#[test]
fn a_client_that_is_forgotten_registers_again() {
    let node = Node::start();
    let _payment = Service::python(&node, "payment", 8080);
    let _shop = Service::javascript(&node, "shop", 9090);
    for service in ["payment", "shop"] {
        let list = node.api().get(&format!("/api/v1/services/{service}/instances")).body;
        let name = list["instances"][0]["instance"].as_str().unwrap().to_owned();
        node.api().deregister(service, &name);
        assert!(ports(&node, service).is_empty());
        eventually("it is back", || (ports(&node, service).len() == 1).then_some(()));
    }
}

#[test]
fn a_eureka_server_replicates_into_this_one() {
    let node = Node::start();
    let info = |id: &str, port: u16| {
        json!({ "instanceId": id, "hostName": "h", "app": "PAY", "ipAddr": "10.0.0.5",
            "port": { "$": port, "@enabled": "true" }, "status": "UP", "lastDirtyTimestamp": "1000",
            "dataCenterInfo": { "name": "MyOwn" } })
    };
    let item = |action: &str, id: &str, dirty: u64| {
        let register = action == "Register";
        let info = if register { info(id, if id == "a" { 81 } else { 82 }) } else { Value::Null };
        json!({ "appName": "PAY", "id": id, "lastDirtyTimestamp": dirty, "action": action,
            "status": "OUT_OF_SERVICE", "overriddenStatus": "UNKNOWN", "instanceInfo": info })
    };
    let codes = |items: &[Value]| -> Vec<u64> {
        let list = json!({ "replicationList": items });
        let reply = node.api().post("/eureka/v2/peerreplication/batch/", &list);
        assert_eq!(reply.status, 200);
        let list = reply.body["responseList"].as_array().unwrap().clone();
        list.iter().map(|reply| reply["statusCode"].as_u64().unwrap()).collect()
    };
    let (a, b) = (item("Register", "a", 1_000), item("Register", "b", 1_000));
    // A renewal of what is not known has the server send the registration.
    assert_eq!(codes(&[item("Heartbeat", "a", 1_000), a, b]), [404, 200, 200]);
    let sorted = || {
        let mut ports = ports(&node, "pay");
        ports.sort_unstable();
        ports
    };
    assert_eq!(sorted(), [81, 82]);
    let changes = [item("Heartbeat", "a", 999), item("StatusUpdate", "b", 1_000)];
    assert_eq!(codes(&changes), [409, 200]);
    assert_eq!(sorted(), [81]);
    assert_eq!(codes(&[item("Cancel", "a", 1_000), item("Cancel", "a", 1_000)]), [200, 404]);
    assert_eq!(sorted(), [0; 0]);
}

#[test]
fn registrations_and_overrides_outlive_the_server() {
    let node = Node::start();
    let info = json!({ "instanceId": "10.0.0.5:pay:80", "hostName": "h", "app": "PAY",
        "ipAddr": "10.0.0.5", "status": "UP", "dataCenterInfo": { "name": "MyOwn" } });
    assert_eq!(node.api().post("/eureka/apps/PAY", &json!({ "instance": info })).status, 204);
    let path = "/eureka/apps/PAY/10.0.0.5%3Apay%3A80";
    let set = format!("{path}/status?value=OUT_OF_SERVICE");
    assert_eq!(node.api().put(&set, &Value::Null).status, 200);
    let before = node.api().text(path);
    let node = node.kill_and_restart();
    assert_eq!(node.api().text(path), before);
    assert!(before.contains("<overriddenstatus>OUT_OF_SERVICE</overriddenstatus>"), "{before}");
    assert_eq!(node.resolver().service("pay").len(), 0);
}
