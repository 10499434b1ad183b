//! Large answers that are being sent, for others who ask for the same.
//!
//! A hundred clients may watch all checks of a hundred thousand instances: 50 MB for each of them,
//! and half a second to make. They are woken by the same change, so one answer does for them all.
//! It is here for as long as somebody is sending it, or waits for it.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::model::Revision;

/// An answer at an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Indexed {
    /// The revision at which what it is about last changed; the hash of an answer that is known by
    /// that.
    pub index: Revision,
    /// The body.
    pub body: Bytes,
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
    index: Revision,
    body: Weak<Body>,
}

/// Whoever holds it makes an answer, and those who wait for it may have that one: it is here until
/// the last of them has seen it.
type Turn = tokio::sync::Mutex<Option<Indexed>>;

#[derive(Debug)]
struct Body(Bytes);

/// A body that keeps it known.
struct Held(Arc<Body>);

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
        let body = Bytes::from_owner(Held(known.body.upgrade()?));
        Some(Indexed { index: known.index, body })
    }

    /// Lets others have an answer that was made of the snapshot of that revision.
    fn keep(&self, key: &str, revision: Revision, answer: Indexed) -> Indexed {
        let Indexed { index, body } = answer;
        let body = Arc::new(Body(body));
        let known = &mut self.0.lock().known;
        // Before it would grow: what nobody has any more is not looked for each time.
        if known.len() == known.capacity() {
            known.retain(|_, known| known.body.strong_count() > 0);
        }
        known.insert(key.into(), Known { revision, index, body: Arc::downgrade(&body) });
        Indexed { index, body: Bytes::from_owner(Held(body)) }
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
        &self.0.0
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use futures_util::future::join_all;

    use super::{Indexed, Shared};
    use crate::model::Revision;

    fn rows() -> Indexed {
        Indexed { index: Revision(3), body: "rows".into() }
    }

    #[test]
    fn an_answer_is_shared_while_somebody_has_it() {
        let shared = Shared::default();
        let first = shared.keep("a", Revision(5), rows());
        assert_eq!(first, rows());
        let second = shared.get("a", Revision(5)).unwrap();
        assert_eq!(second, rows());
        assert_eq!(second.body.as_ptr(), first.body.as_ptr(), "it is not copied");
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
        let refused = shared.answer("a", Revision(9), refuse).await;
        assert_eq!(refused, Err("busy"));
        ask(Revision(7)).await;
        assert_eq!(made.get(), 3, "the next one tries again");
    }
}
