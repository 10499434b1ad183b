//! What a client of Eureka sends and is shown, in few words.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::http::Options;
use crate::http::tests::support::{Door, Reply};

/// Where an instance of `PAY` is, by its id as it stands in the path.
pub(super) fn at(id: &str) -> String {
    format!("/eureka/apps/PAY/{id}")
}

pub(super) fn door() -> Door {
    Door::open(Options::default())
}

/// What a client would send of instance `id` of an application.
pub(super) fn body(app: &str, id: &str) -> Value {
    json!({
        "instanceId": id, "hostName": "h-1.example", "app": app, "ipAddr": "10.0.1.6",
        "status": "UP", "port": {"$": 8080, "@enabled": "true"}, "vipAddress": "pay,money",
        "secureVipAddress": "safe", "metadata": {"version": "1.4.2", "zone": "b"},
        "dataCenterInfo": {"name": "MyOwn"}, "lastDirtyTimestamp": "1000",
        "leaseInfo": {"renewalIntervalInSecs": 1, "durationInSecs": 9},
    })
}

/// `body` with other fields.
pub(super) fn with(mut body: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

impl Door {
    pub(super) async fn eureka(
        &self,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: &str,
    ) -> Reply {
        let request = Request::builder().method(method).uri(path).header(header.0, header.1);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Registers, and expects success.
    pub(super) async fn appear(&self, instance: &Value) {
        let reply = self.try_to_appear(instance).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (204, ""), "{instance}");
    }

    pub(super) async fn try_to_appear(&self, instance: &Value) -> Reply {
        let path = format!("/eureka/apps/{}", instance["app"].as_str().unwrap());
        self.call("POST", &path, &json!({ "instance": instance }).to_string()).await
    }

    /// What is shown as JSON, and there.
    pub(super) async fn shown(&self, path: &str) -> Value {
        let reply = self.eureka("GET", path, ("accept", "application/json"), "").await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        reply.json()
    }

    /// The instance that is shown there.
    pub(super) async fn instance(&self, path: &str) -> Value {
        self.shown(path).await["instance"].clone()
    }

    /// The state that is shown of an instance of `PAY`, and its override.
    pub(super) async fn states(&self, id: &str) -> (String, String) {
        let instance = self.instance(&at(id)).await;
        let text = |field: &str| instance[field].as_str().unwrap().to_owned();
        (text("status"), text("overriddenStatus"))
    }

    /// The status of a call without a body.
    pub(super) async fn code(&self, method: &str, path: &str) -> u16 {
        self.call(method, path, "").await.status.as_u16()
    }

    /// What DNS answers for a service.
    pub(super) fn answered(&self, service: &str) -> usize {
        let snapshot = self.running.registry.snapshot();
        snapshot.service(service).map_or(0, |entry| entry.all.groups().count())
    }
}
