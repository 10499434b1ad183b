//! What becomes of commands: what is seen takes effect at once, what is asked for with the store.

mod own;
mod shared;

use std::{collections::HashSet, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::shared::Sharing;
use self::shared::inbound;
use super::{
    Applied, Options, Registry, RegistryError, Snapshot,
    announce::Announcer,
    draft::{Carried, Draft, Finished, is_held},
    handle::Request,
    lease::{Due, Leases, Sound},
};
use crate::{
    model::{
        Amendment, Carry, CheckReport, Command, Heartbeat, InstanceKey, Replacement, Timestamp,
        limit,
    },
    util::Clock,
};

/// How often a store that failed is asked again when nobody else does.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// How soon it is looked again whether an old snapshot is no longer looked at: a reader holds one
/// for a batch of packets or a request.
const SWEEP_RETRY: Duration = Duration::from_millis(20);

type Outcome = Result<Applied, RegistryError>;
type Reply = oneshot::Sender<Outcome>;

/// The writer's ends of the queues.
#[derive(Debug)]
pub(super) struct Queues {
    pub asked: mpsc::Receiver<Request>,
    pub seen: mpsc::Receiver<Request>,
}

/// What an applier works with.
pub(super) struct Means {
    pub options: watch::Receiver<Options>,
    pub clock: Clock,
    pub announcer: Announcer,
    /// `None` when the store is this server's own.
    pub sharing: Option<Sharing>,
}

/// Applies commands to the newest snapshot, and knows what the store has yet to take.
pub(super) struct Applier {
    registry: Registry,
    queues: Queues,
    options: watch::Receiver<Options>,
    clock: Clock,
    leases: Leases,
    announcer: Announcer,
    /// What is asked for and waits for the next commit.
    waiting: Vec<Request>,
    /// Instances whose rows the store has yet to take.
    owed: HashSet<InstanceKey>,
    /// Replies to changes that are visible, for when the store has taken them too.
    unconfirmed: Vec<(Reply, Applied)>,
    /// When a store that failed is asked again; `None` while it works or is being asked.
    retry_at: Option<Duration>,
    /// What servers share; `None` when the store is this server's own.
    sharing: Option<Sharing>,
    /// When it is looked again for old snapshots to let go of; `None` while there is none.
    sweep_at: Option<Duration>,
    /// Wakes for what is due, also for nothing; `None` while nothing is. Kept from step to step: a
    /// new one for each would wake the runtime's driver each time.
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl Applier ===

impl Applier {
    /// Goes on from the registry's snapshot: each lease begins now, with a full ttl.
    pub(super) fn new(registry: Registry, queues: Queues, means: Means) -> Self {
        let Means { options, clock, announcer, sharing } = means;
        let mut leases = Leases::new(options.borrow().self_preservation);
        let keeps = |key: &InstanceKey| sharing.as_ref().is_none_or(|it| it.keeps(key));
        for member in registry.snapshot().members().filter(|member| keeps(&member.key())) {
            leases.follow(&member.key(), Some(member), clock.elapsed());
        }
        Self {
            registry,
            queues,
            options,
            clock,
            leases,
            announcer,
            waiting: Vec::new(),
            owed: HashSet::new(),
            unconfirmed: Vec::new(),
            retry_at: None,
            sharing,
            sweep_at: None,
            timer: None,
        }
    }

    /// Waits for the next thing to do, applies what is seen, and takes what is asked for into the
    /// next commit while there is room. After `stop` the queues take nothing more. Cancel safe.
    pub(super) async fn step(&mut self, stop: &CancellationToken) {
        self.wind();
        let has_room = self.waiting.len() < limit::WRITER_BATCH_MAX;
        let (mut asked, mut seen) = (Vec::new(), Vec::new());
        let mut told = None;
        tokio::select! {
            // The order is of no consequence: all three queues are looked at whatever comes first.
            biased;
            () = stop.cancelled(), if !self.queues.are_closed() => self.close(),
            // The pattern fails, and the branch sleeps, when there is no operator any more.
            Ok(()) = self.options.changed() => self.adopt_options(),
            Some(request) = self.queues.seen.recv() => seen.push(request),
            Some(request) = self.queues.asked.recv(), if has_room => asked.push(request),
            inbound = inbound(&mut self.sharing) => told = Some(inbound),
            () = due(self.timer.as_mut()) => {}
        }
        // However many signs of life there are, what others have changed is shown.
        if let Some(told) = told.or_else(|| inbound(&mut self.sharing).now_or_never()) {
            self.take_inbound(told);
        }
        self.look_at_some();
        take_waiting(&mut self.queues.seen, &mut seen, limit::WRITER_BATCH_MAX);
        let room = limit::WRITER_BATCH_MAX - self.waiting.len();
        take_waiting(&mut self.queues.asked, &mut asked, room);
        // Signs of life are heard before silences are looked for: those that waited in a queue
        // were sent in time.
        let base = self.registry.snapshot();
        for request in seen.iter().chain(&asked) {
            self.hear(&request.command, &base);
            self.hand_on(&request.command, &base);
        }
        seen.iter_mut().for_each(|request| self.pace(&mut request.command, &base));
        self.waiting.append(&mut asked);
        let seen = self.take_opinions(&base, seen);
        self.see(&base, seen);
        self.judge_opinions();
        self.tell_others_again();
        self.reply_to_seen();
        // Also while a proposal is under way that may take long to fail.
        self.refuse_waiting();
    }

    /// Sets the timer so that it wakes in time for what is due next.
    fn wind(&mut self) {
        let now = self.clock.elapsed();
        self.sweep_at = match (self.registry.published.sweep(), self.sweep_at) {
            (true, _) => None,
            (false, Some(at)) if at > now => Some(at),
            (false, _) => Some(now + SWEEP_RETRY),
        };
        let speaks_at = self.announcer.speaks_at();
        let store_at = match &self.sharing {
            None => self.retry_at,
            Some(sharing) => sharing.next_at(now, self.retry_at),
        };
        let due = [self.leases.next_at(), store_at, self.sweep_at, speaks_at];
        let Some(at) = due.into_iter().flatten().min() else {
            self.timer = None;
            return;
        };
        let at = self.clock.instant(at);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // One that is set too early wakes for nothing, once.
        if timer.is_elapsed() || at < timer.deadline() {
            timer.as_mut().reset(at);
        }
    }

    /// How much waits for the next commit.
    pub(super) fn waiting(&self) -> usize {
        let shared = self.sharing.as_ref().map_or(0, Sharing::waiting);
        self.waiting.len() + self.owed.len() + self.unconfirmed.len() + shared
    }

    /// Whether nothing more will come and everything is done.
    pub(super) fn is_done(&self) -> bool {
        self.queues.are_closed()
            && self.queues.seen.is_empty()
            && self.queues.asked.is_empty()
            && self.waiting.is_empty()
            && self.sharing.as_ref().is_none_or(Sharing::is_done)
    }

    /// Takes no more; the store is asked a last time to take what it is owed.
    fn close(&mut self) {
        self.queues.asked.close();
        self.queues.seen.close();
        self.retry_at = self.retry_at.map(|_| Duration::ZERO);
    }

    /// Takes the sign of life that is in a command. A registration that changes nothing is one
    /// too; one that changes something starts a new lease when it is applied.
    fn hear(&mut self, command: &Command, base: &Snapshot) {
        let now = self.clock.elapsed();
        match command {
            Command::Heartbeat(Heartbeat { key, check: None, .. }) => {
                self.leases.beat(key, None, now);
            }
            // Of another registration it is perhaps another check.
            Command::Heartbeat(Heartbeat { key, check: Some((check, registered)), .. })
                if base.member(key).is_some_and(|member| member.registered == *registered) =>
            {
                self.leases.beat(key, Some(*check), now);
            }
            Command::Register(instances) => {
                for instance in instances.iter().filter(|instance| base.has_same(instance)) {
                    self.leases.beat(&instance.key(), None, now);
                }
            }
            Command::Amend(amendments) => {
                // What was decided from another registration is refused, and no sign of life.
                let is_timely = |amendment: &&Amendment| {
                    base.member(&amendment.key).map(|member| member.registered) == amendment.seen
                };
                let all = amendments.iter().filter(is_timely).filter_map(|a| a.to.as_ref());
                for to in all.filter(|to| base.has_same(&to.instance)) {
                    self.hear_renewed(to, now);
                }
            }
            _ => {}
        }
    }

    /// Takes a new word out of a heartbeat that comes too soon after the last one.
    fn pace(&mut self, command: &mut Command, base: &Snapshot) {
        let Command::Heartbeat(Heartbeat { key, check: Some((check, _)), status, output, .. }) =
            command
        else {
            return;
        };
        let Some(known) = base.member(key).and_then(|member| member.checks.get(*check)) else {
            return;
        };
        let is_silent = known.output.is_empty() || is_held(known);
        let is_word = known.status == *status && known.output != *output && !is_silent;
        // What is no word does not begin the time in which the next one is too soon.
        let is_too_soon = is_word
            && (self.is_word_for_another(key)
                || !self.leases.may_speak(key, *check, self.clock.elapsed()));
        if is_too_soon {
            *output = Arc::clone(&known.output);
        }
    }

    fn hear_renewed(&mut self, to: &Replacement, now: Duration) {
        let renewed = to.checks.iter().enumerate();
        for (check, _) in renewed.filter(|(_, carry)| matches!(carry, Carry::Renewed(_))) {
            self.leases.beat(&to.instance.key(), Some(check), now);
        }
    }

    /// Makes visible what is seen, and what is due because time passed.
    fn see(&mut self, base: &Snapshot, seen: Vec<Request>) {
        self.announcer.tell_left_out(self.clock.elapsed());
        let (due, rivals) = (self.take_due(base), self.rivals(base));
        if seen.is_empty() && due.is_empty() && rivals.is_empty() {
            return;
        }
        let (finished, outcomes) = self.draft(base, &due, |draft| {
            rivals.iter().for_each(|key| draft.give_way(key));
            seen.iter().map(|request| draft.apply(&request.command)).collect()
        });
        match finished {
            // Most of what is seen is a heartbeat that says what is known.
            None => self.announcer.holding(&self.leases),
            Some(finished) => {
                match self.sharing {
                    None => self.owed.extend(finished.touched.iter().cloned()),
                    Some(_) => {
                        self.note_seen(base, &finished);
                        self.tell_found(base, &finished);
                    }
                }
                self.publish(base, finished);
            }
        }
        for (Request { command, reply, .. }, outcome) in seen.into_iter().zip(outcomes) {
            match command {
                Command::Heartbeat(Heartbeat { key, .. })
                | Command::Report(CheckReport { key, .. })
                    if self.sharing.is_some() =>
                {
                    self.confirm_shared(reply, key, outcome);
                }
                _ => self.confirm(reply, outcome),
            }
        }
    }

    /// What is due because time passed.
    fn take_due(&mut self, base: &Snapshot) -> Vec<Due> {
        let now = self.clock.elapsed();
        let is_down = |key: &InstanceKey| base.is_found_dead(key);
        let mut due = match self.sharing.as_ref().filter(|sharing| sharing.may_be_replaced()) {
            Some(sharing) => self.leases.advance_apart(now, sharing.all_heard(now), is_down),
            None => {
                let sharing = self.sharing.as_ref();
                let sound = |ended, ttl| sharing.map_or(Sound::Silent, |it| it.sound(ended, ttl));
                self.leases.advance(now, sound, is_down)
            }
        };
        self.forget_given_up(&mut due);
        due
    }

    /// Drafts the next snapshot from what is due and what `apply` applies; `None` when that changes
    /// nothing.
    fn draft(
        &self,
        base: &Snapshot,
        due: &[Due],
        apply: impl FnOnce(&mut Draft<'_>) -> Vec<Outcome>,
    ) -> (Option<Finished>, Vec<Outcome>) {
        let options = *self.options.borrow();
        let mut draft = Draft::new(base, &options, self.wall_time());
        for due in due {
            match due {
                Due::Expire(key) => draft.expire(key),
                Due::Hold(key, check) => draft.hold(key, *check),
                Due::Lapse(key, check) => draft.lapse(key, *check),
                Due::Miss(key, check) => draft.miss(key, *check),
            }
        }
        let outcomes = apply(&mut draft);
        let finished = (!draft.is_unchanged()).then(|| draft.finish());
        (finished, outcomes)
    }

    fn publish(&mut self, base: &Snapshot, finished: Finished) {
        let Finished { mut next, events, touched, carried, .. } = finished;
        let is_same_moment = (next.revision, next.steps.era) == (base.revision, base.steps.era);
        if is_same_moment && next.shared == base.shared {
            self.announcer.holding(&self.leases);
            return;
        }
        if let Some(sharing) = &mut self.sharing {
            sharing.count_unshared(&mut next.steps);
        }
        let now = self.clock.elapsed();
        for Carried { key, registered, from } in carried {
            let member = next.member(&key).filter(|member| member.registered == registered);
            if let Some(member) = member {
                self.leases.carry(member, &from);
            }
        }
        let sharing = self.sharing.as_ref();
        for key in &touched {
            let kept = next.member(key).filter(|_| sharing.is_none_or(|it| it.keeps(key)));
            self.leases.follow(key, kept.map(AsRef::as_ref), now);
        }
        self.announcer.published(base, &next, &events, now);
        self.announcer.holding(&self.leases);
        self.registry.published.publish(next, events);
    }

    /// The answers follow a setting whatever the store does: it is not its row.
    fn adopt_options(&mut self) {
        let options = *self.options.borrow_and_update();
        self.leases.set_settings(options.self_preservation);
        let base = self.registry.snapshot();
        let mut draft = Draft::new(&base, &options, self.wall_time());
        draft.adopt_default_policy();
        self.publish(&base, draft.finish());
    }

    fn wall_time(&self) -> Timestamp {
        Timestamp(self.clock.wall_millis())
    }
}

// === impl Queues ===

impl Queues {
    fn are_closed(&self) -> bool {
        self.asked.is_closed() && self.seen.is_closed()
    }
}

/// Never, without a timer: a `select!` of which no branch could come would panic.
async fn due(timer: Option<&mut Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.as_mut().await,
        None => std::future::pending().await,
    }
}

fn take_waiting(queue: &mut mpsc::Receiver<Request>, batch: &mut Vec<Request>, most: usize) {
    while batch.len() < most
        && let Ok(request) = queue.try_recv()
    {
        batch.push(request);
    }
}

fn reply(waiting: Reply, outcome: Outcome) {
    // Whoever asked may have gone; the change stands.
    let _gone = waiting.send(outcome);
}
