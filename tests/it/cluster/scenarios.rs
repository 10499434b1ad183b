//! Each fault that a cluster is stated to survive, one after the other, with the traffic and the
//! ledger of a [`run`](super::run) throughout: no acknowledged change is lost, no question to a
//! live server goes unanswered, nothing wrong is answered later than its bound.
//!
//! One fleet serves many faults. Most time goes into what has to last longer than something: than
//! [`LEASE`] what makes servers take one another for dead, than the ten seconds after which a watch
//! that says nothing is left what makes them leave a member. What is found wrong is told with the
//! fault that came last.
//!
//! Of pairs that are cut, a server's from each member come in three rounds: in each round all
//! servers are cut off from one member, and each from another one.

use super::{
    bulk::Moment,
    faults::Fault,
    run::{Plan, Run},
};
use crate::support::{fleet::LEASE, lab::alone};

/// Longer than a lease, in milliseconds.
const LEASE_LOST: u64 = 4_500;

/// Longer than it takes in an outage until who falls silent is known as dead, whenever that is.
const OUTAGE_LASTS: u64 = 14_500;

/// Longer than a lease and, after it, the ttl of those whose heartbeats do not come there.
const HEARS_NOTHING: u64 = 9_500;

/// Longer than it takes until a watch is left that says nothing.
const WATCH_LEFT: u64 = 11_500;

/// Long enough for requests to be under way, and for elections.
const SHORT: u64 = 1_500;

const DEATHS: &[(Fault, u64)] = &[
    (Fault::KillServer(0), LEASE_LOST),
    (Fault::KillServer(1), SHORT),
    (Fault::KillServer(2), SHORT),
    (Fault::KillMember(0), SHORT),
    (Fault::KillMember(1), SHORT),
    (Fault::KillMember(2), SHORT),
    (Fault::KillLeader, SHORT),
    (Fault::KillTwoMembers(0, 2), LEASE_LOST),
    (Fault::KillEtcd, OUTAGE_LASTS),
    (Fault::KillServerInBulk(0, Moment::Begun), SHORT),
    (Fault::KillServerInBulk(1, Moment::Counts), SHORT),
];

const CUTS: &[(Fault, u64)] = &[
    (Fault::CutServers(0, 1), SHORT),
    (Fault::CutServers(0, 2), SHORT),
    (Fault::CutServers(1, 2), SHORT),
    (Fault::CutServersFromMembers(0), WATCH_LEFT),
    (Fault::CutServersFromMembers(1), SHORT),
    (Fault::CutServersFromMembers(2), SHORT),
    (Fault::CutMembers(0, 1), SHORT),
    (Fault::CutMembers(0, 2), SHORT),
    (Fault::CutMembers(1, 2), SHORT),
    (Fault::CutLeader, LEASE_LOST),
    (Fault::CutServerFromEtcd(0), HEARS_NOTHING),
    (Fault::IsolateServerBut(1, 2), LEASE_LOST),
    (Fault::IsolateServer(2), LEASE_LOST),
];

const PAUSES_AND_RESTARTS: &[(Fault, u64)] = &[
    (Fault::PauseServer(0), LEASE_LOST),
    (Fault::PauseLeader, LEASE_LOST),
    (Fault::PauseFollower, LEASE_LOST),
    (Fault::RestartServers, 0),
    (Fault::RestartMembers, 0),
];

fn play(faults: &'static [(Fault, u64)]) {
    alone(|| Run { members: 3, servers: 3, plan: Plan::InOrder(faults) }.play());
}

#[test]
fn whoever_is_killed_nothing_is_lost_and_the_others_answer() {
    play(DEATHS);
}

#[test]
fn whichever_link_is_cut_nothing_is_lost_and_all_answer() {
    play(CUTS);
}

#[test]
fn whoever_stands_still_or_is_restarted_nothing_is_lost_and_the_others_answer() {
    play(PAUSES_AND_RESTARTS);
}

#[test]
fn each_pair_of_processes_is_cut_and_each_process_is_killed() {
    for server in 0..3 {
        assert!(DEATHS.iter().any(|(fault, _)| *fault == Fault::KillServer(server)));
        assert!(DEATHS.iter().any(|(fault, _)| *fault == Fault::KillMember(server)));
        let other = (server + 1) % 3;
        let [low, high] = [server.min(other), server.max(other)];
        for pair in [Fault::CutServers(low, high), Fault::CutMembers(low, high)] {
            assert!(CUTS.iter().any(|(fault, _)| *fault == pair), "{pair:?}");
        }
        let round = Fault::CutServersFromMembers(server);
        assert!(CUTS.iter().any(|(fault, _)| *fault == round), "{round:?}");
    }
    assert!(u128::from(LEASE_LOST) > LEASE.as_millis());
}
