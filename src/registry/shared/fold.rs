//! What a row makes of an instance. Pure, and the same on every server.

use std::{collections::BTreeMap, sync::Arc};

use super::{Health, Registration, SharedRow};
use crate::{
    model::{CheckState, InstanceKey, Policy, Revision, ServiceName, Status},
    registry::{Loaded, Member},
};

/// The instance as it is in the shared state after a row of revision `at`; `None` when it is not
/// there. `before` is itself if the row says nothing new.
pub(in crate::registry) fn folded(
    before: Option<Arc<Member>>,
    row: &SharedRow,
    at: Revision,
) -> Option<Arc<Member>> {
    match row {
        SharedRow::Registration { to: None, .. } => None,
        SharedRow::Registration { to: Some(to), .. } => Some(registered(before, to, at)),
        SharedRow::Health { to: Some(to), .. } => before.map(|before| found(before, to, at)),
        SharedRow::Drained { on, .. } => before.map(|before| {
            if before.drained == *on {
                return before;
            }
            Arc::new(Member { drained: *on, modified: at, ..Member::clone(&before) })
        }),
        // What a single server finds is no state that is shared.
        SharedRow::Health { to: None, .. }
        | SharedRow::Opinion { .. }
        | SharedRow::Policy { .. } => before,
    }
}

/// Whether two states of an instance are the same to those who share them. The states of `alias`
/// checks and of its node are found out by each server for itself.
pub(in crate::registry) fn are_the_same(one: &Member, other: &Member) -> bool {
    let mut checks = one.instance.checks.iter().zip(&one.checks).zip(&other.checks);
    one.registered == other.registered
        && one.drained == other.drained
        && one.suspect == other.suspect
        && one.instance == other.instance
        && checks.all(|((spec, one), other)| spec.alias().is_some() || is_state(one, other))
}

/// Whether two states of a check are the same. Of a long output a store may keep the beginning.
fn is_state(one: &CheckState, other: &CheckState) -> bool {
    /// Nothing that is shorter is ever cut: sixteen such outputs fit a row, however they are
    /// written.
    const NEVER_CUT: usize = 512;
    let (short, long) = match one.output.len() <= other.output.len() {
        true => (&one.output, &other.output),
        false => (&other.output, &one.output),
    };
    let says_the_same = short == long || (short.len() >= NEVER_CUT && long.starts_with(&**short));
    one.status == other.status && one.since == other.since && says_the_same
}

/// All instances and policies of a whole list.
pub(in crate::registry) fn gathered(
    mut rows: Vec<(u64, SharedRow)>,
) -> (BTreeMap<InstanceKey, Arc<Member>>, BTreeMap<ServiceName, Policy>) {
    let (mut members, mut policies) = (BTreeMap::new(), BTreeMap::new());
    rows.sort_by_key(|(_, row)| rank(row));
    for (at, row) in rows {
        let at = Revision::shared(at);
        if let SharedRow::Policy { service, to } = row {
            policies.extend(to.map(|policy| (service, policy)));
        } else if let Some(key) = row.key().cloned()
            && let Some(member) = folded(members.remove(&key), &row, at)
        {
            members.insert(key, member);
        }
    }
    (members, policies)
}

/// What a registry starts with that shares its state, from a list of all rows at revision `at` of
/// the store.
pub fn loaded(rows: Vec<(u64, SharedRow)>, at: u64) -> Loaded {
    let (members, policies) = gathered(rows);
    // Nobody else has them.
    let members = members.into_values().map(Arc::unwrap_or_clone).collect();
    Loaded { revision: Revision::shared(at), members, policies: policies.into_iter().collect() }
}

/// In which order rows of one revision are taken: what is said of an instance comes after it.
pub(in crate::registry) fn rank(row: &SharedRow) -> u8 {
    match row {
        SharedRow::Policy { .. } => 0,
        SharedRow::Registration { to: None, .. } => 1,
        SharedRow::Registration { key, .. } if key.service.is_nodes() => 2,
        SharedRow::Registration { .. } => 3,
        SharedRow::Drained { .. } => 4,
        SharedRow::Health { .. } => 5,
        SharedRow::Opinion { .. } => 6,
    }
}

fn registered(before: Option<Arc<Member>>, to: &Registration, at: Revision) -> Arc<Member> {
    let registered = to.registered.unwrap_or(at);
    if let Some(before) = &before
        && before.registered == registered
        && before.instance == to.instance
    {
        return Arc::clone(before);
    }
    let mut next = Member::new(Arc::clone(&to.instance), registered, to.registered_at);
    if let Some(checks) = to.checks.as_ref().filter(|checks| checks.len() == next.checks.len()) {
        next.checks.clone_from(checks);
    }
    next.created = to.created.unwrap_or(registered);
    // A fold brings what has been there since its marker: whoever lists has it as whoever followed.
    next.modified = to.registered.unwrap_or(at);
    next.status = Status::of_checks(&next.checks);
    next.since = to.since.unwrap_or(to.registered_at);
    next.drained = before.is_some_and(|before| before.drained);
    Arc::new(next)
}

/// What is said of another registration, or of other checks, means nothing.
fn found(before: Arc<Member>, to: &Health, at: Revision) -> Arc<Member> {
    if to.of != before.registered || to.checks.len() != before.checks.len() {
        return before;
    }
    let mut next = Member::clone(&before);
    let specs = before.instance.checks.iter();
    for ((spec, state), to) in specs.zip(next.checks.iter_mut()).zip(&to.checks) {
        if spec.alias().is_none() {
            state.clone_from(to);
        }
    }
    (next.suspect, next.modified) = (to.suspect, at);
    next.status = Status::of_checks(&next.checks);
    if let Some(since) = to.since {
        next.since = since;
    } else if next.status != before.status {
        let changed = next.checks.iter().zip(&before.checks).filter(|(is, was)| is != was);
        next.since = changed.map(|(is, _)| is.since).max().unwrap_or(before.since);
    }
    if are_the_same(&before, &next) { before } else { Arc::new(next) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{are_the_same, folded};
    use crate::{
        model::{CheckState, Revision, Status, Timestamp},
        registry::{Health, Member, Registration, SharedRow, testing},
    };

    fn member() -> Arc<Member> {
        let instance = testing::beating("web/a", "10.0.0.1", std::time::Duration::from_secs(9));
        Arc::new(Member::new(Arc::new(instance), Revision(7), Timestamp(1)))
    }

    fn health(of: u64, output: &str) -> SharedRow {
        let state =
            CheckState { status: Status::Critical, output: output.into(), since: Timestamp(5) };
        let to = Health { of: Revision(of), checks: [state].into(), suspect: false, since: None };
        SharedRow::Health { key: testing::key("web/a"), to: Some(to) }
    }

    #[test]
    fn what_is_said_of_another_registration_means_nothing() {
        let before = member();
        let after = folded(Some(Arc::clone(&before)), &health(6, "down"), Revision(9)).unwrap();
        assert!(Arc::ptr_eq(&before, &after));
        let after = folded(Some(Arc::clone(&before)), &health(7, "down"), Revision(9)).unwrap();
        assert_eq!((after.status, after.since), (Status::Critical, Timestamp(5)));
        assert!(folded(None, &health(7, "down"), Revision(9)).is_none(), "it is gone");
    }

    /// What was owed would be written again and again.
    #[test]
    fn an_output_that_the_store_has_cut_is_the_same() {
        let after = |output: &str| folded(Some(member()), &health(7, output), Revision(9)).unwrap();
        let long = "x".repeat(4_000);
        assert!(are_the_same(&after(&long), &after(&long[..3_000])));
        assert!(!are_the_same(&after(&long), &after("y")));
        assert!(!are_the_same(&after("down: refused"), &after("down")));
    }

    /// A server that listed after a bulk had come into its rows showed later revisions of them than
    /// those that had followed its marker.
    #[test]
    fn a_row_of_a_fold_is_as_old_as_what_it_folds() {
        let registration = |registered: Option<u64>| SharedRow::Registration {
            key: testing::key("web/a"),
            to: Some(Box::new(Registration {
                instance: testing::instance("web/a", "10.0.0.1").into(),
                registered: registered.map(Revision::shared),
                registered_at: Timestamp(1),
                since: None,
                created: None,
                checks: None,
            })),
        };
        let followed = folded(None, &registration(None), Revision::shared(7)).unwrap();
        let row = registration(Some(7));
        let after = folded(Some(Arc::clone(&followed)), &row, Revision::shared(9)).unwrap();
        let listed = folded(None, &row, Revision::shared(9)).unwrap();
        assert_eq!((&*after, &*listed), (&*followed, &*followed));
        assert_eq!(listed.modified, Revision::shared(7));
    }
}
