//! Shares equal texts while a store is loaded.
//!
//! A million instances have a few thousand services, tags, paths and outputs between them; each
//! text is kept once, and parsed once.

use std::{borrow::Borrow, hash::Hash, sync::Arc};

use hashbrown::HashSet;

use crate::model::{Invalid, ServiceName, Tag};

/// Remembers the texts it has seen.
#[derive(Debug, Default)]
pub(in crate::store) struct Interner {
    services: HashSet<ServiceName>,
    tags: HashSet<Tag>,
    texts: HashSet<Arc<str>>,
}

// === impl Interner ===

impl Interner {
    /// Texts of each kind that are remembered; a text beyond them is kept as often as it occurs.
    /// Bounds the memory that distinct texts (versions, host names) would waste here.
    const KEPT_MAX: usize = 65_536;

    pub(super) fn service(&mut self, text: &str) -> Result<ServiceName, Invalid> {
        share(&mut self.services, text, ServiceName::parse)
    }

    pub(super) fn tag(&mut self, text: &str) -> Result<Tag, Invalid> {
        share(&mut self.tags, text, Tag::parse)
    }

    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        let Ok(shared) =
            share(&mut self.texts, text, |text| Ok::<_, std::convert::Infallible>(Arc::from(text)));
        shared
    }
}

fn share<T: Clone + Eq + Hash + Borrow<str>, E>(
    kept: &mut HashSet<T>,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, E> {
    if let Some(shared) = kept.get(text) {
        return Ok(shared.clone());
    }
    let new = parse(text)?;
    if kept.len() < Interner::KEPT_MAX {
        kept.insert(new.clone());
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Interner;

    #[test]
    fn equal_texts_share_memory_and_the_table_is_bounded() {
        let mut interner = Interner::default();
        assert!(Arc::ptr_eq(&interner.text("a"), &interner.text("a")));
        for number in 0..Interner::KEPT_MAX + 10 {
            assert_eq!(&*interner.text(&number.to_string()), number.to_string());
        }
        assert_eq!(interner.texts.len(), Interner::KEPT_MAX);
        assert!(interner.service("no_name").is_err());
    }
}
