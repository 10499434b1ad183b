//! `/api/v1/servers`: the servers that share the registry, as this one sees them.
//!
//! What is said of the others is what they have said of themselves when they joined; nobody is
//! asked. So the list is there as soon as this server is, and also while etcd is away. Left out is
//! what the others look after: they know it, and to count it here costs a hash for each server and
//! instance.

use axum::extract::State;

use super::refused::Read;
use crate::{
    http::{
        Api, Life,
        dto::{ServerList, ServerView, rfc3339},
        json::Json,
        seen::{Seen, SeenParameters},
    },
    registry::Peer,
};

/// Lists the servers that share the registry, as the one that is asked sees them.
///
/// Where nothing is shared the server that is asked is the only one.
#[utoipa::path(
    get,
    path = "/api/v1/servers",
    operation_id = "list_servers",
    tag = "server",
    params(SeenParameters),
    responses((status = 200, description = "The servers", body = ServerList), Read),
)]
pub(super) async fn list(State(api): State<Api>, _: Seen) -> Json<ServerList> {
    let me = api.server();
    let mut own = shown(&me.peer, Some(me.life.clone()));
    own.me = true;
    let shared = api.peers().and_then(|peers| Some((peers, peers.ownership.view()?)));
    let Some((peers, view)) = shared else {
        own.instances = Some(api.registry().snapshot().counts.instances() as u64);
        return Json(ServerList {
            shared: false,
            joined: true,
            cut_off: false,
            servers: vec![own],
        });
    };
    own.instances = Some(peers.facts.kept());
    let others = view.servers.iter().filter(|peer| peer.id != view.me);
    let mut servers: Vec<_> = others.map(|peer| shown(peer, peers.facts.life(&peer.id))).collect();
    servers.push(own);
    servers.sort_unstable_by(|one, other| one.server.cmp(&other.server));
    let joined = view.servers.iter().any(|peer| peer.id == view.me);
    Json(ServerList { shared: true, joined, cut_off: view.is_cut_off, servers })
}

fn shown(peer: &Peer, life: Option<Life>) -> ServerView {
    let (version, started) = life.map(|life| (life.version, rfc3339(life.started))).unzip();
    ServerView {
        server: peer.id.to_string(),
        http: peer.http.to_vec(),
        version,
        started,
        me: false,
        instances: None,
    }
}
