//! This server among the others: what starts the parts.

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{differ::compare, keeper::Keeper, roll::Roll, views::Views};
use crate::{
    cluster::{common::Common, layout::ServerRow},
    registry::{Ownership, Peer, ServerId},
};

/// How long a server is taken for alive that says nothing, unless said otherwise. Checks move that
/// much later than their server dies; and an etcd that is away for less, as in an election, moves
/// nothing.
pub const LEASE: Duration = Duration::from_secs(10);

/// What a server tells the others of itself.
#[derive(Debug, Clone)]
pub struct MembersSetup {
    /// Its name, which no other has.
    pub id: ServerId,
    /// The rest.
    pub row: ServerRow,
    /// How long it is taken for alive when it says nothing; etcd may make it longer.
    pub lease: Duration,
    /// How many servers check each instance.
    pub checkers: usize,
    /// Where it is told whose task what is.
    pub ownership: Ownership,
}

/// Keeps this server known to the others, and the others to this one.
#[derive(Debug)]
pub struct Members {
    keeper: Keeper,
    views: Views,
}

// === impl Members ===

impl Members {
    /// From now on `ownership` says what is known; as yet, that nothing is this server's task.
    pub fn new(common: Common, setup: MembersSetup, rng: fastrand::Rng) -> Self {
        let MembersSetup { id, row, lease, checkers, ownership } = setup;
        let me = Peer { id: id.clone(), http: row.http.clone().into() };
        let roll = Roll::new(me, row.token.clone(), checkers, lease, Instant::now());
        let views = Views::new(common.clone(), roll, ownership);
        let _at = views.look();
        let keeper = Keeper {
            common,
            id,
            row,
            lease,
            views: views.clone(),
            was_in: None,
            granted: None,
            rng,
        };
        Self { keeper, views }
    }

    /// Runs until it is told to stop; then takes leave of the others, so that they take over at
    /// once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { keeper, views } = self;
        let left = CancellationToken::new();
        let compare = compare(keeper.common.clone(), keeper.id.clone(), keeper.row.clone());
        let compare = left.run_until_cancelled(compare);
        let keep = async {
            keeper.run(stop).await;
            left.cancel();
        };
        tokio::join!(keep, views.run(left.clone()), compare);
    }
}
