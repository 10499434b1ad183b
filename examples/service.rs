//! A small HTTP service that lives with Rollcall: the whole life cycle, and why in this order.
//!
//! ```text
//!  bind, serve ─► register ─► heartbeat, heartbeat, …
//!                    ▲            │ 404: the registry has forgotten us
//!                    └────────────┘
//!  SIGTERM ─► deregister, wait for the 204 ─► grace: serve on ─► finish requests ─► exit 0
//! ```
//!
//! The order at the end is the whole point. A service that closes its port first and deregisters
//! afterwards is named by DNS while nobody answers. Here the name goes first: when the 204 is here,
//! no later DNS answer has this instance. Clients that asked a moment before may use their answer
//! for as long as its TTL, so the service serves on for that long; only then it stops accepting,
//! finishes the requests it has, and goes. Clients that keep a connection ask no resolver while
//! they have it: while the service serves on, each reply tells its client to close. Nobody saw an
//! error.
//!
//! It needs nothing of Rollcall but three HTTP requests, so it reads the same in any language.
//!
//! ```text
//! cargo run --example service -- --service payment --instance payment-1 --listen 127.0.0.1:8080
//! ```

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::get,
};
use clap::Parser;
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long one request to Rollcall may take. Short: a heartbeat that is late is sent again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two attempts to register or to deregister.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How often deregistering is tried. If Rollcall is gone for good, the `ttl` check ends us anyway.
const FAREWELLS_MAX: u32 = 10;

/// How long the last requests may take; whoever starts services kills them soon after.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A small HTTP service that registers itself with Rollcall.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// The service's name: it is resolved as NAME.service.internal.
    #[arg(long, env = "SERVICE", default_value = "payment")]
    service: String,
    /// This instance's name, its own within the service.
    #[arg(long, env = "INSTANCE", default_value = "payment-1")]
    instance: String,
    /// Where to serve. With 0.0.0.0, Rollcall registers the address that the request comes from.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Rollcall's HTTP interface.
    #[arg(long, env = "ROLLCALL", default_value = "http://127.0.0.1:8500")]
    server: String,
    /// This instance's share of the answers, in proportion to the others'.
    #[arg(long, env = "WEIGHT", default_value_t = 1)]
    weight: u16,
    /// Without a heartbeat for that long, the instance counts as dead.
    #[arg(long, env = "TTL", default_value = "15s", value_parser = duration)]
    ttl: Duration,
    /// How long to serve on after deregistering: at least the TTL of the DNS answers (default 5s).
    #[arg(long, env = "GRACE", default_value = "6s", value_parser = duration)]
    grace: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Listen for the signal before anything else: one that comes during the start counts as well.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    // Serve first and register second, so that whoever finds the name finds an open port.
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    let (leaving, closing) = (CancellationToken::new(), CancellationToken::new());
    let server = axum::serve(listener, routes(&options.instance, &leaving))
        .with_graceful_shutdown(closing.clone().cancelled_owned());
    let serving = tokio::spawn(server.into_future());
    println!("serving http://{address}/");

    let presence = Presence::new(&options, address);
    let keeping = tokio::spawn(presence.clone().keep(leaving.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }

    // 1. The name goes first. From the 204 on, no DNS answer names this instance. A registration
    //    that is on its way is waited for: if it arrived after the farewell, it would undo it.
    leaving.cancel();
    keeping.await?;
    presence.end().await;
    // 2. Answers given before live on in resolvers and clients for their TTL: serve them, one
    //    request a connection.
    sleep(options.grace).await;
    // 3. Stop accepting, finish what is in flight, and only then go.
    closing.cancel();
    timeout(DRAIN_MAX, serving).await.context("a request did not finish in time")???;
    println!("all requests finished");
    Ok(())
}

// The service itself

/// `/` says who answered, `/health` is what Rollcall checks, `/slow?ms=500` takes its time.
fn routes(instance: &str, leaving: &CancellationToken) -> Router {
    let leaving = leaving.clone();
    let go_elsewhere = move |mut reply: Response| {
        if leaving.is_cancelled() {
            reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        std::future::ready(reply)
    };
    Router::new()
        .route("/", get(|State(name): State<String>| async move { format!("{name}\n") }))
        .route("/health", get(|| async { "ok\n" }))
        .route("/slow", get(slow))
        .layer(map_response(go_elsewhere))
        .with_state(instance.to_owned())
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(State(name): State<String>, Query(Slow { ms }): Query<Slow>) -> String {
    sleep(Duration::from_millis(ms)).await;
    format!("{name} took {ms} ms\n")
}

// The presence in the registry

/// This instance as Rollcall knows it.
#[derive(Clone)]
struct Presence {
    agent: ureq::Agent,
    /// `…/api/v1/services/{S}/instances/{I}`.
    url: String,
    registration: serde_json::Value,
    ttl: Duration,
}

// === impl Presence ===

impl Presence {
    fn new(options: &Options, address: SocketAddr) -> Self {
        let Options { service, instance, server, weight, ttl, .. } = options;
        let mut registration = serde_json::json!({
            "port": address.port(),
            "weight": weight,
            "meta": { "example": "service" },
            "checks": [
                // "I am alive", said by us: ends the registration of a process that was killed …
                { "type": "ttl", "ttl": format!("{}ms", ttl.as_millis()) },
                // … and seen from outside: takes a process out that lives but does not serve.
                { "type": "http", "path": "/health", "interval": "2s", "timeout": "1s" },
            ],
            // A crashed instance is forgotten after a while; it comes back by registering again.
            "deregister_after": "10m",
        });
        // A wildcard is no address that a client could use: leave it to Rollcall, which takes the
        // one that the registration comes from.
        if !address.ip().is_unspecified() {
            registration["addresses"] = serde_json::json!([address.ip()]);
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let server = server.trim_end_matches('/');
        let url = format!("{server}/api/v1/services/{service}/instances/{instance}");
        Self { agent, url, registration, ttl: *ttl }
    }

    /// Registers, and renews it until `leaving`. A request that was begun is always finished.
    async fn keep(self, leaving: CancellationToken) {
        self.register(&leaving).await;
        // Three chances within each TTL, so that one lost request is no death.
        while pause(self.ttl / 3, &leaving).await {
            match self.request(Verb::Heartbeat).await {
                Ok(200..=299) => {}
                // The registry does not know us: it lost its data, or we were silent for too long.
                // Whoever registers again repairs either without anybody's help.
                Ok(404) => self.register(&leaving).await,
                Ok(status) => println!("heartbeat refused: {status}"),
                // Rollcall is away for a moment. It gives us a whole TTL when it returns.
                Err(error) => println!("heartbeat failed: {error:#}"),
            }
        }
    }

    /// Tries until it is done, or until `leaving`.
    async fn register(&self, leaving: &CancellationToken) {
        loop {
            match self.request(Verb::Register).await {
                Ok(200..=299) => return println!("registered {}", self.url),
                Ok(status) => println!("registration refused: {status}"),
                Err(error) => println!("registration failed: {error:#}"),
            }
            if !pause(RETRY_AFTER, leaving).await {
                return;
            }
        }
    }

    /// Deregisters; 404 is as good as 204, the name is gone.
    async fn end(&self) {
        for _ in 0..FAREWELLS_MAX {
            match self.request(Verb::Deregister).await {
                Ok(204 | 404) => return println!("deregistered"),
                Ok(status) => println!("deregistration refused: {status}"),
                Err(error) => println!("deregistration failed: {error:#}"),
            }
            sleep(RETRY_AFTER).await;
        }
        println!("gave up deregistering; the ttl check will do it");
    }

    /// One request to Rollcall; gives the status of the reply.
    async fn request(&self, verb: Verb) -> anyhow::Result<u16> {
        let Self { agent, url, registration, .. } = self.clone();
        let reply = tokio::task::spawn_blocking(move || match verb {
            Verb::Register => agent.put(&url).send_json(&registration),
            Verb::Heartbeat => agent.put(format!("{url}/heartbeat")).send_empty(),
            Verb::Deregister => agent.delete(&url).call(),
        });
        let mut reply = reply.await??;
        let status = reply.status().as_u16();
        if status == 400 || status == 422 {
            // We said something wrong, and again will not help: show what.
            bail!("{status}: {}", reply.body_mut().read_to_string()?);
        }
        Ok(status)
    }
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Register,
    Heartbeat,
    Deregister,
}

/// Waits for `period`; whether to go on afterwards.
async fn pause(period: Duration, leaving: &CancellationToken) -> bool {
    tokio::select! {
        () = sleep(period) => true,
        () = leaving.cancelled() => false,
    }
}

/// `15s`, `1m30s`, `500ms`.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let signed: jiff::SignedDuration = text.parse()?;
    Duration::try_from(signed).context("a duration is not negative")
}
