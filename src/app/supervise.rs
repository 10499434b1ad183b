//! The long-running tasks by name: the first that ends unasked ends the process.

use std::future::Future;

use tokio::task::JoinSet;

/// Named tasks that are to run until they are told to stop.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: std::collections::HashMap<tokio::task::Id, &'static str>,
}

// === impl Tasks ===

impl Tasks {
    /// Starts a task.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Waits until any task has ended and says which, and whether it panicked.
    pub(super) async fn first_ended(&mut self) -> String {
        let Some(result) = self.running.join_next_with_id().await else {
            return std::future::pending().await; // there is none
        };
        let (id, how) = match result {
            Ok((id, ())) => (id, "ended"),
            Err(error) => (error.id(), "panicked"),
        };
        format!("the {} task {how}", self.names.remove(&id).unwrap_or("unnamed"))
    }

    /// Waits until the task of that name has ended.
    pub(super) async fn ended(&mut self, name: &str) {
        while self.names.values().any(|running| *running == name) {
            if let Some(result) = self.running.join_next_with_id().await {
                let id = result.map_or_else(|error| error.id(), |(id, ())| id);
                self.names.remove(&id);
            }
        }
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}
