//! Work that takes long, apart from the threads that serve requests.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

use super::problem::Problem;

/// Threads that work at once: sorting a million services takes a second.
const THREADS: usize = 2;

/// Who may wait for one of them at once. Most work takes less than 100 ms, so that the last one's
/// turn comes within the time that a reply may take to begin ([`super::Options`]); of those behind
/// it many would be given up, having held up others.
const WAITING_MAX: usize = 1_000;

/// Where such work is done, a bounded amount of it.
#[derive(Debug)]
pub(super) struct Aside {
    threads: Arc<Semaphore>,
    waiting: Semaphore,
    refused: Counter,
}

// === impl Aside ===

impl Aside {
    /// With the counter of what is refused.
    pub(super) fn new(refused: Counter) -> Self {
        let threads = Arc::new(Semaphore::new(THREADS));
        Self { threads, waiting: Semaphore::new(WAITING_MAX), refused }
    }

    /// Does work as soon as a thread is free. Who no longer wants it while it waits (its client has
    /// hung up, and hyper drops the request) waits no more.
    ///
    /// # Errors
    /// When too many wait already, and when the work panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = match Arc::clone(&self.threads).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().map_err(|_| self.refusal())?;
                let free = Arc::clone(&self.threads).acquire_owned().await;
                free.map_err(|_| Problem::internal())?
            }
        };
        let work = move || {
            let _held_until_done = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())
    }

    fn refusal(&self) -> Problem {
        self.refused.inc();
        Problem::busy(format!("{WAITING_MAX} requests wait for answers that take long to make"))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, sync::mpsc, task::Poll};

    use axum::response::IntoResponse;
    use futures_util::{FutureExt, poll};
    use prometheus_client::metrics::counter::Counter;

    use super::{Aside, THREADS, WAITING_MAX};

    /// Keeps all threads busy until the senders are gone.
    fn occupied(
        aside: &Aside,
    ) -> (Vec<mpsc::Sender<()>>, Vec<impl Future<Output = Result<(), super::Problem>> + '_>) {
        (0..THREADS)
            .map(|_| {
                let (sender, receiver) = mpsc::channel::<()>();
                let work = aside.run(move || receiver.recv().unwrap_or(()));
                (sender, work)
            })
            .unzip()
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_refused_and_who_hangs_up_waits_no_more() {
        let aside = Aside::new(Counter::default());
        let (senders, works) = occupied(&aside);
        let mut works: Vec<_> = works.into_iter().map(Box::pin).collect();
        for work in &mut works {
            assert!(poll!(work).is_pending());
        }
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(aside.run(|| ()))).collect();
        for one in &mut waiting {
            assert!(poll!(one).is_pending());
        }
        let Some(Err(problem)) = aside.run(|| ()).now_or_never() else { panic!("it waits") };
        let reply = problem.into_response();
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(aside.refused.get(), 1);
        drop(waiting.pop()); // its client has hung up
        let mut last = Box::pin(aside.run(|| ()));
        assert!(matches!(poll!(&mut last), Poll::Pending), "there is a place");
        drop(senders);
        for work in works.into_iter() {
            work.await.unwrap();
        }
        for one in waiting {
            one.await.unwrap();
        }
        last.await.unwrap();
        assert_eq!(aside.refused.get(), 1);
    }
}
