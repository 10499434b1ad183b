//! What is written on which condition, and what a refusal names.

use super::{World, deregister, drain, health, policy, register};
use crate::{
    cluster::{
        etcd::{KeyRange, Op, Txn},
        follow::testing::Mirror,
    },
    model::{
        CheckState, Revision,
        Status::{Critical, Passing},
        Timestamp,
    },
    registry::{Edit, Guard, Opinion, Refused, testing::key},
};

/// The instances that a refusal names, and the revision from which on they are known.
fn lost(refused: Result<u64, Refused>) -> (Vec<String>, u64) {
    match refused {
        Err(Refused::Conflict { keys, at }) => (keys.iter().map(ToString::to_string).collect(), at),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_proposed_is_seen_at_the_revision_that_is_said() {
    let mut world = World::new().await;
    let at = world
        .write(vec![register("web/a", Guard::Unchanged), drain("web/a", true, Guard::None)])
        .await;
    assert_eq!((world.mirror.upto, world.mirror.names().len()), (at, 2));
    world.join().await;
    let at = world.as_owner(vec![health("web/a", Passing, "")]).await.unwrap();
    world.mirror.until_seen(at).await;
    let names = ["drained web/a", "health web/a", "registration web/a"];
    assert_eq!(world.mirror.names(), names);
    world.write(vec![drain("web/a", false, Guard::Present)]).await;
    assert_eq!(world.mirror.names().len(), 2);
    // An instance goes with all that is known of it, and no other.
    world.write(vec![register("web/a0", Guard::None), register("web/a-a", Guard::None)]).await;
    world.write(vec![deregister("web/a", Guard::PresentUnchanged)]).await;
    assert_eq!(world.mirror.names(), ["registration web/a-a", "registration web/a0"]);
    let outcomes = world.mirror.metric("rollcall_store_transactions_total{outcome=\"written\"}");
    assert_eq!(outcomes, "5");
}

/// Of a change with each condition: whether it is taken when the registration is not there, was
/// there before the base, was changed since, or was deleted since.
#[tokio::test]
async fn a_condition_holds_when_it_says_so() {
    let cases = [
        (Guard::None, [true, true, true, true]),
        (Guard::Present, [false, true, true, false]),
        (Guard::PresentUnchanged, [false, true, false, false]),
        (Guard::Unchanged, [true, true, false, true]),
    ];
    type Make = fn(&str, Guard) -> Edit;
    let edits: [Make; 3] = [register, deregister, |name, guard| drain(name, true, guard)];
    let mut world = World::new().await;
    for (number, edit) in edits.into_iter().enumerate() {
        for (guard, expected) in cases {
            let names = ["absent", "there", "changed", "deleted"];
            let names = names.map(|name| format!("{name}-{number}/a"));
            for name in &names[1..] {
                world.write(vec![register(name, Guard::None)]).await;
            }
            let base = world.mirror.upto;
            world.write(vec![register(&names[2], Guard::None)]).await;
            world.write(vec![deregister(&names[3], Guard::None)]).await;
            for (name, expected) in names.iter().zip(expected) {
                let outcome = world.propose_on(base, vec![edit(name, guard)]).await;
                match expected {
                    true => assert!(outcome.is_ok(), "{guard:?} {name}: {outcome:?}"),
                    false => assert_eq!(lost(outcome).0, std::slice::from_ref(name), "{guard:?}"),
                }
            }
            let gone = names.iter().map(|name| deregister(name, Guard::None)).collect();
            world.write(gone).await;
        }
    }
}

#[tokio::test]
async fn what_is_to_stay_as_it_is_is_looked_at_and_nothing_is_written() {
    let mut world = World::new().await;
    let names: Vec<String> = (0..200).map(|n| format!("web/{n}")).collect();
    for names in names.chunks(100) {
        world.write(names.iter().map(|it| register(it, Guard::None)).collect()).await;
    }
    let kept = || names.iter().map(|name| key(name)).collect::<Vec<_>>();
    let base = world.mirror.upto;
    assert_eq!(
        world.keep(kept(), Vec::new()).await,
        Ok(base),
        "more than one transaction looks at"
    );
    assert_eq!(world.keep(vec![key("web/7")], Vec::new()).await, Ok(base));
    assert!(world.revisions("").await.iter().all(|at| *at <= base), "nothing was written");
    world.mirror.upto = base;
    world.propose_on(base, vec![deregister("web/7", Guard::None)]).await.unwrap();
    world.put("instances/web/9/registration", "{}").await;
    world.mirror.upto = base;
    let (lost_ones, _) = lost(world.keep(kept(), Vec::new()).await);
    assert_eq!(lost_ones, ["web/7", "web/9"]);
    // What is to be written beside it is not, be it a little or a bulk.
    for count in [1, 300] {
        world.mirror.upto = base;
        let more = (0..count).map(|n| register(&format!("new/{n}"), Guard::None)).collect();
        assert_eq!(lost(world.keep(kept(), more).await).0, ["web/7", "web/9"]);
    }
    assert_eq!(world.keys("instances/new/").await, 0);
}

/// It was a bulk, for which all others wait, though nothing was to be another.
#[tokio::test]
async fn what_is_written_again_as_it_is_is_divided_as_needed() {
    let mut world = World::new().await;
    let names: Vec<String> = (0..300).map(|n| format!("web/{n}")).collect();
    for names in names.chunks(100) {
        world.write(names.iter().map(|it| register(it, Guard::None)).collect()).await;
    }
    for count in [1, 150] {
        let base = world.mirror.upto;
        let again = names[..count].iter().map(|name| again(name, base)).collect();
        let kept = names[count..].iter().map(|name| key(name)).collect();
        let at = world.keep(kept, again).await.unwrap();
        world.mirror.until_seen(at).await;
        assert_eq!((world.keys("bulk").await, world.mirror.names().len()), (0, 300));
        assert_eq!(world.written_since(base, "v1/instances/").await, count);
    }
    // Beside what is to be another it is all or none, as ever.
    let mut edits = vec![again("web/0", world.mirror.upto), register("new/0", Guard::None)];
    edits.push(register("web/1", Guard::Unchanged));
    let kept: Vec<_> = names[2..].iter().map(|name| key(name)).collect();
    assert!(world.keep(kept, edits).await.is_ok());
    assert!(world.keys("bulk").await > 0);
}

/// A registration that is written again as it is.
fn again(name: &str, at: u64) -> Edit {
    match register(name, Guard::PresentUnchanged) {
        Edit::Register { key, mut to, guard } => {
            to.registered = Some(Revision::shared(at));
            Edit::Register { key, to, guard }
        }
        other => other,
    }
}

#[tokio::test]
async fn health_is_written_of_what_is_as_it_was_and_by_one_server_only() {
    let mut world = World::new().await;
    world.join().await;
    let names = ["web/a", "web/b", "web/c", "web/d"];
    world.write(names.map(|name| register(name, Guard::None)).into()).await;
    let base = world.mirror.upto;
    // Somebody has registered one anew, removed one, and said something of one.
    world.put("instances/web/b/registration", "{}").await;
    world.propose(vec![deregister("web/c", Guard::None)]).await.unwrap();
    let last = world.put("instances/web/d/health", "{}").await;
    world.mirror.upto = base;
    let all = || names.map(|name| health(name, Critical, "down")).to_vec();
    let (keys, at) = lost(world.as_owner(all()).await);
    assert_eq!(keys, ["web/b", "web/c", "web/d"]);
    assert!(at >= last, "{at} is before {last}");
    // All or none within a transaction.
    let at = world.as_owner(vec![health("web/a", Critical, "down")]).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.names().iter().filter(|name| name.starts_with("health")).count(), 1);
}

/// What a client had been told was taken went with the instance.
#[tokio::test]
async fn a_server_removes_nothing_by_itself_of_which_something_was_said_meanwhile() {
    let mut world = World::new().await;
    world.join().await;
    world.write(["web/a", "web/b"].map(|name| register(name, Guard::None)).into()).await;
    world.write(vec![health("web/a", Critical, "down")]).await;
    let base = world.mirror.upto;
    let at = world.write(vec![health("web/a", Passing, "back")]).await;
    let removals = || vec![deregister("web/a", Guard::PresentUnchanged)];
    world.mirror.upto = base;
    assert_eq!(lost(world.as_owner(removals()).await), (vec!["web/a".to_owned()], at));
    // Of one of which nothing was ever said there is nothing to compare.
    let gone = vec![deregister("web/b", Guard::PresentUnchanged)];
    let at = world.as_owner(gone).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.names(), ["health web/a", "registration web/a"]);
    // Who is asked to removes it whatever it says.
    assert!(world.propose_on(base, removals()).await.is_ok());
}

/// The case of two servers that replace one instance at the same time.
#[tokio::test]
async fn of_two_that_replace_one_instance_the_loser_is_told() {
    let mut world = World::new().await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    let base = world.mirror.upto;
    let replace = || vec![register("web/a", Guard::PresentUnchanged), policy("web")];
    let won = world.propose_on(base, replace()).await.unwrap();
    assert_eq!(lost(world.propose_on(base, replace()).await), (vec!["web/a".to_owned()], won));
    // On what it has seen by then it may try again.
    world.mirror.until_seen(won).await;
    assert!(world.propose(replace()).await.is_ok());
}

#[tokio::test]
async fn a_conflict_names_those_that_changed_and_nothing_is_written() {
    let mut world = World::new().await;
    let names: Vec<String> = (0..40).map(|n| format!("web/i{n}")).collect();
    let all = |guard| names.iter().map(|name| register(name, guard)).collect::<Vec<_>>();
    world.write(all(Guard::Unchanged)).await;
    let base = world.mirror.upto;
    for name in ["web/i7", "web/i23"] {
        world.write(vec![register(name, Guard::None)]).await;
    }
    let (keys, at) = lost(world.propose_on(base, all(Guard::PresentUnchanged)).await);
    assert_eq!((keys, at), (vec!["web/i7".to_owned(), "web/i23".to_owned()], world.mirror.upto));
    world.write(vec![policy("web"), register("web/x", Guard::None)]).await;
    let later = world.written_since(at, "").await;
    assert_eq!(later, 1, "nothing of the refused proposal was written");
}

/// etcd issue 15247, and any pause: who is not known as alive writes no health.
#[tokio::test]
async fn who_is_not_known_as_alive_any_more_writes_nothing_as_owner() {
    let mut world = World::new().await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    let edits = || vec![health("web/a", Critical, "down")];
    assert_eq!(world.as_owner(edits()).await, Err(Refused::NotOwner), "it never was");
    world.join().await;
    let first = world.fence().get();
    assert!(world.as_owner(edits()).await.is_ok());
    // Its row is gone, and made anew by its next life: the first one's word counts no more.
    world.propose(vec![]).await.unwrap();
    let own = format!("{}v1/servers/me", world.prefix);
    delete_key(&world, &own).await;
    let base = world.mirror.upto;
    assert_eq!(world.as_owner(edits()).await, Err(Refused::NotOwner));
    world.join().await;
    world.fence().set(first);
    world.mirror.upto = base.max(world.mirror.upto);
    assert_eq!(world.as_owner(edits()).await, Err(Refused::NotOwner));
    world.fence().set(None);
    assert_eq!(world.as_owner(edits()).await, Err(Refused::NotOwner));
    assert!(
        world.mirror.rows.contains_key("registration web/a") && key("web/a").id.as_str() == "a"
    );
}

#[tokio::test]
async fn the_opinions_of_a_server_are_written_under_its_lease_and_go_with_it() {
    let mut world = World::new().await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    let found = |name: &str| {
        let state = CheckState { status: Critical, output: "down".into(), since: Timestamp(1) };
        let to = Some(Opinion { of: Revision(7), checks: [(0, state)].into() });
        Edit::Opinion { key: key(name), by: "me".into(), to }
    };
    assert_eq!(world.as_owner(vec![found("web/a")]).await, Err(Refused::NotOwner));
    world.join().await;
    let at = world.as_owner(vec![found("web/a"), found("web/b")]).await.unwrap();
    world.mirror.until_seen(at).await;
    let names = ["opinion web/a me", "opinion web/b me", "registration web/a"];
    assert_eq!(world.mirror.names(), names);
    // Who begins to follow is told of them, and what is taken back is gone.
    let etcd = world.etcd.clone();
    let mut other = Mirror::start(etcd, &world.prefix).await;
    let both = |mirror: &Mirror| mirror.rows.contains_key("opinion web/b me");
    assert!(!both(&other), "a registry does not begin with them");
    other.until(both).await;
    let back = Edit::Opinion { key: key("web/a"), by: "me".into(), to: None };
    let at = world.as_owner(vec![back]).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.names(), ["opinion web/b me", "registration web/a"]);
    let lease = world.fence().get().unwrap().lease;
    world.etcd.revoke(lease).await.unwrap();
    for mirror in [&mut world.mirror, &mut other] {
        mirror.until(|mirror| mirror.names() == ["registration web/a"]).await;
    }
}

async fn delete_key(world: &World, key: &str) {
    let then = vec![Op::Delete(KeyRange::key(key.to_owned()))];
    world.etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
}
