//! Leases and rows that are lost.

use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Seat,
    support::{self, names},
};
use crate::{
    cluster::{
        etcd::{Client, KeyRange, Op, Range, Txn, Watch},
        follow::testing::{Flow, Link, agree, client, common, until},
        members::{Members, MembersSetup},
        testing::{PATIENCE, shared, shared_url},
    },
    registry::{Ownership, testing},
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
    // It knows the other by that name, and itself by none.
    until(|| !one.ownership.is_known() && one.sees() == ["a"]).await;
    assert_eq!((one.common.fence.get(), one.ownership.me()), (None, Some("".into())));
    let (row, fence) =
        (other.row(&etcd).await.unwrap(), other.common.fence.get().map(|held| held.revision));
    assert_eq!((Some(row.create_revision), other.board().as_str()), (fence, ""));
    other.leave().await;
    until(|| one.ownership.is_known()).await;
    assert_eq!((one.board(), one.sees()), (String::new(), vec!["a".to_owned()]));
}

/// How long it takes at the most until etcd has what was sent to it; if it is less, less is tried.
const SENT: Duration = Duration::from_millis(200);

/// A server that hears nothing more from when it was woken for the so-manyth time, and is told to
/// stop when etcd has what it has sent until then. Whether it was in.
async fn stopped_at(count: usize, etcd: &Client, prefix: &str) -> bool {
    let link = Link::to(shared_url()).await;
    let (common, _metrics) = common(client(&link.url), prefix);
    agree(&common).await;
    let servers = KeyRange::prefix(format!("{prefix}v1/servers/"));
    let mut rows = etcd.watch(Watch::of(servers, 0)).await.unwrap();
    let setup = MembersSetup {
        id: "a".into(),
        row: support::row("a"),
        lease: LONG,
        checkers: 1,
        ownership: Ownership::all(),
    };
    let (stop, held) = (CancellationToken::new(), CancellationToken::new());
    let members = Members::new(common.clone(), setup, fastrand::Rng::new()).run(stop.clone());
    let (mut members, mut woken) = (pin!(members), 0);
    let run = poll_fn(|context| {
        woken += 1;
        let polled = members.as_mut().poll(context);
        if woken == count {
            link.set_flow(Flow::Out);
            held.cancel();
        }
        if common.fence.get().is_some() {
            held.cancel();
        }
        polled
    });
    let end = async {
        held.cancelled().await;
        let was_in = common.fence.get().is_some();
        let _sent = timeout(SENT, rows.next()).await;
        stop.cancel();
        link.set_flow(Flow::Both);
        was_in
    };
    tokio::join!(run, end).1
}

/// Its row was there, and it did not know by which lease: it stayed until that ran out.
#[tokio::test]
async fn whenever_a_server_is_stopped_it_leaves_no_row() {
    for count in 1.. {
        let (etcd, prefix) = shared();
        let was_in = stopped_at(count, &etcd, &prefix).await;
        let rows = Range::of(KeyRange::prefix(format!("{prefix}v1/servers/")));
        let left = etcd.range(rows).await.unwrap().kvs;
        assert!(left.is_empty(), "woken {count} times: {left:?}");
        if was_in {
            return assert!(count > 3, "it was never stopped on its way in");
        }
    }
}

/// A newcomer with a name that was taken said nothing, and only the other one, of which nobody had
/// touched anything, had a note.
#[tokio::test]
async fn who_takes_the_place_of_a_server_elsewhere_warns_and_says_where() {
    let (log, mut lines) = testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let mut told = async |words: &str| loop {
        let line = timeout(PATIENCE, lines.recv()).await.expect("it is told").unwrap();
        if line.contains(words) {
            return line;
        }
    };
    let (etcd, prefix) = shared();
    let one = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    one.until_sees(&["a"]).await;
    one.die();
    let again = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    let line = told("takes the place").await;
    assert!(line.contains(" INFO ") && line.contains("of its life before"), "{line}");
    again.until_sees(&["a"]).await;
    let row = again.row(&etcd).await.unwrap();
    // As a server has it that is reached elsewhere.
    let value = String::from_utf8(row.value.to_vec()).unwrap();
    again.die();
    let value = value.replace("a.example", "b.example");
    etcd.put(row.key, value, row.lease).await.unwrap();
    let other = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    let line = told("has taken the place").await;
    assert!(line.contains(" WARN ") && line.contains("b.example:8500"), "{line}");
    assert!(line.contains("another `cluster.server_id`"), "{line}");
    other.until_sees(&["a"]).await;
    assert_eq!(other.board(), "");
}
