//! Finds out that all servers are as they should be: each takes changes, and all show them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::scene::{Ends, Scene};
use crate::support::{PATIENCE, api, api::Api};

/// How long a server is waited for before it is asked again: longer than it waits for etcd.
const REPLY: Duration = Duration::from_secs(7);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Changes something at each server, and waits until each shows the last of these changes. What was
/// changed before, and acknowledged, it shows then, too. Says how long it took.
///
/// # Panics
/// When it takes very long.
pub(super) fn settle(scene: &Scene) -> Duration {
    let begun = Instant::now();
    let port = u16::try_from(scene.now().as_millis() % 60_000).expect("it is below") + 1;
    let mut last = 0;
    for (at, (_, http)) in scene.servers.iter().enumerate() {
        // Nothing that is asked for by others.
        let path = api::instance_path("settled", &format!("by-{at}"));
        let body = json!({ "addresses": ["192.0.2.1"], "port": port });
        let revision = until(scene, begun, &format!("server {at} takes a change"), || {
            let reply = Api::attempt(*http, ("PUT", &path), &body, REPLY).ok()?;
            reply.revision.filter(|_| matches!(reply.status, 200 | 201))
        });
        last = last.max(revision);
    }
    for (at, (_, http)) in scene.servers.iter().enumerate() {
        let path = format!("/api/v1/services?min_revision={last}");
        until(scene, begun, &format!("server {at} shows all changes"), || {
            let reply = Api::attempt(*http, ("GET", &path), &Value::Null, REPLY).ok()?;
            (reply.status == 200).then_some(())
        });
    }
    begun.elapsed()
}

fn until<T>(scene: &Scene, begun: Instant, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        scene.pass(PAUSE, Ends::Everything);
    }
}
