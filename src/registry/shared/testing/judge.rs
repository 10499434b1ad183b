//! What the store in memory takes, and what becomes of its rows.

use std::sync::Arc;

use super::{Inner, RowKey, name};
use crate::{
    model::InstanceKey,
    registry::{Edit, Followed, Guard, Proposal, Refused, SharedRow, shared::fold::gathered},
};

// === impl Inner ===

impl Inner {
    pub(super) fn take(&mut self, proposal: Proposal) -> Result<u64, Refused> {
        let Proposal { base, edits, kept, as_owner } = proposal;
        if self.edits_max.is_some_and(|max| edits.len() > max) {
            return Err(Refused::TooLarge(format!("{} changes", edits.len())));
        }
        let is_kept = |key: &InstanceKey| {
            let row = self.rows.get(&RowKey::Registration(key.clone()));
            row.is_some_and(|(at, _)| *at <= base)
        };
        let is_unsaid = |edit: &Edit| !as_owner || self.is_unsaid(edit, base);
        let holds = |edit: &&Edit| self.holds(edit, base) && is_unsaid(edit);
        let lost: Vec<&Edit> = edits.iter().filter(|edit| !holds(edit)).collect();
        let keys = lost.iter().filter_map(|edit| edit.key());
        let keys = keys.chain(kept.iter().filter(|key| !is_kept(key)));
        let keys: Vec<InstanceKey> = keys.cloned().collect();
        // Of a policy it names nothing.
        if !keys.is_empty() || !lost.is_empty() {
            return Err(Refused::Conflict { keys, at: self.revision });
        }
        if edits.is_empty() {
            return Ok(base);
        }
        self.revision += 1;
        let at = self.revision;
        let mut rows = Vec::new();
        for edit in edits {
            self.write(edit, at, &mut rows);
        }
        let members = gathered(self.rows.values().cloned().collect()).0;
        let asked = members
            .into_iter()
            .map(|(key, member)| (key, (Arc::clone(&member.instance), member.drained)));
        self.history.push(asked.collect());
        for server in self.servers.iter_mut().filter(|server| !server.is_cut) {
            server.tell(Followed::Changes { rows: rows.clone(), upto: at });
        }
        Ok(at)
    }

    /// Takes what a store without room takes.
    pub(super) fn take_removals(
        &mut self,
        proposal: Proposal,
        why: String,
    ) -> Result<u64, Refused> {
        let (put, removed): (Vec<_>, Vec<_>) = proposal.edits.into_iter().partition(puts);
        let is_whole = put.is_empty();
        if is_whole || (proposal.as_owner && !removed.is_empty()) {
            let at = self.take(Proposal { edits: removed, ..proposal })?;
            return if is_whole { Ok(at) } else { Err(Refused::Full(why)) };
        }
        Err(Refused::Full(why))
    }

    /// The lease of a server is over, and what was bound to it is gone.
    pub(super) fn end_opinions(&mut self, server: usize) {
        let is_its = |key: &RowKey| matches!(key, RowKey::Opinion(_, by) if *by == name(server));
        let keys: Vec<RowKey> = self.rows.keys().filter(|key| is_its(key)).cloned().collect();
        let edits = keys.into_iter().filter_map(|key| match key {
            RowKey::Opinion(key, by) => Some(Edit::Opinion { key, by, to: None }),
            _ => None,
        });
        let edits: Vec<Edit> = edits.collect();
        if !edits.is_empty() {
            let base = self.revision;
            self.take(Proposal { base, edits, kept: Vec::new(), as_owner: false })
                .expect("it has no condition");
        }
    }

    /// Whether nobody has said anything of the health of what is to be removed for that.
    fn is_unsaid(&self, edit: &Edit, base: u64) -> bool {
        let Edit::Deregister { key, .. } = edit else { return true };
        self.rows.get(&RowKey::Health(key.clone())).is_none_or(|(at, _)| *at <= base)
    }

    fn holds(&self, edit: &Edit, base: u64) -> bool {
        let at = |key: RowKey| self.rows.get(&key).map(|(at, _)| *at);
        let registration = |key: &InstanceKey| at(RowKey::Registration(key.clone()));
        let is_old = |key: RowKey| at(key).is_none_or(|at| at <= base);
        match edit {
            Edit::Drain { key, .. } if !is_old(RowKey::Drained(key.clone())) => false,
            Edit::Register { key, guard, .. }
            | Edit::Deregister { key, guard }
            | Edit::Drain { key, guard, .. } => match guard {
                Guard::None => true,
                Guard::Present => registration(key).is_some(),
                Guard::PresentUnchanged => registration(key).is_some_and(|at| at <= base),
                Guard::Unchanged => registration(key).is_none_or(|at| at <= base),
            },
            Edit::Health { key, .. } => {
                let health = at(RowKey::Health(key.clone()));
                registration(key).is_some_and(|at| at <= base) && health.is_none_or(|at| at <= base)
            }
            Edit::Policy { service, .. } => is_old(RowKey::Policy(service.clone())),
            Edit::Opinion { .. } => true,
        }
    }

    fn write(&mut self, edit: Edit, at: u64, told: &mut Vec<(u64, SharedRow)>) {
        let mut put = |key: RowKey, row: SharedRow, stays: bool| {
            told.push((at, row.clone()));
            match stays {
                true => drop(self.rows.insert(key, (at, row))),
                false => drop(self.rows.remove(&key)),
            }
        };
        match edit {
            Edit::Register { key, to, .. } => {
                let row = SharedRow::Registration { key: key.clone(), to: Some(to) };
                put(RowKey::Registration(key), row, true);
            }
            Edit::Deregister { key, .. } => {
                let row = SharedRow::Registration { key: key.clone(), to: None };
                put(RowKey::Registration(key.clone()), row, false);
                let row = SharedRow::Health { key: key.clone(), to: None };
                put(RowKey::Health(key.clone()), row, false);
                let row = SharedRow::Drained { key: key.clone(), on: false };
                put(RowKey::Drained(key), row, false);
            }
            Edit::Drain { key, on, .. } => {
                let row = SharedRow::Drained { key: key.clone(), on };
                put(RowKey::Drained(key), row, on);
            }
            Edit::Health { key, to } => {
                let row = SharedRow::Health { key: key.clone(), to: Some(to) };
                put(RowKey::Health(key), row, true);
            }
            Edit::Opinion { key, by, to } => {
                let (at, stays) = (RowKey::Opinion(key.clone(), Arc::clone(&by)), to.is_some());
                put(at, SharedRow::Opinion { key, by, to }, stays);
            }
            Edit::Policy { service, to } => {
                let row = SharedRow::Policy { service: service.clone(), to };
                put(RowKey::Policy(service), row, to.is_some());
            }
        }
    }
}

fn puts(edit: &Edit) -> bool {
    let is_removal = matches!(
        edit,
        Edit::Deregister { .. }
            | Edit::Drain { on: false, .. }
            | Edit::Opinion { to: None, .. }
            | Edit::Policy { to: None, .. }
    );
    !is_removal
}
