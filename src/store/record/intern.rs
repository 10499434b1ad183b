//! Shares equal texts while a store is loaded.
//!
//! A million instances have a few thousand services, tags, paths and outputs between them; each
//! text is kept once, and parsed once. So is each list of tags and of checks, of which a service
//! rarely has two.

use std::{borrow::Borrow, convert::Infallible as Never, hash::Hash, sync::Arc};

use hashbrown::HashSet;

use crate::model::{CheckSpec, Instance, Invalid, Meta, ServiceName, Tag};

/// Remembers the texts it has seen.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    services: HashSet<ServiceName>,
    tags: HashSet<Tag>,
    texts: HashSet<Arc<str>>,
    tag_lists: HashSet<Arc<[Tag]>>,
    check_lists: HashSet<Arc<[CheckSpec]>>,
    metas: HashSet<Meta>,
}

// === impl Interner ===

impl Interner {
    /// Texts of each kind that are remembered; a text beyond them is kept as often as it occurs.
    /// Bounds the memory that distinct texts (versions, host names) would waste here.
    const KEPT_MAX: usize = 65_536;

    /// Has an instance take from those before it what is equal, so that one copy of it remains.
    pub(crate) fn share(&mut self, instance: &mut Instance) {
        instance.tags = share_list(&mut self.tag_lists, &instance.tags);
        instance.checks = share_list(&mut self.check_lists, &instance.checks);
        if !instance.meta.pairs().is_empty() {
            let Ok(meta) =
                share(&mut self.metas, &instance.meta, |meta| Ok::<_, Never>(meta.clone()));
            instance.meta = meta;
        }
    }

    pub(super) fn service(&mut self, text: &str) -> Result<ServiceName, Invalid> {
        share(&mut self.services, text, ServiceName::parse_kept)
    }

    pub(super) fn tags(&mut self, texts: &[&str]) -> Result<Arc<[Tag]>, Invalid> {
        let tags = texts.iter().map(|text| share(&mut self.tags, *text, Tag::parse));
        let tags: Vec<Tag> = tags.collect::<Result<_, _>>()?;
        Ok(share_list(&mut self.tag_lists, &tags))
    }

    pub(super) fn checks(&mut self, checks: &[CheckSpec]) -> Arc<[CheckSpec]> {
        share_list(&mut self.check_lists, checks)
    }

    /// The text, in the one copy that there is of it.
    pub(crate) fn text(&mut self, text: &str) -> Arc<str> {
        let Ok(shared) = share(&mut self.texts, text, |text| Ok::<_, Never>(Arc::from(text)));
        shared
    }
}

fn share<T: Clone + Eq + Hash + Borrow<Q>, Q: Eq + Hash + ?Sized, E>(
    kept: &mut HashSet<T>,
    one: &Q,
    make: impl FnOnce(&Q) -> Result<T, E>,
) -> Result<T, E> {
    if let Some(shared) = kept.get(one) {
        return Ok(shared.clone());
    }
    let new = make(one)?;
    if kept.len() < Interner::KEPT_MAX {
        kept.insert(new.clone());
    }
    Ok(new)
}

fn share_list<T: Clone + Eq + Hash>(kept: &mut HashSet<Arc<[T]>>, list: &[T]) -> Arc<[T]> {
    if list.is_empty() {
        return Arc::default(); // which takes no memory
    }
    let Ok(shared) = share(kept, list, |list| Ok::<_, Never>(list.into()));
    shared
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
        let (one, other) = (interner.tags(&["a", "b"]), interner.tags(&["a", "b"]));
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }
}
