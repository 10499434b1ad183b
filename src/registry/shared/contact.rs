//! Whether the store is within reach, asked when that decides something.
//!
//! A server that hears of nobody cannot tell a client that is silent from one whose heartbeats come
//! to other servers. What a watch tells is no proof: its member of the store may be cut off from
//! the others together with this server, and answers from its memory. So a question is put to the
//! store, which only a majority of it can answer.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::sleep};

use crate::{registry::lease::Sound, util::Clock};

/// How soon what was not answered is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// The registry's questions, and the store's answers. Clones share them.
#[derive(Debug, Clone)]
pub struct Contact(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    known: Mutex<Known>,
    asked: Notify,
}

/// What is known, in times of the clock.
#[derive(Debug, Default)]
struct Known {
    /// Since when there was no break of which is known.
    since: Duration,
    /// When the last question was asked that was answered.
    until: Duration,
    /// When the last one was asked that was not.
    failed: Option<Duration>,
}

// === impl Contact ===

impl Contact {
    /// Of a store that is within reach at this moment.
    pub fn new(clock: Clock) -> Self {
        let now = clock.elapsed();
        let known = Mutex::new(Known { since: now, until: now, failed: None });
        Self(Arc::new(Inner { clock, known, asked: Notify::new() }))
    }

    /// Waits for a question; says when it is asked. One that had no answer is asked again from
    /// time to time: since when the store is within reach again has to be known later. Cancel safe.
    pub async fn asked(&self) -> Duration {
        let has_failed = self.0.known.lock().failed.is_some();
        tokio::select! {
            () = self.0.asked.notified() => {}
            () = sleep(AGAIN), if has_failed => {}
        }
        self.0.clock.elapsed()
    }

    /// A majority of the store has answered what was asked at that time.
    pub fn answered(&self, asked: Duration) {
        let mut known = self.0.known.lock();
        if known.failed.take().is_some() {
            known.since = known.since.max(asked);
        }
        known.until = known.until.max(asked);
    }

    /// What was asked at that time had no answer.
    pub fn failed(&self, asked: Duration) {
        self.0.known.lock().failed = Some(asked);
    }

    /// What others had for this server may not have come until now.
    pub fn broken(&self) {
        self.0.known.lock().since = self.0.clock.elapsed();
    }

    /// Whether this server would have heard a heartbeat in the ttl that ended at that time; asks
    /// the store if that is not known.
    pub(crate) fn sound(&self, ended: Duration, ttl: Duration) -> Sound {
        let known = self.0.known.lock();
        if known.until < ended {
            if known.failed.is_some_and(|failed| failed >= ended) {
                return Sound::Unknown;
            }
            self.0.asked.notify_one();
            return Sound::Soon;
        }
        match known.since + ttl > ended {
            true => Sound::Unknown,
            false => Sound::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, sleep};

    use super::Contact;
    use crate::{registry::lease::Sound, util::Clock};

    const TTL: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_one_if_the_store_answers_what_is_asked_after_it() {
        let clock = Clock::system();
        let contact = Contact::new(clock.clone());
        sleep(TTL * 2).await;
        let ended = clock.elapsed();
        sleep(Duration::from_millis(10)).await;
        for _ in 0..2 {
            assert_eq!(contact.sound(ended, TTL), Sound::Soon);
        }
        let asked = contact.asked().await;
        assert_eq!(contact.sound(ended, TTL), Sound::Soon);
        contact.answered(asked);
        assert_eq!(contact.sound(ended, TTL), Sound::Silent);
        assert_eq!(contact.sound(asked, TTL), Sound::Silent, "one answer for all before it");
        assert_eq!(contact.sound(ended, TTL * 3), Sound::Unknown, "not so long ago it began");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_and_for_a_ttl_after_a_break_nothing_is_known() {
        let clock = Clock::system();
        let contact = Contact::new(clock.clone());
        sleep(TTL * 2).await;
        let ended = clock.elapsed();
        assert_eq!(contact.sound(ended, TTL), Sound::Soon);
        contact.failed(contact.asked().await);
        assert_eq!(contact.sound(ended, TTL), Sound::Unknown);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(contact.sound(clock.elapsed(), TTL), Sound::Soon, "asked anew");
        contact.answered(contact.asked().await);
        let breaks: [&dyn Fn(); 2] = [&|| {}, &|| contact.broken()];
        for end in breaks {
            end();
            let over = clock.elapsed();
            sleep(TTL / 2).await;
            contact.answered(clock.elapsed());
            assert_eq!(contact.sound(over + TTL / 2, TTL), Sound::Unknown);
            sleep(TTL / 2).await;
            contact.answered(clock.elapsed());
            assert_eq!(contact.sound(over + TTL, TTL), Sound::Silent);
        }
        // A question from before a break does not end it.
        contact.failed(clock.elapsed());
        let asked = contact.asked().await;
        sleep(Duration::from_secs(1)).await;
        contact.broken();
        contact.answered(asked);
        sleep(TTL - Duration::from_millis(500)).await;
        contact.answered(clock.elapsed());
        assert_eq!(contact.sound(clock.elapsed(), TTL), Sound::Unknown);
    }
}
