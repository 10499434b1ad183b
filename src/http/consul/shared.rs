//! Large answers that are being sent, for others who ask for the same.
//!
//! A hundred clients may watch all checks of a hundred thousand instances: 50 MB for each of them,
//! and half a second to make. They are woken by the same change, so one answer does for them all.
//! It is here for as long as somebody is sending it.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::blocking::Indexed;
use crate::model::Revision;

/// The answers, by what was asked. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Shared(Arc<Mutex<HashMap<Box<str>, Known>>>);

#[derive(Debug)]
struct Known {
    /// Of the snapshot that it was made of.
    revision: Revision,
    index: Revision,
    body: Weak<Body>,
}

#[derive(Debug)]
struct Body(Bytes);

/// A body that keeps it known.
struct Held(Arc<Body>);

// === impl Shared ===

impl Shared {
    /// The answer to `key`, if there is one that is not older than `wanted`.
    pub(super) fn get(&self, key: &str, wanted: Revision) -> Option<Indexed> {
        let known = self.0.lock();
        let known = known.get(key).filter(|known| known.revision >= wanted)?;
        let body = Bytes::from_owner(Held(known.body.upgrade()?));
        Some(Indexed { index: known.index, body })
    }

    /// Lets others have an answer that was made of the snapshot of that revision.
    pub(super) fn keep(&self, key: &str, revision: Revision, answer: Indexed) -> Indexed {
        let Indexed { index, body } = answer;
        let body = Arc::new(Body(body));
        let mut all = self.0.lock();
        all.retain(|_, known| known.body.strong_count() > 0);
        all.insert(key.into(), Known { revision, index, body: Arc::downgrade(&body) });
        Indexed { index, body: Bytes::from_owner(Held(body)) }
    }
}

// === impl Held ===

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;
    use crate::{http::consul::blocking::Indexed, model::Revision};

    #[test]
    fn an_answer_is_shared_while_somebody_has_it() {
        let shared = Shared::default();
        let answer = || Indexed { index: Revision(3), body: "rows".into() };
        let first = shared.keep("a", Revision(5), answer());
        assert_eq!(first, answer());
        let second = shared.get("a", Revision(5)).unwrap();
        assert_eq!(second, answer());
        assert_eq!(second.body.as_ptr(), first.body.as_ptr(), "it is not copied");
        assert!(shared.get("a", Revision(6)).is_none(), "it is too old");
        assert!(shared.get("b", Revision(5)).is_none());
        drop((first, second));
        assert!(shared.get("a", Revision(5)).is_none());
        let _other = shared.keep("b", Revision(6), answer());
        assert_eq!(shared.0.lock().len(), 1, "what nobody has is forgotten");
    }
}
