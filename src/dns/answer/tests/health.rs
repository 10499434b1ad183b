//! Who is answered: the healthy, and who else when there are none or few.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{A, AAAA, SRV, policy, world};
use crate::{
    dns::testing::{World, member},
    model::{Policy, Share, WhenNoneHealthy},
    registry::FailOpen,
};

#[test]
fn only_the_healthy_are_answered() {
    let mut world = world();
    assert_eq!(world.ask("web", A).sorted(), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(world.ask("web", AAAA).sorted(), ["fd00::2"]);
    assert_eq!(world.ask("v2.web", A).sorted(), ["10.0.0.2"]);
    assert_eq!(world.ask("v2.eu.web", A).sorted(), ["10.0.0.2"]);
    assert_eq!(world.ask("sick.instance.web", A).sorted(), ["10.0.0.3"]);
}

#[test]
fn none_healthy_is_answered_by_the_policy() {
    for (when, rcode) in [
        (WhenNoneHealthy::Nodata, ResponseCode::NoError),
        (WhenNoneHealthy::Nxdomain, ResponseCode::NXDomain),
        (WhenNoneHealthy::Servfail, ResponseCode::ServFail),
        (WhenNoneHealthy::All, ResponseCode::NoError),
    ] {
        let sick = member("web/a", "10.0.0.1").tags(&["v1"]).critical();
        let mut world = World::with_policies(vec![sick], &[("web", policy(when))]);
        for (name, rtype) in [
            ("web", A),
            ("web", AAAA),
            ("web", SRV),
            ("web", RecordType::HTTPS),
            ("v1.web", A),
            ("_web._tcp", SRV),
            ("_web._v1", SRV),
        ] {
            let told = world.ask(name, rtype);
            assert_eq!(told.rcode(), rcode, "{name} {rtype} {when:?}");
            let fails_open = when == WhenNoneHealthy::All && matches!(rtype, A | SRV);
            assert_eq!(told.message.answers.len(), usize::from(fails_open), "{name} {when:?}");
            let expected = fails_open.then_some(FailOpen::NoneHealthy);
            assert_eq!(told.summary.fail_open, expected, "{name} {when:?}");
            let is_negative = !fails_open && rcode != ResponseCode::ServFail;
            assert_eq!(told.has_soa_of("service.internal."), is_negative, "{name} {when:?}");
            let is_ours = rcode != ResponseCode::ServFail;
            assert_eq!(told.message.metadata.authoritative, is_ours, "{name} {when:?}");
        }
    }
    // All drained: there is nobody to fall back on.
    let drained = member("web/a", "10.0.0.1").drained();
    let policies = [("web", policy(WhenNoneHealthy::All))];
    assert!(World::with_policies(vec![drained], &policies).ask("web", A).is_nodata());
}

#[test]
fn too_few_healthy_are_not_left_to_drown() {
    let policy = Policy { min_healthy: Share::new(0.5).unwrap(), ..Policy::default() };
    let members = vec![
        member("web/a", "10.0.0.1"),
        member("web/b", "10.0.0.2").critical(),
        member("web/c", "10.0.0.3").critical(),
        member("web/d", "10.0.0.4").drained(),
    ];
    let told = World::with_policies(members, &[("web", policy)]).ask("web", A);
    assert_eq!(told.sorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(told.summary.fail_open, Some(FailOpen::MinHealthy));
}
