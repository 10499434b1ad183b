//! The first results of checks that were just registered.
//!
//! A client that registers a service and asks for those that pass finds it: the first run of a
//! check begins with its registration and takes milliseconds where the service is there. An agent
//! runs it some time within its interval, so that clients wait, or look again and again.
//!
//! A first result that changes no state has no event, but it has a revision; so the bell is that of
//! the revisions, and each is looked at: one look costs two lookups, a wait is short, and there are
//! no more of them than connections.

use crate::{
    http::{Api, consul::site::Host},
    registry::{Member, Snapshot},
};

/// Waits until the checks of a service have a first result, or those of the node if `id` is empty;
/// for as long as the operator says at the most, and not while the server stops.
pub(in crate::http::consul) async fn settle(api: &Api, host: &Host, id: &str) {
    // The time of a request is for the whole of it: this reply is not to be late for that.
    let patience = api.consul().registration_wait.min(api.options().request_timeout / 2);
    if patience.is_zero() {
        return;
    }
    let mut revisions = api.registry().events().subscribe();
    let settled = async {
        loop {
            // What comes after this look rings the bell.
            revisions.mark_unchanged();
            if is_settled(&api.registry().snapshot(), host, id)
                || revisions.changed().await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = settled => {}
        () = api.stop().cancelled() => {}
        // Who has waited in vain is told what is known.
        () = tokio::time::sleep(patience) => {}
    }
}

fn is_settled(snapshot: &Snapshot, host: &Host, id: &str) -> bool {
    let instance = snapshot.origins.get(&host.scope(), id);
    let member = instance.and_then(|instance| snapshot.member_like(instance));
    !member.is_some_and(|member| awaits_a_result(member))
}

/// Whether a check is to be run that has found nothing yet, so that it is critical.
fn awaits_a_result(member: &Member) -> bool {
    let checks = member.instance.checks.iter().zip(&member.checks);
    let mut probed = checks.filter(|(spec, _)| spec.thresholds().is_some());
    probed.any(|(_, state)| !state.status.is_up() && state.output.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use crate::{
        http::{Options, tests::support::Door},
        model::{CheckReport, Command, InstanceKey, Status},
        registry::Member,
    };

    const WEB: &str = r#"{"Name":"web","Check":{"TCP":"10.0.0.1:80","Interval":"10s"}}"#;

    /// A door whose replies wait for ten seconds.
    fn door() -> Door {
        door_with(Duration::from_secs(10))
    }

    fn door_with(registration_wait: Duration) -> Door {
        Door::open_with(Options::default(), |setup| {
            setup.consul.registration_wait = registration_wait;
        })
    }

    /// How long it took until the reply came.
    async fn put(door: &Door, path: &str, body: &str) -> Duration {
        let began = Instant::now();
        let reply = door.call("PUT", path, body).await;
        assert_eq!(reply.status, 200, "{body}: {reply:?}");
        began.elapsed()
    }

    async fn register(door: &Door, body: &str) -> Duration {
        put(door, "/v1/agent/service/register", body).await
    }

    /// Waits until an instance or a node is there.
    async fn appears(door: &Door) -> (InstanceKey, std::sync::Arc<Member>) {
        let registry = &door.running.registry;
        let mut revisions = registry.events().subscribe();
        loop {
            if let Some(member) = registry.snapshot().members().next() {
                return (member.key(), member.clone());
            }
            revisions.changed().await.unwrap();
        }
    }

    /// Says what the first check found, a while after its registration.
    async fn report(door: &Door, status: Status, after: Duration) {
        let (key, member) = appears(door).await;
        tokio::time::sleep(after).await;
        let (registered, output) = (member.registered, "found".into());
        let report = CheckReport { key, registered, check: 0, status, output, since: None };
        door.running.registry.submit(Command::Report(report)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_reply_waits_for_first_results_whatever_they_are() {
        let after = Duration::from_secs(3);
        let check = r#"{"Name":"c","TCP":"10.0.0.1:80","Interval":"10s"}"#;
        let requests = [("/v1/agent/service/register", WEB), ("/v1/agent/check/register", check)];
        for (path, body) in requests {
            for status in [Status::Passing, Status::Critical] {
                let door = door();
                let (took, ()) = tokio::join!(put(&door, path, body), report(&door, status, after));
                let in_time = after..after + Duration::from_millis(100);
                assert!(in_time.contains(&took), "{path} {status}: {took:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_reply_waits_no_longer_than_it_may_and_for_no_check_that_nobody_runs() {
        let took = register(&door(), WEB).await;
        assert!((10_000..10_100).contains(&took.as_millis()), "{took:?}");
        let took = register(&door_with(Duration::ZERO), WEB).await;
        assert!(took.is_zero(), "{took:?}");
        let door = door();
        for body in [
            r#"{"Name":"api"}"#,
            r#"{"Name":"beating","Check":{"TTL":"10s"}}"#,
            r#"{"Name":"said","Check":{"TCP":"10.0.0.1:80","Interval":"10s","Status":"passing"}}"#,
        ] {
            let took = register(&door, body).await;
            assert!(took < Duration::from_millis(100), "{body}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_waits_does_not_hold_up_the_stop() {
        let door = door();
        let stop = async {
            appears(&door).await;
            door.stop.cancel();
        };
        let (took, ()) = tokio::join!(register(&door, WEB), stop);
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}
