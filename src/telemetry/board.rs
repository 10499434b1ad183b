//! The board of conditions: what is not as it should be, by whom, since when.
//!
//! The doors do not know one another; a zone file that does not parse and a store that is full are
//! pinned here by whoever finds them, and `/ready` reads the board.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;

/// A handle to the board; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<RwLock<BTreeMap<String, Condition>>>);

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Whether the server is not ready because of it; else it is only a note.
    pub blocks: bool,
    /// What it is and what to do about it, one sentence.
    pub message: String,
}

// === impl Board ===

impl Board {
    /// Pins a note that does not make the server unready. `name` tells conditions apart, for
    /// example `zone example.zone`; pinning again replaces the message. Returns whether that is
    /// news, so that what is found again and again has one log line.
    pub fn note(&self, name: &str, message: impl Into<String>) -> bool {
        self.pin(name, Condition { blocks: false, message: message.into() })
    }

    /// Pins a reason why the server is not ready.
    pub fn block(&self, name: &str, message: impl Into<String>) {
        self.pin(name, Condition { blocks: true, message: message.into() });
    }

    /// Takes a condition off the board, if it is there.
    pub fn clear(&self, name: &str) {
        self.0.write().remove(name);
    }

    /// Everything on the board, by name.
    pub fn conditions(&self) -> Vec<(String, Condition)> {
        self.0.read().iter().map(|(name, condition)| (name.clone(), condition.clone())).collect()
    }

    /// Whether nothing blocks.
    pub fn is_ready(&self) -> bool {
        !self.0.read().values().any(|condition| condition.blocks)
    }

    fn pin(&self, name: &str, condition: Condition) -> bool {
        let mut pinned = self.0.write();
        let is_news = pinned.get(name) != Some(&condition);
        if is_news {
            pinned.insert(name.to_owned(), condition);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::Board;

    #[test]
    fn what_is_pinned_again_is_no_news() {
        let board = Board::default();
        assert!(board.note("zone a.zone", "line 3: unknown type"));
        assert!(!board.note("zone a.zone", "line 3: unknown type"));
        assert!(board.note("zone b.zone", "line 3: unknown type"));
        assert!(board.note("zone a.zone", "line 4: unknown type"));
        board.clear("zone a.zone");
        assert!(board.note("zone a.zone", "line 4: unknown type"));
    }

    #[test]
    fn only_a_block_makes_unready() {
        let board = Board::default();
        board.note("zone a.zone", "line 3: unknown type");
        assert!(board.is_ready());
        board.block("start", "still loading");
        assert!(!board.is_ready());
        board.clear("start");
        assert!(board.is_ready());
        assert_eq!(board.conditions().len(), 1);
    }
}
