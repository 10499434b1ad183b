//! What a store must promise, so that the writer can promise it to clients.

use std::{future::Future, pin::Pin, sync::Arc};

use hashbrown::{HashMap, HashSet};

use super::Member;
use crate::model::{InstanceKey, Policy, Revision, Scope, ServiceName};

/// Keeps the state over restarts. The embedded store is one; a cluster can be another.
pub trait Journal: Send + 'static {
    /// Makes `changes` durable, all or none, and remembers `revision` as the newest.
    ///
    /// When the future is ready with `Ok`, the changes survive the loss of power.
    fn commit<'a>(
        &'a mut self,
        revision: Revision,
        changes: Vec<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>>;
}

/// One row of the state, as it is to be from now on.
#[derive(Debug, Clone)]
pub enum Change {
    /// Forgets an instance.
    DeleteMember(InstanceKey),
    /// Forgets a policy.
    DeletePolicy(ServiceName),
    /// Keeps an instance with its last known state.
    PutMember(Arc<Member>),
    /// Keeps a policy.
    PutPolicy(ServiceName, Policy),
}

/// All that a store has kept.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The newest revision.
    pub revision: Revision,
    /// The instances, in any order.
    pub members: Vec<Member>,
    /// The policies.
    pub policies: Vec<(ServiceName, Policy)>,
}

// === impl Loaded ===

impl Loaded {
    /// Without the instances whose origin a younger one has: two servers that share the store may
    /// have registered both at the same moment, and the older one goes.
    #[must_use]
    pub fn without_rivals(mut self) -> Self {
        let mut youngest: HashMap<(&Scope, &str), &Member> = HashMap::new();
        let mut rivals = HashSet::new();
        for member in &self.members {
            let Some(origin) = member.instance.origin.as_deref() else { continue };
            let other = youngest.entry((&origin.scope, &origin.id)).or_insert(member);
            if member.is_younger_than(other) {
                rivals.insert(std::mem::replace(other, member).key());
            } else if other.key() != member.key() {
                rivals.insert(member.key());
            }
        }
        drop(youngest);
        self.members.retain(|member| rivals.is_empty() || !rivals.contains(&member.key()));
        self
    }
}

/// Why a store did not take changes. But for [`JournalError::Unsure`], nothing of the batch was
/// kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("the store failed: {0}")]
    Failed(String),
    /// There is no room left.
    #[error("the store is full: {0}")]
    Full(String),
    /// It is shared with other servers, and out of reach, or takes nothing of this one: for which
    /// cause.
    #[error("the shared store takes no changes: {0}")]
    Unreachable(String),
    /// It is shared with other servers, and was lost before it had answered: nobody knows whether
    /// the changes were kept.
    #[error("the shared store has not confirmed the change; read it, or repeat it: {0}")]
    Unsure(String),
}
