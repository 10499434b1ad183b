//! A door for tests: the whole router over a running registry.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    http::{
        Api, ConsulOptions, EurekaOptions, Life, Options, Server, Setup, connection::Peer, router,
    },
    model::{DnsName, Timestamp},
    registry::{self, testing},
};

pub(in crate::http) struct Door {
    pub(in crate::http) running: testing::Running,
    pub(in crate::http) api: Api,
    pub(in crate::http) router: Router,
    pub(in crate::http) draining: CancellationToken,
    pub(in crate::http) stop: CancellationToken,
    /// Where requests come from.
    pub(in crate::http) peer: SocketAddr,
}

#[derive(Debug)]
pub(in crate::http) struct Reply {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) text: String,
}

impl Door {
    pub(in crate::http) fn open(options: Options) -> Self {
        Self::open_with(options, |_| ())
    }

    /// A door whose setup is changed before it is opened.
    pub(in crate::http) fn open_with(options: Options, change: impl FnOnce(&mut Setup)) -> Self {
        Self::over(testing::Kept::default(), options, change)
    }

    /// A door of a server that starts with what was kept.
    pub(in crate::http) fn over(
        kept: testing::Kept,
        options: Options,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
        let running = testing::run(kept, registry::Options::default());
        let (draining, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut setup = Setup {
            registry: running.registry.clone(),
            registry_options: running.options.subscribe(),
            zones: ["service.internal", "service.consul", "service.dc1.consul"]
                .map(|zone| DnsName::parse(zone).unwrap())
                .to_vec(),
            board: running.board.clone(),
            metrics: running.metrics.clone(),
            clock: running.clock.clone(),
            draining: draining.clone(),
            stop: stop.clone(),
            options,
            consul: ConsulOptions::default(),
            eureka: EurekaOptions::default(),
            server: Server {
                peer: registry::Peer { id: "me".into(), http: ["10.0.0.1:8500".into()].into() },
                life: Life { version: "1.2.3".into(), started: Timestamp(1_767_225_600_000) },
            },
            peers: None,
        };
        change(&mut setup);
        let api = Api::new(setup);
        tokio::spawn(api.follow_changes());
        tokio::spawn(api.wake_waiters());
        let router = router::router(&api);
        let peer = "[::ffff:192.0.2.7]:40000".parse().unwrap();
        Self { running, api, router, draining, stop, peer }
    }

    pub(in crate::http) async fn send(&self, mut request: Request<Body>) -> Reply {
        request.extensions_mut().insert(Peer(self.peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    pub(in crate::http) async fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        let body = Body::from(body.to_owned());
        self.send(Request::builder().method(method).uri(path).body(body).unwrap()).await
    }

    pub(in crate::http) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "").await
    }

    /// Registers `web/a` and the like, and expects success.
    pub(in crate::http) async fn register(&self, name: &str, body: &str) -> Reply {
        let (service, instance) = name.split_once('/').unwrap();
        let path = format!("/api/v1/services/{service}/instances/{instance}");
        let reply = self.call("PUT", &path, body).await;
        assert!(reply.status.is_success(), "{reply:?}");
        reply
    }
}

impl Reply {
    pub(in crate::http) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(in crate::http) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(in crate::http) fn revision(&self) -> u64 {
        self.header("x-rollcall-revision").parse().unwrap()
    }

    /// The problem document, after a look at what all of them have in common.
    pub(in crate::http) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem:#}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(problem["type"], format!("urn:rollcall:problem:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem
    }
}
