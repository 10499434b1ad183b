//! What is asked of upstreams on our own account: whether they lead back to us, and whether those
//! that were down are up again.

use std::{sync::Arc, time::Duration};

use super::{
    failure::Failure,
    key::KeyRef,
    loops::{self, Probes},
    metrics::ForwardMetrics,
    upstream::Upstream,
};
use crate::{
    dns::code::{rcode, rtype},
    util::{Clock, Places},
};

/// How often an upstream that is down is asked whether it is up.
const DOWN_INTERVAL: Duration = Duration::from_millis(500);

/// What it takes to care for upstreams; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Care {
    pub clock: Clock,
    pub metrics: ForwardMetrics,
    pub probes: Probes,
    /// Questions of clients that are under way to upstreams, in all; what is asked on our own
    /// account is apart from that, a few for each upstream. What waits is limited by messages
    /// (`lane`): one of these can have several upstreams asked, and what it has them asked may go
    /// on when it has its answer. Each takes up to three descriptors, one for each packet that
    /// hickory sends.
    pub attempts: Places,
}

// === impl Care ===

impl Care {
    /// Counts what came of asking an upstream, unless it is configured no more.
    pub(super) fn tell(&self, upstream: &Upstream, result: &'static str, took: Duration) {
        if !upstream.health.retired.is_cancelled() {
            self.metrics.asked(&upstream.spec().to_string(), result, took);
        }
    }

    /// Finds out whether an upstream leads back to us, one that is new, or is suspected of that; to
    /// be called within a runtime.
    pub(super) fn look_into(&self, upstream: Arc<Upstream>) {
        let care = self.clone();
        tokio::spawn(async move {
            let retired = upstream.health.retired.clone();
            retired.run_until_cancelled(care.check_for_loop(&upstream)).await;
        });
    }

    /// Asks an upstream that has failed whether it answers at all, and if it does not, until it
    /// does; to be called within a runtime.
    pub(super) fn examine(&self, upstream: Arc<Upstream>) {
        let care = self.clone();
        tokio::spawn(async move {
            let retired = upstream.health.retired.clone();
            let back = async {
                if wait_for(&upstream).await {
                    care.check_for_loop(&upstream).await;
                }
            };
            retired.run_until_cancelled(back).await;
        });
    }

    /// Asks for a name that nobody has, and waits for as long as that leads back to us.
    async fn check_for_loop(&self, upstream: &Upstream) {
        loop {
            match self.probe(upstream).await {
                Some(true) => upstream.health.loops(),
                Some(false) if upstream.health.trouble() == Some(Failure::Loop) => {
                    return upstream.health.loops_no_more();
                }
                None if upstream.health.trouble() == Some(Failure::Loop) => {}
                _ => return,
            }
            tokio::time::sleep(loops::INTERVAL).await;
        }
    }

    /// Whether the upstream leads back to us; nothing when it does not say.
    async fn probe(&self, upstream: &Upstream) -> Option<bool> {
        let probe = self.probes.send(upstream.probe_suffix());
        let told = upstream.ask(probe.key()).await;
        if probe.has_come_back() {
            return Some(true);
        }
        let code = told.ok().map(|message| u16::from(message.metadata.response_code));
        matches!(code, Some(rcode::NOERROR | rcode::NXDOMAIN)).then_some(false)
    }
}

/// Waits until it says anything, to whomever; returns whether it was down meanwhile.
async fn wait_for(upstream: &Upstream) -> bool {
    // The question that every server answers from what it has.
    let root = KeyRef::new(b"\x00", rtype::NS, (false, false)).to_key();
    let mut was_down = false;
    loop {
        match upstream.ask(&root).await {
            Err(Failure::Busy) => {}
            Err(failure) if failure.is_upstreams() => {
                if !upstream.health.is_down(&failure.of_one(upstream.timeout())) {
                    break;
                }
                was_down = true;
            }
            _ => {
                upstream.health.answered();
                break;
            }
        }
        tokio::time::sleep(DOWN_INTERVAL).await;
    }
    upstream.health.is_examined();
    was_down
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::wait_for;
    use crate::dns::forward::testing;

    #[tokio::test]
    async fn an_examination_ends_when_somebody_has_had_an_answer_meanwhile() {
        let nobody = testing::nobody();
        let upstream = testing::upstream(nobody.local_addr().unwrap(), &testing::care());
        assert!(!upstream.health.failed() && upstream.health.failed());
        upstream.health.answered();
        let waited = tokio::time::timeout(Duration::from_secs(10), wait_for(&upstream)).await;
        assert_eq!(waited, Ok(false), "it was not down");
        assert!(upstream.health.is_up());
        assert!(!upstream.health.failed() && upstream.health.failed(), "the next one may begin");
    }
}
