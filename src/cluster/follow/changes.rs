//! From what etcd tells to what the registry is told.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tracing::info;

use super::{
    bulks::Bulks,
    course::Position,
    follower::{End, Follower, Relayed, Whole},
    list::list,
    sort::{Sorted, sort, sort_row},
};
use crate::{
    cluster::{
        common::{Common, Roster},
        etcd::{EtcdError, Event, Header, KeyValue},
        layout::Key,
        members::Servers,
        meta,
    },
    model::InstanceKey,
    registry::{Followed, SharedRow},
};

/// Changes, sorted.
#[derive(Default)]
struct Batch {
    rows: Vec<(u64, SharedRow)>,
    beats: Vec<Relayed>,
    /// The last key that was put.
    mark: Option<(Bytes, u64)>,
    has_servers: bool,
    has_bulks: bool,
    /// Instances of which rows were mended, and more may have changed meanwhile.
    mended: BTreeSet<InstanceKey>,
}

// === impl Follower ===

impl Follower {
    /// Tells of changes.
    pub(super) async fn take(
        &mut self,
        mut events: Vec<Event>,
        out: &mpsc::Sender<Followed>,
    ) -> Result<(), End> {
        let has_other_state = self.cut(&mut events);
        let now = self.common.now();
        let upto = events.last().map_or(0, Event::revision);
        let mut batch = Batch::default();
        for event in events {
            self.put_in(&mut batch, event, &now);
        }
        let Batch { rows, beats, mark, has_servers, has_bulks, mended } = batch;
        self.unreadable.publish();
        self.later.publish();
        if has_bulks {
            self.common.set_bulks(self.bulks.known.clone());
        }
        if has_servers {
            self.publish_roster(upto);
        }
        self.relay(beats);
        self.advance(rows, upto, out).await?;
        if let (Some(position), Some((key, revision))) = (&mut self.position, mark) {
            // Not a slice of the response, which would stay with it.
            position.mark = Some((Bytes::copy_from_slice(&key), revision));
        }
        if has_other_state {
            self.has_gap = true; // all that was left out
            return Err(End::Again("meta", "what all servers have agreed on has changed".into()));
        }
        if !mended.is_empty() {
            self.has_gap = true; // what else the last list had of their instances
            return Err(End::Again(
                "mended",
                "rows that could not be read can be read again".into(),
            ));
        }
        Ok(())
    }

    /// Leaves out everything from the revision on at which the store became that of another state,
    /// or of none: who deletes all of it means etcd, and not what is shown. Says whether it did.
    fn cut(&self, events: &mut Vec<Event>) -> bool {
        let Common { layout, .. } = &self.common;
        let key = layout.key(&Key::Meta);
        let is_other = |event: &Event| match event {
            _ if *event.key() != key.as_bytes() => false,
            Event::Delete { .. } => true,
            Event::Put(kv) => {
                let known = self.agreed.as_ref().map(|known| &known.cluster);
                known != Some(&meta::read(layout, kv).cluster)
            }
        };
        let Some(other) = events.iter().position(is_other) else { return false };
        let at = events[other].revision();
        events.retain(|event| event.revision() < at);
        true
    }

    fn put_in(&mut self, batch: &mut Batch, event: Event, now: &str) {
        let revision = event.revision();
        if let Event::Put(kv) = &event {
            batch.mark = Some((kv.key.clone(), revision));
        }
        let key = event.key().clone();
        let mut sorted = sort(&self.common.layout, event, now);
        self.later.put(&key, sorted.take_later());
        if !self.unreadable.is_empty() && !matches!(sorted, Sorted::Unreadable(..)) {
            let has_missed = self.unreadable.remove(&String::from_utf8_lossy(&key));
            if let (true, Sorted::Row(row, _)) = (has_missed, &sorted) {
                batch.mended.extend(row.key().cloned());
            }
        }
        // What is gone is gone with all that was missed, also where other rows of it went before.
        if let Sorted::Row(SharedRow::Registration { key, to: None }, _) = &sorted {
            batch.mended.remove(key);
        }
        match sorted {
            Sorted::Row(row, _) => batch.rows.push((revision, row)),
            Sorted::Unreadable(key, fault) => self.unreadable.add(key, fault),
            Sorted::Server(id, server) => {
                batch.has_servers = true;
                match server {
                    Some(server) => self.servers.insert(id, server),
                    None => self.servers.remove(&id),
                };
            }
            Sorted::Bulk(marker) => {
                batch.has_bulks = true;
                self.take_marker(marker, revision, now);
                batch.rows.extend(self.bulks.rows());
            }
            Sorted::Part(id, part) => self.bulks.put_part(id, part),
            Sorted::Beats(from, value) if self.fresh.is(revision) => {
                batch.beats.push(Relayed { from, value, at: Instant::now() });
            }
            Sorted::Meta(Some(now)) => self.heed(now),
            Sorted::Beats(..) | Sorted::Meta(None) | Sorted::Nothing | Sorted::Stray(_) => {}
        }
    }

    /// Reads everything, of the state of that name.
    pub(super) async fn list(&mut self, state: String) -> Result<Whole, EtcdError> {
        let (now, Common { client, layout, .. }) = (self.common.now(), self.common.clone());
        let (mut rows, mut servers) = (Vec::new(), Servers::new());
        let (mut faults, mut later) = (Vec::new(), Vec::new());
        let mut mark: Option<(Bytes, u64)> = None;
        let (mut bulks, mut marker) = (Bulks::default(), None);
        let mut listed = String::new();
        let take = |page: Vec<KeyValue>| {
            self.common.heard.touch();
            for kv in page {
                if mark.as_ref().is_none_or(|(_, newest)| kv.mod_revision > *newest) {
                    mark = Some((Bytes::copy_from_slice(&kv.key), kv.mod_revision));
                }
                let mut sorted = sort_row(&layout, &kv, &now);
                let names = sorted.take_later();
                if !names.is_empty() {
                    later.push((Bytes::copy_from_slice(&kv.key), names));
                }
                match sorted {
                    Sorted::Row(row, _) => rows.push((kv.mod_revision, row)),
                    Sorted::Unreadable(key, fault) => faults.push((key, fault)),
                    Sorted::Server(id, Some(server)) => drop(servers.insert(id, server)),
                    Sorted::Bulk(found) => marker = found.map(|found| (found, kv.mod_revision)),
                    Sorted::Part(id, part) => bulks.put_part(id, part),
                    Sorted::Meta(Some(found)) => listed = found.meta.cluster,
                    _ => {}
                }
            }
        };
        let header = list(&client, layout.all(), take).await?;
        if listed != state {
            let endpoint = client.leave(header);
            let problem = format!("it has the state `{listed}` now, a moment ago it was `{state}`");
            return Err(EtcdError::Foreign { endpoint, problem });
        }
        self.common.metrics.listed();
        self.later.replace(later);
        self.unreadable.replace(faults);
        self.take_bulks(bulks, marker, header.revision, &now);
        self.bulks.merged(&mut rows);
        self.unreadable.publish();
        self.later.publish();
        self.servers = servers;
        self.publish_roster(header.revision);
        let Header { revision, cluster, term, .. } = header;
        self.position = Some(Position { revision, cluster, term, state, mark });
        info!(rows = rows.len(), revision, "the shared state was read");
        Ok(Whole { rows, at: revision })
    }

    /// Tells the registry that all changes up to a revision are these.
    pub(super) async fn advance(
        &mut self,
        rows: Vec<(u64, SharedRow)>,
        upto: u64,
        out: &mpsc::Sender<Followed>,
    ) -> Result<(), End> {
        let known = self.position.as_ref().map_or(0, |position| position.revision);
        if upto <= known {
            return Ok(());
        }
        self.tell(out, Followed::Changes { rows, upto }, upto).await
    }

    pub(super) async fn tell(
        &mut self,
        out: &mpsc::Sender<Followed>,
        followed: Followed,
        upto: u64,
    ) -> Result<(), End> {
        if let Some(keys) = self.unreadable.untold() {
            out.send(Followed::Unreadable(keys)).await.map_err(|_| End::Closed)?;
        }
        out.send(followed).await.map_err(|_| End::Closed)?;
        if let Some(position) = &mut self.position {
            position.revision = upto;
        }
        self.common.set_followed(upto);
        Ok(())
    }

    pub(super) fn relay(&self, beats: Vec<Relayed>) {
        let Some(relayed) = &self.relayed else { return };
        for beat in beats {
            // Full: the next heartbeats come in time, and the registry need not wait for these.
            let _full = relayed.try_send(beat);
        }
    }

    fn publish_roster(&self, at: u64) {
        let servers = Arc::new(self.servers.clone());
        self.common.set_roster(Roster { at, servers });
    }
}
