//! A server that is alive, as its row in the store says.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cluster::layout::ServerRow,
    registry::{Peer, ServerId},
};

/// The servers that have a row, which their leases hold.
pub type Servers = BTreeMap<ServerId, Server>;

/// A server that has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it says of itself. `None` if that cannot be read, for example because it is of a later
    /// version: it is alive all the same, and all servers have to agree on who is.
    pub row: Option<ServerRow>,
    /// The revision of the store that made the row: another one is another life.
    pub since: u64,
}

// === impl Server ===

impl Server {
    /// As ownership wants it.
    pub(super) fn peer(&self, id: &ServerId) -> Peer {
        let http = self.row.as_ref().map(|row| row.http.clone()).unwrap_or_default();
        Peer { id: Arc::clone(id), http: http.into() }
    }
}
