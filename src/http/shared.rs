//! Large answers that are being sent, for others who ask for the same.
//!
//! A hundred clients may watch all checks of a hundred thousand instances: 50 MB for each of them,
//! and half a second to make. They are woken by the same change, so one answer does for them all.
//! It is here for as long as somebody is sending it, or waits for it.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use siphasher::sip128::SipHasher13;

use crate::model::Revision;

/// An answer at an index.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    /// The revision at which what it is about last changed; the hash of an answer that is known by
    /// that.
    pub index: Revision,
    /// The body.
    pub body: Bytes,
    /// What it is known by; made once for all who have it.
    digest: Arc<OnceLock<u128>>,
}

/// The answers, by what was asked. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    known: HashMap<Box<str>, Known>,
    turns: HashMap<Box<str>, Weak<Turn>>,
}

#[derive(Debug)]
struct Known {
    /// Of the snapshot that it was made of.
    revision: Revision,
    answer: Weak<Indexed>,
}

/// Whoever holds it makes an answer, and those who wait for it may have that one: it is here until
/// the last of them has seen it.
type Turn = tokio::sync::Mutex<Option<Indexed>>;

/// A body that keeps its answer known.
struct Held(Arc<Indexed>);

// === impl Indexed ===

impl Indexed {
    /// A body at an index.
    pub(super) fn new(index: Revision, body: impl Into<Bytes>) -> Self {
        Self { index, body: body.into(), digest: Arc::default() }
    }

    /// A hash of the body, which two bodies do not have in common. Of a large one it takes long:
    /// whoever makes such a body aside asks for it there.
    pub(super) fn digest(&self) -> u128 {
        *self.digest.get_or_init(|| SipHasher13::new().hash(&self.body).as_u128())
    }

    /// Whether the hash is there already.
    #[cfg(test)]
    pub(super) fn has_digest(&self) -> bool {
        self.digest.get().is_some()
    }

    /// The same answer, which is known for as long as somebody has this one.
    fn held(answer: Arc<Self>) -> Self {
        let (index, digest) = (answer.index, Arc::clone(&answer.digest));
        Self { index, body: Bytes::from_owner(Held(answer)), digest }
    }
}

// === impl Shared ===

impl Shared {
    /// The answer to `key`, not older than `wanted`: one that there is, or what `make` makes of the
    /// snapshot of a revision. One at a time makes it: who comes meanwhile waits, and makes the
    /// next one if this is too old.
    ///
    /// # Errors
    /// Those of `make`; whoever waits tries again.
    pub(super) async fn answer<E, F: Future<Output = Result<(Revision, Indexed), E>>>(
        &self,
        key: &str,
        wanted: Revision,
        make: impl FnOnce() -> F,
    ) -> Result<Indexed, E> {
        if let Some(answer) = self.get(key, wanted) {
            return Ok(answer);
        }
        let turn = self.turn(key);
        let mut made = turn.lock().await;
        if let Some(answer) = self.get(key, wanted) {
            return Ok(answer);
        }
        let (revision, answer) = make().await?;
        let answer = self.keep(key, revision, answer);
        *made = Some(answer.clone());
        Ok(answer)
    }

    /// The answer to `key`, if there is one that is not older than `wanted`.
    pub(super) fn get(&self, key: &str, wanted: Revision) -> Option<Indexed> {
        let all = self.0.lock();
        let known = all.known.get(key).filter(|known| known.revision >= wanted)?;
        known.answer.upgrade().map(Indexed::held)
    }

    /// Lets others have an answer that was made of the snapshot of that revision.
    fn keep(&self, key: &str, revision: Revision, answer: Indexed) -> Indexed {
        let answer = Arc::new(answer);
        let known = &mut self.0.lock().known;
        // Before it would grow: what nobody has any more is not looked for each time.
        if known.len() == known.capacity() {
            known.retain(|_, known| known.answer.strong_count() > 0);
        }
        known.insert(key.into(), Known { revision, answer: Arc::downgrade(&answer) });
        Indexed::held(answer)
    }

    fn turn(&self, key: &str) -> Arc<Turn> {
        let turns = &mut self.0.lock().turns;
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() == turns.capacity() {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        turns.insert(key.into(), Arc::downgrade(&turn));
        turn
    }
}

// === impl Held ===

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use futures_util::future::join_all;

    use super::{Indexed, Shared};
    use crate::model::Revision;

    fn rows() -> Indexed {
        Indexed::new(Revision(3), "rows")
    }

    #[test]
    fn an_answer_is_shared_while_somebody_has_it() {
        let shared = Shared::default();
        let first = shared.keep("a", Revision(5), rows());
        assert_eq!((first.index, &first.body), (rows().index, &rows().body));
        let second = shared.get("a", Revision(5)).unwrap();
        assert_eq!((second.index, &second.body), (rows().index, &rows().body));
        assert_eq!(second.body.as_ptr(), first.body.as_ptr(), "it is not copied");
        assert_eq!(first.digest(), rows().digest());
        assert!(second.has_digest(), "nor is it hashed again");
        assert!(shared.get("a", Revision(5)).unwrap().has_digest());
        assert!(shared.get("a", Revision(6)).is_none(), "it is too old");
        assert!(shared.get("b", Revision(5)).is_none());
        drop((first, second));
        assert!(shared.get("a", Revision(5)).is_none());
        for key in 0..1_000 {
            shared.keep(&key.to_string(), Revision(6), rows());
        }
        assert!(shared.0.lock().known.len() < 10, "what nobody has is forgotten");
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_wait_for_it() {
        let (shared, made) = (Shared::default(), Cell::new(0));
        let ask = async |wanted| {
            let make = async || {
                made.set(made.get() + 1);
                let revision = Revision(4 + made.get());
                tokio::task::yield_now().await;
                Ok::<_, Infallible>((revision, rows()))
            };
            // Nobody keeps it: there is another one that waits.
            shared.answer("a", wanted, make).await.map(drop).unwrap();
        };
        join_all((0..1_000).map(|_| ask(Revision(5)))).await;
        assert_eq!(made.get(), 1);
        join_all((0..1_000).map(|of| ask(Revision(5 + of % 2)))).await;
        assert_eq!(made.get(), 2, "what the first made is new enough for all");
        let refuse = async || Err("busy");
        let refused = shared.answer("a", Revision(9), refuse).await.map(drop);
        assert_eq!(refused, Err("busy"));
        ask(Revision(7)).await;
        assert_eq!(made.get(), 3, "the next one tries again");
    }
}
