//! The client verbs against the real API: what one side writes the other reads.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Cli, args::Verb, client::Client, exit::Failure, testing::Buffer};
use crate::{
    http::{Api, ConsulOptions, EurekaOptions, HttpServer, Life, Options, Server, Setup},
    model::{DnsName, Timestamp},
    registry::{self, testing},
};

/// A server, and the client verbs that speak to it.
struct Session {
    client: Client,
    running: testing::Running,
    /// Stops the server with the session.
    _stop: DropGuard,
}

impl Session {
    fn start() -> Self {
        let running = testing::run(testing::Kept::default(), registry::Options::default());
        let stop = CancellationToken::new();
        let api = Api::new(Setup {
            registry: running.registry.clone(),
            registry_options: running.options.subscribe(),
            zones: vec![DnsName::parse("service.internal").unwrap()],
            board: running.board.clone(),
            metrics: running.metrics.clone(),
            clock: running.clock.clone(),
            draining: CancellationToken::new(),
            stop: stop.clone(),
            options: Options::default(),
            consul: ConsulOptions::default(),
            eureka: EurekaOptions::default(),
            server: Server {
                peer: registry::Peer { id: "me".into(), http: [].into() },
                life: Life { version: "1.2.3".into(), started: Timestamp(0) },
            },
            peers: None,
        });
        let server = HttpServer::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        let url = format!("http://{}", server.local_addrs()[0]);
        tokio::spawn(server.run(api));
        let client = Client::new(&url, Duration::from_secs(10)).unwrap();
        Self { client, running, _stop: stop.drop_guard() }
    }

    /// Runs a command line, and gives what it printed.
    async fn run(&self, line: &str) -> Result<String, Failure> {
        let buffer = Buffer::default();
        let cli = Cli::parse_from(["rollcall"].into_iter().chain(line.split_whitespace()));
        let output = |json| buffer.output(json);
        match cli.verb {
            Verb::Register(v) => v.own.run(&self.client, &mut output(v.client.json)).await,
            Verb::Deregister(v) => v.own.run(&self.client, &mut output(v.client.json)).await,
            Verb::Drain(v) => v.own.run(&self.client, &mut output(v.client.json)).await,
            Verb::List(v) => v.own.run(&self.client, &mut output(v.client.json)).await,
            Verb::Show(v) => {
                let clock = &self.running.clock;
                v.own.run(&self.client, &mut output(v.client.json), clock).await
            }
            Verb::Policy(v) => v.own.run(&self.client, &mut output(v.client.json)).await,
            other => panic!("{other:?} is not run here"),
        }
        .map(|()| buffer.text())
    }

    async fn words(&self, line: &str) -> Vec<Vec<String>> {
        let text = self.run(line).await.unwrap();
        text.lines().map(|l| l.split_whitespace().map(str::to_owned).collect()).collect()
    }
}

#[tokio::test]
async fn a_session_from_registration_to_the_end() {
    let session = Session::start();
    let line = "register web web-1 --address 10.0.0.1 --address fd00::1 --port 8080 --weight 7 \
                --tag v1 --meta version=1.4 --ttl 15s";
    assert_eq!(session.run(line).await.unwrap(), "registered web/web-1 (revision 1)\n");
    assert!(session.run(line).await.unwrap().starts_with("updated web/web-1"));
    let checks = "--http /health --tcp --grpc shop.Cart --interval 24h --check-timeout 1s --rise 2";
    let line = format!("register web web-2 --port 80 --deregister-after 10m {checks}");
    assert_eq!(session.run(&line).await.unwrap(), "registered web/web-2 (revision 2)\n");

    let list = session.words("list").await;
    assert_eq!(list[1], ["web", "2", "1", "1", "0", "1", "0", "0", "v1"], "{list:?}");
    let show = session.words("show web").await;
    assert_eq!(show[2][0], "INSTANCE");
    assert_eq!(show[3][..6], ["web-1", "10.0.0.1,fd00::1", "8080", "7", "1", "passing"]);
    assert_eq!(show[4][..6], ["web-2", "127.0.0.1", "80", "1", "1", "critical"]);

    assert_eq!(session.run("drain web web-1").await.unwrap(), "drained web/web-1 (revision 3)\n");
    assert_eq!(session.words("show web").await[3][5], "passing,drained");
    session.run("drain web web-1 --undo").await.unwrap();
    assert_eq!(session.words("show web").await[3][5], "passing");

    let policy = session.run("policy web --ttl 1m --when-none-healthy all").await.unwrap();
    assert!(policy.starts_with("web: ttl 60s, answer_limit 8, when_none_healthy all"), "{policy}");
    let policy = session.run("policy web --answer-limit 1").await.unwrap();
    assert!(policy.starts_with("web: ttl 60s, answer_limit 1, when_none_healthy all"), "{policy}");
    assert!(session.run("policy web --unset").await.unwrap().starts_with("policy of web unset"));

    session.run("deregister web web-1").await.unwrap();
    session.run("deregister web web-2").await.unwrap();
    assert_eq!(session.run("list").await.unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_refusal_is_readable_and_has_its_code() {
    let session = Session::start();
    for (line, expected) in [
        ("show web", "there is no service `web`"),
        ("deregister web web-1", "there is no instance `web-1` of service `web`"),
        ("register we_b w --port 1", "has the character '_' at position 3"),
        ("register web w --port 1 --address 0.0.0.0", "is no address of a host"),
        ("policy web --answer-limit 2000", "outside the limits of 1 to 1000"),
    ] {
        let failure = session.run(line).await.unwrap_err();
        assert_eq!(failure.code(), 1, "{line}");
        let message = failure.message().unwrap();
        assert!(message.contains(expected), "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[tokio::test]
async fn every_verb_prints_json() {
    let session = Session::start();
    for (line, pointer) in [
        ("register web w --address 10.0.0.1 --port 1 --json", "/instance"),
        ("list --json", "/services/0/service"),
        ("show web --json", "/instances/0/instance"),
        ("show web --json", "/service/policy/ttl"),
        ("drain web w --json", "/drained"),
        ("policy web --json", "/ttl"),
        ("deregister web w --json", "/revision"),
    ] {
        let text = session.run(line).await.unwrap();
        let printed: Value = serde_json::from_str(&text).unwrap();
        assert!(printed.pointer(pointer).is_some_and(|v| !v.is_null()), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_watch_prints_what_happened_and_what_happens() {
    let session = Session::start();
    session.run("register web w --address 10.0.0.1 --port 1").await.unwrap();
    session.run("register other o --address 10.0.0.1 --port 1").await.unwrap();
    let buffer = Buffer::default();
    let mut output = buffer.output(false);
    let line = ["rollcall", "watch", "web", "--since", "0"];
    let Verb::Watch(watch) = Cli::parse_from(line).verb else { panic!("it is the verb watch") };
    let printed = async |lines: usize| {
        while buffer.text().lines().count() < lines {
            tokio::task::yield_now().await;
        }
    };
    let session_goes_on = async {
        printed(1).await;
        session.run("drain web w").await.unwrap();
        printed(2).await;
    };
    tokio::select! {
        ended = watch.own.run(&session.client, &mut output) => panic!("it ended: {ended:?}"),
        seen = tokio::time::timeout(Duration::from_secs(10), session_goes_on) => seen.unwrap(),
    }
    let text = buffer.text();
    let events: Vec<Vec<_>> = text.lines().map(|l| l.split(' ').collect()).collect();
    let seen: Vec<_> = events.iter().map(|words| (words[0], words[2], words[3])).collect();
    assert_eq!(seen, [("1", "registered", "web/w"), ("3", "drained", "web/w")], "{text}");
}
