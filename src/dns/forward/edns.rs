//! Whether an upstream is asked with EDNS (RFC 6891).
//!
//! It is, until it says that it cannot read such a question and answers the same one without. Then
//! it is asked without for a while, which costs DNSSEC and long replies over UDP. So one that has
//! shown EDNS itself is not taken for one that lacks it because of a single odd question.

use std::time::Duration;

use hickory_resolver::proto::op::Message;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long an upstream is asked without EDNS; it may be another one by then.
const PLAIN_HOLD: Duration = Duration::from_secs(600);

/// What is known of one upstream.
#[derive(Debug, Default)]
pub(super) struct Edns(Mutex<Known>);

#[derive(Debug, Clone, Copy, Default)]
enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// It has it.
    Has,
    /// It has said that it lacks it; until then it is believed.
    Lacks(Instant),
}

// === impl Edns ===

impl Edns {
    /// Whether the next question is to be asked with EDNS.
    pub(super) fn is_to_be_used(&self) -> bool {
        !matches!(*self.0.lock(), Known::Lacks(until) if until > Instant::now())
    }

    /// It has answered this.
    pub(super) fn told(&self, message: Option<&Message>) {
        if message.is_some_and(|message| message.edns.is_some()) {
            *self.0.lock() = Known::Has;
        }
    }

    /// It has answered a question without EDNS that it could not read with it.
    pub(super) fn is_not_understood(&self) {
        let mut known = self.0.lock();
        if !matches!(*known, Known::Has) {
            *known = Known::Lacks(Instant::now() + PLAIN_HOLD);
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op;

    use super::{Edns, Message, PLAIN_HOLD};

    #[tokio::test(start_paused = true)]
    async fn an_upstream_without_edns_is_asked_without_it_for_a_while() {
        let edns = Edns::default();
        assert!(edns.is_to_be_used());
        edns.is_not_understood();
        assert!(!edns.is_to_be_used());
        tokio::time::advance(PLAIN_HOLD).await;
        assert!(edns.is_to_be_used());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_shown_edns_is_not_taken_for_one_without() {
        let edns = Edns::default();
        let mut message = Message::query().into_response();
        message.edns = Some(op::Edns::new());
        edns.told(Some(&message));
        edns.is_not_understood();
        assert!(edns.is_to_be_used());
    }
}
