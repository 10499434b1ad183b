//! Revisions that come whole, in pieces, twice, and too large.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::{Event, Gather, HELD_OCTETS_MAX, TooMuch, proto};

fn event(revision: u64, octets: usize) -> proto::Event {
    let value = Bytes::from(vec![0; octets]);
    let kv = proto::KeyValue { mod_revision: revision, value, ..proto::KeyValue::default() };
    proto::Event { kind: 0, kv: Some(kv) }
}

fn events(revisions: &[u64]) -> Vec<proto::Event> {
    revisions.iter().map(|revision| event(*revision, 0)).collect()
}

fn revisions(events: &[Event]) -> Vec<u64> {
    events.iter().map(Event::revision).collect()
}

#[test]
fn pieces_are_joined_and_what_is_complete_does_not_wait() {
    let mut gather = Gather::new(5);
    let mut take = |given: &[u64], more| revisions(&gather.take(events(given), more).unwrap());
    assert_eq!(take(&[5, 5, 6], true), [5, 5], "6 may go on");
    assert_eq!(take(&[6, 6], true), [0; 0]);
    assert_eq!(take(&[7], true), [6, 6, 6]);
    assert_eq!(take(&[7, 9], false), [7, 7, 9]);
    assert_eq!(take(&[10], false), [10]);
}

#[test]
fn what_was_handed_on_or_not_asked_for_does_not_come_again() {
    let mut gather = Gather::new(5);
    assert_eq!(revisions(&gather.take(events(&[3, 4, 5]), false).unwrap()), [5]);
    assert_eq!(revisions(&gather.take(events(&[5]), false).unwrap()), [0; 0]);
    assert_eq!(gather.progress(9, true), 9);
    assert_eq!(revisions(&gather.take(events(&[8, 9, 10]), false).unwrap()), [10]);
}

#[test]
fn progress_never_runs_ahead_of_what_was_handed_on_and_never_back() {
    let mut gather = Gather::new(5);
    assert_eq!(gather.progress(7, false), 4, "an answer that may have overtaken events");
    assert_eq!(gather.progress(7, true), 7);
    assert_eq!(gather.progress(6, true), 7, "of a member that lags behind");
    gather.take(events(&[8]), true).unwrap();
    assert_eq!(gather.progress(8, true), 7, "8 has come in part");
    gather.take(events(&[8]), false).unwrap();
    assert_eq!(gather.progress(8, false), 8);
}

#[test]
fn one_revision_is_held_up_to_a_limit_and_many_are_not_held() {
    let part = HELD_OCTETS_MAX / 4;
    let mut gather = Gather::new(1);
    for revision in 1..10 {
        gather.take([event(revision, part)], true).expect("each is small enough");
    }
    let mut last = Ok(Vec::new());
    for _ in 0..4 {
        last = gather.take([event(10, part)], true);
    }
    assert_eq!(last, Err(TooMuch));
}

proptest! {
    /// However a history is cut into responses, the same comes out, revision by revision.
    #[test]
    fn no_cut_splits_or_loses_anything(
        sizes in vec(1_usize..5, 1..20),
        cuts in vec((1_usize..8, any::<bool>()), 1..60),
    ) {
        let all: Vec<u64> =
            (1_u64..).zip(&sizes).flat_map(|(revision, size)| vec![revision; *size]).collect();
        let mut gather = Gather::new(1);
        let (mut rest, mut seen) = (&all[..], Vec::new());
        for (at, wants_more) in cuts.into_iter().cycle().take(200) {
            let (piece, behind) = rest.split_at(at.min(rest.len()));
            // etcd says that no more follows only where a revision ends.
            let is_within = piece.last().is_some() && piece.last() == behind.first();
            let given = gather.take(events(piece), is_within || wants_more).unwrap();
            let given = revisions(&given);
            if let Some(last) = given.last() {
                let before = seen.len() + given.len();
                prop_assert_ne!(all.get(before), Some(last), "a revision is split");
            }
            seen.extend(given);
            rest = behind;
        }
        seen.extend(revisions(&gather.take(events(rest), false).unwrap()));
        prop_assert_eq!(seen, all);
    }
}
