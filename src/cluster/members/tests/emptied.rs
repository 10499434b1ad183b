//! An etcd under running servers that is emptied, or that has gone back.

use std::sync::Arc;

use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{Seat, support};
use crate::{
    cluster::{
        common::Roster,
        etcd::{KeyRange, Op, Range, Txn},
        follow::testing::{agree, client, common, until},
        members::{Members, MembersSetup, Server, Servers},
        testing::{Place, shared},
    },
    registry::{Ownership, testing::key},
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(1);

/// Its data folder was replaced by an empty one: each server took its own new row for a twin's,
/// said so ten times a second, and checked nothing.
#[tokio::test]
async fn in_an_etcd_that_was_emptied_servers_check_on_and_leave_no_trace() {
    let place = Place::new();
    let etcd = place.start("first");
    let direct = client(&place.client);
    let seats = ["a", "b"].map(|id| Seat::take(client(&place.client), "/rollcall/", id, SHORT));
    let seats = futures_util::future::join_all(seats).await;
    for seat in &seats {
        seat.until_sees(&["a", "b"]).await;
    }
    place.backup();
    drop(etcd);
    let etcd = place.start("empty");
    for seat in &seats {
        until(|| *seat.common.strayed().borrow()).await;
        // etcd says that it has no such lease.
        until(|| seat.common.fence.get().is_none()).await;
        until(|| seat.ownership.view().unwrap().is_cut_off).await;
        assert_eq!(seat.sees(), ["a", "b"], "heartbeats go where they went");
        assert!((0..50).all(|n| seat.ownership.checks(&key(&format!("web/i{n}")))));
        assert!(!seat.board().contains("server id"), "{}", seat.board());
    }
    let all = Range::of(KeyRange::prefix("/rollcall/"));
    assert_eq!(direct.range(all).await.unwrap().count, 0);

    drop(etcd);
    place.restore("second");
    let _etcd = place.start("second");
    for seat in &seats {
        until(|| seat.common.fence.get().is_some()).await;
        until(|| !seat.ownership.view().unwrap().is_cut_off).await;
        seat.until_sees(&["a", "b"]).await;
        assert!(!seat.board().contains("server id"), "{}", seat.board());
    }
}

/// What is told may be of a store that was another one, and has another number for each row.
#[tokio::test]
async fn a_server_does_not_take_itself_for_its_twin() {
    let (etcd, prefix) = shared();
    let (common, _metrics) = common(etcd.clone(), &prefix);
    agree(&common).await;
    let tell = |at| {
        let server = Server { row: Some(support::row("a")), since: 1 << 40 };
        let servers = Arc::new(Servers::from([("a".into(), server)]));
        common.set_roster(Roster { at, servers });
    };
    tell(1 << 41);
    let ownership = Ownership::all();
    let setup = MembersSetup {
        id: "a".into(),
        row: support::row("a"),
        lease: SHORT,
        checkers: 1,
        ownership: ownership.clone(),
    };
    let members = Members::new(common.clone(), setup, fastrand::Rng::new());
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    tokio::spawn(members.run(stop));
    until(|| common.fence.get().is_some()).await;
    let fence = common.fence.get();
    tell((1 << 41) + 1);
    for _beat in 0..3 {
        let heard = common.heard.at();
        until(|| common.heard.at() > heard).await;
    }
    assert_eq!(common.fence.get(), fence);
    assert!(common.board.conditions().is_empty(), "{:?}", common.board.conditions());
}

/// Whoever follows may not have looked yet: what is compared is what the store has.
#[tokio::test]
async fn nobody_joins_a_store_of_another_state_or_of_none() {
    for other in [None, Some(r#"{"schema":1,"cluster":"other"}"#)] {
        let (etcd, prefix) = shared();
        let (common, _metrics) = common(etcd.clone(), &prefix);
        let ours = agree(&common).await;
        let meta = format!("{prefix}v1/meta");
        match other {
            Some(other) => drop(etcd.put(meta.clone(), other, None).await.unwrap()),
            None => {
                let then = vec![Op::Delete(KeyRange::key(meta.clone()))];
                etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
            }
        }
        let setup = MembersSetup {
            id: "a".into(),
            row: support::row("a"),
            lease: SHORT,
            checkers: 1,
            ownership: Ownership::all(),
        };
        let stop = CancellationToken::new();
        let _stopping = stop.clone().drop_guard();
        tokio::spawn(Members::new(common.clone(), setup, fastrand::Rng::new()).run(stop));
        let noted = || common.board.conditions().into_iter().find(|it| it.0 == "etcd membership");
        until(|| noted().is_some()).await;
        let (_, noted) = noted().unwrap();
        assert!(noted.message.contains("another etcd"), "{}", noted.message);
        let servers = || Range::of(KeyRange::prefix(format!("{prefix}v1/servers/")));
        assert_eq!(etcd.range(servers()).await.unwrap().count, 0);
        etcd.put(meta, ours.encode(), None).await.unwrap();
        until(|| common.fence.get().is_some()).await;
        assert_eq!(etcd.range(servers()).await.unwrap().count, 1);
    }
}

/// Somebody deletes the rows of all servers at once.
#[tokio::test]
async fn servers_whose_rows_are_deleted_together_are_not_dead_to_one_another() {
    let (etcd, prefix) = shared();
    let seats = ["a", "b", "c"].map(|id| Seat::take(etcd.clone(), &prefix, id, LONG));
    let seats = futures_util::future::join_all(seats).await;
    let mut fences = Vec::new();
    for seat in &seats {
        seat.until_sees(&["a", "b", "c"]).await;
        fences.push(seat.common.fence.get());
        seat.views.lock().clear();
    }
    let keys = KeyRange::prefix(format!("{prefix}v1/servers/"));
    let then = vec![Op::Delete(keys)];
    etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
    for (seat, fence) in seats.iter().zip(fences) {
        until(|| seat.common.fence.get().is_some_and(|now| Some(now) != fence)).await;
        seat.until_sees(&["a", "b", "c"]).await;
        for view in &*seat.views.lock() {
            let seen = support::names(view);
            let others = seen.iter().filter(|id| *id != seat.id).count();
            assert_eq!(others, 2, "{} saw only {seen:?}", seat.id);
        }
    }
}
