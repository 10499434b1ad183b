//! The servers that share the registry, as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The servers that share the registry, as the one that is asked sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerList {
    /// Whether the registry is shared, through etcd. If not, it is this server's alone, and no
    /// other one is listed.
    pub shared: bool,
    /// Whether the others know the server that is asked. While they do not, they do its work. True
    /// where nothing is shared.
    pub joined: bool,
    /// Whether the server that is asked is cut off from etcd, or etcd takes no changes: then it
    /// checks everything by itself, and lists the servers that it knew last.
    pub cut_off: bool,
    /// The servers, sorted by id; the one that is asked is always among them.
    pub servers: Vec<ServerView>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerView {
    /// Its id, which no other has.
    pub server: String,
    /// Where its HTTP interface is for the others, each `host:port`.
    pub http: Vec<String>,
    /// Its version of Rollcall; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was started, by its own clock (RFC 3339); absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Whether it is the one that is asked.
    pub me: bool,
    /// How many instances it looks after: it writes what is found of them, and counts their
    /// heartbeats. Counted each second or so, by each server for itself: absent for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
}
