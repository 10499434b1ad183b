//! What a server may not do.

use tokio::time::Duration;

use super::Seat;
use crate::{
    cluster::{follow::testing::until, testing::shared},
    registry::testing::key,
};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn as_long_as_it_is_not_known_nothing_is_a_servers_task() {
    let (etcd, prefix) = shared();
    let later = r#"{"schema":2,"cluster":"a"}"#;
    let at = etcd.put(format!("{prefix}v1/meta"), later, None).await.unwrap();
    let seat = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    let mut followed = seat.common.followed();
    followed.wait_for(|followed| *followed >= at.revision).await.unwrap();
    assert!(!seat.ownership.keeps(&key("web/a")) && !seat.ownership.checks(&key("web/a")));
    assert_eq!(seat.sees(), [""; 0]);
    assert!(seat.row(&etcd).await.is_none(), "a later schema is not written");
    until(|| seat.board().contains("etcd membership: this server cannot make itself known")).await;
    // The operator puts back what was there before.
    let ours = later.replace('2', "1");
    let back = etcd.put(format!("{prefix}v1/meta"), ours, None).await.unwrap();
    seat.until_sees(&["a"]).await;
    assert!(seat.row(&etcd).await.unwrap().create_revision > back.revision);
    until(|| seat.ownership.keeps(&key("web/a"))).await;
    assert_eq!(seat.board(), "");
}

/// It went on to say that another server had its name, long after that one had gone.
#[tokio::test]
async fn what_is_said_of_the_own_row_is_what_is_in_its_way_now() {
    let (etcd, prefix) = shared();
    let meta = format!("{prefix}v1/meta");
    let ours = r#"{"schema":1,"cluster":"a"}"#;
    etcd.put(meta.clone(), ours, None).await.unwrap();
    let one = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    one.until_sees(&["a"]).await;
    let noted = |name: &str, words: &str| {
        one.board().lines().any(|line| line.starts_with(name) && line.contains(words))
    };
    let other = Seat::take(etcd.clone(), &prefix, "a", LONG).await;
    until(|| noted("server id: ", "is known as `a` too")).await;
    assert!(!noted("etcd membership: ", ""), "{}", one.board());
    // The other goes, and the first may not write.
    etcd.put(meta.clone(), ours.replace('1', "2"), None).await.unwrap();
    until(|| noted("etcd membership: ", "of schema 2")).await;
    assert!(!noted("server id: ", ""), "{}", one.board());
    let lease = other.row(&etcd).await.map(|row| row.lease.unwrap());
    other.die();
    if let Some(lease) = lease {
        etcd.revoke(lease).await.unwrap();
    }
    etcd.put(meta, ours, None).await.unwrap();
    one.until_sees(&["a"]).await;
    until(|| one.board().is_empty()).await;
}

/// What it finds could not be written, and the others would answer what it knows to be dead.
#[tokio::test]
async fn who_may_write_no_more_leaves_its_tasks_to_others_and_checks_for_itself() {
    let (etcd, prefix) = shared();
    let meta = format!("{prefix}v1/meta");
    let ours = r#"{"schema":1,"cluster":"a"}"#;
    etcd.put(meta.clone(), ours, None).await.unwrap();
    let seat = Seat::take(etcd.clone(), &prefix, "a", Duration::from_secs(2)).await;
    seat.until_sees(&["a"]).await;
    etcd.put(meta.clone(), ours.replace('1', "2"), None).await.unwrap();
    seat.until_sees(&[]).await;
    // The others see that it is gone.
    until(|| seat.common.roster().borrow().servers.is_empty()).await;
    assert!(!seat.ownership.keeps(&key("web/a")));
    until(|| seat.ownership.checks(&key("web/a"))).await;
    assert!(seat.ownership.view().unwrap().is_cut_off);
    etcd.put(meta, ours, None).await.unwrap();
    seat.until_sees(&["a"]).await;
    until(|| !seat.ownership.view().unwrap().is_cut_off).await;
}
