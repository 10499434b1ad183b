//! What is on this server's own node, when the node is found at another address than before.
//!
//! A service without an address of its own is where its node is. The registry has that address with
//! the service, as DNS answers it; so when the configuration or the network gives this host another
//! one, what was registered under the old one is moved once the server runs.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use axum::http::StatusCode;

use super::submit::change;
use crate::http::{Api, consul::texts::ConsulError};

/// Services that are moved by one command: so many do not hold up others.
const AT_ONCE: usize = 256;

/// From a refusal to the next try.
const RETRY: Duration = Duration::from_secs(10);

/// Moves what has no address of its own to where this server's node is now.
pub(in crate::http) async fn follow_own_address(api: Api) {
    // Each is moved once, and nothing new is registered at the old address.
    let most = api.registry().snapshot().members().count();
    follow(&api, most, || move_some(api.clone())).await;
}

/// Moves some at a time until none are left, or more have moved than there are.
async fn follow<F: Future<Output = Result<usize, ConsulError>>>(
    api: &Api,
    most: usize,
    mut move_some: impl FnMut() -> F,
) {
    let mut left = most;
    loop {
        match move_some().await {
            Ok(0) => return,
            Ok(count) => {
                let address = api.consul().node_address;
                tracing::info!(count, %address, "services have moved with this server's node");
                let Some(fewer) = left.checked_sub(count) else {
                    tracing::error!("what has moved with this server's node is to be moved again");
                    return;
                };
                left = fewer;
            }
            Err(refusal) => {
                let error = &*refusal.text;
                tracing::warn!(error, "services are left at the old address of this server's node");
                if refusal.status != StatusCode::SERVICE_UNAVAILABLE {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = api.stop().cancelled() => return,
                }
            }
        }
    }
}

/// How many were moved.
async fn move_some(api: Api) -> Result<usize, ConsulError> {
    let (host, moved) = (api.consul().own_host(), AtomicUsize::new(0));
    let edited = change(&api, (&host, ""), |edit| {
        moved.store(edit.follow_node(AT_ONCE)?, Relaxed);
        Ok(())
    });
    edited.await?;
    Ok(moved.into_inner())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{follow, follow_own_address};
    use crate::{
        http::{Options, tests::support::Door},
        registry::testing::Kept,
    };

    /// A server on a host of that address, whose clients are on the same host.
    fn door_at(address: [u8; 4], kept: Kept) -> Door {
        let mut door = Door::over(kept, Options::default(), |setup| {
            setup.consul.node_address = IpAddr::from(address);
        });
        door.peer = "127.0.0.1:40000".parse().unwrap();
        door
    }

    #[tokio::test]
    async fn services_of_this_host_are_where_it_is_after_it_has_moved() {
        let before = door_at([10, 0, 0, 1], Kept::default());
        let put = async |path: &str, body: &str| {
            let reply = before.call("PUT", &format!("/v1/agent/{path}"), body).await;
            assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
        };
        let beats = r#"{"Name":"beats","Port":80,"Check":{"TTL":"1h","Status":"passing"}}"#;
        put("service/register", beats).await;
        put("service/register", r#"{"Name":"fixed","Address":"10.7.7.7"}"#).await;
        put("maintenance?enable=true&reason=why", "").await;
        let elsewhere = r#"{"Node":"other","Address":"10.9.9.9","Service":{"Service":"far"}}"#;
        assert_eq!(before.call("PUT", "/v1/catalog/register", elsewhere).await.status, 200);
        // What a restart would find.
        let after = door_at([10, 0, 0, 2], Kept::holding(before.running.kept.load()));
        let snapshot = || after.running.registry.snapshot();
        let shown = || {
            let snapshot = snapshot();
            let members = snapshot.members();
            let mut all: Vec<String> = members
                .map(|member| {
                    let instance = &member.instance;
                    let node = instance.origin.as_ref().unwrap().node.as_ref();
                    let node = node.map(|node| node.addresses.as_ips()[0].to_string());
                    let ip = instance.addresses.as_ips()[0];
                    format!("{} {ip} {}", instance.service, node.unwrap_or_default())
                })
                .collect();
            all.sort();
            all
        };
        assert_eq!(shown()[0], "_nodes 10.0.0.1 ");
        follow_own_address(after.api.clone()).await;
        let moved = [
            "_nodes 10.0.0.2 ",
            "_nodes 10.9.9.9 ",
            "beats 10.0.0.2 10.0.0.2",
            "far 10.9.9.9 10.9.9.9",
            "fixed 10.7.7.7 10.0.0.2",
        ];
        assert_eq!(shown(), moved);
        let node = after.get("/v1/catalog/node/rollcall").await.json();
        assert_eq!(node["Node"]["Address"], "10.0.0.2");
        let revision = snapshot().revision;
        follow_own_address(after.api.clone()).await;
        assert_eq!(snapshot().revision, revision, "there is nothing more to do");
    }

    #[tokio::test]
    async fn moves_that_change_nothing_come_to_an_end() {
        let (door, mut rounds) = (door_at([10, 0, 0, 1], Kept::default()), 0);
        let move_some = || {
            rounds += 1;
            std::future::ready(Ok(2))
        };
        follow(&door.api, 7, move_some).await;
        assert_eq!(rounds, 4);
    }

    #[tokio::test]
    async fn a_node_that_was_registered_by_itself_stays_where_it_was_said_to_be() {
        let before = door_at([10, 0, 0, 1], Kept::default());
        let registration = r#"{"Node":"rollcall","Address":"10.5.5.5","Service":{"Service":"a"}}"#;
        assert_eq!(before.call("PUT", "/v1/catalog/register", registration).await.status, 200);
        // What a restart would find.
        let after = door_at([10, 0, 0, 2], Kept::holding(before.running.kept.load()));
        let revision = after.running.registry.snapshot().revision;
        follow_own_address(after.api.clone()).await;
        assert_eq!(after.running.registry.snapshot().revision, revision);
    }
}
