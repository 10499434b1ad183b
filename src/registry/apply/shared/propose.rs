//! What is written: what was asked for, and what is owed.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Awaited, ECHO_PATIENCE, Parked, Proposed, Sharing, Taken, Unanswered, ground::on_ground,
    unreachable,
};
use crate::{
    model::{Command, InstanceKey, Invalid},
    registry::{
        Edit, Guard, Health, JournalError, Proposal, Refused, RegistryError, Snapshot, Weather,
        apply::{Applier, reply},
        handle::Request,
        shared::{edits, settle_unchanged},
    },
};

/// Rows of one proposal: with up to three conditions each they stay within what etcd takes in a
/// transaction by default. A single command may have more.
const PROPOSAL_ROWS_MAX: usize = 40;

/// How often a proposal is drafted again that others were faster than.
const TRIES_MAX: u8 = 4;

/// How soon the store is asked again to take what it is owed.
const OWED_RETRY: Duration = Duration::from_secs(1);

/// Who has waited for as long when a proposal ends that the store has not answered is not proposed
/// any more: with the time of another proposal that is longer than what a client of ours waits.
const UNANSWERED_PATIENCE: Duration = Duration::from_secs(2);

/// A proposal that is under way for as long is slow: a hundred times what most take. A bulk may be
/// for half a minute.
const SLOW: Duration = Duration::from_secs(1);

/// How long anybody waits for one that is slow: with the time to the next look shorter than what a
/// client of ours waits.
const SLOW_PATIENCE: Duration = Duration::from_secs(8);

// === impl Sharing ===

impl Sharing {
    /// Removals that are owed to a store without room, some of them: those it takes, and nothing
    /// that has to be written beside them.
    fn removals_owed(&self, snapshot: &Snapshot) -> Vec<InstanceKey> {
        if !self.has_no_room {
            return Vec::new();
        }
        let removed = self.overlay.owed().iter().filter(|key| snapshot.member(key).is_none());
        removed.take(PROPOSAL_ROWS_MAX).cloned().collect()
    }

    /// What is owed, as much of it as one proposal has room for. What only this server finds is no
    /// longer owed then, and however much of that there is, what comes after it is found.
    fn edits_owed(&mut self, snapshot: &Snapshot, now: Duration) -> Vec<Edit> {
        let (mut edits, mut first) = (Vec::new(), self.removals_owed(snapshot));
        if first.is_empty() {
            self.has_no_room = false;
            edits = self.opinions_owed();
            first = self.some_owed(PROPOSAL_ROWS_MAX - edits.len());
        }
        edits.extend(first.into_iter().filter_map(|key| self.edit_owed(key, snapshot, now)));
        if edits.is_empty() {
            // Once through all of it: what is disowned on the way is not come upon again.
            let rest = self.some_owed(usize::MAX).into_iter();
            let found = rest.filter_map(|key| self.edit_owed(key, snapshot, now));
            edits = found.take(PROPOSAL_ROWS_MAX).collect();
        }
        edits
    }

    fn some_owed(&self, most: usize) -> Vec<InstanceKey> {
        self.overlay.owed().iter().take(most).cloned().collect()
    }

    /// `None` when what is shown is not to be written, and so no longer owed.
    fn edit_owed(&mut self, key: InstanceKey, snapshot: &Snapshot, now: Duration) -> Option<Edit> {
        let Some(member) = snapshot.member(&key) else {
            return Some(Edit::Deregister { key, guard: Guard::PresentUnchanged });
        };
        let checks = self.admitted(&key, member, now)?;
        Some(Edit::Health { key, to: Health::of(member, checks) })
    }
}

// === impl Applier ===

impl Applier {
    /// Drafts a proposal of what is asked for, or else of what is owed. `None` when there is
    /// nothing to write, or what was written before is not seen yet.
    pub(in crate::registry) fn propose(&mut self) -> Option<(Proposal, Proposed)> {
        self.reply_to_seen();
        self.refuse_waiting();
        let sharing = self.sharing.as_mut()?;
        if sharing.taken.is_some() || sharing.weather != Weather::Fair {
            return None;
        }
        let asks =
            !self.waiting.is_empty() || !sharing.parked.is_empty() || !sharing.separate.is_empty();
        // What the store has refused a moment ago holds nothing up.
        let is_due = self.retry_at.is_none_or(|at| at <= self.clock.elapsed());
        let owes = is_due && (!sharing.overlay.owed().is_empty() || sharing.opinions.owed() > 0);
        let is_asked_first = sharing.has_paid || !owes;
        if is_asked_first {
            sharing.has_paid = false;
            if let Some(proposal) = asks.then(|| self.propose_asked()).flatten() {
                return Some(proposal);
            }
        }
        // What is owed may not be ripe to be written. Then nothing else would wake who asks.
        let owed = self.propose_owed();
        owed.or_else(|| if asks && !is_asked_first { self.propose_asked() } else { None })
    }

    fn propose_asked(&mut self) -> Option<(Proposal, Proposed)> {
        let base = self.registry.snapshot();
        // What comes to nothing is replied to, and the next may come to something.
        loop {
            let requests = self.next_requests(&base);
            if requests.is_empty() {
                return None;
            }
            let ground = self.ground(&base, &requests);
            let (finished, mut outcomes) = self.draft(&ground, &[], |draft| {
                requests.iter().map(|(request, _)| draft.apply(&request.command)).collect()
            });
            let mut edits = finished.map(|it| edits(&ground, &it.changes)).unwrap_or_default();
            self.clear_away(&ground, &mut edits);
            let taken = requests.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
            let commands = taken.map(|((request, _), _)| &request.command);
            let mut kept = settle_unchanged(&ground, commands, &mut edits);
            self.hold_fast(&ground, &mut kept, &mut edits);
            on_ground(&mut outcomes, &base);
            if !edits.is_empty() || !kept.is_empty() {
                let base = base.shared.unwrap_or_default().shared_part();
                self.sharing.as_mut()?.proposing_since = Some(Instant::now());
                let proposal = Proposal { base, edits, kept, as_owner: false };
                return Some((proposal, Proposed { requests, outcomes }));
            }
            for ((request, _), outcome) in requests.into_iter().zip(outcomes) {
                reply(request.reply, outcome);
            }
        }
    }

    /// Takes what waits for one proposal: first what is to be proposed separately.
    fn next_requests(&mut self, base: &Snapshot) -> Vec<(Request, u8)> {
        let shared = base.shared.unwrap_or_default().shared_part();
        let Some(sharing) = &mut self.sharing else { return Vec::new() };
        if let Some(requests) = sharing.separate.next() {
            return requests;
        }
        let now = self.clock.elapsed();
        let mut requests = Vec::new();
        for parked in std::mem::take(&mut sharing.parked) {
            if parked.at > shared && parked.until > now {
                sharing.parked.push(parked);
                continue;
            }
            let Parked { request, tries, lost, .. } = parked;
            match lost {
                Some(key) if tries >= TRIES_MAX || !stands(&request.command, base) => {
                    reply(request.reply, Err(RegistryError::Conflict(key)));
                }
                None if tries >= TRIES_MAX => reply(request.reply, Err(RegistryError::Busy)),
                _ => requests.push((request, tries)),
            }
        }
        if !requests.is_empty() {
            return requests; // what they lose again holds up no others
        }
        let mut rows = 0;
        let fits = |request: &Request| {
            let own = rows_of(&request.command);
            let fits = rows == 0 || rows + own <= PROPOSAL_ROWS_MAX;
            rows += own;
            fits
        };
        let count = self.waiting.iter().map(fits).take_while(|fits| *fits).count();
        self.waiting.drain(..count).map(|request| (request, 0)).collect()
    }

    fn propose_owed(&mut self) -> Option<(Proposal, Proposed)> {
        if self.retry_at.is_some_and(|at| at > self.clock.elapsed()) {
            return None;
        }
        self.retry_at = None;
        let snapshot = self.registry.snapshot();
        let sharing = self.sharing.as_mut()?;
        let edits = sharing.edits_owed(&snapshot, self.clock.elapsed());
        if edits.is_empty() {
            return None;
        }
        sharing.has_paid = true;
        let base = snapshot.shared.unwrap_or_default().shared_part();
        sharing.proposing_since = Some(Instant::now());
        let proposal = Proposal { base, edits, kept: Vec::new(), as_owner: true };
        Some((proposal, Proposed { requests: Vec::new(), outcomes: Vec::new() }))
    }

    /// Nobody waits for a store that is out of reach, nobody for long for one that has not answered
    /// the last proposal, and nobody for longer than clients do behind one that takes long.
    pub(in crate::registry) fn refuse_waiting(&mut self) {
        let Some(sharing) = &self.sharing else { return };
        let (now, since) = (Instant::now(), sharing.proposing_since);
        if let Weather::Lost(why) = &sharing.weather {
            let error = unreachable(why.clone());
            self.refuse_those(&error, |_| true);
            return;
        }
        if let Some(Unanswered { at, error }) = sharing.unanswered.clone() {
            self.refuse_those(&error, |request| request.came + UNANSWERED_PATIENCE <= at);
        }
        if since.is_some_and(|since| since + SLOW <= now) {
            let error = RegistryError::Held("a large change is being written".into());
            self.refuse_those(&error, |request| request.came + SLOW_PATIENCE <= now);
        }
    }

    fn refuse_those(&mut self, error: &RegistryError, is_over: impl Fn(&Request) -> bool) {
        let Some(sharing) = &mut self.sharing else { return };
        let parked = sharing.parked.extract_if(.., |parked| is_over(&parked.request));
        let mut requests: Vec<Request> = parked.map(|parked| parked.request).collect();
        requests.extend(sharing.separate.extract(&is_over));
        requests.extend(self.waiting.extract_if(.., |request| is_over(request)));
        for request in requests {
            reply(request.reply, Err(error.clone()));
        }
    }

    /// Takes the end of a proposal.
    pub(in crate::registry) fn conclude(
        &mut self,
        proposed: Proposed,
        result: Result<u64, Refused>,
    ) {
        let now = self.clock.elapsed();
        let until = now + ECHO_PATIENCE;
        let Proposed { requests, outcomes } = proposed;
        let is_owed = requests.is_empty();
        let Some(sharing) = &mut self.sharing else { return };
        sharing.proposing_since = None;
        let was_unanswered =
            std::mem::replace(&mut sharing.unanswered, Unanswered::of(&result)).is_some();
        if was_unanswered && sharing.unanswered.is_none() {
            // It answers again: what it was owed then need not wait any longer.
            self.retry_at = None;
        }
        match result {
            Ok(at) => {
                let both = requests.into_iter().zip(outcomes);
                let replies = both.map(|((request, _), outcome)| Awaited::of(request, outcome));
                sharing.taken = Some(Taken { at, until, replies: replies.collect() });
                self.announcer.stored(&Ok(()));
                self.reply_to_seen();
            }
            Err(Refused::Conflict { keys, at }) => {
                sharing.separate(requests, &keys, at, until);
                if is_owed {
                    // What others have written is to be seen first.
                    sharing.taken = Some(Taken { at, until, replies: Vec::new() });
                }
            }
            // One of them may be too large by itself.
            Err(Refused::TooLarge(_)) if requests.len() > 1 => sharing.separate.halve(requests),
            Err(refused) => {
                let mut requests = requests;
                if matches!(refused, Refused::Full(_)) {
                    sharing.has_no_room |= is_owed;
                    sharing.separate.keep_removals(&mut requests);
                }
                if is_owed {
                    self.retry_at = Some(now + OWED_RETRY);
                }
                self.refuse(requests, refused);
            }
        }
    }

    /// Replies that the store has not taken what was asked for, and notes it if that is for what
    /// the store is.
    fn refuse(&mut self, requests: Vec<(Request, u8)>, refused: Refused) {
        let error = match refused {
            Refused::TooLarge(why) => {
                RegistryError::Limit(Invalid::new("body", requests.len(), why))
            }
            Refused::Busy(why) => RegistryError::Held(why),
            refused => {
                // A lost answer says nothing of the next change; nor does it that what is owed is
                // not this server's to write any more.
                let says_nothing = matches!(refused, Refused::NotOwner | Refused::Unsure(_));
                let error = JournalError::from(refused);
                if !says_nothing {
                    self.announcer.stored(&Err(error.clone()));
                }
                RegistryError::NotDurable(error)
            }
        };
        for (request, _) in requests {
            reply(request.reply, Err(error.clone()));
        }
    }
}

/// Whether a registration that others were faster with still stands: what they have made of it is
/// the same, or it is gone.
fn stands(command: &Command, base: &Snapshot) -> bool {
    match command {
        Command::Register(instances) => instances
            .iter()
            .all(|instance| base.has_same(instance) || base.member_like(instance).is_none()),
        _ => true, // drafted again, it is refused by itself if it has to be
    }
}

fn rows_of(command: &Command) -> usize {
    match command {
        Command::Register(instances) => instances.len(),
        Command::Amend(amendments) => 2 * amendments.len(),
        _ => 1,
    }
}
