//! What servers find otherwise than the shared state has it, where several check each instance.
//!
//! Only dissent is kept and written: of a check, whether it is up. Whoever finds the same says
//! nothing, so that in the steady state nothing is written; and of those that pass, whether one
//! warns is the word of the server that writes what is found.
//!
//! Rejected: a row for each result of each server (each flip would be as many rows, and a target
//! that is down would have them for good), and a state that is worked out by each server from the
//! rows (all would have to agree on who is alive, at the same revision, to show the same).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use parking_lot::RwLock;

use super::{Edit, Opinion};
use crate::{
    model::{CheckReport, CheckState, InstanceKey, Timestamp},
    registry::{Member, ServerId},
};

/// The opinions that dissent, as the store has them, by instance and server. Clones share them.
///
/// They are not in the snapshot: no answer depends on them.
#[derive(Debug, Clone, Default)]
pub struct Dissent(Arc<RwLock<Rows>>);

type Rows = HashMap<InstanceKey, BTreeMap<ServerId, Opinion>>;

/// What is known of opinions: those of this server, and the rows of all.
#[derive(Debug, Default)]
pub(in crate::registry) struct Opinions {
    own: HashMap<InstanceKey, Opinion>,
    rows: Dissent,
    /// Where the own opinion may be another one than its row says.
    owed: HashSet<InstanceKey>,
    /// Where there may be another majority than before.
    unjudged: HashSet<InstanceKey>,
}

// === impl Dissent ===

impl Dissent {
    /// The servers that find an instance otherwise than is shared, and what they find.
    pub fn of(&self, key: &InstanceKey) -> Vec<(ServerId, Opinion)> {
        let rows = self.0.read();
        let rows = rows.get(key).into_iter().flatten();
        rows.map(|(by, opinion)| (Arc::clone(by), opinion.clone())).collect()
    }

    /// How many opinions there are: one for each server and instance.
    pub fn len(&self) -> usize {
        self.0.read().values().map(BTreeMap::len).sum()
    }

    /// Whether all are of one opinion.
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }
}

// === impl Opinions ===

impl Opinions {
    /// With rows that others read, too.
    pub(in crate::registry) fn new(rows: Dissent) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Takes what this server finds; `shared` is what the store has of the instance.
    pub(in crate::registry) fn hear(
        &mut self,
        report: &CheckReport,
        shared: &Member,
        at: Timestamp,
    ) {
        let Some(known) = shared.checks.get(report.check) else { return };
        let is_active = |check: usize| shared.instance.checks[check].thresholds().is_some();
        if report.registered != shared.registered || !is_active(report.check) {
            return;
        }
        if report.status.is_up() == known.status.is_up() {
            let own = self.own.get_mut(&report.key).filter(|own| own.of == shared.registered);
            if own.is_some_and(|own| own.checks.remove(&report.check).is_some()) {
                self.changed(&report.key);
            }
            return;
        }
        let new = || Opinion { of: shared.registered, checks: BTreeMap::new() };
        let own = self.own.entry(report.key.clone()).or_insert_with(new);
        if own.of != shared.registered {
            *own = new();
        }
        // It is repeated with each result; other words alone are not worth a row.
        if own.checks.get(&report.check).is_none_or(|state| state.status != report.status) {
            let (status, output) = (report.status, Arc::clone(&report.output));
            own.checks.insert(report.check, CheckState { status, output, since: at });
            self.changed(&report.key);
        }
    }

    /// Takes back what is no dissent any more, now that `shared` is what the store has.
    pub(in crate::registry) fn agree(&mut self, key: &InstanceKey, shared: Option<&Member>) {
        let Some(own) = self.own.get_mut(key) else { return };
        let before = own.checks.len();
        let shared = shared.filter(|shared| shared.registered == own.of);
        own.checks.retain(|check, state| {
            let known = shared.and_then(|shared| shared.checks.get(*check));
            known.is_some_and(|known| known.status.is_up() != state.status.is_up())
        });
        if own.checks.len() < before {
            self.changed(key);
        }
    }

    fn changed(&mut self, key: &InstanceKey) {
        if self.own.get(key).is_some_and(|own| own.checks.is_empty()) {
            self.own.remove(key);
        }
        self.owed.insert(key.clone());
        self.unjudged.insert(key.clone());
    }

    /// Takes a row of the store.
    pub(in crate::registry) fn follow(
        &mut self,
        key: &InstanceKey,
        by: &ServerId,
        to: Option<&Opinion>,
    ) {
        let mut rows = self.rows.0.write();
        match to {
            Some(to) => {
                rows.entry(key.clone()).or_default().insert(Arc::clone(by), to.clone());
            }
            None => {
                if let Some(of) = rows.get_mut(key) {
                    of.remove(by);
                    if of.is_empty() {
                        rows.remove(key);
                    }
                }
            }
        }
        drop(rows);
        self.owed.insert(key.clone());
        self.unjudged.insert(key.clone());
    }

    /// Forgets all rows: those of a list come next.
    pub(in crate::registry) fn forget_rows(&mut self) {
        self.look_again();
        self.rows.0.write().clear();
    }

    /// Has all be judged and compared anew.
    pub(in crate::registry) fn look_again(&mut self) {
        let rows = self.rows.0.read();
        let keys = rows.keys().chain(self.own.keys()).cloned();
        self.unjudged.extend(keys.clone());
        self.owed.extend(keys);
    }

    /// What is known of an instance may be another now, in the store.
    pub(in crate::registry) fn touched(&mut self, key: &InstanceKey) {
        if self.own.contains_key(key) || self.rows.0.read().contains_key(key) {
            self.unjudged.insert(key.clone());
        }
    }

    /// Drops own opinions of instances that are not checked here any more.
    pub(in crate::registry) fn keep_own(&mut self, is_checked: impl Fn(&InstanceKey) -> bool) {
        let dropped = self.own.extract_if(|key, _| !is_checked(key));
        self.owed.extend(dropped.map(|(key, _)| key));
    }

    /// What has to be judged, once.
    pub(in crate::registry) fn take_unjudged(&mut self) -> HashSet<InstanceKey> {
        std::mem::take(&mut self.unjudged)
    }

    /// Which checks of an instance a majority of those who check it finds otherwise, and how.
    pub(in crate::registry) fn outvoted(
        &self,
        key: &InstanceKey,
        shared: &Member,
        me: &ServerId,
        jury: &[ServerId],
    ) -> Vec<(usize, CheckState)> {
        let rows = self.rows.0.read();
        let rows = rows.get(key);
        // What this server has written may be behind what it finds.
        let of = |id: &ServerId| match id == me {
            true => self.own.get(key),
            false => rows.and_then(|rows| rows.get(id)),
        };
        let opinions: Vec<&Opinion> = jury.iter().filter_map(of).collect();
        outvoted(shared, jury.len(), &opinions)
    }

    /// How many rows may have to be written.
    pub(in crate::registry) fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Up to `most` changes that bring this server's rows up to date.
    pub(in crate::registry) fn edits(&mut self, me: &ServerId, most: usize) -> Vec<Edit> {
        let Self { own, rows, owed, .. } = self;
        let rows = rows.0.read();
        let (mut edits, mut paid) = (Vec::new(), Vec::new());
        for key in owed.iter() {
            if edits.len() == most {
                break;
            }
            let (to, row) = (own.get(key), rows.get(key).and_then(|rows| rows.get(me)));
            if are_the_same(to, row) {
                paid.push(key.clone());
            } else {
                edits.push(Edit::Opinion { key: key.clone(), by: Arc::clone(me), to: to.cloned() });
            }
        }
        for key in paid {
            owed.remove(&key);
        }
        edits
    }
}

/// Whether two opinions, or none, find the same. A row may have less of the words than was found,
/// and other words alone are not worth a row.
fn are_the_same(one: Option<&Opinion>, other: Option<&Opinion>) -> bool {
    let found = |opinion: &Opinion| -> Vec<_> {
        opinion.checks.iter().map(|(check, state)| (*check, state.status)).collect()
    };
    match (one, other) {
        (Some(one), Some(other)) => one.of == other.of && found(one) == found(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Which checks more than half of so many servers find otherwise than is shared, and how the first
/// of them does. `opinions` are of those servers and of no others; who has none finds the same.
fn outvoted(shared: &Member, servers: usize, opinions: &[&Opinion]) -> Vec<(usize, CheckState)> {
    let found = opinions.iter().filter(|opinion| opinion.of == shared.registered);
    let specs = shared.instance.checks.iter().zip(&shared.checks).enumerate();
    let active = specs.filter(|(_, (spec, _))| spec.thresholds().is_some());
    active
        .filter_map(|(check, (_, known))| {
            let dissents = |opinion: &&&Opinion| opinion.checks.get(&check).cloned();
            let mut against = found
                .clone()
                .filter_map(|opinion| dissents(&opinion))
                .filter(|state| state.status.is_up() != known.status.is_up());
            let first = against.next()?;
            (2 * (1 + against.count()) > servers).then_some((check, first))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Edit, Opinion, Opinions, outvoted};
    use crate::{
        model::{
            CheckReport, CheckState, Instance, Revision,
            Status::{self, Critical, Passing, Warning},
            Timestamp,
        },
        registry::{
            Member, ServerId,
            testing::{key, tcp_checked},
        },
    };

    const REGISTERED: Revision = Revision(7);

    fn member(statuses: &[Status]) -> Member {
        let one = tcp_checked("web/a");
        let checks = vec![one.checks[0].clone(); statuses.len()].into();
        let instance = Arc::new(Instance { checks, ..one });
        let mut member = Member::new(instance, REGISTERED, Timestamp(1));
        for (state, status) in member.checks.iter_mut().zip(statuses) {
            state.status = *status;
        }
        member
    }

    fn opinion(found: &[(usize, Status)]) -> Opinion {
        let state = |status| CheckState { status, output: "found".into(), since: Timestamp(2) };
        let checks = found.iter().map(|(check, status)| (*check, state(*status))).collect();
        Opinion { of: REGISTERED, checks }
    }

    fn report(check: usize, status: Status) -> CheckReport {
        let (key, output) = (key("web/a"), "found".into());
        CheckReport { key, registered: REGISTERED, check, status, output, since: None }
    }

    fn written(opinions: &mut Opinions, me: &ServerId) -> Vec<Edit> {
        let edits = opinions.edits(me, 9);
        for edit in &edits {
            let Edit::Opinion { key, by, to } = edit else { panic!("{edit:?}") };
            opinions.follow(key, by, to.as_ref());
        }
        edits
    }

    fn back(me: &ServerId) -> Edit {
        Edit::Opinion { key: key("web/a"), by: Arc::clone(me), to: None }
    }

    #[test]
    fn more_than_half_of_those_who_check_decide() {
        for (servers, shared, found, shown) in [
            (1, Passing, &[Critical][..], Critical),
            (2, Passing, &[Critical], Passing), // as many on either side
            (2, Critical, &[Passing], Critical),
            (2, Passing, &[Critical; 2], Critical),
            (3, Passing, &[], Passing),
            (3, Passing, &[Critical], Passing),
            (3, Passing, &[Critical; 2], Critical),
            (3, Critical, &[Passing], Critical),
            (3, Critical, &[Passing, Warning], Passing), // as the first of them finds it
            (3, Critical, &[Warning, Passing], Warning),
            (3, Warning, &[Critical; 3], Critical),
            (3, Warning, &[Passing; 3], Warning), // up is up
            (5, Passing, &[Critical; 2], Passing),
            (5, Passing, &[Critical; 3], Critical),
            (5, Critical, &[Passing, Passing, Warning], Passing),
        ] {
            let opinions: Vec<Opinion> = found.iter().map(|it| opinion(&[(0, *it)])).collect();
            let opinions: Vec<&Opinion> = opinions.iter().collect();
            let out = outvoted(&member(&[shared]), servers, &opinions);
            let now = out.first().map_or(shared, |(_, state)| state.status);
            assert_eq!(now, shown, "{servers} servers, {shared}, {found:?}");
        }
    }

    #[test]
    fn each_check_is_decided_by_itself() {
        let shared = member(&[Passing, Passing, Critical]);
        let [one, two] = [
            opinion(&[(0, Critical), (1, Critical), (2, Passing)]),
            opinion(&[(1, Critical), (2, Passing), (9, Critical)]),
        ];
        let out = outvoted(&shared, 3, &[&one, &two]);
        assert_eq!(out.iter().map(|(check, _)| *check).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_was_found_of_another_registration_does_not_count() {
        let old = Opinion { of: Revision(6), ..opinion(&[(0, Critical)]) };
        let new = opinion(&[(0, Critical)]);
        assert!(outvoted(&member(&[Passing]), 3, &[&old, &new]).is_empty());
    }

    #[test]
    fn only_dissent_is_written_and_only_once() {
        let (mut opinions, me, shared) = (Opinions::default(), "a".into(), member(&[Passing]));
        opinions.hear(&report(0, Passing), &shared, Timestamp(3));
        assert!(written(&mut opinions, &me).is_empty());
        opinions.hear(&report(0, Critical), &shared, Timestamp(4));
        assert_eq!(written(&mut opinions, &me).len(), 1);
        let again = CheckReport { output: "in other words".into(), ..report(0, Critical) };
        opinions.hear(&again, &shared, Timestamp(5));
        opinions.hear(&report(3, Critical), &shared, Timestamp(5));
        assert!(written(&mut opinions, &me).is_empty());
        // The lease ran out under it.
        opinions.follow(&key("web/a"), &me, None);
        assert_eq!(written(&mut opinions, &me).len(), 1);
        opinions.hear(&report(0, Passing), &shared, Timestamp(6));
        assert_eq!(written(&mut opinions, &me), [back(&me)]);
        assert!(opinions.rows.is_empty() && opinions.own.is_empty());
    }

    #[test]
    fn a_row_that_has_less_of_the_words_is_not_written_again() {
        let (mut opinions, me, shared) = (Opinions::default(), "a".into(), member(&[Passing]));
        let long = CheckReport { output: "a page ".repeat(500).into(), ..report(0, Critical) };
        opinions.hear(&long, &shared, Timestamp(3));
        let edits = opinions.edits(&me, 9);
        let [Edit::Opinion { key, by, to: Some(to) }] = &edits[..] else { panic!("{edits:?}") };
        let mut cut = to.clone();
        cut.checks.get_mut(&0).unwrap().output = "a page a page".into();
        opinions.follow(key, by, Some(&cut));
        assert!(opinions.edits(&me, 9).is_empty());
        // What is found otherwise is written, and here that takes the row back.
        opinions.hear(&report(0, Passing), &shared, Timestamp(4));
        assert_eq!(opinions.edits(&me, 9), [back(&me)]);
    }

    #[test]
    fn no_more_is_written_at_once_than_is_asked_for_and_nothing_is_left() {
        let (mut opinions, me) = (Opinions::default(), "a".into());
        for instance in 0..50 {
            let row = key(&format!("web/{instance}"));
            opinions.follow(&row, &me, Some(&opinion(&[(0, Critical)])));
        }
        let mut written = 0;
        while let edits @ [_, ..] = &opinions.edits(&me, 20)[..] {
            assert!(edits.len() <= 20);
            written += edits.len();
            for edit in edits {
                let Edit::Opinion { key, by, to } = edit else { panic!("{edit:?}") };
                opinions.follow(key, by, to.as_ref());
            }
        }
        assert_eq!((written, opinions.owed()), (50, 0));
    }

    #[test]
    fn it_is_taken_back_when_the_shared_state_comes_round_or_the_registration_is_another() {
        let me = "a".into();
        for shared in [
            Some(member(&[Critical])),
            Some(Member { registered: Revision(9), ..member(&[Passing]) }),
            None,
        ] {
            let mut opinions = Opinions::default();
            opinions.hear(&report(0, Critical), &member(&[Passing]), Timestamp(4));
            assert_eq!(written(&mut opinions, &me).len(), 1);
            opinions.agree(&key("web/a"), shared.as_ref());
            assert_eq!(written(&mut opinions, &me), [back(&me)], "{shared:?}");
        }
    }

    #[test]
    fn rows_of_the_life_before_are_taken_back() {
        let (mut opinions, me) = (Opinions::default(), "a".into());
        opinions.follow(&key("web/a"), &me, Some(&opinion(&[(0, Critical)])));
        opinions.follow(&key("web/b"), &"b".into(), Some(&opinion(&[(0, Critical)])));
        assert_eq!(written(&mut opinions, &me), [back(&me)]);
        assert_eq!(opinions.rows.len(), 1, "others' stay");
    }
}
