//! Whether all servers have been given the same of what they must agree on.

use std::{collections::BTreeSet, future::pending};

use tracing::warn;

use super::row::Servers;
use crate::{
    cluster::{common::Common, layout::ServerRow},
    registry::ServerId,
};

/// The name of the condition that says that they have not.
const DIFFER: &str = "settings";

/// Differences that the note has; all are in the log.
const SHOWN_MAX: usize = 8;

/// A setting that another server has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    server: ServerId,
    key: String,
    theirs: String,
    ours: String,
}

/// Tells of servers that have other settings than `own`, as they come and go.
pub(super) async fn compare(common: Common, id: ServerId, own: ServerRow) {
    let (mut roster, mut told) = (common.roster(), BTreeSet::new());
    loop {
        let servers = roster.borrow_and_update().servers.clone();
        let found = differences(&id, &own, &servers);
        if found != told {
            pin(&common, &found);
            for Difference { server, key, theirs, ours } in found.difference(&told) {
                warn!(%server, key, theirs, ours, "another server has another setting than ours");
            }
            told = found;
        }
        if roster.changed().await.is_err() {
            return pending().await; // nobody looks any more: the end is near
        }
    }
}

/// What others say otherwise. What they do not say, as those of older versions, is no difference.
fn differences(id: &ServerId, own: &ServerRow, servers: &Servers) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    let others = servers.iter().filter(|(other, _)| *other != id);
    for (server, row) in others.filter_map(|(server, it)| Some((server, it.row.as_ref()?))) {
        for (key, ours) in &own.settings {
            if let Some(theirs) = row.settings.get(key).filter(|theirs| *theirs != ours) {
                let (key, theirs, ours) = (key.clone(), theirs.clone(), ours.clone());
                found.insert(Difference { server: server.clone(), key, theirs, ours });
            }
        }
    }
    found
}

fn pin(common: &Common, found: &BTreeSet<Difference>) {
    if found.is_empty() {
        return common.board.clear(DIFFER);
    }
    let shown = found.iter().take(SHOWN_MAX).map(|Difference { server, key, theirs, ours }| {
        format!("server `{server}` has `{key}` = `{theirs}`, and this one `{ours}`")
    });
    let more = match found.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let shown = shown.collect::<Vec<_>>().join("; ");
    let message = format!(
        "{shown}{more}: all servers on one etcd must have the same, for each answers and decides \
         by its own"
    );
    common.board.note(DIFFER, message);
}
