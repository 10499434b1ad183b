//! Amendments, origins and nodes: what is decided by those who have read before.

use std::{sync::Arc, time::Duration};

use super::super::Draft;
use crate::{
    model::{
        AliasCheck, Amendment, Carry, CheckKind, CheckReport, CheckSpec, Command, EventKind,
        Heartbeat, Instance, InstanceId, Replacement, Revision, Scope, ServiceName, Status,
        Timestamp,
    },
    registry::{Loaded, Member, Options, RegistryError, Snapshot, restore::restore, testing},
};

fn options() -> Options {
    Options::default()
}

/// A world in which the commands were carried out one by one.
fn world(commands: &[Command]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for command in commands {
        snapshot = after(&snapshot, command).unwrap();
    }
    snapshot
}

fn after(base: &Snapshot, command: &Command) -> Result<Snapshot, RegistryError> {
    let options = options();
    let mut draft = Draft::new(base, &options, Timestamp(1));
    draft.apply(command)?;
    Ok(draft.finish().next)
}

fn ttl() -> CheckSpec {
    CheckSpec::new(CheckKind::ttl(Duration::from_secs(10)).unwrap())
}

/// `web/a` and the like, which a client on `node` calls `id`, with so many `ttl` checks.
fn on_node(name: &str, node: &str, id: &str, checks: usize) -> Instance {
    let checks = vec![ttl(); checks].into();
    let own = Instance { checks, ..testing::instance(name, "10.0.0.1") };
    testing::from_elsewhere(own, Scope::node(node), id)
}

/// The node of that name, with so many `ttl` checks.
fn node(name: &str, checks: usize) -> Instance {
    let (service, id) = (ServiceName::nodes(), InstanceId::derived(name));
    Instance { service, id, ..on_node("web/x", name, "", checks) }
}

fn put(instance: &Instance, seen: Option<u64>, checks: Vec<Carry>) -> Amendment {
    let replacement = Replacement { instance: Arc::new(instance.clone()), checks, drained: None };
    Amendment { key: instance.key(), seen: seen.map(Revision), to: Some(replacement) }
}

fn new(instance: &Instance) -> Command {
    let states = instance.checks.iter().map(|_| Carry::Anew(Status::Passing, "new".into()));
    Command::Amend(vec![put(instance, None, states.collect())])
}

fn remove(instance: &Instance, seen: u64) -> Amendment {
    Amendment { key: instance.key(), seen: Some(Revision(seen)), to: None }
}

fn member<'s>(snapshot: &'s Snapshot, instance: &Instance) -> &'s Arc<Member> {
    snapshot.member_like(instance).unwrap()
}

fn is_conflict<T>(result: &Result<T, RegistryError>) -> bool {
    matches!(result, Err(RegistryError::Conflict(_)))
}

fn report(instance: &Instance, check: usize, registered: u64, status: Status) -> Command {
    let (key, output) = (instance.key(), "said".into());
    let check = Some((check, Revision(registered)));
    Command::Heartbeat(Heartbeat { key, check, status, output, heard: None })
}

#[test]
fn what_was_changed_meanwhile_is_not_overwritten() {
    let web = on_node("web/a", "n", "a", 0);
    let base = world(&[new(&web)]);
    let changed = Instance { weight: 7, ..web.clone() };
    assert!(is_conflict(&after(&base, &new(&changed))), "it was not seen at all");
    let late = Command::Amend(vec![put(&changed, Some(99), vec![])]);
    assert!(is_conflict(&after(&base, &late)), "another registration was seen");
    let timely = Command::Amend(vec![put(&changed, Some(1), vec![])]);
    assert_eq!(member(&after(&base, &timely).unwrap(), &web).instance.weight, 7);
    assert!(is_conflict(&after(&base, &Command::Amend(vec![remove(&web, 2)]))));
    let gone = after(&base, &Command::Amend(vec![remove(&web, 1)])).unwrap();
    assert!(gone.service("web").is_none() && gone.origins.get(&Scope::node("n"), "a").is_none());
}

#[test]
fn amendments_are_carried_out_all_or_none() {
    let (a, b) = (on_node("web/a", "n", "a", 0), on_node("web/b", "n", "b", 0));
    let base = world(&[new(&a)]);
    let both = Command::Amend(vec![remove(&a, 1), put(&b, Some(5), vec![])]);
    assert!(is_conflict(&after(&base, &both)));
    let both = Command::Amend(vec![remove(&a, 1), put(&b, None, vec![])]);
    let next = after(&base, &both).unwrap();
    assert!(next.member_like(&a).is_none() && next.member_like(&b).is_some());
}

#[test]
fn an_origin_belongs_to_one_instance() {
    let (a, moved) = (on_node("web/a", "n", "x", 0), on_node("api/a", "n", "x", 0));
    let base = world(&[new(&a)]);
    assert!(is_conflict(&after(&base, &new(&moved))));
    let move_it = Command::Amend(vec![put(&moved, None, vec![]), remove(&a, 1)]);
    let next = after(&base, &move_it).unwrap();
    assert_eq!(next.origins.get(&Scope::node("n"), "x").unwrap().key(), moved.key());
    let twice = ["b", "c"].map(|id| on_node(&format!("api/{id}"), "n", "y", 0));
    let twice = Command::Amend(twice.iter().map(|instance| put(instance, None, vec![])).collect());
    assert!(matches!(after(&base, &twice), Err(RegistryError::Invalid(_))), "in one go, too");
    let elsewhere = on_node("api/b", "other", "x", 0);
    assert!(after(&base, &new(&elsewhere)).is_ok(), "ids are unique within their scope only");
}

#[test]
fn what_is_known_of_checks_is_carried_over() {
    let one = on_node("web/a", "n", "a", 1);
    let base = world(&[new(&one), report(&one, 0, 1, Status::Warning)]);
    assert_eq!(member(&base, &one).status, Status::Warning);
    let two = on_node("web/a", "n", "a", 2);
    let checks = vec![Carry::Anew(Status::Passing, "new".into()), Carry::From(0)];
    let next = after(&base, &Command::Amend(vec![put(&two, Some(1), checks)])).unwrap();
    let outputs: Vec<_> = member(&next, &two).checks.iter().map(|c| &*c.output).collect();
    assert_eq!(outputs, ["new", "said"]);
    assert_eq!(member(&next, &two).status, Status::Warning);
}

#[test]
fn a_registration_in_place_of_another_is_as_old_as_that() {
    let (web, native) = (on_node("web/a", "n", "a", 0), testing::instance("web/b", "10.0.0.2"));
    let base = world(&[new(&web), Command::Register(vec![Arc::new(native.clone())])]);
    let of = |snapshot: &Snapshot, instance: &Instance| {
        let member = member(snapshot, instance);
        (member.created.0, member.registered.0)
    };
    assert_eq!((of(&base, &web), of(&base, &native)), ((1, 1), (2, 2)));
    let changed = Instance { weight: 7, ..web.clone() };
    let next = after(&base, &Command::Amend(vec![put(&changed, Some(1), vec![])])).unwrap();
    assert_eq!(of(&next, &web), (1, 3));
    let changed = Command::Register(vec![Arc::new(Instance { weight: 7, ..native.clone() })]);
    let next = after(&next, &changed).unwrap();
    assert_eq!(of(&next, &native), (2, 4));
    let renamed = on_node("api/a", "n", "a", 0);
    let rename = Command::Amend(vec![remove(&web, 3), put(&renamed, None, vec![])]);
    let next = after(&next, &rename).unwrap();
    assert_eq!(of(&next, &renamed), (1, 5), "what it is called elsewhere is the same");
    let gone = after(&next, &Command::Amend(vec![remove(&renamed, 5)])).unwrap();
    assert_eq!(of(&after(&gone, &new(&renamed)).unwrap(), &renamed), (7, 7));
}

#[test]
fn who_is_held_as_silent_stays_so_until_a_sign_of_life() {
    let web = on_node("web/a", "n", "a", 1);
    let base = world(&[new(&web)]);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(1));
    draft.hold(&web.key(), 0);
    let held = draft.finish().next;
    let changed = Instance { weight: 7, ..web.clone() };
    for (carry, is_suspect) in [(Carry::From(0), true), (Carry::Renewed(0), false)] {
        let command = Command::Amend(vec![put(&changed, Some(1), vec![carry.clone()])]);
        let next = after(&held, &command).unwrap();
        let member = member(&next, &web);
        assert_eq!(member.suspect, is_suspect, "{carry:?}");
        assert_eq!(&*member.checks[0].output == "registered again", !is_suspect, "{carry:?}");
    }
}

#[test]
fn the_same_again_changes_nothing() {
    let web = on_node("web/a", "n", "a", 1);
    let base = world(&[new(&web)]);
    let again = Command::Amend(vec![put(&web, Some(1), vec![Carry::From(0)])]);
    assert_eq!(after(&base, &again).unwrap().revision, base.revision);
}

#[test]
fn a_report_of_one_check_is_of_that_one_only_and_of_the_registration_it_saw() {
    let web = on_node("web/a", "n", "a", 2);
    let base = world(&[new(&web)]);
    let next = after(&base, &report(&web, 1, 1, Status::Critical)).unwrap();
    let states: Vec<_> = member(&next, &web).checks.iter().map(|c| c.status).collect();
    assert_eq!(states, [Status::Passing, Status::Critical]);
    assert!(is_conflict(&after(&base, &report(&web, 1, 2, Status::Critical))));
    let beyond = after(&base, &report(&web, 2, 1, Status::Critical));
    assert!(matches!(beyond, Err(RegistryError::NoTtlCheck(_))));
}

#[test]
fn an_instance_goes_down_with_its_node_and_comes_back_with_it() {
    let (web, machine) = (on_node("web/a", "n", "a", 0), node("n", 1));
    let apart = on_node("web/b", "m", "b", 0);
    let base = world(&[new(&web), new(&apart), new(&machine)]);
    let registered = member(&base, &machine).registered.0;
    let down = after(&base, &report(&machine, 0, registered, Status::Critical)).unwrap();
    assert_eq!(member(&down, &web).status, Status::Critical);
    assert_eq!(member(&down, &apart).status, Status::Passing);
    assert_eq!((down.counts.critical, down.counts.passing), (1, 1), "a node is no instance");
    assert!(down.service("web").unwrap().changed > base.service("web").unwrap().changed);
    let late = on_node("api/c", "n", "c", 0);
    let joined = after(&down, &new(&late)).unwrap();
    assert_eq!(member(&joined, &late).status, Status::Critical, "it comes to a node that is down");
    let up = after(&joined, &report(&machine, 0, registered, Status::Passing)).unwrap();
    assert_eq!(up.counts.passing, 3);
    let down = after(&up, &report(&machine, 0, registered, Status::Critical)).unwrap();
    let gone = after(&down, &Command::Amend(vec![remove(&machine, registered)])).unwrap();
    assert_eq!((gone.counts.passing, gone.nodes.len()), (3, 0), "without a node nothing is wrong");
}

#[test]
fn a_node_in_maintenance_is_down() {
    let (web, machine) = (on_node("web/a", "n", "a", 0), node("n", 0));
    let base = world(&[new(&web), new(&machine)]);
    let drain = Command::Drain { key: machine.key(), on: true };
    assert_eq!(member(&after(&base, &drain).unwrap(), &web).status, Status::Critical);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(1));
    draft.apply(&drain).unwrap();
    let revisions: Vec<_> = draft.events.iter().map(|event| event.revision.0).collect();
    assert_eq!(revisions, [3, 4], "it is told before what it does");
}

#[test]
fn who_reads_an_instance_is_told_of_a_change_of_its_node() {
    let (web, machine) = (on_node("web/a", "n", "a", 0), node("n", 0));
    let base = world(&[new(&machine), new(&web)]);
    let moved = Instance { port: 9, ..machine.clone() };
    let next = after(&base, &Command::Amend(vec![put(&moved, Some(1), vec![])])).unwrap();
    assert!(next.service("web").unwrap().changed > base.service("web").unwrap().changed);
    assert_eq!(next.nodes_changed, next.revision);
}

#[test]
fn revisions_of_names_nodes_and_events_move_only_with_them() {
    let base = world(&[new(&on_node("web/a", "n", "a", 1))]);
    let of = |snapshot: &Snapshot| {
        (snapshot.names_changed.0, snapshot.nodes_changed.0, snapshot.changed.0)
    };
    assert_eq!(of(&base), (1, 1, 1));
    let second = after(&base, &new(&on_node("web/b", "n", "b", 1))).unwrap();
    assert_eq!(of(&second), (1, 1, 2), "neither a name nor a node is new");
    let ill = after(&second, &report(&on_node("web/b", "n", "b", 1), 0, 2, Status::Critical));
    let ill = ill.unwrap();
    assert_eq!(of(&ill), (1, 1, 3));
    let other = after(&ill, &new(&on_node("web/c", "m", "c", 0))).unwrap();
    assert_eq!(of(&other), (1, 4, 4), "a node is new");
    let mut tagged = on_node("web/d", "m", "d", 0);
    Arc::make_mut(tagged.origin.as_mut().unwrap()).other_tags = ["v1.2".into()].into();
    assert_eq!(of(&after(&other, &new(&tagged)).unwrap()), (5, 4, 5), "a tag is new");
}

/// `web/a` on node `n` that follows what is called `id` there.
fn following(name: &str, own: &str, id: &str) -> Instance {
    let alias = AliasCheck::new(Scope::node("n"), id).unwrap();
    let checks = [CheckSpec::new(CheckKind::Alias(Box::new(alias)))].into();
    Instance { checks, ..on_node(name, "n", own, 0) }
}

#[test]
fn an_alias_has_the_state_of_the_one_it_names() {
    let (proxy, web) = (following("proxy/p", "p", "w"), on_node("web/a", "n", "w", 1));
    let base = world(&[new(&proxy)]);
    let said = |snapshot: &Snapshot, instance: &Instance| {
        let member = member(snapshot, instance);
        (member.status, member.checks[0].output.to_string())
    };
    let missing = "Service w could not be found on node n".to_owned();
    assert_eq!(said(&base, &proxy), (Status::Critical, missing.clone()));
    let there = after(&base, &new(&web)).unwrap();
    assert_eq!(said(&there, &proxy), (Status::Passing, "All checks passing.".to_owned()));
    let registered = member(&there, &web).registered.0;
    let ill = after(&there, &report(&web, 0, registered, Status::Warning)).unwrap();
    assert_eq!(said(&ill, &proxy).0, Status::Warning);
    let drained = after(&there, &Command::Drain { key: web.key(), on: true }).unwrap();
    assert_eq!(said(&drained, &proxy).0, Status::Critical, "maintenance is critical to others");
    let gone = after(&ill, &Command::Deregister(web.key())).unwrap();
    assert_eq!(said(&gone, &proxy), (Status::Critical, missing));
    let left = after(&gone, &Command::Deregister(proxy.key())).unwrap();
    assert!(left.followers.of(&Scope::node("n"), &"w".into()).is_empty());
}

#[test]
fn an_alias_of_a_node_and_a_chain_of_aliases_follow_in_the_same_batch() {
    let machine = node("n", 1);
    let (first, second) = (following("a/f", "f", ""), following("b/s", "s", "f"));
    let base = world(&[new(&second), new(&first)]);
    assert_eq!(member(&base, &second).status, Status::Passing, "a node without a state");
    let with_node = after(&base, &new(&machine)).unwrap();
    let registered = member(&with_node, &machine).registered.0;
    let down = after(&with_node, &report(&machine, 0, registered, Status::Critical)).unwrap();
    let checks = |instance: &Instance| member(&down, instance).checks[0].status;
    assert_eq!((checks(&first), checks(&second)), (Status::Critical, Status::Critical));
}

#[test]
fn aliases_that_follow_each_other_come_to_an_end() {
    let (first, second) = (following("a/f", "f", "s"), following("b/s", "s", "f"));
    let base = world(&[new(&first), new(&second)]);
    assert_eq!(member(&base, &first).status, member(&base, &second).status);
}

#[test]
fn drained_by_an_amendment_is_told_as_drained() {
    let web = on_node("web/a", "n", "a", 0);
    let base = world(&[new(&web)]);
    let mut amendment = put(&web, Some(1), vec![]);
    amendment.to.as_mut().unwrap().drained = Some(true);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(2));
    draft.apply(&Command::Amend(vec![amendment])).unwrap();
    let kinds: Vec<_> = draft.events.iter().map(|event| &event.kind).collect();
    assert!(matches!(kinds[..], [EventKind::Drained { on: true, .. }]), "{kinds:?}");
}

/// The world that a start makes of what a store has kept of this one.
fn restarted(snapshot: &Snapshot) -> Snapshot {
    let members = snapshot.members().map(|member| Member::clone(member)).collect();
    let loaded = Loaded { revision: snapshot.revision, members, policies: vec![] };
    restore(loaded, &options()).unwrap()
}

/// The node called `name`, which follows the service called `id` on node `n`.
fn following_node(name: &str, id: &str) -> Instance {
    let node = node(name, 0);
    Instance { checks: following("web/x", "x", id).checks, ..node }
}

/// The checks of nodes were not among those that are found again.
#[test]
fn a_node_that_follows_a_service_does_after_a_restart() {
    let (web, machine) = (on_node("web/a", "n", "w", 1), following_node("m", "w"));
    let base = restarted(&world(&[new(&web), new(&machine)]));
    assert_eq!(member(&base, &machine).status, Status::Passing);
    let registered = member(&base, &web).registered.0;
    let down = after(&base, &report(&web, 0, registered, Status::Critical)).unwrap();
    assert_eq!(member(&down, &machine).status, Status::Critical);
}

#[test]
fn a_new_output_of_the_one_that_is_followed_is_nothing_to_those_who_follow() {
    let (web, proxy) = (on_node("web/a", "n", "w", 1), following("proxy/p", "p", "w"));
    let base = world(&[new(&web), new(&proxy)]);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(1));
    draft.apply(&said_by(&web, 0, Status::Passing, "something else")).unwrap();
    assert_eq!(draft.unsettled.next(), None);
    draft.apply(&said_by(&web, 0, Status::Critical, "down")).unwrap();
    assert_eq!(draft.unsettled.next(), Some(proxy.key()));
}

/// What is found of a check of the registration that is at revision 1.
fn said_by(instance: &Instance, check: usize, status: Status, output: &str) -> Command {
    let (key, registered, output) = (instance.key(), Revision(1), output.into());
    Command::Report(CheckReport { key, registered, check, status, output, since: None })
}

#[test]
fn all_who_follow_have_the_state_however_many_they_are() {
    let web = on_node("web/a", "n", "w", 1);
    let proxies: Vec<_> =
        (0..300).map(|n| following(&format!("proxy/p{n}"), &format!("p{n}"), "w")).collect();
    let amendments =
        proxies.iter().map(|p| put(p, None, vec![Carry::Anew(Status::Passing, "".into())]));
    let base = world(&[new(&web), Command::Amend(amendments.collect())]);
    let down = after(&base, &report(&web, 0, 1, Status::Critical)).unwrap();
    assert!(proxies.iter().all(|proxy| member(&down, proxy).status == Status::Critical));
}

/// Those in a ring that begin in different states can hand these round for ever.
#[test]
fn a_ring_of_aliases_in_different_states_comes_to_an_end() {
    let ring = [("a/f", "f", "s"), ("b/s", "s", "t"), ("c/t", "t", "f")]
        .map(|(name, own, id)| following(name, own, id));
    let states = [Status::Passing, Status::Critical, Status::Warning];
    let put = ring
        .iter()
        .zip(states)
        .map(|(instance, status)| put(instance, None, vec![Carry::Anew(status, "begun".into())]));
    let base = world(&[Command::Amend(put.collect())]);
    assert_eq!(base.counts.instances(), 3);
}

/// All services on a node were made anew with each word that one of its checks said.
#[test]
fn what_a_check_of_a_node_says_leaves_the_services_on_it_alone() {
    let (machine, web) = (node("n", 1), on_node("web/a", "n", "a", 0));
    let base = world(&[new(&machine), new(&web)]);
    let said = after(&base, &said_by(&machine, 0, Status::Passing, "load 0.3")).unwrap();
    assert_eq!(&*member(&said, &machine).checks[0].output, "load 0.3");
    assert!(Arc::ptr_eq(base.service("web").unwrap(), said.service("web").unwrap()));
}

#[test]
fn a_node_that_is_touched_again_is_counted_once() {
    let (machine, other) = (node("n", 1), node("m", 0));
    let base = world(&[new(&machine)]);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(1));
    draft.apply(&said_by(&machine, 0, Status::Critical, "down")).unwrap();
    draft.apply(&new(&other)).unwrap();
    assert_eq!(draft.node_count, 2);
    draft.apply(&Command::Amend(vec![remove(&machine, 1)])).unwrap();
    assert_eq!(draft.node_count, 1);
    let twice = Command::Amend(vec![put(&machine, None, vec![]), put(&machine, None, vec![])]);
    let refusal = draft.apply(&twice).unwrap_err();
    assert!(matches!(refusal, RegistryError::Invalid(_)), "{refusal}");
}

/// It used to turn all checks of the instance critical that a hold kept.
#[test]
fn a_hold_outlasts_the_failure_of_the_node() {
    let (machine, web) = (node("n", 1), on_node("web/a", "n", "a", 2));
    let base = world(&[new(&machine), new(&web)]);
    let options = options();
    let mut draft = Draft::new(&base, &options, Timestamp(1));
    draft.hold(&web.key(), 0);
    draft.apply(&said_by(&machine, 0, Status::Critical, "down")).unwrap();
    draft.apply(&said_by(&machine, 0, Status::Passing, "up")).unwrap();
    let member = draft.member(&web.key()).unwrap();
    let states: Vec<_> = member.checks.iter().map(|check| check.status).collect();
    assert_eq!((member.suspect, member.status), (true, Status::Passing));
    assert_eq!(states, [Status::Passing, Status::Passing]);
}

/// The scheduler knew of no other registration, and dropped every result from then on.
#[test]
fn maintenance_is_no_other_registration() {
    let web = on_node("web/a", "n", "a", 1);
    let base = world(&[new(&web)]);
    let drained = |seen, drained| {
        let mut amendment = put(&web, Some(seen), vec![Carry::From(0)]);
        amendment.to.as_mut().unwrap().drained = drained;
        Command::Amend(vec![amendment])
    };
    let on = after(&base, &drained(1, Some(true))).unwrap();
    let off = after(&on, &drained(1, Some(false))).unwrap();
    let of = |snapshot: &Snapshot| {
        let member = member(snapshot, &web);
        (member.registered.0, member.drained, member.modified.0)
    };
    assert_eq!((of(&on), of(&off)), ((1, true, 2), (1, false, 3)));
    // What begins a lease anew is another registration, and is told.
    let anew = put(&web, Some(1), vec![Carry::Anew(Status::Passing, "anew".into())]);
    let options = options();
    let mut draft = Draft::new(&off, &options, Timestamp(1));
    draft.apply(&Command::Amend(vec![anew])).unwrap();
    assert_eq!(draft.member(&web.key()).unwrap().registered, Revision(4));
    assert!(matches!(draft.events[0].kind, EventKind::Registered { replaced: true, .. }));
}

/// A client that registers again had read it before it was drained.
#[test]
fn a_drain_outlasts_a_registration_that_does_not_know_of_it() {
    let web = on_node("web/a", "n", "a", 0);
    let base = world(&[new(&web), Command::Drain { key: web.key(), on: true }]);
    let heavier = Instance { weight: 9, ..web.clone() };
    let next = after(&base, &Command::Amend(vec![put(&heavier, Some(1), vec![])])).unwrap();
    assert_eq!((member(&next, &web).instance.weight, member(&next, &web).drained), (9, true));
}

#[test]
fn a_new_word_of_one_check_is_taken_and_so_is_an_empty_one_of_consul_s() {
    let web = on_node("web/a", "n", "a", 1);
    let beat = |output: &str| {
        let (key, check, status) = (web.key(), Some((0, Revision(1))), Status::Passing);
        Command::Heartbeat(Heartbeat { key, check, status, output: output.into(), heard: None })
    };
    let said = |commands: &[Command]| {
        let base = world(&[&[new(&web)], commands].concat());
        member(&base, &web).checks[0].output.to_string()
    };
    assert_eq!(said(&[beat("a"), beat("b")]), "b");
    assert_eq!(said(&[beat("a"), beat("")]), "");
}
