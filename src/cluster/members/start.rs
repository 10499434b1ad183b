//! This server among the others: what starts the parts.

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{keeper::Keeper, roll::Roll, views::Views};
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
        let roll = Roll::new(me, checkers, lease, Instant::now());
        let views = Views::new(common.clone(), roll, ownership);
        let _at = views.look();
        let keeper = Keeper { common, id, row, lease, views: views.clone(), was_in: None, rng };
        Self { keeper, views }
    }

    /// Runs until it is told to stop; then takes leave of the others, so that they take over at
    /// once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { keeper, views } = self;
        let left = CancellationToken::new();
        let keep = async {
            keeper.run(stop).await;
            left.cancel();
        };
        tokio::join!(keep, views.run(left.clone()));
    }
}

/// A name for a server that was given none: its host's, as far as a name may have it, and what
/// tells it from others there, and from its own lives before.
pub fn drawn_id(host: &str, rng: &mut fastrand::Rng) -> ServerId {
    /// Leaves room for a hyphen and the digits.
    const HOST_OCTETS_MAX: usize = 63;
    let is_right = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let host: String = host.trim().chars().filter(is_right).take(HOST_OCTETS_MAX).collect();
    let host = if host.is_empty() { "rollcall" } else { &host };
    format!("{host}-{:08x}", rng.u32(..)).into()
}

#[cfg(test)]
mod tests {
    use super::drawn_id;
    use crate::cluster::layout::server_id;

    #[test]
    fn a_drawn_name_shows_the_host_and_is_one_that_keys_may_have() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (host, begin) in
            [("web-1.example\n", "web-1.example-"), ("a/b c", "abc-"), ("", "rollcall-")]
        {
            let id = drawn_id(host, &mut rng);
            assert!(id.starts_with(begin) && server_id(&id).is_ok(), "{id}");
        }
        assert!(server_id(&drawn_id(&"a".repeat(300), &mut rng)).is_ok());
        assert_ne!(drawn_id("a", &mut rng), drawn_id("a", &mut rng));
    }
}
