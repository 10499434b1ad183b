//! Rows that cannot be read: counted, pinned on the board, and remembered, because a list must not
//! take them for gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{layout::RowKey, metrics::ClusterMetrics, pins::Pins},
    model::InstanceKey,
    registry::Kept,
};

/// Those that are pinned one by one; a person reads no more. The rest is counted.
const PINNED_MAX: usize = 20;

/// The name of the condition that counts.
const CONDITION: &str = "etcd rows";

/// The rows that cannot be read, by their keys.
#[derive(Debug)]
pub(super) struct Unreadable {
    rows: BTreeMap<String, Fault>,
    /// Those of instances that were so in the last list: what else it had of these was left out.
    listed: BTreeSet<String>,
    pinned: BTreeSet<String>,
    /// Whether something has changed that was not published.
    is_news: bool,
    /// Whether something has changed that the registry was not told.
    is_untold: bool,
    board: Pins,
    metrics: ClusterMetrics,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What the row is about, if its key says it.
    pub(super) about: Option<RowKey>,
    /// What is wrong with it, and where.
    pub(super) problem: String,
    /// Since when, for people (RFC 3339).
    pub(super) since: String,
}

// === impl Unreadable ===

impl Unreadable {
    pub(super) fn new(board: Pins, metrics: ClusterMetrics) -> Self {
        Self {
            rows: BTreeMap::new(),
            listed: BTreeSet::new(),
            pinned: BTreeSet::new(),
            is_news: false,
            is_untold: false,
            board,
            metrics,
        }
    }

    /// A row cannot be read.
    pub(super) fn add(&mut self, key: String, mut fault: Fault) {
        if let Some(known) = self.rows.get(&key) {
            if known.problem == fault.problem {
                return;
            }
            fault.since.clone_from(&known.since);
        }
        tracing::warn!(
            key,
            problem = fault.problem,
            "a row of etcd cannot be read; what was known of it stays"
        );
        self.rows.insert(key, fault);
        self.is_news = true;
    }

    /// A row can be read, or is gone. Says whether more of its instance may have been missed.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        self.is_news |= self.rows.remove(key).is_some();
        self.listed.remove(key)
    }

    /// Whether all rows can be read, as nearly always.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows but these can be read: those of a list.
    pub(super) fn replace(&mut self, rows: Vec<(String, Fault)>) {
        let listed: BTreeSet<&String> = rows.iter().map(|(key, _)| key).collect();
        self.rows.retain(|key, _| listed.contains(key));
        self.is_news = true;
        let is_of_instance = |fault: &Fault| match fault.about {
            Some(RowKey::Registration(_) | RowKey::Health(_) | RowKey::Drained(_)) => true,
            Some(RowKey::Opinion(..) | RowKey::Policy(_)) | None => false,
        };
        let listed = rows.iter().filter(|(_, fault)| is_of_instance(fault));
        self.listed = listed.map(|(key, _)| key.clone()).collect();
        for (key, fault) in rows {
            self.add(key, fault);
        }
    }

    /// What a list must leave as it is.
    pub(super) fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for about in self.rows.values().filter_map(|fault| fault.about.clone()) {
            match about {
                RowKey::Registration(key) | RowKey::Health(key) | RowKey::Drained(key) => {
                    kept.instances.insert(key);
                }
                RowKey::Opinion(..) => {} // its server says it again
                RowKey::Policy(service) => {
                    kept.policies.insert(service);
                }
            }
        }
        kept
    }

    /// The instances whose registration cannot be read, if that may be others than before.
    pub(super) fn untold(&mut self) -> Option<BTreeSet<InstanceKey>> {
        let registration = |fault: &Fault| match &fault.about {
            Some(RowKey::Registration(key)) => Some(key.clone()),
            _ => None,
        };
        let is_untold = std::mem::take(&mut self.is_untold);
        is_untold.then(|| self.rows.values().filter_map(registration).collect())
    }

    /// Brings board and metrics up to date.
    pub(super) fn publish(&mut self) {
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        self.is_untold = true;
        let now: BTreeSet<String> = self.rows.keys().take(PINNED_MAX).cloned().collect();
        for key in self.pinned.difference(&now) {
            self.board.clear(&condition(key));
        }
        for (key, fault) in self.rows.iter().take(PINNED_MAX) {
            let Fault { problem, since, .. } = fault;
            let message = format!(
                "{problem}; since {since}. What was known of it stays; mend the row, or upgrade \
                 this server if a later version wrote it"
            );
            self.board.undated().note(&condition(key), message);
        }
        self.pinned = now;
        match self.rows.len() {
            ..=PINNED_MAX => self.board.clear(CONDITION),
            count => {
                let message = format!("{count} rows of etcd cannot be read, more than are listed");
                self.board.note(CONDITION, message);
            }
        }
        self.metrics.unreadable(self.rows.len());
    }
}

fn condition(key: &str) -> String {
    format!("etcd row {key}")
}
