//! Two servers give one origin two names at the same moment: which of them counts.

use std::sync::Arc;

use super::{Fleet, Status, key, pass, status};
use crate::{
    model::{
        Amendment, Command, Instance, InstanceId, InstanceKey, Replacement, Scope, ServiceName,
        Timestamp,
    },
    registry::{
        Edit, Guard, Options, Refused, Registration, Registry,
        testing::{self, Running, from_elsewhere},
    },
};

fn scope() -> Scope {
    Scope::node("n")
}

/// What is known as `x` on node `n`, by a name of its own.
fn named(name: &str) -> Instance {
    from_elsewhere(testing::instance(name, "10.0.0.1"), scope(), "x")
}

/// The node `n`, by a name of its own.
fn node(id: &str) -> Instance {
    let (service, id) = (ServiceName::nodes(), InstanceId::parse(id).unwrap());
    let node = from_elsewhere(testing::instance("web/n", "10.0.0.1"), scope(), "");
    Instance { service, id, ..node }
}

fn put(instance: Instance) -> Edit {
    let registration = Registration {
        instance: Arc::new(instance),
        registered: None,
        registered_at: Timestamp(1),
        since: None,
        created: None,
        checks: None,
    };
    let key = registration.instance.key();
    Edit::Register { key, to: Box::new(registration), guard: Guard::None }
}

fn removal(key: &InstanceKey) -> Edit {
    Edit::Deregister { key: key.clone(), guard: Guard::None }
}

/// Keeps a server from removing anything.
fn failure() -> Option<Refused> {
    Some(Refused::Unavailable("no leader".into()))
}

/// Which instance the clients of the other registry find.
fn found(registry: &Registry) -> String {
    let snapshot = registry.snapshot();
    snapshot.origins.get(&scope(), "x").map(|it| it.key().to_string()).unwrap_or_default()
}

fn all_find(fleet: &Fleet, late: &[Running], expected: &str) {
    for server in fleet.servers.iter().chain(late) {
        assert_eq!(found(&server.registry), expected);
    }
}

/// Each had the one that it had heard of last, and after a restart the last one by name; and once
/// the other one was removed nobody had it.
#[tokio::test(start_paused = true)]
async fn the_younger_of_two_with_one_origin_counts_on_every_server_and_after_a_restart() {
    for [older, younger] in [["web/x", "api/x"], ["api/x", "web/x"]] {
        let fleet = Fleet::start(2);
        // Nobody removes one of them for now.
        (0..2).for_each(|server| fleet.commons.fail(server, failure()));
        fleet.commons.write(vec![put(named(older))]);
        fleet.commons.write(vec![put(named(younger))]);
        pass(5).await;
        let (late, _beats) = fleet.commons.join(Options::default());
        let late = [late];
        fleet.commons.fail(2, failure());
        all_find(&fleet, &late, younger);
        fleet.commons.list_again();
        pass(5).await;
        all_find(&fleet, &late, younger);
        // Its owner shows the older one no more; another server does until the store has that.
        let mut others = (0..2).filter(|at| status(&fleet.servers[*at], older).is_some());
        let other = others.next().unwrap();
        fleet.commons.write(vec![removal(&key(younger))]);
        pass(5).await;
        assert_eq!(found(fleet.registry(other)), older, "it is the only one");
        // Registered anew it is the younger one.
        fleet.commons.write(vec![put(named(younger))]);
        let again = Instance { port: 9, ..named(older) };
        fleet.commons.write(vec![put(again)]);
        pass(5).await;
        all_find(&fleet, &late, older);
    }
}

/// Both stayed for good, and what was exported could not be imported.
#[tokio::test(start_paused = true)]
async fn of_two_that_are_registered_at_once_the_older_is_removed() {
    let ask = |instance: Instance| {
        let instance = Arc::new(instance);
        let (key, checks) = (instance.key(), vec![]);
        let to = Some(Replacement { instance, checks, drained: None });
        Command::Amend(vec![Amendment { key, seen: None, to }])
    };
    let fleet = Fleet::start(3);
    let (one, other) = (fleet.submit(0, ask(named("web/x"))), fleet.submit(1, ask(named("api/x"))));
    let (one, other) = tokio::join!(one, other);
    assert!(one.unwrap().changed && other.unwrap().changed, "neither knew of the other");
    pass(20).await;
    let left = fleet.commons.members();
    assert_eq!(left.len(), 1, "{left:?}");
    all_find(&fleet, &[], &left[0].key().to_string());
    let gone = if left[0].key() == key("web/x") { "api/x" } else { "web/x" };
    assert_eq!(fleet.status(gone), [None; 3]);
    assert_eq!(fleet.commons.revision(), 3, "it is removed once");
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_of_one_name_the_younger_says_how_those_on_it_are() {
    for is_older_down in [true, false] {
        let fleet = Fleet::start(2);
        (0..2).for_each(|server| fleet.commons.fail(server, failure()));
        let [older, younger] = [node("n"), node("m")].map(|node| (node.key(), node));
        let down = if is_older_down { &older.0 } else { &younger.0 };
        let drain = Edit::Drain { key: down.clone(), on: true, guard: Guard::None };
        fleet.commons.write(vec![put(named("web/x"))]);
        fleet.commons.write(vec![put(older.1), drain.clone()]);
        pass(5).await;
        fleet.commons.write(vec![put(younger.1), drain]);
        pass(5).await;
        let expected = if is_older_down { Status::Passing } else { Status::Critical };
        assert_eq!(fleet.status("web/x"), [Some(expected); 2]);
        let (late, _beats) = fleet.commons.join(Options::default());
        fleet.commons.fail(2, failure());
        assert_eq!(status(&late, "web/x"), Some(expected));
        fleet.commons.write(vec![removal(&younger.0)]);
        pass(5).await;
        // Who has not removed the older one has it as the node again.
        let shown = if is_older_down { Status::Critical } else { Status::Passing };
        assert!(fleet.status("web/x").contains(&Some(shown)));
    }
}
