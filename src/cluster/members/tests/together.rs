//! Several servers on one etcd.

use tokio::time::{Duration, Instant};

use super::{
    Seat,
    support::{names, row},
};
use crate::{
    cluster::{
        follow::testing::{Link, client, until},
        testing::{Etcd, shared, shared_url},
    },
    registry::testing::{self, key},
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn servers_know_one_another_and_divide_the_instances() {
    let (etcd, prefix) = shared();
    let mut seats = Vec::new();
    for id in ["a", "b", "c"] {
        seats.push(Seat::take(etcd.clone(), &prefix, id, LONG).await);
    }
    for seat in &seats {
        seat.until_sees(&["a", "b", "c"]).await;
        let view = seat.ownership.view().unwrap();
        assert_eq!((&*view.me, view.checkers, view.is_cut_off), (seat.id, 1, false));
    }
    for n in 0..100 {
        let key = key(&format!("web/i{n}"));
        let keeping = seats.iter().filter(|seat| seat.ownership.keeps(&key));
        assert_eq!(keeping.count(), 1, "{key}");
    }
    let peer = (0..100).find_map(|n| seats[0].ownership.owner(&key(&format!("web/i{n}")))).unwrap();
    assert_eq!(*peer.http, [format!("{}.example:8500", peer.id)]);
    let roster = seats[0].common.roster().borrow().clone();
    let rows = roster.servers.values().map(|server| server.row.as_ref().unwrap().token.as_str());
    assert_eq!(rows.collect::<std::collections::BTreeSet<_>>().len(), 3, "each has its token");
}

/// Nobody compared them: each domain was answered by some servers only.
#[tokio::test]
async fn servers_with_other_settings_are_told_of_as_long_as_they_are_there() {
    let (log, mut lines) = testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let (etcd, prefix) = shared();
    let given = |id: &str, checkers: &str, domain: &str| {
        let mut given = row(id);
        let settings = [("cluster.checkers", checkers), ("server.domain", domain)];
        given.settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        given
    };
    let take = |id, row| Seat::take_with(etcd.clone(), &prefix, id, LONG, row);
    let a = take("a", given("a", "1", "internal")).await;
    let old = take("old", row("old")).await;
    let same = take("same", given("same", "1", "internal")).await;
    let b = take("b", given("b", "3", "corp")).await;
    let words = [
        "settings: server `b` has `cluster.checkers` = `3`, and this one `1`; ",
        "server `b` has `server.domain` = `corp`, and this one `internal`: all servers",
    ];
    until(|| words.iter().all(|words| a.board().contains(words))).await;
    until(|| b.board().contains("server `a` has `server.domain` = `internal`")).await;
    until(|| same.board().contains("server `b`")).await;
    assert!(!a.board().contains("`same`") && !a.board().contains("`old`"), "{}", a.board());
    assert_eq!(old.board(), "", "it does not know what others have");
    b.leave().await;
    until(|| a.board().is_empty() && same.board().is_empty()).await;
    let said = std::iter::from_fn(|| lines.try_recv().ok());
    let said = said.filter(|line| line.contains("another setting") && line.contains("ours=\"1\""));
    assert_eq!(said.count(), 2, "once by each of those that have one checker");
}

#[tokio::test]
async fn who_takes_leave_is_gone_at_once() {
    let (etcd, prefix) = shared();
    let stays = Seat::take(etcd.clone(), &prefix, "stays", LONG).await;
    let goes = Seat::take(etcd.clone(), &prefix, "goes", LONG).await;
    stays.until_sees(&["goes", "stays"]).await;
    goes.leave().await;
    stays.until_sees(&["stays"]).await;
}

#[tokio::test]
async fn who_dies_is_gone_after_its_lease_and_not_before() {
    let (etcd, prefix) = shared();
    let stays = Seat::take(etcd.clone(), &prefix, "stays", SHORT).await;
    let dies = Seat::take(etcd.clone(), &prefix, "dies", SHORT).await;
    stays.until_sees(&["dies", "stays"]).await;
    let died = Instant::now();
    dies.die();
    stays.until_sees(&["stays"]).await;
    // The last beat was up to a third of the lease before.
    assert!(died.elapsed() >= SHORT / 2, "after {:?}", died.elapsed());
}

#[tokio::test]
async fn who_is_cut_off_keeps_its_view_and_is_dead_to_the_others() {
    let (etcd, prefix) = shared();
    let link = Link::to(shared_url()).await;
    let stays = Seat::take(etcd.clone(), &prefix, "stays", SHORT).await;
    let cut = Seat::take(client(&link.url), &prefix, "cut", SHORT).await;
    stays.until_sees(&["cut", "stays"]).await;
    cut.until_sees(&["cut", "stays"]).await;
    link.cut();
    stays.until_sees(&["stays"]).await;
    until(|| cut.ownership.view().unwrap().is_cut_off).await;
    assert_eq!(cut.sees(), ["cut", "stays"]);
    let all = (0..50).map(|n| key(&format!("web/i{n}")));
    assert!(all.clone().all(|key| cut.ownership.checks(&key)), "it checks everything itself");
    assert!(!all.clone().all(|key| cut.ownership.keeps(&key)), "and keeps what it had");
    link.lead_to(shared_url());
    stays.until_sees(&["cut", "stays"]).await;
    until(|| !cut.ownership.view().unwrap().is_cut_off).await;
    cut.until_sees(&["cut", "stays"]).await;
    assert!(stays.views.lock().iter().all(|view| !view.is_cut_off));
}

/// etcd was away for longer than all leases live: nobody is taken for dead because of it.
#[tokio::test]
async fn an_etcd_that_is_paused_for_longer_than_leases_moves_nothing() {
    let etcd = Etcd::start(&[]);
    let mut seats = Vec::new();
    for id in ["a", "b", "c"] {
        seats.push(Seat::take(client(&etcd.url), "/rollcall/", id, SHORT).await);
    }
    for seat in &seats {
        seat.until_sees(&["a", "b", "c"]).await;
        seat.views.lock().clear();
    }
    etcd.pause();
    for seat in &seats {
        until(|| seat.ownership.view().unwrap().is_cut_off).await;
    }
    etcd.resume();
    for seat in &seats {
        until(|| !seat.ownership.view().unwrap().is_cut_off).await;
        seat.until_sees(&["a", "b", "c"]).await;
        for view in &*seat.views.lock() {
            let seen = names(view);
            let others = seen.iter().filter(|id| *id != seat.id).count();
            assert_eq!(others, 2, "{} saw only {seen:?}", seat.id);
        }
    }
}
