//! What waits for one server.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    cluster::beats::outbox::{LINGER, Outbox, Waiting},
    model::{Revision, Status},
    registry::{Beat, testing::key},
};

const TTL: Duration = Duration::from_secs(10);

fn waiting(text: &str, turn: u64) -> Waiting {
    let mut words = text.split(' ');
    let key = key(words.next().unwrap());
    let check = words.next().and_then(|check| check.parse().ok());
    let check = check.map(|check| (check, Revision(turn)));
    let status = words.next().and_then(Status::parse);
    let output = words.next().map(Into::into);
    Waiting::new(Beat { check, status, output, ..Beat::of(key) }, turn, TTL, Instant::now())
}

fn outbox(texts: &[&str]) -> Outbox {
    let mut outbox = Outbox::default();
    for (turn, text) in (1..).zip(texts) {
        outbox.put(waiting(text, turn));
    }
    outbox
}

fn shown(waiting: &[Waiting]) -> Vec<String> {
    let show = |waiting: &Waiting| {
        let Beat { key, check, status, output, .. } = &waiting.beat;
        let check = check.map_or("all".into(), |(check, _)| check.to_string());
        let status = status.map_or("-", Status::as_str);
        format!("{}/{} {check} {status} {}", key.service, key.id, output.as_deref().unwrap_or("-"))
    };
    waiting.iter().map(show).collect()
}

#[test]
fn the_newest_of_each_instance_and_check_is_kept_in_the_order_in_which_they_came() {
    let mut outbox = outbox(&[
        "web/a all passing x",
        "web/b all passing x",
        "web/a 1 critical y",
        "web/a all warning z",
        "web/c all passing x",
        "web/b all critical x",
    ]);
    assert_eq!(outbox.len(), 4);
    let taken = outbox.take(3, usize::MAX);
    assert_eq!(shown(&taken), ["web/a 1 critical y", "web/a all warning z", "web/c all passing x"]);
    assert_eq!(shown(&outbox.take(3, usize::MAX)), ["web/b all critical x"]);
    assert_eq!((outbox.len(), outbox.octets(), outbox.due()), (0, 0, None));
}

#[test]
fn what_comes_back_does_not_take_the_place_of_what_is_newer() {
    let mut outbox = outbox(&["web/a all critical x", "web/b all passing x"]);
    let back = outbox.take(9, usize::MAX);
    outbox.put(waiting("web/a all passing y", 3));
    back.into_iter().for_each(|waiting| outbox.put(waiting));
    let taken = outbox.take(9, usize::MAX);
    assert_eq!(shown(&taken), ["web/b all passing x", "web/a all passing y"]);
}

#[test]
fn registering_again_does_not_hide_what_was_reported_just_before() {
    let mut forth = outbox(&["web/a all critical x", "web/a"]);
    assert_eq!(shown(&forth.take(9, usize::MAX)), ["web/a all critical x"]);
    let mut back = Outbox::default();
    back.put(waiting("web/a", 2));
    back.put(waiting("web/a all critical x", 1));
    let taken = back.take(9, usize::MAX);
    assert_eq!((shown(&taken), taken[0].turn), (vec!["web/a all critical x".to_owned()], 2));
}

#[test]
fn a_batch_has_so_many_octets_and_at_least_one_heartbeat() {
    let long = format!("web/a all passing {}", "\u{1}".repeat(1_000));
    let mut outbox = outbox(&["web/b", &long, "web/c", "web/d"]);
    assert_eq!(outbox.octets(), 4 * (200 + 4) + 6_000);
    assert_eq!(outbox.take(9, 2_000).len(), 1);
    assert_eq!(outbox.take(9, 2_000).len(), 1);
    assert_eq!(outbox.take(9, 2_000).len(), 2);
}

#[test]
fn a_short_ttl_waits_for_less_and_is_worth_nothing_sooner() {
    let now = Instant::now();
    for (ttl_ms, due_ms, late_ms) in [(100, 12, 100), (1_600, 200, 1_600), (60_000, 200, 3_000)] {
        let waiting = Waiting::new(Beat::of(key("web/a")), 1, Duration::from_millis(ttl_ms), now);
        assert_eq!((waiting.due - now).as_millis(), due_ms);
        assert_eq!((waiting.late - now).as_millis(), late_ms);
    }
    assert!(LINGER < Beat::WORTH);
}
