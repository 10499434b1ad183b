//! Following a real etcd through all its weather.
//!
//! What is known to go wrong with etcd, by the number of its issue where there is one, and the test
//! that holds us to what is done about it; nearly all are run against a real etcd:
//!
//! - a leader that was paused revokes leases that were kept alive (15247, 12528):
//!   `members::leases::a_lease_that_is_revoked_under_a_server_is_noticed_before_it_writes_again`,
//!   `members::together::an_etcd_that_is_paused_for_longer_than_leases_moves_nothing`;
//! - many leases end late, and take a leader's time (12105, 9496, 9360):
//!   `cluster::weather::etcd_has_one_watch_and_one_lease_for_each_server_whatever_clients_do`;
//! - renewals that come together (18069): the same;
//!   `backoff::waits_grow_up_to_a_limit_and_no_two_servers_wait_alike`;
//! - a watch that stalls without a word: `storm::a_paused_etcd_is_noticed_and_caught_up_with`,
//!   `storm::a_member_that_stalls_is_left_for_another_one`;
//! - deletions in revisions that were compacted (18089, 19179):
//!   `storm::a_compaction_while_nobody_watched_hides_no_deletion`;
//! - crowds of watchers, and slow ones (16839, 8668, 8387, 19064): the same,
//!   `calm::a_slow_registry_holds_up_the_watch_and_misses_nothing`;
//! - responses larger than a message may be (Kubernetes 45037):
//!   `storm::revisions_that_come_in_fragments_are_whole`;
//! - progress that overtakes events (15220): `etcd::watch::progress_is_said_when_it_is_asked_for`;
//! - a database that grows (10776, 12219, 15001), and is full: `cluster::size` (heartbeats
//!   write nothing), `storm::an_etcd_that_is_full_is_followed_and_told_of`;
//! - calls that hang (13156, 14758):
//!   `etcd::faults::what_is_stalled_or_cut_off_is_left_for_the_next_endpoint`;
//! - a member that stops in good order:
//!   `cluster::weather::members_that_restart_in_good_order_hold_up_writes_for_an_election`;
//! - answers of a member that is behind:
//!   `etcd::faults::a_member_without_a_leader_refuses_at_once_what_needs_one`;
//! - a call without an answer that was carried out: `write::weather::a_lost_answer_is_found_out`;
//! - a lock without a fence:
//!   `write::conditions::who_is_not_known_as_alive_any_more_writes_nothing_as_owner`;
//! - 129 operations, 1.5 MiB: `etcd::kv::too_many_operations_and_too_many_octets_are_told_apart`,
//!   `write::bulks`;
//! - leases that are longer than was asked for:
//!   `etcd::lease::a_lease_is_granted_for_whole_seconds_and_takes_its_keys_along`;
//! - a start that is compacted:
//!   `etcd::watch::a_watch_from_before_a_compaction_says_from_where_on_to_list`;
//! - tokens that end:
//!   `etcd::auth::a_token_that_is_not_known_any_more_is_renewed_once_for_calls_and_streams`;
//! - a backup that was restored: `history`;
//! - everything deleted, or an empty data folder: `emptied`, `members::emptied`;
//! - versions that cannot do it:
//!   `etcd::fake::an_etcd_that_cannot_say_how_far_a_watch_has_come_is_refused`.

mod beats;
mod calm;
mod emptied;
mod history;
mod rows;
mod storm;
mod strays;
mod support;

use super::testing::{Flow, Link, Mirror, client};
use support::{WEB, delete, put, register, registration};

use crate::cluster::testing::{Etcd, shared};

#[test]
fn the_tests_that_are_named_above_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    let mut folders = vec![root.join("src/cluster"), root.join("tests/it/cluster")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => code.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    let named = include_str!("mod.rs").lines().take_while(|line| line.starts_with("//!"));
    let named: String = named.collect::<Vec<_>>().join("\n");
    let names = named.split('`').skip(1).step_by(2).filter_map(|name| name.rsplit("::").next());
    let names: Vec<&str> = names.filter(|name| name.contains('_')).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test `{name}`");
    }
}
