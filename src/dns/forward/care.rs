//! What is asked of upstreams on our own account: whether they lead back to us, and whether those
//! that were down are up again.

use std::{sync::Arc, time::Duration};

use super::{
    failure::Failure,
    key::{Key, KeyRef},
    loops::Probes,
    metrics::ForwardMetrics,
    upstream::Upstream,
};
use crate::{
    dns::code::{rcode, rtype},
    util::Clock,
};

/// How often an upstream that is down is asked whether it is up.
const DOWN_INTERVAL: Duration = Duration::from_millis(500);

/// How often one that leads back to us is asked whether it still does. A name that nobody has goes
/// out each time, so not often.
const LOOP_INTERVAL: Duration = Duration::from_secs(30);

/// What it takes to care for upstreams; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Care {
    pub clock: Clock,
    pub metrics: ForwardMetrics,
    pub probes: Probes,
}

// === impl Care ===

impl Care {
    /// Finds out whether a new upstream leads back to us; to be called within a runtime.
    pub(super) fn welcome(&self, upstream: Arc<Upstream>) {
        let care = self.clone();
        tokio::spawn(async move {
            let retired = upstream.health.retired.clone();
            retired.run_until_cancelled(care.check_for_loop(&upstream)).await;
        });
    }

    /// Asks an upstream that is down until it answers; to be called within a runtime.
    pub(super) fn bring_back(&self, upstream: Arc<Upstream>) {
        let care = self.clone();
        tokio::spawn(async move {
            let retired = upstream.health.retired.clone();
            let back = async {
                care.wait_for(&upstream).await;
                care.check_for_loop(&upstream).await;
            };
            retired.run_until_cancelled(back).await;
        });
    }

    /// Waits until it says anything.
    async fn wait_for(&self, upstream: &Upstream) {
        let root = root_servers();
        loop {
            match upstream.ask(&root).await {
                Err(failure) if failure.is_upstreams() || failure == Failure::Busy => {
                    tokio::time::sleep(DOWN_INTERVAL).await;
                }
                _ => return upstream.health.answered(),
            }
        }
    }

    /// Asks for a name that nobody has, and waits for as long as that leads back to us.
    async fn check_for_loop(&self, upstream: &Upstream) {
        loop {
            match self.probe(upstream).await {
                Some(true) => {
                    upstream.health.loops();
                }
                Some(false) if upstream.health.trouble() == Some(Failure::Loop) => {
                    return upstream.health.loops_no_more();
                }
                None if upstream.health.trouble() == Some(Failure::Loop) => {}
                _ => return,
            }
            tokio::time::sleep(LOOP_INTERVAL).await;
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

/// The question that every server answers from what it has.
fn root_servers() -> Key {
    KeyRef::new(b"\x00", rtype::NS, (false, false)).to_key()
}
