//! What servers say of themselves, and what all of them agree on.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{Key, Layout, Unreadable, row::read, value::json};
use crate::{model::Timestamp, registry::ServerId, store::text::Instant};

/// What all servers of one prefix have agreed on: written once, by whoever comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The version of the values; one that is later than [`Meta::SCHEMA`] has another meaning.
    pub schema: u32,
    /// An id, drawn at random, of what is below the prefix: of an etcd that was emptied or
    /// exchanged it is another.
    pub cluster: String,
    /// When an import has brought all of it, if one has: somebody wants it to be what is shown.
    pub imported: Option<Timestamp>,
}

/// A server that is alive.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Where others reach its HTTP interface, as `host:port`.
    pub http: Vec<String>,
    /// Its version of Rollcall.
    pub version: String,
    /// When it was started, by its own clock.
    pub started: Timestamp,
    /// What other servers show when they call it: who knows it can read etcd.
    pub token: String,
    /// What all servers must have been given alike, by the keys of the configuration; empty of a
    /// version that does not say so.
    pub settings: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetaText {
    schema: u32,
    cluster: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<Instant>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerText {
    #[serde(default)]
    http: Vec<String>,
    version: String,
    started: Instant,
    #[serde(default)]
    token: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, String>,
}

/// Addresses of one server: as many as it listens on.
const HTTP_MAX: usize = crate::model::limit::LISTEN_ADDRESSES_MAX;

// === impl Meta ===

impl Meta {
    /// The version of the values that this code writes and reads.
    pub const SCHEMA: u32 = 1;

    /// What is written.
    pub fn encode(&self) -> Vec<u8> {
        let Self { schema, cluster, imported } = self.clone();
        json(&MetaText { schema, cluster, imported: imported.map(Instant) })
    }
}

// === impl ServerRow ===

impl ServerRow {
    /// What is written.
    pub fn encode(&self) -> Vec<u8> {
        let Self { http, version, started, token, settings } = self.clone();
        json(&ServerText { http, version, started: Instant(started), token, settings })
    }
}

/// Tokens are nobody's business.
impl fmt::Debug for ServerRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http, version, started, .. } = self;
        let mut shown = f.debug_struct("ServerRow");
        shown.field("http", http).field("version", version).field("started", started);
        shown.finish_non_exhaustive()
    }
}

// === impl Layout ===

impl Layout {
    /// Reads what all servers have agreed on.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn decode_meta(&self, value: &[u8], revision: u64) -> Result<Meta, Unreadable> {
        let (MetaText { schema, cluster, imported }, _) =
            read(value).map_err(|problem| self.unreadable(&Key::Meta, revision, problem))?;
        Ok(Meta { schema, cluster, imported: imported.map(|at| at.0) })
    }

    /// Reads what a server says of itself.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn decode_server(
        &self,
        id: &ServerId,
        value: &[u8],
        revision: u64,
    ) -> Result<ServerRow, Unreadable> {
        let refuse = |problem| self.unreadable(&Key::Server(id.clone()), revision, problem);
        let (ServerText { http, version, started, token, settings }, _) =
            read(value).map_err(refuse)?;
        if http.len() > HTTP_MAX {
            let problem =
                format!("`http`: `{}` entries are above the limit of {HTTP_MAX}", http.len());
            return Err(refuse(problem));
        }
        Ok(ServerRow { http, version, started: started.0, token, settings })
    }
}
