//! The API's replies, as far as they are shown. What is not there has a default, and what is there
//! beside it is passed over, so that this client understands older and newer servers.

use serde::Deserialize;

/// A refusal (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub title: Option<String>,
    pub detail: Option<String>,
    pub field: Option<String>,
}

/// The servers that share the registry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Servers {
    pub shared: bool,
    pub joined: bool,
    pub cut_off: bool,
    pub servers: Vec<Server>,
}

/// One server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub server: String,
    pub http: Vec<String>,
    pub version: String,
    pub started: Option<String>,
    pub me: bool,
    pub instances: Option<u64>,
}

/// All services.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Services {
    pub services: Vec<Service>,
}

/// One service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub service: String,
    pub instances: u64,
    pub passing: u64,
    pub warning: u64,
    pub critical: u64,
    pub drained: u64,
    pub suspect: u64,
    pub answered: u64,
    pub failing_open: Option<String>,
    pub tags: Vec<Tag>,
    pub policy: Policy,
}

/// One tag of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tag {
    pub tag: String,
}

/// How a service is answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    pub ttl: u32,
    pub answer_limit: u16,
    pub when_none_healthy: String,
    pub min_healthy: f64,
    pub own: bool,
}

/// The instances of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Instances {
    pub instances: Vec<Instance>,
}

/// One instance.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Instance {
    pub instance: String,
    pub addresses: Vec<String>,
    pub port: u16,
    pub weight: u16,
    pub priority: u16,
    pub tags: Vec<String>,
    pub checks: Vec<Check>,
    pub status: String,
    pub since: String,
    pub suspect: bool,
    pub drained: bool,
    pub origin: Option<Origin>,
}

/// By what interface an instance was registered, and what it is called there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin {
    pub interface: String,
    pub node: Option<String>,
    pub application: Option<String>,
    pub id: String,
}

/// One check of an instance.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Check {
    pub status: String,
    pub output: String,
}

/// One event of the watch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub revision: u64,
    pub at: String,
    pub service: String,
    pub instance: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub suspect: Option<bool>,
    pub output: Option<String>,
    pub reason: Option<String>,
}

// === impl Instance ===

impl Instance {
    /// Its status, and what else decides whether it is answered: `passing,drained`.
    pub(super) fn state(&self) -> String {
        let mut state = self.status.clone();
        for (holds, word) in [(self.drained, ",drained"), (self.suspect, ",suspect")] {
            if holds {
                state.push_str(word);
            }
        }
        state
    }

    /// What the check says that makes its status.
    pub(super) fn output(&self) -> &str {
        let check = self.checks.iter().find(|check| check.status == self.status);
        check.map_or("", |check| &check.output)
    }
}

// === impl Origin ===

impl std::fmt::Display for Origin {
    /// One word: `consul:web-1/payment-1`, `eureka:PAYMENT/host-a:8080`. A blank in an id is `%20`,
    /// as in a path.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { interface, node, application, id } = self;
        let scope = node.as_ref().or(application.as_ref()).map_or("", |name| name);
        f.write_str(&format!("{interface}:{scope}/{id}").replace(' ', "%20"))
    }
}

// === impl Policy ===

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ttl, answer_limit, when_none_healthy, min_healthy, own } = self;
        let whose = if *own { "its own" } else { "the server's default" };
        write!(
            f,
            "ttl {ttl}s, answer_limit {answer_limit}, when_none_healthy {when_none_healthy}, \
             min_healthy {min_healthy} ({whose})"
        )
    }
}
