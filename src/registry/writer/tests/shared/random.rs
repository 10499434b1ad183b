//! Whatever is asked, found, cut and delayed, in whatever order: all come to show the same.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use tokio::task::JoinHandle;

use super::{Commons, Fleet, pass};
use crate::{
    model::{Command, InstanceKey},
    registry::{
        Applied, Member, RegistryError,
        shared::are_the_same,
        testing::Running,
        writer::tests::weather::{Step, any_step, command},
    },
};

type Submission = JoinHandle<(bool, Result<Applied, RegistryError>)>;

async fn play(steps: &[(u8, Step)], checkers: usize) {
    let fleet = Fleet::of(Commons::with_checkers(checkers), 3);
    fleet.talk();
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
/// there before its time, and none is lost. What was down for too long may be gone already.
fn what_is_asked_for_is_that_of_the_revision(fleet: &Fleet) {
    for server in &fleet.servers {
        let snapshot = server.registry.snapshot();
        let shared = fleet.commons.asked_up_to(snapshot.shared.unwrap().shared_part());
        for member in snapshot.members() {
            let asked = (Arc::clone(&member.instance), member.drained);
            assert_eq!(shared.get(&member.key()), Some(&asked), "{}", member.key());
        }
        for (key, (instance, _)) in shared {
            let may_be_gone = instance.deregister_after.is_some();
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
