//! What a later version of Rollcall has written, or somebody by hand, which this one passes over:
//! by the rows that have it, so that the note goes when none has it any more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tracing::info;

use crate::cluster::pins::Pins;

/// The name of the condition that tells of it.
const LATER: &str = "etcd later";

/// Rows that are remembered. Where more have something of a later version, it is only known from
/// the next list that they have it no more.
const ROWS_MAX: usize = 1_000;

/// Names that are told of, each once: more than a version adds.
const NAMES_MAX: usize = 100;

/// What there is of a later version.
#[derive(Debug)]
pub(super) struct Later {
    /// What rows have of it, by their keys.
    rows: BTreeMap<String, Vec<String>>,
    /// What those have for which there was no room.
    others: BTreeSet<String>,
    told: BTreeSet<String>,
    /// Whether something has changed that was not published.
    is_news: bool,
    board: Pins,
}

// === impl Later ===

impl Later {
    pub(super) fn new(board: Pins) -> Self {
        let (rows, others, told) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { rows, others, told, is_news: false, board }
    }

    /// A row has these names of a later version, or none; or is gone.
    pub(super) fn put(&mut self, key: &[u8], names: Vec<String>) {
        if names.is_empty() && self.rows.is_empty() {
            return; // as nearly always
        }
        let key = String::from_utf8_lossy(key).into_owned();
        if names.is_empty() {
            self.is_news |= self.rows.remove(&key).is_some();
        } else if self.rows.len() < ROWS_MAX || self.rows.contains_key(&key) {
            self.is_news |= self.rows.get(&key) != Some(&names);
            self.rows.insert(key, names);
        } else {
            let room = NAMES_MAX.saturating_sub(self.others.len());
            let before = self.others.len();
            self.others.extend(names.into_iter().take(room));
            self.is_news |= self.others.len() > before;
        }
    }

    /// All that there is, by the keys of the rows: of a list.
    pub(super) fn replace(&mut self, rows: Vec<(Bytes, Vec<String>)>) {
        self.is_news = !self.rows.is_empty() || !self.others.is_empty();
        (self.rows, self.others) = (BTreeMap::new(), BTreeSet::new());
        for (key, names) in rows {
            self.put(&key, names);
        }
    }

    /// Brings the board up to date, and tells of what is new.
    pub(super) fn publish(&mut self) {
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        let names: BTreeSet<&String> = self.rows.values().flatten().chain(&self.others).collect();
        if names.is_empty() {
            self.told.clear();
            return self.board.clear(LATER);
        }
        let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(|name| name.as_str()).collect();
        let first = self.rows.keys().next().map(|key| format!(" (first in `{key}`)"));
        let message = format!(
            "a later version of Rollcall, or somebody by hand, has written what this one passes \
             over: {}{}; upgrade this server too, or delete what is nobody's",
            shown.join(", "),
            first.unwrap_or_default()
        );
        let mut is_new = false;
        for name in names {
            is_new |= self.told.len() < NAMES_MAX && self.told.insert(name.clone());
        }
        if is_new {
            info!("{message}");
        }
        self.board.note(LATER, message);
    }
}

#[cfg(test)]
mod tests {
    use super::{Later, NAMES_MAX, ROWS_MAX};
    use crate::cluster::follow::testing::{client, common};

    fn note(later: &mut Later) -> String {
        later.publish();
        let told = later.board.conditions();
        told.into_iter().next().map_or_else(String::new, |(_, told)| told.message)
    }

    #[tokio::test]
    async fn of_more_rows_than_are_remembered_the_next_list_tells_that_they_are_gone() {
        let (common, _metrics) = common(client("http://127.0.0.1:1"), "/rollcall/");
        let mut later = Later::new(common.board);
        let key = |n: usize| format!("/rollcall/v1/zones/{n}").into_bytes();
        for n in 0..=ROWS_MAX {
            later.put(&key(n), vec![if n < ROWS_MAX { "a".to_owned() } else { "b".to_owned() }]);
        }
        assert!(note(&mut later).contains("passes over: a, b (first in `/rollcall/v1/zones/0`);"));
        for n in 0..=ROWS_MAX {
            later.put(&key(n), Vec::new());
        }
        assert!(note(&mut later).contains("passes over: b; upgrade"), "it may be elsewhere");
        later.replace(Vec::new());
        assert_eq!(note(&mut later), "");
        // However many there are, so many names are told of.
        let many = (0..2 * NAMES_MAX).map(|n| (key(n).into(), vec![n.to_string()]));
        later.replace(many.collect());
        let told = note(&mut later);
        let (_, names) = told.split_once("passes over: ").unwrap();
        let (names, _) = names.split_once(" (first").unwrap();
        assert_eq!(names.matches(", ").count(), NAMES_MAX - 1);
    }
}
