//! Bulks as they come: their parts, and what is changed when the marker says that they count.
//!
//! Parts come by the same watch as all else, before their marker, and are kept until they go. So
//! nothing need be read when the marker comes, and all changes are handed on at its revision.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{follower::Follower, unreadable::Fault};
use crate::{
    cluster::{
        common::{self, Over, UnderWay},
        layout::{BulkId, Key, Marker, Part, PartId, RowKey, Unreadable, shown},
    },
    model::InstanceKey,
    registry::{Edit, SharedRow},
};

/// Changes that are kept of parts: ten times those of the largest request. Our own servers write
/// one bulk at a time; who writes more by hand is told that it cannot be read.
const EDITS_MAX: usize = 1_000_000;

/// The parts that are there, and what is known of bulks.
#[derive(Debug, Default)]
pub(super) struct Bulks {
    parts: BTreeMap<PartId, Part>,
    edits: usize,
    pub(super) known: common::Bulks,
}

/// What is wrong with a bulk.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) later: Vec<String>,
}

// === impl Follower ===

impl Follower {
    /// A bulk is under way, or is over.
    pub(super) fn take_marker(&mut self, marker: Option<Marker>, revision: u64, now: &str) {
        let Some(marker) = marker else {
            self.bulks.remove_marker(revision);
            return;
        };
        let Faults { unreadable, later } = self.bulks.put_marker(marker, revision);
        for fault in unreadable {
            // Until the row is there, and can be read.
            let row = fault.row.as_ref().map(|row| self.common.layout.row(row));
            let key = row.unwrap_or_else(|| fault.key.clone());
            let (problem, since) = (fault.to_string(), now.to_owned());
            self.unreadable.add(key, Fault { about: fault.row, problem, since });
        }
        self.later.put(self.common.layout.key(&Key::Bulk).as_bytes(), later);
    }

    /// Takes the bulks of a list: one that was known and is not there any more is over.
    pub(super) fn take_bulks(
        &mut self,
        mut bulks: Bulks,
        marker: Option<(Marker, u64)>,
        revision: u64,
        now: &str,
    ) {
        let still = marker.as_ref().map(|(marker, _)| marker.bulk);
        let known = self.bulks.known.under_way.as_ref().map(|known| known.marker.bulk);
        if known != still {
            self.bulks.remove_marker(revision);
        }
        // One that ended later is of another history: its revisions say nothing of this one's rows.
        bulks.known.last = self.bulks.known.last.filter(|over| over.ended <= revision);
        self.bulks = bulks;
        if let Some((marker, at)) = marker {
            self.take_marker(Some(marker), at, now);
        }
        self.common.set_bulks(self.bulks.known.clone());
    }
}

// === impl Bulks ===

impl Bulks {
    /// A part is there, or is gone.
    pub(super) fn put_part(&mut self, id: PartId, part: Option<Part>) {
        let before = match part {
            Some(part) if self.edits + part.edits.len() <= EDITS_MAX => {
                self.edits += part.edits.len();
                self.parts.insert(id, part)
            }
            _ => self.parts.remove(&id),
        };
        self.edits -= before.map_or(0, |part| part.edits.len());
    }

    /// The marker is there, written at that revision; says what is wrong with what counts.
    pub(super) fn put_marker(&mut self, marker: Marker, at: u64) -> Faults {
        let (mut edits, mut faults) = (Vec::new(), Faults::default());
        let mut count = 0;
        if marker.counts {
            let ids = (marker.bulk, 0)..=(marker.bulk, u32::MAX);
            // They are not read again.
            for (_, part) in self.parts.range_mut(ids) {
                let Part { edits: own, unreadable, later } = std::mem::take(part);
                self.edits -= own.len();
                edits.extend(own);
                faults.unreadable.extend(unreadable);
                faults.later.extend(later);
                count += 1;
            }
        }
        let is_whole = count == marker.parts && usize_of(marker.edits) == edits.len();
        self.known.under_way = Some(Arc::new(UnderWay { marker, at, edits, is_whole }));
        faults
    }

    /// The marker is gone, or is not there any more: at this revision at the latest.
    pub(super) fn remove_marker(&mut self, at: u64) {
        let Some(gone) = self.known.under_way.take() else { return };
        if gone.marker.counts {
            let (bulk, counted) = (gone.marker.bulk, gone.at);
            self.known.last = Some(Over { bulk, counted, ended: at });
        }
        self.forget_parts(gone.marker.bulk);
    }

    /// What counts from now on, as rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u64, SharedRow)> {
        let bulk = self.known.under_way.as_deref();
        bulk.into_iter()
            .flat_map(|bulk| bulk.edits.iter().map(|edit| (bulk.at, shown(edit.clone()))))
    }

    /// A list of all rows with what counts of the bulk that is under way, and has not come into its
    /// rows yet.
    pub(super) fn merged(&self, rows: &mut Vec<(u64, SharedRow)>) {
        let Some(bulk) = self.known.under_way.as_deref().filter(|bulk| !bulk.edits.is_empty())
        else {
            return;
        };
        let newer: HashSet<RowKey> =
            rows.iter().filter(|(at, _)| *at > bulk.at).map(|(_, row)| RowKey::of(row)).collect();
        let open = |edit: &&Edit| !newer.contains(&RowKey::changed_by(edit));
        let open: Vec<&Edit> = bulk.edits.iter().filter(open).collect();
        let changed: HashSet<RowKey> = open.iter().map(|edit| RowKey::changed_by(edit)).collect();
        let gone: HashSet<&InstanceKey> = open
            .iter()
            .filter(|edit| matches!(edit, Edit::Deregister { .. }))
            .filter_map(|edit| edit.key())
            .collect();
        rows.retain(|(at, row)| {
            let is_gone = row.key().is_some_and(|key| gone.contains(key));
            *at > bulk.at || !is_gone && !changed.contains(&RowKey::of(row))
        });
        rows.extend(open.into_iter().map(|edit| (bulk.at, shown(edit.clone()))));
    }

    fn forget_parts(&mut self, bulk: BulkId) {
        self.parts.retain(|(of, _), _| *of != bulk);
        self.edits = self.parts.values().map(|part| part.edits.len()).sum();
    }
}

fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
