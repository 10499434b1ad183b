//! Leases and rows that are lost.

use tokio::time::Duration;

use super::{Seat, support::names};
use crate::cluster::{
    etcd::{Client, KeyRange, Op, Txn},
    follow::testing::until,
    testing::shared,
};

const LONG: Duration = Duration::from_secs(30);

/// What a server has been through that was taken for dead while it lived: it was in, it was not,
/// and it is again, as another one.
async fn comes_back(etcd: &Client, seat: &Seat, lose: impl AsyncFnOnce()) {
    seat.until_sees(&["a"]).await;
    let fence = seat.common.fence.get().unwrap().revision;
    assert_eq!(seat.row(etcd).await.unwrap().create_revision, fence);
    seat.views.lock().clear();
    lose().await;
    until(|| seat.common.fence.get().is_some_and(|now| now.revision != fence)).await;
    seat.until_sees(&["a"]).await;
    assert_eq!(
        seat.row(etcd).await.unwrap().create_revision,
        seat.common.fence.get().unwrap().revision
    );
    let views: Vec<_> = seat.views.lock().iter().map(names).collect();
    assert_eq!(views.len(), 2, "{views:?}");
    assert!(views[0].is_empty(), "first it was not in: {views:?}");
}

/// etcd issue 15247: a leader that wakes revokes leases that are kept alive.
#[tokio::test]
async fn a_lease_that_is_revoked_under_a_server_is_noticed_before_it_writes_again() {
    let (etcd, prefix) = shared();
    let seat = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    seat.until_sees(&["a"]).await;
    let lease = seat.row(&etcd).await.unwrap().lease.unwrap();
    comes_back(&etcd, &seat, async || etcd.revoke(lease).await.unwrap()).await;
}

#[tokio::test]
async fn a_row_that_is_deleted_is_made_again() {
    let (etcd, prefix) = shared();
    let seat = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    seat.until_sees(&["a"]).await;
    let row = seat.row(&etcd).await.unwrap();
    let (key, lease) = (row.key, row.lease.unwrap());
    let then = vec![Op::Delete(KeyRange::key(key))];
    let delete = Txn { then, ..Txn::default() };
    comes_back(&etcd, &seat, async || drop(etcd.txn(delete).await.unwrap())).await;
    // The old lease holds nothing any more, and is given back.
    assert!(etcd.time_to_live(lease, false).await.is_err());
}

#[tokio::test]
async fn a_life_before_makes_room_at_once() {
    let (etcd, prefix) = shared();
    let before = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    before.until_sees(&["a"]).await;
    let old = before.row(&etcd).await.unwrap();
    before.die();
    // Its row stays for half a minute; the next life does not wait for that.
    let after = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    after.until_sees(&["a"]).await;
    let new = after.row(&etcd).await.unwrap();
    assert!(new.create_revision > old.create_revision && new.lease != old.lease);
}

#[tokio::test]
async fn of_two_servers_with_one_name_the_later_has_it_and_the_other_says_so() {
    let (etcd, prefix) = shared();
    let one = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    one.until_sees(&["a"]).await;
    let other = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    other.until_sees(&["a"]).await;
    until(|| one.board().contains("server id: another server, at a.example:8500, is")).await;
    one.until_sees(&[]).await;
    assert_eq!(one.common.fence.get(), None);
    let (row, fence) =
        (other.row(&etcd).await.unwrap(), other.common.fence.get().map(|held| held.revision));
    assert_eq!((Some(row.create_revision), other.board().as_str()), (fence, ""));
    other.leave().await;
    one.until_sees(&["a"]).await;
    assert_eq!(one.board(), "");
}
