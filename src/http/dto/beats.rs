//! Heartbeats that other servers hand on.
//!
//! Servers of several versions speak to one another while they are upgraded, so a field that is not
//! known is passed over, and a heartbeat that cannot be read spoils no other.

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, InstanceKey, Revision, ServiceName, Status};

/// Many of them: `{"from": "host-3f9a0c12", "beats": [{"service": "web", "instance": "web-1"}]}`.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Beats {
    /// Which server they come from.
    pub from: String,
    /// In the order in which they came.
    pub beats: Vec<Beat>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Beat {
    /// Of which service; `_nodes` for a node.
    pub service: String,
    /// Of which instance.
    pub instance: String,
    /// Of which of its checks, counted from 0; all its `ttl` checks without it.
    pub check: Option<usize>,
    /// Of which registration that check is; given with it.
    pub registered: Option<u64>,
    /// The state that it reports; left out when it was only registered again as it is.
    pub status: Option<String>,
    /// What it says of it.
    #[serde(default)]
    pub output: String,
}

/// What became of them, by their places in the list, counted from 0.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::http) struct BeatsTaken {
    /// How many were taken.
    pub taken: usize,
    /// Those of instances, or of registrations or checks of them, that are not known here.
    pub unknown: Vec<usize>,
    /// Those of instances whose heartbeats another server counts, as far as this one knows.
    pub elsewhere: Vec<usize>,
}

// === impl Beat ===

impl Beat {
    /// The instance, if those are names.
    pub(in crate::http) fn key(&self) -> Option<InstanceKey> {
        let service = ServiceName::parse_kept(&self.service).ok()?;
        Some(InstanceKey::new(service, InstanceId::parse(&self.instance).ok()?))
    }

    /// The check and its registration; `None` for all of the instance's.
    ///
    /// # Errors
    /// When one is given without the other.
    pub(in crate::http) fn check(&self) -> Result<Option<(usize, Revision)>, ()> {
        match (self.check, self.registered) {
            (None, None) => Ok(None),
            (Some(check), Some(registered)) => Ok(Some((check, Revision(registered)))),
            _ => Err(()),
        }
    }

    /// The state; `None` when it reports none.
    ///
    /// # Errors
    /// When it is none of ours.
    pub(in crate::http) fn status(&self) -> Result<Option<Status>, ()> {
        self.status.as_deref().map(|text| Status::parse(text).ok_or(())).transpose()
    }
}
