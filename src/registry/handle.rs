//! The registry as the doors see it: commands in, snapshots and events out.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Dissent, Events, JournalError, Ownership, Reader, Snapshot, publish::Publisher};
use crate::model::{Command, Instance, InstanceKey, Invalid, Revision, limit};

/// A handle to the registry. Cloning is cheap; all clones speak to the one writer.
#[derive(Debug, Clone)]
pub struct Registry {
    /// What has to be durable before it takes effect.
    pub(super) asked: mpsc::Sender<Request>,
    /// What is seen of the world. A queue of its own: it takes effect while a commit runs, and
    /// what waits for the store must not stand before it.
    pub(super) seen: mpsc::Sender<Request>,
    pub(super) published: Arc<Publisher>,
    pub(super) ownership: Ownership,
    pub(super) dissent: Dissent,
}

/// A command on its way to the writer.
#[derive(Debug)]
pub(super) struct Request {
    pub command: Command,
    pub reply: oneshot::Sender<Result<Applied, RegistryError>>,
    /// When it came: it waits in a queue before the writer sees it.
    pub came: Instant,
}

/// What a command did. By the time it is seen, every reader sees the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The revision at which the result is visible.
    pub revision: Revision,
    /// How many instances are new.
    pub created: usize,
    /// Whether anything is different from before.
    pub changed: bool,
}

/// Why a command was refused. Nothing of it took effect, but for [`JournalError::Unsure`]: what
/// that is about may take effect later.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The queue of the writer is full.
    #[error(
        "too busy: {} changes are waiting, which is the limit; try again",
        limit::WRITER_QUEUE_MAX
    )]
    Busy,
    /// What was to be changed is no longer as it was seen.
    #[error("instance `{}` of service `{}` was changed meanwhile; try again", .0.id, .0.service)]
    Conflict(InstanceKey),
    /// Something larger is being written meanwhile.
    #[error("too busy: {0}; try again")]
    Held(String),
    /// The command contradicts itself.
    #[error("{0}")]
    Invalid(Invalid),
    /// The registry would grow above a limit.
    #[error("{0}")]
    Limit(Invalid),
    /// It was not made durable.
    #[error(transparent)]
    NotDurable(#[from] JournalError),
    /// The instance has no `ttl` check that a heartbeat could renew.
    #[error("instance `{}` of service `{}` has no check of type `ttl`", .0.id, .0.service)]
    NoTtlCheck(InstanceKey),
    /// The server is stopping and takes no more changes.
    #[error("the server is stopping and takes no more changes")]
    Stopping,
    /// There is no such instance.
    #[error("there is no instance `{}` of service `{}`", .0.id, .0.service)]
    UnknownInstance(InstanceKey),
    /// There is no policy of that service.
    #[error("service `{0}` has no policy of its own")]
    UnknownPolicy(crate::model::ServiceName),
}

// === impl Registry ===

impl Registry {
    /// Has the writer carry out `command`, and waits until it is durable and visible.
    ///
    /// # Errors
    /// When it was refused.
    pub async fn submit(&self, mut command: Command) -> Result<Applied, RegistryError> {
        match &mut command {
            Command::Register(instances) => share(&self.snapshot(), instances),
            Command::Amend(amendments) => {
                let put = amendments.iter_mut().filter_map(|a| a.to.as_mut());
                share(&self.snapshot(), put.map(|to| &mut to.instance));
            }
            _ => {}
        }
        let (reply, answer) = oneshot::channel();
        match self.queue_of(&command).try_send(Request { command, reply, came: Instant::now() }) {
            Ok(()) => answer.await.unwrap_or(Err(RegistryError::Stopping)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(RegistryError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RegistryError::Stopping),
        }
    }

    /// Puts `command` into the writer's queue, waiting for room, and does not wait for what becomes
    /// of it: for what is repeated anyway when it had no effect. Cancel safe; what one caller has
    /// seen keeps its order.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn enqueue(&self, command: Command) -> Result<(), RegistryError> {
        let (reply, _nobody) = oneshot::channel();
        let queue = self.queue_of(&command);
        let request = Request { command, reply, came: Instant::now() };
        queue.send(request).await.map_err(|_| RegistryError::Stopping)
    }

    /// The world as it is now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.snapshot()
    }

    /// A reader that looks at the newest snapshot for next to nothing; one per thread.
    pub fn reader(&self) -> Reader {
        self.published.reader()
    }

    /// Whose task which instance is.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// What single servers find otherwise than is shared, where several check the same.
    pub fn dissent(&self) -> &Dissent {
        &self.dissent
    }

    /// What happened and what happens.
    pub fn events(&self) -> &Events {
        self.published.events()
    }

    fn queue_of(&self, command: &Command) -> &mpsc::Sender<Request> {
        if command.must_be_durable() { &self.asked } else { &self.seen }
    }
}

/// Has new instances share with one that is there, of the same service if there is one, what they
/// have in common: the registry holds a million of them. Here, because the writer is one for all.
fn share<'i>(snapshot: &Snapshot, instances: impl IntoIterator<Item = &'i mut Arc<Instance>>) {
    let mut before: Option<Arc<Instance>> = None;
    for instance in instances {
        let Some(own) = Arc::get_mut(instance) else { continue };
        let entry = snapshot.service(own.service.as_str());
        if let Some(like) = entry.and_then(|entry| entry.members.first()) {
            own.share(&like.instance);
        } else if let Some(like) = &before {
            own.share(like);
        }
        before = Some(Arc::clone(instance));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{model::Command, registry::testing};

    #[tokio::test]
    async fn instances_of_a_service_share_what_they_have_in_common() {
        let registry = testing::registry();
        let beating =
            |name| Arc::new(testing::beating(name, "10.0.0.1", std::time::Duration::from_secs(9)));
        for bulk in [vec!["web/a", "web/b"], vec!["web/c"]] {
            let bulk = bulk.into_iter().map(beating).collect();
            registry.submit(Command::Register(bulk)).await.unwrap();
        }
        let snapshot = registry.snapshot();
        let members = &snapshot.service("web").unwrap().members;
        for member in members {
            assert!(Arc::ptr_eq(&member.instance.checks, &members[0].instance.checks));
        }
    }
}
