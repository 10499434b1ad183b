//! A client of the HTTP interface that looks at every status.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use ureq::{Agent, http::Response};

/// One client; keeps its connection.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    base: String,
}

/// A reply: its status and its body, `Null` when empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// A reply to a request that need not have one.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) status: u16,
    pub(crate) revision: Option<u64>,
    /// When to try again, seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Value,
}

// === impl Api ===

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// The address as a URL without path.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        reply(self.agent.get(self.url(path)).call())
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        reply(self.agent.delete(self.url(path)).call())
    }

    /// Sends JSON; `Null` sends no body at all.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        match body {
            Value::Null => reply(self.agent.put(self.url(path)).send_empty()),
            body => self.put_text(path, &body.to_string()),
        }
    }

    pub(crate) fn put_text(&self, path: &str, body: &str) -> Reply {
        reply(self.agent.put(self.url(path)).send(body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        reply(self.agent.post(self.url(path)).send(body.to_string()))
    }

    /// The body of a `GET` as text, for what is not JSON.
    pub(crate) fn text(&self, path: &str) -> String {
        let mut response = self.agent.get(self.url(path)).call().unwrap();
        response.body_mut().read_to_string().unwrap()
    }

    /// Registers or replaces an instance, which must succeed.
    pub(crate) fn register(&self, service: &str, instance: &str, body: &Value) -> Reply {
        let reply = self.put(&instance_path(service, instance), body);
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        reply
    }

    /// Removes an instance, which must be there.
    pub(crate) fn deregister(&self, service: &str, instance: &str) {
        let reply = self.delete(&instance_path(service, instance));
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    /// The status of an instance.
    pub(crate) fn status(&self, service: &str, instance: &str) -> Option<String> {
        let reply = self.get(&instance_path(service, instance));
        (reply.status == 200).then(|| reply.body["status"].as_str().unwrap().to_owned())
    }

    /// Sends a request on a connection of its own, where it may be that nobody replies.
    ///
    /// # Errors
    /// When there is no reply within `patience`.
    pub(crate) fn attempt(
        address: SocketAddr,
        (method, path): (&str, &str),
        body: &Value,
        patience: Duration,
    ) -> Result<Attempt, ureq::Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience))
            .max_idle_connections(0)
            .build();
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let url = format!("http://{address}{path}");
        let request = ureq::http::Request::builder().method(method).uri(url).body(text)?;
        let mut response = Agent::from(config).run(request)?;
        let number = |name: &str| {
            let header = response.headers().get(name);
            header.map(|text| text.to_str().unwrap().parse().unwrap())
        };
        let [revision, retry_after] = ["x-rollcall-revision", "retry-after"].map(number);
        let text = response.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Attempt { status: response.status().as_u16(), revision, retry_after, body })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The path of an instance.
pub(crate) fn instance_path(service: &str, instance: &str) -> String {
    format!("/api/v1/services/{service}/instances/{instance}")
}

fn reply(result: Result<Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut response = result.expect("the server replies");
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Reply { status, body }
}
