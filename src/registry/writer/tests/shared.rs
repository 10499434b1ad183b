//! Several registries that share their state, with the clock stopped.

mod opinions;
mod returning;

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    register, report, status,
    weather::{Step, any_step, command},
};
use crate::{
    model::{Command, EventKind, Heartbeat, InstanceKey, Policy, Revision, Status},
    registry::{
        Applied, Beat, Edit, Guard, JournalError, Member, Options, Refused, Registration, Registry,
        RegistryError,
        shared::{are_the_same, testing::Commons},
        testing::{self, Running, key},
    },
};

/// Servers that share what is in `commons`; heartbeats for others reach them.
struct Fleet {
    commons: Commons,
    servers: Vec<Running>,
}

impl Fleet {
    fn start(count: usize) -> Self {
        Self::of(Commons::default(), count)
    }

    fn of(commons: Commons, count: usize) -> Self {
        let (servers, beats): (Vec<Running>, Vec<_>) =
            (0..count).map(|_| commons.join(Options::default())).unzip();
        let registries: Vec<Registry> = servers.iter().map(|it| it.registry.clone()).collect();
        for beats in beats {
            tokio::spawn(deliver(beats, commons.clone(), registries.clone()));
        }
        Self { commons, servers }
    }

    fn registry(&self, server: usize) -> &Registry {
        &self.servers[server].registry
    }

    /// Whose task the instance is, and one whose task it is not.
    fn owner_and_other(&self, name: &str) -> (usize, usize) {
        let owner = self.commons.owner(&key(name));
        (owner, (owner + 1) % self.servers.len())
    }

    async fn submit(&self, server: usize, command: Command) -> Result<Applied, RegistryError> {
        self.registry(server).submit(command).await
    }

    fn status(&self, name: &str) -> Vec<Option<Status>> {
        self.servers.iter().map(|server| status(server, name)).collect()
    }

    fn registered(&self, server: usize, name: &str) -> Revision {
        self.registry(server).snapshot().member(&key(name)).unwrap().registered
    }
}

/// What the servers' HTTP interfaces do for one another.
async fn deliver(mut beats: mpsc::Receiver<Beat>, commons: Commons, to: Vec<Registry>) {
    while let Some(beat) = beats.recv().await {
        let registry = &to[commons.owner(&beat.key)];
        take_one(registry, &beat).await;
    }
}

async fn take_one(registry: &Registry, beat: &Beat) {
    let heard = beat.heartbeats(&registry.snapshot(), registry.ownership());
    for heartbeat in heard.unwrap_or_default() {
        let _stopping = registry.enqueue(Command::Heartbeat(heartbeat)).await;
    }
}

fn beat(name: &str, status: Status) -> Command {
    Command::Heartbeat(Heartbeat {
        key: key(name),
        check: None,
        status,
        output: "said".into(),
        heard: None,
    })
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn unreachable_or_not<T>(result: &Result<T, RegistryError>) -> bool {
    matches!(result, Err(RegistryError::NotDurable(JournalError::Unreachable(_))))
}

#[tokio::test(start_paused = true)]
async fn a_reply_comes_when_this_server_shows_it_and_its_revision_means_the_same_on_others() {
    let fleet = Fleet::start(2);
    let applied = fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    assert_eq!((applied.created, applied.revision), (1, Revision::shared(1)));
    assert_eq!(status(&fleet.servers[0], "web/a"), Some(Status::Passing));
    pass(1).await;
    assert!(fleet.registry(1).snapshot().has_seen(applied.revision));
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    assert_eq!(fleet.registered(0, "web/a"), fleet.registered(1, "web/a"));
    let same = fleet.submit(1, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    assert!(!same.changed, "it is there already");
    assert_eq!(fleet.commons.revision(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_replace_one_instance_at_once_one_is_told_that_it_lost() {
    let fleet = Fleet::start(2);
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    pass(1).await;
    let one = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2")));
    let other = fleet.submit(1, register(testing::instance("web/a", "10.0.0.3")));
    let (one, other) = tokio::join!(one, other);
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(won.unwrap().changed);
    let Err(RegistryError::Conflict(of)) = lost else { panic!("{lost:?}") };
    assert_eq!(of, key("web/a"));
    // Who wanted the same has what it wanted.
    let one = fleet.submit(0, register(testing::instance("web/a", "10.0.0.9")));
    let other = fleet.submit(1, register(testing::instance("web/a", "10.0.0.9")));
    let (one, other) = tokio::join!(one, other);
    assert_eq!((one.unwrap().changed as u8) + (other.unwrap().changed as u8), 1);
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_acknowledged_only_when_the_store_has_it_too() {
    let fleet = Fleet::start(2);
    let same = || register(testing::instance("web/a", "10.0.0.1"));
    let drain = || Command::Drain { key: key("web/a"), on: true };
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        Command::SetPolicy(key("web/a").service, policy)
    };
    for command in [same(), drain(), policy(9)] {
        assert!(fleet.submit(0, command).await.unwrap().changed);
    }
    pass(1).await;
    // The other server has not heard yet of what goes on at this one.
    let put_back = Command::Drain { key: key("web/a"), on: false };
    let (one, other) = tokio::join!(fleet.submit(0, put_back), fleet.submit(1, drain()));
    assert!(one.is_ok() && other.is_ok());
    let (one, other) = tokio::join!(fleet.submit(0, policy(7)), fleet.submit(1, policy(9)));
    assert!(one.is_ok() && other.is_ok());
    pass(5).await;
    for server in &fleet.servers {
        let snapshot = server.registry.snapshot();
        assert!(snapshot.member(&key("web/a")).unwrap().drained, "the last word was that");
        assert_eq!(snapshot.service("web").unwrap().policy.ttl_seconds, 9);
    }
    let gone = Command::Deregister(key("web/a"));
    let (one, other) = tokio::join!(fleet.submit(0, gone), fleet.submit(1, same()));
    one.unwrap();
    assert!(other.unwrap().changed, "it is registered anew");
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    // Nor while nobody can be asked.
    fleet.commons.cut(1, true);
    pass(5).await;
    for command in [same(), policy(9)] {
        let refused = fleet.submit(1, command).await;
        assert!(unreachable_or_not(&refused), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_again_is_acknowledged_with_the_revision_of_that() {
    let fleet = Fleet::start(2);
    let drain = |on| Command::Drain { key: key("web/a"), on };
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        Command::SetPolicy(key("web/a").service, policy)
    };
    for command in [register(testing::instance("web/a", "10.0.0.1")), drain(true), policy(9)] {
        fleet.submit(0, command).await.unwrap();
    }
    pass(1).await;
    // To the other server it seems that nothing is to change, until it hears of this.
    for (first, again) in [(drain(false), drain(true)), (policy(7), policy(9))] {
        let (one, other) = tokio::join!(fleet.submit(0, first), fleet.submit(1, again));
        let (one, other) = (one.unwrap().revision, other.unwrap().revision);
        assert!(other > one, "{other:?} is before {one:?}");
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn out_of_reach_nobody_waits_for_a_proposal_that_hangs() {
    let fleet = Fleet::start(1);
    fleet.commons.hang(true);
    let registry = fleet.registry(0).clone();
    let first = register(testing::instance("web/a", "10.0.0.1"));
    let first = tokio::spawn(async move { registry.submit(first).await });
    pass(10).await;
    fleet.commons.cut(0, true);
    let second = fleet.submit(0, register(testing::instance("web/b", "10.0.0.2"))).await;
    assert!(unreachable_or_not(&second), "{second:?}");
    assert!(!first.is_finished());
    fleet.commons.hang(false);
    assert!(unreachable_or_not(&first.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn who_drains_what_another_has_just_replaced_drains_what_is_there_now() {
    let fleet = Fleet::start(2);
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    pass(1).await;
    let replaced = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2")));
    let drained = fleet.submit(1, Command::Drain { key: key("web/a"), on: true });
    let (replaced, drained) = tokio::join!(replaced, drained);
    assert!(replaced.unwrap().changed && drained.unwrap().changed);
    pass(5).await;
    for server in 0..2 {
        let snapshot = fleet.registry(server).snapshot();
        let member = snapshot.member(&key("web/a")).unwrap();
        assert!(member.drained, "on {server}");
        assert_eq!(member.instance.addresses.as_ips()[0].to_string(), "10.0.0.2");
    }
    let gone = fleet.submit(1, Command::Deregister(key("web/a")));
    let again = fleet.submit(0, Command::Deregister(key("web/a")));
    let (gone, again) = tokio::join!(gone, again);
    assert!(gone.is_ok() != again.is_ok(), "one of them was too late");
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.2"))).await.unwrap();
    let snapshot = fleet.registry(0).snapshot();
    assert!(!snapshot.member(&key("web/a")).unwrap().drained, "nothing is left of the one before");
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_finds_is_shown_there_at_once_and_by_all_soon() {
    let fleet = Fleet::start(3);
    let (owner, _) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(super::tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    let registered = fleet.registered(owner, "web/a");
    fleet.commons.hang(true);
    let found = report("web/a", registered, Status::Passing);
    let submitted = tokio::spawn({
        let registry = fleet.registry(owner).clone();
        async move { registry.submit(found).await }
    });
    pass(1).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Passing), "whatever etcd does");
    assert_eq!(fleet.commons.revision(), 1);
    fleet.commons.hang(false);
    assert!(submitted.await.unwrap().is_ok());
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
    let told = fleet.registry(owner).events().after(Revision::shared(1), 9).unwrap().0;
    assert_eq!(told.len(), 1, "nobody is told again when the store gives it back: {told:?}");
    // The same again is nothing to write.
    fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
    pass(5).await;
    assert_eq!(fleet.commons.revision(), 2);
}

/// It was passing again, on all servers, until the next heartbeat.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_handed_on_late_beats_no_newer_word() {
    let commons = Commons::default();
    let (servers, mut queues): (Vec<_>, Vec<_>) =
        (0..2).map(|_| commons.join(Options::default())).unzip();
    let fleet = Fleet { commons, servers };
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(3);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    pass(1).await;
    let all = |status| [Some(status); 2];
    let take = async |beat: &Beat| {
        take_one(fleet.registry(owner), beat).await;
        pass(5).await;
    };
    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    let before_silence = queues[other].recv().await.unwrap();
    pass(4_000).await;
    assert_eq!(fleet.status("web/a"), all(Status::Critical), "silent for its ttl");
    // A silence is nobody's word.
    take(&before_silence).await;
    assert_eq!(fleet.status("web/a"), all(Status::Passing));

    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    let first = queues[other].recv().await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(2_000).await;
    take(&first).await;
    assert_eq!(fleet.status("web/a"), all(Status::Critical), "that was its last word");
    pass(2_000).await;
    let known = fleet.registry(owner).snapshot().member(&key("web/a")).cloned().unwrap();
    assert_eq!(&*known.checks[0].output, "said", "it is a sign of life all the same");
    // An older Rollcall does not say what it had seen.
    take(&Beat { heard: None, ..first }).await;
    assert_eq!(fleet.status("web/a"), all(Status::Passing));

    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(1).await;
    let back = fleet.submit(other, beat("web/a", Status::Passing));
    let deliver = async {
        let beat = queues[other].recv().await.unwrap();
        take(&beat).await;
    };
    let (back, ()) = tokio::join!(back, deliver);
    assert!(back.unwrap().changed);
    assert_eq!(fleet.status("web/a"), all(Status::Passing), "it knew that word");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_may_come_to_any_server_and_are_never_written() {
    let fleet = Fleet::start(3);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(3);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    for turn in 0..20 {
        let server = turn % 3;
        fleet.submit(server, beat("web/a", Status::Passing)).await.unwrap();
        pass(2_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
    }
    // The first one says something where nothing was said before.
    assert!(fleet.commons.revision() <= 2, "{}", fleet.commons.revision());
    let down = fleet.submit(other, beat("web/a", Status::Critical)).await.unwrap();
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical));
    assert!(fleet.registry(owner).snapshot().has_seen(down.revision), "it was written");
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3], "silent for its ttl");
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_gives_each_silent_one_a_full_ttl() {
    let fleet = Fleet::start(3);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(10);
    fleet.submit(other, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    pass(9_000).await;
    fleet.commons.bury(owner);
    pass(9_900).await;
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
    pass(1_000).await;
    let seen = fleet.status("web/a");
    let living = seen.iter().enumerate().filter(|(server, _)| *server != owner);
    assert!(living.map(|(_, status)| *status).all(|it| it == Some(Status::Critical)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn cut_off_it_refuses_changes_and_shows_what_it_finds() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(super::tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    let registered = fleet.registered(other, "web/a");
    fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
    pass(2).await;
    fleet.commons.cut(other, true);
    pass(1).await;
    let refused = fleet.submit(other, register(testing::instance("web/b", "10.0.0.2"))).await;
    assert!(unreachable_or_not(&refused), "{refused:?}");
    fleet.submit(other, report("web/a", registered, Status::Critical)).await.unwrap();
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical));
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Passing), "its own finding");
    let written = fleet.submit(owner, register(testing::instance("web/c", "10.0.0.3"))).await;
    assert!(written.is_ok());
    fleet.commons.cut(other, false);
    pass(100).await;
    assert_eq!(status(&fleet.servers[other], "web/c"), Some(Status::Passing));
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical), "for a while");
    pass(10_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2], "what its owner says");
    assert_eq!(fleet.commons.members().len(), 2, "nothing of what was refused");
}

#[tokio::test(start_paused = true)]
async fn a_list_is_taken_as_a_difference() {
    let fleet = Fleet::start(1);
    for name in ["web/a", "api/a", "db/a"] {
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap();
    }
    let before = fleet.registry(0).snapshot();
    fleet.commons.list_again();
    pass(5).await;
    let after = fleet.registry(0).snapshot();
    for name in ["web", "api", "db"] {
        assert!(Arc::ptr_eq(before.service(name).unwrap(), after.service(name).unwrap()), "{name}");
    }
    // While it is away, one goes, one comes and one is replaced.
    fleet.commons.cut(0, true);
    let put = |name: &str, ip: &str| {
        let instance = Arc::new(testing::instance(name, ip));
        let to = Registration {
            instance,
            registered: None,
            registered_at: crate::model::Timestamp(1),
            since: None,
            created: None,
            checks: None,
        };
        Edit::Register { key: key(name), to: Box::new(to), guard: Guard::None }
    };
    let gone = Edit::Deregister { key: key("db/a"), guard: Guard::None };
    fleet.commons.write(vec![put("web/b", "10.0.0.2"), put("api/a", "10.0.0.9"), gone]);
    let since = fleet.registry(0).snapshot().revision;
    fleet.commons.cut(0, false);
    pass(5).await;
    let (events, _) = fleet.registry(0).events().after(since, 9).unwrap();
    assert_eq!(events.len(), 3, "{events:?}");
    let snapshot = fleet.registry(0).snapshot();
    assert!(snapshot.service("db").is_none());
    assert_eq!(snapshot.service("web").unwrap().members.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn whether_an_answer_was_lost_is_said() {
    let fleet = Fleet::start(1);
    fleet.commons.fail(0, Some(Refused::Unsure("no reply in time".into())));
    let unsure = fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await;
    assert!(
        matches!(unsure, Err(RegistryError::NotDurable(JournalError::Unsure(_)))),
        "{unsure:?}"
    );
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing)], "this time it was taken");
}

/// As with a store of its own: clients of the stream may count on it.
#[tokio::test(start_paused = true)]
async fn a_registration_in_place_of_another_is_one_event_whatever_the_state_was() {
    let fleet = Fleet::start(2);
    let beating = testing::beating("web/a", "10.0.0.1", Duration::from_secs(99));
    fleet.submit(0, register(beating)).await.unwrap();
    fleet.submit(0, beat("web/a", Status::Critical)).await.unwrap();
    pass(1_000).await;
    let replaced = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2"))).await.unwrap();
    pass(1).await;
    for server in 0..2 {
        let (events, _) =
            fleet.registry(server).events().after(Revision(replaced.revision.0 - 1), 9).unwrap();
        let kinds: Vec<_> = events.iter().map(|event| &event.kind).collect();
        assert!(matches!(kinds[..], [EventKind::Registered { replaced: true, .. }]), "{kinds:?}");
    }
}

/// Else the time would be another one after each start.
#[tokio::test(start_paused = true)]
async fn who_lists_knows_since_when_instances_are_in_their_state() {
    let fleet = Fleet::start(1);
    let beating = |ip| testing::beating("web/a", ip, Duration::from_secs(99));
    let since = |registry: &Registry| registry.snapshot().member(&key("web/a")).unwrap().since;
    let is_known = || {
        let (late, _beats) = fleet.commons.join(Options::default());
        since(&late.registry) == since(fleet.registry(0))
    };
    fleet.submit(0, register(beating("10.0.0.1"))).await.unwrap();
    pass(1_000).await;
    for status in [Status::Critical, Status::Passing] {
        fleet.submit(0, beat("web/a", status)).await.unwrap();
        pass(1_000).await;
        assert!(is_known(), "{status:?}");
    }
    // What is registered in its place is in the same state.
    let before = since(fleet.registry(0));
    fleet.submit(0, register(beating("10.0.0.2"))).await.unwrap();
    pass(1_000).await;
    assert_eq!(since(fleet.registry(0)), before);
    assert!(is_known());
}

type Submission = JoinHandle<(bool, Result<Applied, RegistryError>)>;

async fn play(steps: &[(u8, Step)], checkers: usize) {
    let fleet = Fleet::of(Commons::with_checkers(checkers), 3);
    let mut submissions: Vec<Submission> = Vec::new();
    for (server, step) in steps {
        let server = usize::from(*server);
        match *step {
            Step::Command(kind, who, how) => {
                let command = command(&fleet.servers[server], kind, who, how);
                let server = match &command {
                    // Nobody checks what is the task of others.
                    Command::Report(report) if !fleet.commons.checks(server, &report.key) => {
                        fleet.commons.owner(&report.key)
                    }
                    _ => server,
                };
                let registry = fleet.registry(server).clone();
                submissions.push(tokio::spawn(async move {
                    let asked = command.must_be_durable();
                    let outcome = registry.submit(command).await;
                    if let Ok(applied) = &outcome {
                        assert!(!asked || registry.snapshot().has_seen(applied.revision));
                    }
                    (asked, outcome)
                }));
            }
            Step::Fail(fails) => fleet.commons.cut(server, fails),
            Step::Hang(hangs) => fleet.commons.hang(hangs),
            Step::Wait(millis) => pass(millis).await,
        }
        what_is_asked_for_is_that_of_the_revision(&fleet);
    }
    fleet.commons.hang(false);
    (0..3).for_each(|server| fleet.commons.cut(server, false));
    pass(40_000).await;
    no_server_has_a_row_that_says_nothing(&fleet);
    what_is_asked_for_is_that_of_the_revision(&fleet);
    all_show_what_is_shared(&fleet);
    for submission in submissions {
        assert!(submission.is_finished(), "every command has its reply");
        let (asked, outcome) = submission.await.unwrap();
        assert!(asked || !matches!(outcome, Err(RegistryError::NotDurable(_))), "{outcome:?}");
    }
}

/// Registrations and drains on each server are those of the revision that it has seen: none is
/// there before its time, and none is lost. What was silent for too long may be gone already.
fn what_is_asked_for_is_that_of_the_revision(fleet: &Fleet) {
    for server in &fleet.servers {
        let snapshot = server.registry.snapshot();
        let shared = fleet.commons.asked_up_to(snapshot.shared.unwrap().shared_part());
        for member in snapshot.members() {
            let asked = (Arc::clone(&member.instance), member.drained);
            assert_eq!(shared.get(&member.key()), Some(&asked), "{}", member.key());
        }
        for (key, (instance, _)) in shared {
            let may_be_gone = instance.deregister_after.is_some() || instance.has_ttl_check();
            assert!(snapshot.member(&key).is_some() || may_be_gone, "{key} is lost");
        }
    }
}

/// Dissent is of what is there, and of something else than is shared.
fn no_server_has_a_row_that_says_nothing(fleet: &Fleet) {
    for (key, opinion) in fleet.commons.opinions() {
        let members = fleet.commons.members();
        let of = members.iter().find(|member| member.key() == key);
        let of = of.filter(|member| member.registered == opinion.of).expect("it is there");
        for (check, state) in opinion.checks {
            assert_ne!(of.checks[check].status.is_up(), state.status.is_up(), "{key}");
        }
    }
}

fn all_show_what_is_shared(fleet: &Fleet) {
    let shared = fleet.commons.members();
    for (index, server) in fleet.servers.iter().enumerate() {
        let snapshot = server.registry.snapshot();
        let mut shown: Vec<Arc<Member>> = snapshot.members().cloned().collect();
        shown.sort_by_key(|member| member.key());
        let keys = |all: &[Arc<Member>]| all.iter().map(|m| m.key()).collect::<Vec<InstanceKey>>();
        assert_eq!(keys(&shown), keys(&shared), "on {index}");
        for (shown, shared) in shown.iter().zip(&shared) {
            assert!(are_the_same(shown, shared), "on {index}:\n{shown:?}\n{shared:?}");
        }
    }
    let derived = |server: &Running| {
        let snapshot = server.registry.snapshot();
        let mut all: Vec<_> = snapshot.members().map(|m| (m.key(), m.status)).collect();
        all.sort();
        all
    };
    for server in &fleet.servers[1..] {
        assert_eq!(derived(server), derived(&fleet.servers[0]), "also what each finds by itself");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_happens_all_servers_come_to_show_what_is_shared(
        steps in vec((0..3_u8, any_step()), 1..80),
        checkers in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(&steps, checkers));
    }
}

#[tokio::test(start_paused = true)]
async fn of_opposed_commands_in_one_proposal_the_last_one_counts() {
    let fleet = Fleet::start(1);
    for name in ["web/a", "web/b"] {
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap();
    }
    fleet.submit(0, Command::Drain { key: key("web/b"), on: true }).await.unwrap();
    // While this one is under way, the others gather for one proposal.
    fleet.commons.hang(true);
    let registry = fleet.registry(0);
    let first = registry.submit(register(testing::instance("web/c", "10.0.0.3")));
    let drain = |name: &str, on| registry.submit(Command::Drain { key: key(name), on });
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        registry.submit(Command::SetPolicy(key("web/a").service, policy))
    };
    let opposed = async {
        pass(10).await;
        let all = tokio::join!(
            async { tokio::join!(drain("web/a", true), drain("web/a", false)) },
            async { tokio::join!(drain("web/b", false), drain("web/b", true)) },
            async { tokio::join!(policy(7), policy(9)) },
            registry.submit(register(testing::instance("web/d", "10.0.0.4"))),
            registry.submit(Command::Deregister(key("web/d"))),
            registry.submit(register(testing::instance("web/e", "10.0.0.5"))),
        );
        let ((a, b), (c, d), (e, f), (g, h, i)) = (all.0, all.1, all.2, (all.3, all.4, all.5));
        [a, b, c, d, e, f, g, h, i].map(Result::unwrap)
    };
    let go_on = async {
        pass(20).await;
        fleet.commons.hang(false);
    };
    let (first, _, ()) = tokio::join!(first, opposed, go_on);
    first.unwrap();
    let snapshot = registry.snapshot();
    let is_drained = |name: &str| snapshot.member(&key(name)).map(|member| member.drained);
    assert_eq!((is_drained("web/a"), is_drained("web/b")), (Some(false), Some(true)));
    assert_eq!((is_drained("web/d"), is_drained("web/e")), (None, Some(false)));
    assert_eq!(snapshot.service("web").unwrap().policy.ttl_seconds, 9);
}

#[tokio::test(start_paused = true)]
async fn that_changes_are_refused_is_told_until_the_store_is_back_and_not_for_one_lost_answer() {
    let fleet = Fleet::start(1);
    let is_told = || fleet.servers[0].board.conditions().iter().any(|(name, _)| name == "store");
    let change = |name: &str| fleet.submit(0, register(testing::instance(name, "10.0.0.1")));
    fleet.commons.fail(0, Some(Refused::Unsure("the answer was lost".into())));
    assert!(change("web/a").await.is_err() && !is_told());
    fleet.commons.fail(0, Some(Refused::Unavailable("out of reach".into())));
    assert!(change("web/b").await.is_err() && is_told());
    fleet.commons.fail(0, None);
    fleet.commons.cut(0, true);
    pass(5).await;
    assert!(is_told());
    fleet.commons.cut(0, false);
    pass(5).await;
    assert!(!is_told(), "although nobody has changed anything since");
}
