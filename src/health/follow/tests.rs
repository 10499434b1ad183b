//! That the set of checks is what the registry and the servers make it.

use std::{sync::Arc, time::Duration};

use super::{CheckId, FirstRun, Roster, Turnover};
use crate::{
    health::probe::testing::tcp_check,
    model::{CheckKind, Command, Instance, Status, Thresholds, limit},
    registry::{
        Ownership, Registry, SLICE, View,
        testing::{instance, key, registry, registry_of, view},
    },
};

fn checked(name: &str, port: u16) -> Instance {
    let checks = [tcp_check(), tcp_check()].into();
    Instance { checks, port, ..instance(name, "10.0.0.1") }
}

async fn register(registry: &Registry, instances: impl IntoIterator<Item = Instance>) {
    let instances = instances.into_iter().map(Arc::new).collect();
    registry.submit(Command::Register(instances)).await.unwrap();
}

fn checks_of(roster: &Roster, name: &str) -> Vec<CheckId> {
    roster.chain(roster.first_of(&key(name))).collect()
}

fn counts(turnover: &Turnover) -> (usize, usize) {
    (turnover.come.len(), turnover.gone.len())
}

/// What comes and goes when servers have come or gone.
fn look_at_all(roster: &mut Roster, registry: &Registry) -> (usize, usize) {
    roster.look_again();
    let (mut come, mut gone) = (0, 0);
    while roster.looks_at().is_some() {
        let turnover = roster.look_at_some(&registry.snapshot(), Duration::ZERO);
        come += turnover.come.len();
        gone += turnover.gone.len();
    }
    (come, gone)
}

#[tokio::test]
async fn what_becomes_the_task_of_another_server_is_checked_there() {
    let ownership = Ownership::of(view(&["a"]));
    let (registry, mut roster) = (registry(), Roster::new(ownership.clone()));
    let names: Vec<String> = (0..40).map(|n| format!("web/i{n}")).collect();
    register(&registry, names.iter().map(|name| checked(name, 1))).await;
    assert_eq!(counts(&roster.resync(&registry.snapshot(), Duration::ZERO)), (80, 0));
    let mut synced = || look_at_all(&mut roster, &registry);
    let two = view(&["a", "b"]);
    ownership.set(two.clone());
    let kept = names.iter().filter(|name| ownership.checks(&key(name))).count();
    assert!((10..30).contains(&kept), "{kept}");
    assert_eq!(synced(), (0, 80 - 2 * kept));
    assert_eq!(synced(), (0, 0));
    ownership.set(View { is_cut_off: true, ..two });
    assert_eq!(synced(), (80 - 2 * kept, 0), "nobody tells it what others find");
    ownership.set(view(&["b"]));
    assert_eq!(synced(), (0, 80));
    register(&registry, [checked("web/new", 1)]).await;
    assert_eq!(counts(&roster.catch_up(&registry, Duration::ZERO).0), (0, 0));
}

/// A server that has given much up goes on with none of it, however long the walk takes.
#[tokio::test]
async fn what_is_another_server_s_task_is_given_up_before_it_is_come_upon() {
    let ownership = Ownership::of(view(&["a"]));
    let (registry, mut roster) = (registry_of(2 * SLICE).await, Roster::new(ownership.clone()));
    register(&registry, [checked("web/a", 1)]).await;
    roster.resync(&registry.snapshot(), Duration::ZERO);
    let one = checks_of(&roster, "web/a")[1];
    assert!(roster.give_up(one).is_none(), "it is this server's");
    ownership.set(view(&["b"]));
    roster.look_again();
    assert_eq!(counts(&roster.give_up(one).unwrap()), (0, 2), "with all of the instance");
    assert!(roster.give_up(one).is_none() && roster.len() == 0);
    ownership.set(view(&["a"]));
    assert_eq!(look_at_all(&mut roster, &registry), (2, 0), "and checked again");
}

/// Servers come and go for all at the same time, who have other things to do.
#[tokio::test]
async fn many_are_looked_at_some_at_a_time() {
    let ownership = Ownership::of(view(&["a"]));
    let (registry, mut roster) = (registry_of(2 * SLICE).await, Roster::new(ownership));
    let all = (0..100).map(|n| checked(&format!("web{n}/a"), 1));
    register(&registry, all).await;
    let (mut now, mut came) = (Duration::from_secs(7), Vec::new());
    roster.look_again();
    while let Some(at) = roster.looks_at() {
        assert!(came.is_empty() || at > now, "it rests");
        came.push(roster.look_at_some(&registry.snapshot(), now).come.len());
        now += Duration::from_millis(1);
        roster.rest(now, now);
    }
    assert!((2..5).contains(&came.len()), "{came:?}");
    assert!(came[0] > 0 && came[0] < 200 && came.iter().sum::<usize>() == 200, "{came:?}");
}

#[tokio::test]
async fn events_bring_and_take_checks() {
    let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
    let now = Duration::ZERO;
    roster.resync(&registry.snapshot(), now);
    register(&registry, [checked("web/a", 1), checked("web/b", 1), instance("web/c", "10.0.0.3")])
        .await;
    let (turnover, is_all) = roster.catch_up(&registry, now);
    assert_eq!((counts(&turnover), is_all), ((4, 0), true));
    assert!(turnover.come.iter().all(|(_, run)| *run == FirstRun::AtOnce));

    register(&registry, [checked("web/a", 1)]).await;
    registry.submit(Command::Drain { key: key("web/a"), on: true }).await.unwrap();
    let (turnover, _) = roster.catch_up(&registry, now);
    assert_eq!(counts(&turnover), (0, 0), "the same registration keeps its checks");

    let heavier = Instance { weight: 9, ..checked("web/a", 1) };
    let first = checks_of(&roster, "web/a");
    register(&registry, [heavier]).await;
    let (turnover, _) = roster.catch_up(&registry, now);
    assert_eq!(counts(&turnover), (0, 0), "another weight keeps the checks");
    assert_eq!(checks_of(&roster, "web/a"), first);
    let revision = registry.snapshot().revision;
    assert_eq!(roster.get(first[1]).unwrap().registered, revision, "for the new registration");

    register(&registry, [checked("web/a", 2)]).await;
    registry.submit(Command::Deregister(key("web/b"))).await.unwrap();
    let (turnover, _) = roster.catch_up(&registry, now);
    assert_eq!(counts(&turnover), (2, 4));
    assert_eq!(roster.len(), 2);
}

/// Otherwise thresholds that are set anew all the time would hide a death.
#[tokio::test]
async fn other_thresholds_go_on_with_the_count_and_another_port_does_not() {
    let with = |port, seconds| {
        let mut check = tcp_check();
        let CheckKind::Tcp(tcp) = &mut check.kind else { panic!("{check:?}") };
        tcp.thresholds.interval = Duration::from_secs(seconds);
        let checks = [check].into();
        let initial_status = Some(Status::Passing);
        Instance { checks, port, initial_status, ..instance("web/a", "10.0.0.1") }
    };
    for (port, goes_on) in [(1, true), (2, false)] {
        let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
        register(&registry, [with(1, 10)]).await;
        roster.catch_up(&registry, Duration::ZERO);
        let first = checks_of(&roster, "web/a")[0];
        let record = roster.get_mut(first).unwrap();
        let thresholds = Thresholds { fall: 2, ..*record.thresholds() };
        assert!(!record.streak.observe(Status::Critical, &thresholds), "one of two");
        register(&registry, [with(port, 20)]).await;
        let (turnover, _) = roster.catch_up(&registry, Duration::ZERO);
        assert_eq!(counts(&turnover), (1, 1), "it has another turn");
        let record = roster.get_mut(checks_of(&roster, "web/a")[0]).unwrap();
        assert_eq!(record.streak.observe(Status::Critical, &thresholds), goes_on, "{port}");
    }
}

#[tokio::test]
async fn who_fell_behind_goes_on_by_difference() {
    let (registry, mut roster) = (registry(), Roster::new(Ownership::all()));
    let now = Duration::ZERO;
    register(&registry, ["web/same", "web/gone", "web/changed"].map(|name| checked(name, 1))).await;
    roster.resync(&registry.snapshot(), now);
    registry.submit(Command::Deregister(key("web/gone"))).await.unwrap();
    register(&registry, [checked("web/changed", 2), checked("web/new", 1)]).await;
    // More events than are kept.
    let crowd = (0..=limit::EVENTS_KEPT_MAX)
        .map(|n| instance(&format!("crowd{}/i{n}", n / 5_000), "10.0.0.2"));
    register(&registry, crowd).await;
    assert!(registry.events().after(roster.since, 1).is_err(), "the events are gone");

    let (turnover, is_all) = roster.catch_up(&registry, now);
    assert_eq!((counts(&turnover), is_all), ((4, 4), true));
    let key_of = |id: &CheckId| roster.get(*id).unwrap().instance.key().to_string();
    let mut names: Vec<_> = roster.by_key.iter().map(key_of).collect();
    names.sort();
    assert_eq!(names, ["web/changed", "web/new", "web/same"]);
    let (turnover, _) = roster.catch_up(&registry, now);
    assert_eq!(counts(&turnover), (0, 0), "and by events again");
}
