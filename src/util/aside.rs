//! Work beside the task that wants its outcome.

use std::panic::resume_unwind;

use tokio::task::{JoinError, spawn_blocking};

/// Does work that blocks, or takes long, on a thread for that, and waits for what comes of it:
/// `None` when the runtime is going down and the work was not begun.
///
/// # Panics
/// When the work does. It is a mistake of ours, and who waits for the work must not go on as if the
/// server were stopping.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    outcome(spawn_blocking(work).await)
}

/// What came of a task; `None` when it was given up.
///
/// # Panics
/// When the task did.
pub fn outcome<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(outcome) => Some(outcome),
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_given_up)) => None,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{aside, outcome};

    /// It was taken for the end of the server: heartbeats were dropped and passwords not read
    /// again, and nobody was told.
    #[tokio::test]
    async fn a_panic_on_another_thread_goes_on_where_the_outcome_is_wanted() {
        assert_eq!(aside(|| 7).await, Some(7));
        // As `catch_quietly` throws, without a line on standard error.
        let work = aside(|| -> u8 { std::panic::resume_unwind(Box::new("a mistake")) });
        let caught = std::panic::AssertUnwindSafe(work).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"a mistake"));
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        assert_eq!(outcome(task.await), None);
    }
}
