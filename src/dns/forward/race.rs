//! One question on its way to several upstreams.
//!
//! Whoever is asked keeps its place until it has answered or the race is decided; then nobody
//! waits for it any more, and what it holds is let go at once. One that was silent for as long as
//! it takes to ask the next one, and was overtaken, is in doubt: it may be down, and nobody waits
//! until that is sure.

use std::{sync::Arc, time::Duration};

use hickory_resolver::proto::op::Message;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    care::Care,
    failure::{Failure, GIVEN_UP},
    key::Key,
    upstream::Upstream,
};
use crate::{
    dns::{code::rcode, stats::rcode_name},
    util::Place,
};

/// How long an upstream may be silent before the next one is asked as well: longer than nearly all
/// replies take, and so short that nobody minds.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

/// Upstreams that are asked the same.
pub(super) struct Race<'k> {
    key: &'k Key,
    care: &'k Care,
    /// How many questions may be under way in all.
    attempts_max: usize,
    /// Each says which of the runners it was.
    tasks: JoinSet<(usize, Result<Message, Failure>)>,
    runners: Vec<Runner>,
    /// What one has left behind that has failed.
    spare: Option<Place>,
}

/// One that was asked.
struct Runner {
    upstream: Arc<Upstream>,
    began: Duration,
    /// While it is under way.
    running: Option<(AbortHandle, Place)>,
}

// === impl Race ===

impl<'k> Race<'k> {
    pub(super) fn new(key: &'k Key, care: &'k Care, attempts_max: usize) -> Self {
        let (tasks, runners) = (JoinSet::new(), Vec::new());
        Self { key, care, attempts_max, tasks, runners, spare: None }
    }

    /// Asks one more, to be called within a runtime. When as much is under way as may be, it takes
    /// the place of the one that has been silent for longest.
    ///
    /// # Errors
    /// When there is no such place.
    pub(super) fn enter(&mut self, upstream: Arc<Upstream>) -> Result<(), Failure> {
        let leave = self.spare.take();
        let leave = leave.or_else(|| self.care.attempts.take(self.attempts_max));
        let leave = leave.or_else(|| self.give_up_first()).ok_or(Failure::Busy)?;
        let (number, began) = (self.runners.len(), self.care.clock.elapsed());
        let (key, asked) = (self.key.clone(), Arc::clone(&upstream));
        let task = self.tasks.spawn(async move { (number, asked.ask(&key).await) });
        self.runners.push(Runner { upstream, began, running: Some((task, leave)) });
        Ok(())
    }

    /// Whether nobody is under way.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What the next one says that answers or fails; nothing when nobody is under way, and when a
    /// task of ours has panicked. Those that were given up say nothing, and end at once: they are
    /// not waited for, nor taken for one that has failed.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Failure>> {
        let (number, told) = loop {
            match self.tasks.join_next().await? {
                Err(error) if error.is_cancelled() => {}
                ended => break ended.ok()?,
            }
        };
        self.spare = self.arrive(number, &told);
        Some(told)
    }

    /// Lets those go who are under way still. What the others have said comes too late, but shows
    /// how they do.
    pub(super) fn decide(mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Ok((number, told)) = ended {
                let _leave = self.arrive(number, &told);
            }
        }
        while self.give_up_first().is_some() {}
    }

    /// Notes how a runner did, unless it was given up, and takes the leave that it had.
    fn arrive(&mut self, number: usize, told: &Result<Message, Failure>) -> Option<Place> {
        let runner = &mut self.runners[number];
        let (_, leave) = runner.running.take()?;
        let took = self.care.clock.elapsed().saturating_sub(runner.began);
        note(&runner.upstream, told, took, self.care);
        Some(leave)
    }

    fn give_up_first(&mut self) -> Option<Place> {
        let first = self.runners.iter_mut().find(|runner| runner.running.is_some())?;
        let (task, leave) = first.running.take()?;
        task.abort();
        let upstream = &first.upstream;
        let took = self.care.clock.elapsed().saturating_sub(first.began);
        self.care.tell(upstream, GIVEN_UP, took);
        if took >= PATIENCE && upstream.health.failed() {
            self.care.examine(Arc::clone(upstream));
        }
        Some(leave)
    }
}

/// Notes what came of asking an upstream.
fn note(upstream: &Arc<Upstream>, told: &Result<Message, Failure>, took: Duration, care: &Care) {
    let result = match told {
        Ok(message) => rcode_name(message.metadata.response_code.into()),
        Err(failure) => failure.result(),
    };
    care.tell(upstream, result, took);
    match told {
        Err(failure) if failure.is_upstreams() => {
            if upstream.health.failed() {
                care.examine(Arc::clone(upstream));
            }
        }
        Err(Failure::Busy) => {}
        Err(Failure::Code(rcode::SERVFAIL)) => {
            if upstream.health.servfailed(care.clock.elapsed()) {
                care.look_into(Arc::clone(upstream));
            }
        }
        _ => upstream.health.answered(),
    }
}

#[cfg(test)]
mod tests {
    use super::Race;
    use crate::{dns::forward::testing, telemetry::Metrics};

    #[tokio::test]
    async fn one_that_ends_together_with_the_first_is_counted_once() {
        let metrics = Metrics::new();
        let care = testing::care_with(&metrics);
        let key = testing::key(b"\x01a\x00");
        let mut race = Race::new(&key, &care, 100);
        // Their host says at once that nobody is there.
        let places = [testing::nobody(), testing::nobody()];
        for place in &places {
            let address = place.local_addr().unwrap();
            race.enter(testing::upstream(address, &care)).unwrap();
        }
        let is_under_way = |race: &Race<'_>| {
            let mut running = race.runners.iter().filter_map(|runner| runner.running.as_ref());
            running.any(|(task, _)| !task.is_finished())
        };
        while is_under_way(&race) {
            tokio::task::yield_now().await;
        }
        assert!(race.next().await.unwrap().is_err());
        race.decide();
        let text = metrics.encode().unwrap();
        for place in places {
            let upstream = place.local_addr().unwrap();
            let counted = text.lines().filter(|line| {
                line.starts_with("rollcall_forward_requests_total{")
                    && line.contains(&format!("upstream=\"{upstream}\""))
            });
            let counted: Vec<_> = counted.collect();
            assert_eq!(counted.len(), 1, "{counted:?}");
            assert!(
                counted[0].contains("\"unreachable\"") && counted[0].ends_with(" 1"),
                "{counted:?}"
            );
        }
    }
}
