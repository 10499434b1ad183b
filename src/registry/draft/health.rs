//! What checks and heartbeats say, and what their want means.

use std::{sync::Arc, time::Duration};

use super::{Draft, unchanged};
use crate::{
    model::{
        Arrival, CheckReport, CheckSpec, CheckState, EventKind, Heartbeat, InstanceKey, Interface,
        Revision, Status, Timestamp, limit,
    },
    registry::{Applied, Member, RegistryError},
};

/// What one that was not renewed says, with its ttl behind it.
const LAPSED: &str = "no heartbeat for";

/// What the `ttl` checks of a held instance say.
const HELD: &str = "silent, held by self-preservation";

/// How long a heartbeat may be on its way from the server that it reached: one is sent within
/// the time that it is worth something (`Beat::WORTH`), and takes two seconds by either way; and as
/// much again for machines that are busy. What a server hears that is behind for longer, because it
/// is cut off, counts again.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(10);

/// How long a heartbeat takes from one server to the other at the most, so that the order in which
/// words were said is known by the time. It is less than what a client waits for the reply to a
/// word that changes something: what it says next is later by more than that.
const WAY: Duration = Duration::from_millis(20);

// === impl Draft ===

impl Draft<'_> {
    /// Turns a `ttl` check that was not renewed critical, or removes an instance whose lease it is.
    pub(in crate::registry) fn lapse(&mut self, key: &InstanceKey, check: u8) {
        let Ok(member) = self.member(key) else { return };
        match member.instance.checks.get(usize::from(check)) {
            Some(spec) if spec.is_lease() => self.expire(key),
            _ => self.miss(key, check),
        }
    }

    /// Turns a `ttl` check that was not renewed critical.
    pub(in crate::registry) fn miss(&mut self, key: &InstanceKey, check: u8) {
        let check = usize::from(check);
        let Ok(member) = self.member(key) else { return };
        let Some(ttl) = member.instance.checks.get(check).and_then(CheckSpec::ttl) else { return };
        let output = silence(ttl, &member.checks[check]).into();
        let (key, status) = (key.clone(), Status::Critical);
        let check = Some((check, member.registered));
        self.set_ttl_checks(&member, &Heartbeat { key, check, status, output, heard: None });
    }

    /// Holds a silent instance in the answers as suspect: the check that was not renewed says so,
    /// and passes again if it had lapsed already.
    pub(in crate::registry) fn hold(&mut self, key: &InstanceKey, check: u8) {
        let Ok(member) = self.member(key) else { return };
        let mut next = Member::clone(&member);
        let check = usize::from(check);
        let is_ttl = member.instance.checks.get(check).is_some_and(|spec| spec.ttl().is_some());
        let Some(state) = next.checks.get_mut(check).filter(|_| is_ttl) else { return };
        // One that has said itself that it is down is believed.
        if !state.status.is_up() && state.output.starts_with(LAPSED) {
            state.status = Status::Passing;
            state.since = self.at;
        }
        if state.status.is_up() {
            state.output = HELD.into();
        }
        next.suspect = true;
        self.put_status(&member, next, HELD.into());
    }

    pub(super) fn beat(&mut self, beat: &Heartbeat) -> Result<Applied, RegistryError> {
        let member = self.member(&beat.key)?;
        let checks = &member.instance.checks;
        let is_ttl = match beat.check {
            Some((_, registered)) if registered != member.registered => {
                return Err(RegistryError::Conflict(beat.key.clone()));
            }
            Some((check, _)) => checks.get(check).is_some_and(|spec| spec.ttl().is_some()),
            None => member.instance.has_ttl_check(),
        };
        if !is_ttl {
            return Err(RegistryError::NoTtlCheck(beat.key.clone()));
        }
        Ok(self.set_ttl_checks(&member, beat))
    }

    /// The output is taken with a change of status, at the end of a hold, or when nothing was said
    /// before: a heartbeat that says something new each time must not cost a write each time. Of
    /// one check by itself what is new is taken, too: whoever hands it over has paced it. Of
    /// Consul's clients that is nothing as well, which an agent shows; others do not take it back.
    /// What was `heard` before a check's newest word, and comes after it, leaves that one alone.
    /// Who heard it knows so by the revision that it had seen, or else by the time: a server that
    /// is behind by a moment may hear the newer word without knowing of the older one.
    pub(super) fn set_ttl_checks(&mut self, before: &Member, beat: &Heartbeat) -> Applied {
        let Heartbeat { check, status, output, heard, .. } = beat;
        let (only, status) = (check.map(|(check, _)| check), *status);
        let Arrival { seen, at } = heard.unwrap_or_default();
        // Not when it came here: what was said since, at other servers, comes after it.
        let said_at = at.map(|at| at.min(self.at).before(WAY));
        let may_be_older = seen.is_some_and(|seen| before.modified > seen);
        let is_outdated = |state: &CheckState| {
            let is_later = said_at.is_some_and(|at| at > state.since);
            may_be_older && !is_later && is_recent_word(state, self.at)
        };
        let mut next = before.clone();
        no_longer_held(&mut next, only, output);
        let is_word =
            only.is_some() && (!output.is_empty() || before.instance.is_from(Interface::Consul));
        let specs = before.instance.checks.iter();
        for (index, (state, spec)) in next.checks.iter_mut().zip(specs).enumerate() {
            let is_meant = spec.ttl().is_some()
                && only.is_none_or(|only| only == index)
                && !is_outdated(&before.checks[index]);
            if is_meant && state.status != status {
                state.status = status;
                state.since = said_at.unwrap_or(self.at);
                state.output = Arc::clone(output);
            } else if is_meant && (state.output.is_empty() || is_word) && state.output != *output {
                state.output = Arc::clone(output);
            }
        }
        self.put_status(before, next, Arc::clone(output))
    }

    /// A result that is late for a replaced or removed registration changes nothing: whoever sent
    /// it could not know.
    pub(super) fn report(&mut self, report: &CheckReport) -> Applied {
        let current = self.member(&report.key).ok();
        let current = current.filter(|member| member.registered == report.registered);
        let Some(before) = current else { return unchanged(self.revision) };
        let mut next = Member::clone(&before);
        // What an `alias` is in follows from another's state, and from nothing else.
        let is_alias = |spec: &CheckSpec| spec.alias().is_some();
        let Some(check) = next
            .checks
            .get_mut(report.check)
            .filter(|_| !before.instance.checks.get(report.check).is_some_and(is_alias))
        else {
            return unchanged(self.revision);
        };
        if check.status != report.status {
            check.since = report.since.unwrap_or(self.at);
        }
        check.status = report.status;
        check.output = Arc::clone(&report.output);
        self.put_status(&before, next, Arc::clone(&report.output))
    }

    /// Puts a member whose checks or suspicion may have changed, and tells of it when its own
    /// state did.
    pub(super) fn put_status(
        &mut self,
        before: &Member,
        mut next: Member,
        output: Arc<str>,
    ) -> Applied {
        let (from, to) = (before.status, next.worst());
        next.status = to;
        if next.suspect && next.is_found_dead() {
            // A death that an active check confirms is no suspicion any more: from here on only a
            // heartbeat brings the instance back.
            next.suspect = false;
            for state in next.checks.iter_mut().filter(|state| is_held(state)) {
                state.status = Status::Critical;
                state.since = self.at;
                state.output = "silent, and an active check failed".into();
            }
        }
        if next == *before {
            return unchanged(before.modified);
        }
        let revision = self.step();
        if from != to {
            next.since = self.at;
        }
        self.tell_of_status(before, &next, revision, output);
        self.put(Some(before), next, revision);
        Applied { revision, created: 0, changed: true }
    }

    pub(super) fn tell_of_status(
        &mut self,
        before: &Member,
        next: &Member,
        revision: Revision,
        output: Arc<str>,
    ) {
        let (from, to, suspect) = (before.status, next.status, next.suspect);
        if from != to || suspect != before.suspect {
            let key = next.key();
            let service = key.service.clone();
            let kind = EventKind::StatusChanged { key, from, to, suspect, output };
            self.event(revision, &service, kind);
        } else if before.registered == next.registered && !before.has_statuses_of(next) {
            let kind = EventKind::CheckChanged { key: next.key() };
            self.event(revision, &next.instance.service, kind);
        }
    }
}

/// What is said of a check that was not renewed: for how long, and what it said last, which may be
/// why.
fn silence(ttl: Duration, state: &CheckState) -> String {
    let mut text = format!("{LAPSED} {ttl:?}");
    if let Some(last) = state.last_word().filter(|last| *last != HELD) {
        text.push_str("; the last one said: ");
        text.push_str(last);
        text.truncate(text.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX));
    }
    text
}

/// Takes the word of a hold back, of one check or of all: also of one that a restart has ended,
/// after which the checks still say so although suspicion is not stored. The instance is suspect as
/// long as another of its checks is held.
pub(super) fn no_longer_held(member: &mut Member, only: Option<usize>, output: &Arc<str>) {
    for (index, state) in member.checks.iter_mut().enumerate() {
        if is_held(state) && only.is_none_or(|only| only == index) {
            state.output = if output.is_empty() { "heartbeat".into() } else { Arc::clone(output) };
        }
    }
    member.suspect &= member.checks.iter().any(is_held);
}

pub(in crate::registry) fn is_held(state: &CheckState) -> bool {
    &*state.output == HELD
}

/// Whether a client has said of late how a check is, later than another server has found it to be
/// as it was found at `since`: that one has not heard of it yet.
pub(in crate::registry) fn is_later_word(
    state: Option<&CheckState>,
    since: Timestamp,
    now: Timestamp,
) -> bool {
    state.is_some_and(|state| is_recent_word(state, now) && state.since.before(WAY) > since)
}

/// Whether a `ttl` check is in its state by somebody's word, not for want of one, and so lately
/// that a heartbeat may be on its way still that was sent before it.
fn is_recent_word(state: &CheckState, now: Timestamp) -> bool {
    let is_silence = is_held(state) || !state.status.is_up() && state.output.starts_with(LAPSED);
    // A clock that went back since would make each word a recent one.
    !is_silence && state.since <= now && now.since(state.since) <= ON_ITS_WAY_MAX
}
