//! Where several servers check each instance: reports as opinions, and what a majority makes of
//! them.
//!
//! What a checker finds is not shown but compared with what is shared. If it differs, whoever
//! writes what is found of the instance counts it with those of the others, and shows and writes
//! what more than half of them find; the others then agree and take their rows back.
//!
//! A server that is cut off has nobody to ask: it shows what it finds itself. When it is back it
//! goes on so for the time of settling, and writes nothing but what the majority finds.

use std::time::Duration;

use super::Sharing;
use crate::{
    model::{CheckReport, CheckState, Command, InstanceKey},
    registry::{
        Applied, Edit, Member, Snapshot,
        apply::{Applier, Reply, reply},
        handle::Request,
        shared::are_the_same,
    },
};

/// Rows of opinions in one proposal, so that they leave room for what is decided.
const OPINIONS_MAX: usize = 20;

// === impl Sharing ===

impl Sharing {
    /// The servers that check other instances now are others, too.
    pub(super) fn adopt_juries(&mut self) {
        let before = self.views;
        self.views = *self.ownership_changes.borrow_and_update();
        // Of two views at once the first may have stopped checks here, whose counts are gone then:
        // what they have found would never be taken back. What still holds is found again.
        let is_next = self.views <= before + 1;
        let ownership = &self.ownership;
        self.opinions.keep_own(|key| is_next && ownership.checks(key));
        self.opinions.look_again();
    }

    /// The rows that bring this server's opinions up to date, some of them.
    pub(super) fn opinions_owed(&mut self) -> Vec<Edit> {
        match self.ownership.me().filter(|_| self.ownership.is_known()) {
            Some(me) => self.opinions.edits(&me, OPINIONS_MAX),
            None => Vec::new(),
        }
    }

    /// What may be written of the checks of an instance that is shown as `shown`; `None` when that
    /// is nothing new. What only this server finds stays its own.
    pub(super) fn admitted(
        &mut self,
        key: &InstanceKey,
        shown: &Member,
        now: Duration,
    ) -> Option<Box<[CheckState]>> {
        let mut checks = shown.checks.clone();
        let Some(shared) = self.overlay.get(key).cloned().filter(|_| self.ownership.has_juries())
        else {
            return Some(checks);
        };
        let outvoted = self.outvoted(key, &shared);
        let specs = shown.instance.checks.iter().zip(&shared.checks).enumerate();
        for (check, (_, known)) in specs.filter(|(_, (spec, _))| spec.thresholds().is_some()) {
            let is_turned = checks[check].status.is_up() != known.status.is_up();
            if is_turned && !outvoted.iter().any(|(other, _)| *other == check) {
                checks[check] = known.clone();
            }
        }
        let found = Member { checks: checks.clone(), ..Member::clone(shown) };
        if are_the_same(&found, &shared) {
            self.overlay.disown(key, now + self.settling);
            self.settled_at.get_or_insert(now + self.settling);
            return None;
        }
        Some(checks)
    }

    /// Which checks a majority finds otherwise than is shared.
    fn outvoted(&self, key: &InstanceKey, shared: &Member) -> Vec<(usize, CheckState)> {
        let Some(me) = self.ownership.me() else { return Vec::new() };
        self.opinions.outvoted(key, shared, &me, &self.ownership.jury(key))
    }

    /// Whether a report is to be shown as it is. If not, it is an opinion and no more.
    fn is_shown(&self, report: &CheckReport, shown: &Member, shared: &Member) -> bool {
        let check = report.check;
        let is_active = |member: &Member| {
            member.instance.checks.get(check).is_some_and(|spec| spec.thresholds().is_some())
        };
        if report.registered != shown.registered || !is_active(shown) {
            return true; // dropped there, or somebody's word
        }
        let turns = shared.checks[check].status.is_up() != report.status.is_up();
        // Words, and whether what passes warns, are those of the server that writes. What another
        // has shown while it was cut off it may take back.
        !turns && (self.ownership.keeps(&report.key) || !self.overlay.is_clean(&report.key))
    }
}

// === impl Applier ===

impl Applier {
    /// Takes out of what is seen what is only this server's opinion.
    pub(in crate::registry::apply) fn take_opinions(
        &mut self,
        base: &Snapshot,
        seen: Vec<Request>,
    ) -> Vec<Request> {
        let at = self.wall_time();
        let Some(sharing) = self.sharing.as_mut().filter(|it| it.ownership.checkers() > 1) else {
            return seen;
        };
        let has_juries = sharing.ownership.has_juries();
        let mut others = Vec::with_capacity(seen.len());
        for request in seen {
            if let Command::Report(report) = &request.command
                && let Some(shown) = base.member(&report.key)
            {
                let shared = sharing.overlay.shared(&report.key, shown);
                let is_shown = !has_juries || sharing.is_shown(report, shown, shared);
                sharing.opinions.hear(report, shared, at);
                if !is_shown {
                    heard(request.reply, shown);
                    continue;
                }
            }
            others.push(request);
        }
        others
    }

    /// Looks where there may be another majority than before, and shows what it finds where it is
    /// this server's task to write it.
    pub(in crate::registry::apply) fn judge_opinions(&mut self) {
        let Some(sharing) = &mut self.sharing else { return };
        let unjudged = sharing.opinions.take_unjudged();
        if unjudged.is_empty() {
            return;
        }
        let (base, has_juries) = (self.registry.snapshot(), sharing.ownership.has_juries());
        let mut verdicts = Vec::new();
        for key in unjudged {
            let shown = base.member(&key);
            let shared = shown.map(|shown| sharing.overlay.shared(&key, shown));
            sharing.opinions.agree(&key, shared.map(AsRef::as_ref));
            let (Some(shown), Some(shared)) = (shown, shared) else { continue };
            if !has_juries || !sharing.ownership.keeps(&key) {
                continue;
            }
            let outvoted = sharing.outvoted(&key, shared);
            if !outvoted.is_empty() {
                sharing.overlay.owe(&key);
            }
            for (check, CheckState { status, output, .. }) in outvoted {
                let is_turned = |state: &CheckState| state.status.is_up() == status.is_up();
                if !shown.checks.get(check).is_some_and(is_turned) {
                    let (key, registered) = (key.clone(), shown.registered);
                    verdicts.push(CheckReport {
                        key,
                        registered,
                        check,
                        status,
                        output,
                        since: None,
                    });
                }
            }
        }
        self.show_verdicts(&base, verdicts);
    }

    fn show_verdicts(&mut self, base: &Snapshot, verdicts: Vec<CheckReport>) {
        if verdicts.is_empty() {
            return;
        }
        let (finished, _) = self.draft(base, &[], |draft| {
            verdicts.into_iter().map(|it| draft.apply(&Command::Report(it))).collect()
        });
        if let Some(finished) = finished {
            self.note_seen(base, &finished);
            self.publish(base, finished);
        }
    }
}

/// An opinion was heard; nothing is shown otherwise.
fn heard(to: Reply, shown: &Member) {
    reply(to, Ok(Applied { revision: shown.modified, created: 0, changed: false }));
}
