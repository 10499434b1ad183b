//! Transactions that a paused member of etcd takes long after they were sent.

use super::{World, deregister, drain, own_policy, policy, register};
use crate::{
    cluster::{
        layout::testing::AUTHOR,
        write::plan::{Plan, Writer},
    },
    registry::{Edit, Guard, Proposal},
};

/// The transaction of a proposal that is decided on now, to be sent later.
fn built(world: &World, edits: Vec<Edit>) -> crate::cluster::etcd::Txn {
    let proposal = Proposal { base: world.mirror.upto, edits, kept: Vec::new(), as_owner: false };
    let layout = &world.mirror.common.layout;
    let writer = Writer { layout, author: AUTHOR, fence: None };
    let Ok(Plan::Parts(parts)) = Plan::of(&proposal, writer) else { panic!("it is little") };
    assert_eq!(parts.len(), 1);
    parts[0].txn()
}

/// After 503 `store-unsure` it undid what was written meanwhile.
#[tokio::test]
async fn what_is_taken_late_undoes_nothing_newer() {
    for (late, newer) in [
        (own_policy("web"), own_policy("web")),
        (policy("web"), own_policy("web")),
        (drain("web/a", false, Guard::Present), drain("web/a", true, Guard::Present)),
        (drain("web/a", true, Guard::Present), drain("web/a", true, Guard::Present)),
        (drain("web/a", true, Guard::Present), deregister("web/a", Guard::None)),
        (register("web/a", Guard::PresentUnchanged), deregister("web/a", Guard::None)),
        (deregister("web/a", Guard::PresentUnchanged), register("web/a", Guard::None)),
        (register("web/new", Guard::Unchanged), register("web/new", Guard::Unchanged)),
        (deregister("web/new", Guard::Unchanged), register("web/new", Guard::Unchanged)),
    ] {
        let mut world = World::new().await;
        world.write(vec![register("web/a", Guard::None)]).await;
        let txn = built(&world, vec![late.clone()]);
        let at = world.write(vec![newer.clone()]).await;
        let reply = world.mirror.common.txn(txn).await.unwrap();
        assert!(!reply.succeeded, "{late:?} after {newer:?}");
        let rows = world.revisions("").await;
        assert!(rows.last().is_some_and(|last| *last <= at), "nothing was written");
    }
}

#[tokio::test]
async fn a_policy_or_a_drain_that_others_have_set_is_decided_on_anew() {
    let mut world = World::new().await;
    world.write(vec![register("web/a", Guard::None)]).await;
    for (edit, names) in [(own_policy("web"), 0), (drain("web/a", true, Guard::Present), 1)] {
        let base = world.mirror.upto;
        let first = world.write(vec![edit.clone()]).await;
        match world.propose_on(base, vec![edit.clone()]).await {
            Err(crate::registry::Refused::Conflict { keys, at }) => {
                assert_eq!((keys.len(), at), (names, first), "{edit:?}");
            }
            other => panic!("{other:?}"),
        }
        assert!(world.propose_on(first, vec![edit]).await.is_ok());
    }
}
