//! What the store tells: changes of all servers, lists, weather; and whose task is what.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{Inbound, SPREAD, Sharing, Taken};
use crate::{
    model::{InstanceKey, Revision},
    registry::{
        Followed, Kept, Member, SharedRow, Snapshot, Weather,
        apply::{Applier, reply},
        draft::{Draft, Finished},
        shared::{Noted, Opinions, Overlay, Told, gathered, rank},
    },
};

/// Rows that are taken in one go, so that a list does not hold up results.
const ROWS_MAX: usize = 16_384;

/// What this server has found of another's instance stays for so much longer than that server is
/// taken for alive: it may be dead, and this one be the next to write it.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// How soon it is looked again for what is to be dropped: each look goes through all that differs.
const DROP_PACE: Duration = Duration::from_millis(100);

// === impl Sharing ===

impl Sharing {
    /// Follows whether this server is on its own: the store is out of reach, or nobody hears of
    /// what is found. Then what it finds itself stays, whoever's task that is; afterwards it stays
    /// until those have written whose task it is.
    fn settle(&mut self, now: Duration) {
        let is_alone = self.weather != Weather::Fair || self.ownership.is_cut_off();
        let was_alone = std::mem::replace(&mut self.is_alone, is_alone);
        let until = now + self.settling;
        if is_alone {
            self.settled_at = None;
            self.overlay.be_alone();
        } else if was_alone {
            self.overlay.keep_others_until(until);
            self.settled_at = Some(until);
        } else if self.overlay.has_others() {
            self.settled_at.get_or_insert(until);
        }
    }
}

// === impl Applier ===

impl Applier {
    /// Takes what has come, and whatever else is there already.
    pub(in crate::registry::apply) fn take_inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Ownership => self.adopt_ownership(),
            Inbound::Followed(Followed::Weather(weather)) => self.adopt_weather(weather),
            Inbound::Followed(Followed::Unreadable(keys)) => {
                if let Some(sharing) = &mut self.sharing {
                    sharing.unreadable = keys;
                }
            }
            Inbound::Followed(Followed::Writable) => self.write_again(),
            Inbound::Followed(Followed::Whole { rows, kept, at }) => {
                self.take_whole(rows, &kept, at);
            }
            Inbound::Followed(Followed::Changes { rows, upto }) => self.take_changes(rows, upto),
        }
    }

    fn take_changes(&mut self, mut rows: Vec<(u64, SharedRow)>, mut upto: u64) {
        let mut next = None;
        let Some(sharing) = &mut self.sharing else { return };
        while rows.len() < ROWS_MAX {
            match sharing.followed.try_recv() {
                Ok(Followed::Changes { rows: more, upto: to }) => {
                    rows.extend(more);
                    upto = to;
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        // Stable, so that revisions stay in their order.
        rows.sort_by_key(|(at, row)| (*at, rank(row)));
        self.follow((upto, false), |draft, overlay, opinions| {
            let mut last = None;
            for (at, row) in &rows {
                let revision = Revision::shared(*at);
                if last.replace(*at) != Some(*at) {
                    draft.at_shared(revision);
                }
                match (row, row.key()) {
                    (SharedRow::Policy { service, to }, _) => draft.show_policy(service, *to),
                    (SharedRow::Opinion { key, by, to }, _) => {
                        opinions.follow(key, by, to.as_ref());
                    }
                    (row, Some(key)) => {
                        opinions.touched(key);
                        let (told, shown) = (overlay.told(key), draft.shown(key));
                        let next = overlay.take(key, row, revision, shown.as_ref());
                        show(draft, overlay, key, (told, next));
                    }
                    (_, None) => {}
                }
            }
        });
        if let Some(next) = next {
            self.take_inbound(Inbound::Followed(next));
        }
    }

    /// Takes a whole list as a difference: what is the same is not touched.
    fn take_whole(&mut self, rows: Vec<(u64, SharedRow)>, kept: &Kept, at: u64) {
        let base = self.registry.snapshot();
        let (found, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, row)| matches!(row, SharedRow::Opinion { .. }));
        let (mut members, mut policies) = gathered(rows);
        members.retain(|key, _| !kept.instances.contains(key));
        policies.retain(|service, _| !kept.policies.contains(service));
        self.follow((at, true), |draft, overlay, opinions| {
            opinions.forget_rows();
            for (_, row) in found {
                if let SharedRow::Opinion { key, by, to } = row {
                    opinions.follow(&key, &by, to.as_ref());
                }
            }
            draft.at_shared(Revision::shared(at));
            let known = base.members().map(|member| member.key());
            let keys: BTreeSet<InstanceKey> = known.chain(overlay.keys().cloned()).collect();
            // What is on a node comes after it.
            let (nodes, others): (Vec<_>, Vec<_>) = keys
                .into_iter()
                .filter(|key| !kept.instances.contains(key))
                .partition(|key| key.service.is_nodes());
            for key in nodes.into_iter().chain(others) {
                let (told, shown) = (overlay.told(&key), draft.shown(&key));
                let next = overlay.replace(&key, members.remove(&key), shown.as_ref());
                show(draft, overlay, &key, (told, next));
            }
            let (nodes, others): (Vec<_>, Vec<_>) =
                members.into_iter().partition(|(key, _)| key.service.is_nodes());
            for (key, member) in nodes.into_iter().chain(others) {
                draft.show(&key, Some(member));
            }
            let known = base.services.iter().filter(|(_, entry)| entry.has_own_policy);
            for (service, _) in known.filter(|(service, _)| !kept.policies.contains(*service)) {
                draft.show_policy(service, policies.remove(service));
            }
            for (service, policy) in policies {
                draft.show_policy(&service, Some(policy));
            }
        });
    }

    /// Publishes what `take` makes of the newest snapshot: all changes of the store up to a
    /// revision are in it.
    fn follow(
        &mut self,
        (upto, is_list): (u64, bool),
        take: impl FnOnce(&mut Draft<'_>, &mut Overlay, &mut Opinions),
    ) {
        let base = self.registry.snapshot();
        let options = *self.options.borrow();
        let Some(mut sharing) = self.sharing.take() else { return };
        let mut draft = Draft::new(&base, &options, self.wall_time());
        take(&mut draft, &mut sharing.overlay, &mut sharing.opinions);
        let is_all_shared = sharing.overlay.is_empty();
        self.sharing = Some(sharing);
        let mut finished = match draft.is_unchanged() {
            true => Finished::unchanged(&base),
            false => draft.finish(),
        };
        let shared = Revision::shared(upto);
        if base.shared.is_some_and(|before| before > shared) {
            finished.next.steps.era += 1;
            finished.next.revision = base.after(finished.next.revision);
        } else if is_list {
            finished.next.steps.skip(base.revision, shared);
        }
        finished.next.shared = Some(shared);
        finished.next.revision = finished.next.revision.max(shared);
        finished.place(!base.steps.is_any_unshared(), is_all_shared);
        self.publish(&base, finished);
        self.reply_to_seen();
    }

    /// Replies to what the newest snapshot shows, or no longer need wait for.
    pub(in crate::registry) fn reply_to_seen(&mut self) {
        let (snapshot, now) = (self.registry.snapshot(), self.clock.elapsed());
        let is_stopping = self.queues.are_closed();
        let Some(sharing) = &mut self.sharing else { return };
        let shared = snapshot.shared.unwrap_or_default().shared_part();
        if let Some(taken) = &sharing.taken {
            if taken.at <= shared {
                sharing.taken.take().into_iter().for_each(Taken::reply);
            } else if taken.until <= now {
                sharing.taken.take().into_iter().for_each(Taken::reply_unseen);
            }
        }
        let is_lost = sharing.weather != Weather::Fair || is_stopping;
        for mut waiting in std::mem::take(&mut sharing.unwritten) {
            if !waiting.is_written && sharing.overlay.is_clean(&waiting.key) {
                // That of the store: on other servers it means that they have seen it, too.
                waiting.applied.revision = snapshot.shared.unwrap_or(snapshot.revision);
                (waiting.is_written, waiting.until) = (true, now + SPREAD);
            }
            // The answers follow what is seen, store or not.
            if waiting.until <= now || is_lost {
                reply(waiting.reply, Ok(waiting.applied));
            } else {
                sharing.unwritten.push(waiting);
            }
        }
        if sharing.settled_at.is_some_and(|at| at <= now) {
            self.drop_others(now);
        }
    }

    /// Shows again what the store has of instances that are the task of others.
    fn drop_others(&mut self, now: Duration) {
        let Some(sharing) = &mut self.sharing else { return };
        let dropped = sharing.overlay.drop_others(now);
        sharing.settled_at = sharing.overlay.next_drop().map(|at| at.max(now + DROP_PACE));
        self.show_shared(dropped);
    }

    /// Shows of these instances what the store has.
    fn show_shared(&mut self, dropped: Vec<(InstanceKey, Arc<Member>)>) {
        if dropped.is_empty() {
            return;
        }
        let base = self.registry.snapshot();
        let (finished, _) = self.draft(&base, &[], |draft| {
            for (key, member) in dropped {
                draft.show(&key, Some(member));
            }
            Vec::new()
        });
        if let Some(finished) = finished {
            self.publish(&base, finished);
        }
    }

    /// Begins the leases of instances that have become this server's task, each with a full ttl,
    /// and ends those of others. What this server has found while others may have looked after an
    /// instance counts for nothing when it is its task again: what they have found is in the store.
    /// Where all were cut off together, nobody has, and what was found stays found.
    fn adopt_ownership(&mut self) {
        let now = self.clock.elapsed();
        let Some(sharing) = &mut self.sharing else { return };
        sharing.adopt_juries();
        let term = sharing.ownership.term();
        let is_anew = std::mem::replace(&mut sharing.term, term) != term;
        let was_replaced = sharing.may_be_replaced;
        sharing.may_be_replaced = sharing.ownership.may_be_replaced();
        let ownership = sharing.ownership.clone();
        let awaited: HashSet<&InstanceKey> = sharing.unwritten.iter().map(|it| &it.key).collect();
        let is_awaited = |key: &InstanceKey| awaited.contains(key);
        let is_mine = |key: &InstanceKey| ownership.keeps(key);
        let division = sharing.division(is_anew, now);
        let will_be_mine = |key: &InstanceKey| ownership.will_keep(key);
        let over = sharing.overlay.divide(&division, is_mine, will_be_mine, is_awaited);
        sharing.settle(now);
        let has_grace = is_anew || (was_replaced && !sharing.may_be_replaced);
        self.show_shared(over);
        self.hand_on_again();
        if has_grace {
            self.begin_all_anew();
        } else if let Some(sharing) = &mut self.sharing {
            sharing.unlooked.again();
        }
        self.retry_at = None;
    }

    fn adopt_weather(&mut self, weather: Weather) {
        let now = self.clock.elapsed();
        let Some(sharing) = &mut self.sharing else { return };
        let was_lost = std::mem::replace(&mut sharing.weather, weather) != Weather::Fair;
        let is_fair = sharing.weather == Weather::Fair;
        sharing.settle(now);
        if is_fair && was_lost {
            self.write_again();
        }
        self.reply_to_seen();
    }

    /// What was refused for what was the matter with the store would be taken now, and perhaps
    /// nothing comes that shows it.
    fn write_again(&mut self) {
        self.retry_at = None;
        self.announcer.stored(&Ok(()));
    }

    /// Notes where what is shown from now on differs from what the store has.
    pub(in crate::registry) fn note_seen(&mut self, base: &Snapshot, finished: &Finished) {
        let Some(sharing) = &mut self.sharing else { return };
        let mut has_others = false;
        let is_alone = sharing.is_alone;
        let found = self.clock.elapsed();
        let until = found + sharing.settling + TAKE_OVER;
        for key in &finished.touched {
            let is_mine = sharing.ownership.keeps(key);
            let is_own = is_mine || sharing.ownership.will_keep(key);
            let (before, now) = (base.member(key), finished.next.member(key));
            let after = base.revision;
            let noted = Noted { is_mine, is_own, is_alone, found, until, after };
            sharing.overlay.note(key, before, now, noted);
            has_others |= !is_mine;
        }
        if has_others && !is_alone {
            sharing.settled_at.get_or_insert(until);
        }
    }
}

/// Shows of an instance what is to be shown now, and tells again what was told before the store
/// had it.
fn show(
    draft: &mut Draft<'_>,
    overlay: &Overlay,
    key: &InstanceKey,
    (told, next): (Option<Told>, Option<Arc<Member>>),
) {
    let is = overlay.get(key).or(next.as_ref()).cloned();
    let events = draft.events.len();
    draft.show(key, next);
    if let Some((was, after)) = told {
        let is_told = draft.events[events..].iter().any(|event| event.kind.key() == Some(key));
        if !is_told {
            draft.tell_again((&was, is.as_deref()), after);
        }
    }
}
