//! Whether etcd would take a change: asked now and then, for nothing else says so to a server at
//! which nobody changes anything.
//!
//! An etcd that is full, or that lets this server's user read and not write, tells all changes and
//! keeps the leases of all servers alive: everything looks well, and what a server finds of its
//! instances reaches nobody. So each server asks, and if changes are refused for a lease's time it
//! checks everything itself, for its own answers, as one that is cut off does.
//!
//! The question is a transaction whose condition never holds, with a write in the branch that is
//! not taken: etcd looks at the rights and at the space for it, and no revision comes of it.
//!
//! Rejected: the alarms (not each user may read them, and they say nothing of rights), and a row
//! that is written (a revision for each server each time, told to all).

use tokio::{
    sync::mpsc,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    cluster::{
        common::{Common, FULL, FULL_MESSAGE},
        etcd::{Compare, EtcdError, Op, Txn},
        layout::Key,
        pins::Reminder,
    },
    registry::{Followed, ServerId},
};

/// How often, while changes are taken: as often as etcd's size is read.
const PERIOD: Duration = Duration::from_secs(15);

/// How often, while they are not.
const AGAIN: Duration = Duration::from_secs(3);

/// No more often than this, though a change that is refused says as much as the time.
const GAP: Duration = Duration::from_secs(1);

/// The name of the condition that says that etcd takes no changes though it answers.
const WRITES: &str = "etcd writes";

/// Asks whether changes would be taken.
#[derive(Debug)]
pub struct Probe {
    common: Common,
    me: ServerId,
    rng: fastrand::Rng,
    told: Reminder,
}

// === impl Probe ===

impl Probe {
    /// Of the server of that name.
    pub fn new(common: Common, me: ServerId, rng: fastrand::Rng) -> Self {
        Self { common, me, rng, told: Reminder::default() }
    }

    /// Asks until it is told to stop, and tells the registry when changes are taken again.
    pub async fn run(mut self, registry: mpsc::Sender<Followed>, stop: CancellationToken) {
        let asking = async {
            loop {
                match self.ask().await {
                    Ok(()) => self.taken(&registry).await,
                    Err(error) => self.refused(&error),
                }
                let pause = match self.common.refusing() {
                    Some(_) => AGAIN,
                    // Servers that were started together do not ask together.
                    None => PERIOD.mul_f64(0.8 + 0.4 * self.rng.f64()),
                };
                // However many changes are refused.
                sleep(GAP).await;
                let _or_refused = timeout(pause - GAP, self.common.refusals()).await;
            }
        };
        stop.run_until_cancelled(asking).await;
    }

    async fn ask(&self) -> Result<(), EtcdError> {
        let key = self.common.layout.key(&Key::Server(ServerId::clone(&self.me)));
        let never = vec![Compare::absent(key.clone()), Compare::present(key.clone())];
        let txn = Txn { compare: never, then: vec![Op::put(key, "")], ..Txn::default() };
        self.common.client.txn(txn).await.map(drop)
    }

    async fn taken(&mut self, registry: &mpsc::Sender<Followed>) {
        self.common.taken();
        // Who writes may have found out before.
        let is_pinned = |(name, _): &(String, _)| name == FULL || name == WRITES;
        let was_told = self.common.board.conditions().iter().any(is_pinned);
        if self.common.refusing().is_none() && !was_told {
            return;
        }
        self.common.set_taking();
        for name in [WRITES, FULL] {
            self.common.board.clear(name);
        }
        if self.told.is_over() {
            info!("etcd takes changes again");
        }
        let _stopping = registry.send(Followed::Writable).await;
    }

    /// What is out of reach refuses nothing: who follows tells of it.
    fn refused(&mut self, error: &EtcdError) {
        let (name, message, denied) = match error {
            EtcdError::NoSpace { .. } => (FULL, FULL_MESSAGE.to_owned(), None),
            EtcdError::Denied { .. } => {
                let message = format!("{error}. Changes are refused, and health is not shared");
                (WRITES, message, Some(error.to_string().into()))
            }
            _ => return,
        };
        self.common.set_refusing(denied);
        if self.told.is_due() {
            warn!("{message}");
        }
        self.common.board.note(name, message);
    }
}
