//! The first results of checks that were just registered.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    http::{Api, consul::site::Host},
    registry::Member,
};

/// How long a registration waits for the first results at the most: a healthy service answers in
/// much less, and one that does not answer has its client wait no longer than that.
const PATIENCE: Duration = Duration::from_millis(500);

/// The first pause between two looks. Each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until the checks of a service have a first result, or those of the node if `id` is empty.
///
/// A client that registers a service and asks for those that pass finds it: an agent would run its
/// check some time within its interval, so that clients wait, or look again and again.
pub(in crate::http::consul) async fn settle(api: &Api, host: &Host, id: &str) {
    let (scope, began) = (host.scope(), Instant::now());
    let mut pause = PAUSE;
    loop {
        let snapshot = api.registry().snapshot();
        let instance = snapshot.origins.get(&scope, id);
        let member = instance.and_then(|instance| snapshot.member_like(instance));
        if !member.is_some_and(|member| awaits_a_result(member)) || began.elapsed() >= PATIENCE {
            return;
        }
        drop(snapshot);
        tokio::select! {
            () = sleep(pause) => pause *= 2,
            () = api.stop().cancelled() => return,
        }
    }
}

/// Whether a check is to be run that has found nothing yet, so that it is critical.
fn awaits_a_result(member: &Member) -> bool {
    let checks = member.instance.checks.iter().zip(&member.checks);
    let probed = checks.filter(|(spec, _)| spec.thresholds().is_some());
    probed.map(|(_, state)| state).any(|state| !state.status.is_up() && state.output.is_empty())
}
