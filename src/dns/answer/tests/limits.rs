//! Answers that are limited, or do not fit.

use super::{A, SRV};
use crate::{
    dns::{
        Transport,
        testing::{Ask, World, member},
    },
    model::Policy,
    registry::Member,
};

#[test]
fn a_limited_answer_is_a_whole_answer() {
    let many = |count: u8| -> Vec<Member> {
        (0..count).map(|n| member(&format!("web/i{n}"), &format!("10.0.0.{n}"))).collect()
    };
    let limited = |answer_limit| [("web", Policy { answer_limit, ..Policy::default() })];
    for (answer_limit, count) in [(1, 1), (8, 8), (30, 20)] {
        let mut world = World::with_policies(many(20), &limited(answer_limit));
        let told = world.ask("web", A);
        assert_eq!(told.message.answers.len(), count);
        assert!(!told.message.metadata.truncation);
        assert_eq!(world.ask("web", SRV).message.answers.len(), 20, "no limit for SRV");
    }
    // Cut by the size below the limit: as many as fit, and TC.
    let mut world = World::with_policies(many(200), &limited(100));
    let told = world.put(&Ask { edns: None, ..Ask::new("web", A) }).unwrap();
    assert!(told.message.metadata.truncation && told.summary.truncated);
    assert_eq!(told.message.answers.len(), (512 - 12 - 26) / 16);
    let told = world.put(&Ask { transport: Transport::Tcp, ..Ask::new("web", A) }).unwrap();
    assert!(!told.message.metadata.truncation);
    assert_eq!(told.message.answers.len(), 100);
}

#[test]
fn a_long_srv_answer_is_cut_and_whole_over_tcp() {
    let members =
        (0..500).map(|n| member(&format!("web/i{n}"), &format!("10.0.{}.1", n % 200))).collect();
    let mut world = World::new(members);
    let told = world.ask("web", SRV);
    assert!(told.message.metadata.truncation);
    assert!(told.message.answers.len() > 15 && told.message.additionals.is_empty());
    assert!(told.message.edns.is_some(), "OPT is kept");
    let told = world.put(&Ask { transport: Transport::Tcp, ..Ask::new("web", SRV) }).unwrap();
    assert!(!told.message.metadata.truncation);
    // Behind 16 KiB no pointer reaches the targets; they are written out.
    assert!(told.octets.len() > 0x4000 + 250 * 16);
    assert_eq!((told.message.answers.len(), told.message.additionals.len()), (500, 500));
    let names: std::collections::BTreeSet<String> =
        told.message.additionals.iter().map(|r| r.name.to_string()).collect();
    assert_eq!(names.len(), 500);
    assert!(names.contains("i499.instance.web.service.internal."));
}

#[test]
fn additional_data_that_does_not_fit_is_no_truncation() {
    let ips: Vec<String> = (0..16).map(|n| format!("fd00::{n:x}1")).collect();
    let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
    let members = (0..4).map(|n| member(&format!("web/i{n}"), "10.0.0.1").at(&ips)).collect();
    let told = World::new(members).ask("web", SRV);
    assert!(!told.message.metadata.truncation);
    assert_eq!(told.message.answers.len(), 4);
    // Whole sets only: two of 16 fit, half of a third would.
    assert_eq!(told.message.additionals.len(), 32);
}
