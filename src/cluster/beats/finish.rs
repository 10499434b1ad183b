//! What becomes of a batch when it is known who has taken it, and who has not.

use tokio::{task::JoinError, time::Instant};
use tracing::{debug, info, warn};

use super::{
    metrics::By,
    outbox::{LINGER, Waiting},
    relay,
    sender::{Done, Sender},
    ways::{Handed, Left, Ways},
};
use crate::{model::Timestamp, registry::ServerId, util::outcome};

// === impl Sender ===

impl<W: Ways> Sender<W> {
    /// Takes note of what was under way.
    pub(super) async fn finish(&mut self, done: Result<Done, JoinError>) {
        match outcome(done) {
            Some(Done::Handed { to, batch, outcome }) => {
                self.finish_handed(&to, batch, outcome).await;
            }
            Some(Done::Left { batch, began, outcome }) => {
                self.finish_left(batch, began, outcome).await;
            }
            None => {}
        }
    }

    async fn finish_handed(
        &mut self,
        to: &ServerId,
        batch: Vec<Waiting>,
        outcome: Result<Handed, String>,
    ) {
        let metrics = self.means.metrics.clone();
        match outcome {
            Ok(Handed { said, octets }) => {
                self.reached(to);
                metrics.octets(By::Direct, octets);
                metrics.sent(By::Direct, "taken", said.taken);
                for (places, outcome) in
                    [(&said.elsewhere, "elsewhere"), (&said.unknown, "unknown")]
                {
                    metrics.sent(By::Direct, outcome, places.len());
                    for waiting in places.iter().filter_map(|place| batch.get(*place)) {
                        self.place_again(waiting.clone(), outcome).await;
                    }
                }
            }
            Err(why) => {
                debug!(server = &**to, why, "a batch of heartbeats was not taken");
                metrics.sent(By::Direct, "failed", batch.len());
                self.not_reached(to, why);
                for waiting in batch {
                    self.place(waiting).await;
                }
            }
        }
    }

    /// Who it went to does not know the instance, or not that it is its task. One of the two
    /// servers is behind by a moment; if it is more than that, the next heartbeat comes in time.
    async fn place_again(&mut self, waiting: Waiting, outcome: &'static str) {
        if waiting.is_again {
            return self.means.metrics.dropped(outcome, 1);
        }
        let due = Instant::now() + LINGER;
        self.place(Waiting { is_again: true, due, ..waiting }).await;
    }

    fn reached(&mut self, id: &ServerId) {
        let Some(post) = self.posts.get_mut(id) else { return };
        post.is_busy = false;
        if post.trouble.take().is_some_and(|trouble| trouble.is_told) {
            info!(server = &**id, "the server can be reached again");
            self.means.board.clear(&post.condition());
        }
        self.tidy_up(id);
    }

    fn not_reached(&mut self, id: &ServerId, why: String) {
        let Some(post) = self.posts.get_mut(id) else { return };
        post.is_busy = false;
        if post.is_listed {
            let wall = Timestamp(self.means.clock.wall_millis());
            let message = post.failed(why, wall, &mut self.means.rng);
            if let (Some(message), Some(trouble)) = (message, &mut post.trouble) {
                if !trouble.is_told {
                    warn!("{message}");
                }
                trouble.is_told = true;
                self.means.board.note(&post.condition(), message);
            }
        }
        self.tidy_up(id);
    }

    /// After a request: forgets a server that has gone meanwhile.
    fn tidy_up(&mut self, id: &ServerId) {
        if self.posts.get(id).is_some_and(|post| !post.is_listed) {
            self.posts.remove(id);
            self.means.ways.forget(id);
        }
        self.count_unreachable();
    }

    async fn finish_left(
        &mut self,
        batch: Vec<Waiting>,
        began: Instant,
        outcome: Result<Left, String>,
    ) {
        self.is_relaying = false;
        let metrics = self.means.metrics.clone();
        let rest = match outcome {
            Ok(Left { rest, octets }) => {
                metrics.octets(By::Etcd, octets);
                metrics.sent(By::Etcd, "written", batch.len() - rest.len());
                self.relay_at = began + relay::pause_after(octets);
                rest
            }
            Err(why) => {
                debug!(why, "heartbeats for other servers could not be left in etcd");
                metrics.sent(By::Etcd, "failed", batch.len());
                self.relay_at = began + relay::pause_after(0);
                batch
            }
        };
        for waiting in rest {
            self.place(waiting).await;
        }
    }

    pub(super) fn count_unreachable(&self) {
        let count = self.posts.values().filter(|post| post.trouble.is_some()).count();
        self.means.metrics.unreachable(count);
    }
}
