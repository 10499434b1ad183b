//! Who is answered: health, drains, tiers, failing open. One table per rule.

use std::sync::Arc;

use super::{FailOpen, Group, Outcome, Selection};
use crate::{
    model::{Instance, Policy, Revision, Share, Status, Timestamp, WhenNoneHealthy},
    registry::{Member, testing},
};

/// `up 10 1` is a passing instance of weight 10 and priority 1; `drained` is up but taken out.
fn members(script: &str) -> Vec<Arc<Member>> {
    let member = |(index, words): (usize, &str)| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut instance = testing::instance(&format!("web/i{index}"), &format!("10.0.0.{index}"));
        instance.weight = words[1].parse().unwrap();
        instance.priority = words[2].parse().unwrap();
        let mut member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
        member.status = if words[0] == "down" { Status::Critical } else { Status::Passing };
        member.drained = words[0] == "drained";
        Arc::new(member)
    };
    script.split(',').zip(1..).map(|(words, index)| member((index, words.trim()))).collect()
}

fn select(script: &str, policy: Policy) -> Selection {
    let members = members(script);
    let everyone: Vec<u32> = (0..).take(members.len()).collect();
    Selection::new(&members, &everyone, &policy)
}

/// The last octets of the pool's addresses, in the pool's order.
fn octets(selection: &Selection) -> Vec<u8> {
    let addresses = |group: &Group| selection.first.records.v4(group.start)[0];
    selection.v4().0.iter().map(|group| addresses(group)[3]).collect()
}

#[test]
fn addresses_come_from_the_lowest_priority_that_has_a_healthy_instance() {
    let table: [(&str, &[u8], usize); 5] = [
        ("up 1 1, up 1 1, up 1 2", &[1, 2], 2),
        ("down 1 1, up 1 2, up 1 3", &[2], 2),
        ("drained 1 1, up 1 2", &[2], 1),
        ("up 0 1, up 5 1", &[2, 1], 1), // the stand-by is last
        ("up 1 0, up 1 65535", &[1], 2),
    ];
    for (script, expected, tiers) in table {
        let selection = select(script, Policy::default());
        assert_eq!(octets(&selection), expected, "{script}");
        assert_eq!(selection.tiers().count(), tiers, "{script}: SRV carries all healthy tiers");
        assert_eq!(selection.outcome, Outcome::Answer(None), "{script}");
    }
}

#[test]
fn an_instance_in_warning_has_the_weight_it_names_for_that() {
    let weights = |status: Status, warning_weight| {
        let instance =
            Instance { weight: 9, warning_weight, ..testing::instance("web/i", "10.0.0.1") };
        let mut member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
        member.status = status;
        let selection = Selection::new(&[Arc::new(member)], &[0], &Policy::default());
        selection.groups().map(|group| group.weight).collect::<Vec<_>>()
    };
    assert_eq!(weights(Status::Passing, Some(2)), [9]);
    assert_eq!(weights(Status::Warning, Some(2)), [2]);
    assert_eq!(weights(Status::Warning, None), [9]);
}

#[test]
fn without_a_healthy_instance_the_policy_decides() {
    use WhenNoneHealthy::{All, Nodata, Nxdomain, Servfail};
    for (when, script, expected) in [
        (Nodata, "down 1 1", Outcome::NoneHealthy(Nodata)),
        (Nxdomain, "down 1 1, drained 1 1", Outcome::NoneHealthy(Nxdomain)),
        (Servfail, "drained 1 1", Outcome::NoneHealthy(Servfail)),
        (All, "down 1 1, drained 1 1", Outcome::Answer(Some(FailOpen::NoneHealthy))),
        (All, "drained 1 1", Outcome::Nobody),
    ] {
        let policy = Policy { when_none_healthy: when, ..Policy::default() };
        let selection = select(script, policy);
        assert_eq!(selection.outcome, expected, "{when:?}: {script}");
        let open = matches!(expected, Outcome::Answer(_));
        assert_eq!(octets(&selection), if open { vec![1] } else { vec![] }, "{script}");
    }
}

#[test]
fn below_the_minimum_share_of_weight_all_are_answered() {
    let policy = Policy { min_healthy: Share::new(0.5).unwrap(), ..Policy::default() };
    for (script, expected, fail_open) in [
        ("up 5 1, down 5 1", vec![1], None),
        ("up 4 1, down 5 1", vec![1, 2], Some(FailOpen::MinHealthy)),
        ("up 4 1, drained 5 1", vec![1], None), // a drained one is not missing
        ("up 0 1, down 0 1, down 0 1", vec![1, 2, 3], Some(FailOpen::MinHealthy)), // by heads
    ] {
        let selection = select(script, policy);
        assert_eq!(octets(&selection), expected, "{script}");
        assert_eq!(selection.fail_open(), fail_open, "{script}");
    }
}

#[test]
fn a_shared_address_is_noticed() {
    let mut members = members("up 1 1, up 1 1, up 1 1");
    assert_eq!(Selection::new(&members, &[0, 1, 2], &Policy::default()).v4().1, None);
    let same = Arc::make_mut(&mut members[1]);
    Arc::make_mut(&mut same.instance).addresses = testing::instance("web/x", "10.0.0.1").addresses;
    assert_eq!(Selection::new(&members, &[0, 1, 2], &Policy::default()).v4().1, Some(2));
}
