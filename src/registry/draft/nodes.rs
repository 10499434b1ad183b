//! Nodes: what is known of the machines that instances of another registry's clients are on.
//!
//! A node is kept as a member is, with checks of its own, under a name that is no service's. Its
//! state is a state of each instance on it.

use std::sync::Arc;

use super::Draft;
use crate::{
    model::{Instance, InstanceId, InstanceKey, Origin, Revision, Scope, ServiceName, Status},
    registry::{Change, Member, Shards},
};

impl Draft<'_> {
    /// Takes over the state of the node that an instance is on, and what that makes of its own.
    pub(super) fn settle_on_node(&self, next: &mut Member) {
        next.node_status = match &next.instance.origin {
            Some(origin) if !next.instance.service.is_nodes() => self.node_status(&origin.scope),
            _ => Status::Passing,
        };
        next.status = next.worst();
    }

    /// The node as the draft has it.
    pub(super) fn node(&self, id: &InstanceId) -> Option<&Arc<Member>> {
        match self.nodes.get(id) {
            Some(changed) => changed.as_ref(),
            None => self.base.nodes.get(id.as_str()),
        }
    }

    /// Puts a node, or takes it away, and lets the instances on it follow.
    pub(super) fn put_node(&mut self, before: Option<&Member>, next: Option<Member>) {
        let Some(member) = next.as_ref().or(before) else { return };
        let (id, scope) = (member.instance.id.clone(), scope_of(member));
        let is_told = differ(before, next.as_ref());
        self.node_count += usize::from(before.is_none());
        self.node_count -= usize::from(next.is_none());
        let before = before.map_or(Status::Passing, state);
        self.nodes.insert(id, next.map(Arc::new));
        let Some(scope) = scope.filter(|_| is_told) else { return };
        // Of two with one name another one may be the node.
        let after = self.node_status(&scope);
        let what = if after.is_up() { "up" } else { "critical" };
        let output: Arc<str> = format!("its node {} is {what}", scope.name).into();
        let keys: Vec<InstanceKey> = self.origins.of(&scope).map(|other| other.key()).collect();
        for key in keys.into_iter().filter(|key| !key.service.is_nodes()) {
            let revision = self.revision;
            let draft = self.draft_of(&key.service);
            // Whoever reads an instance reads its node with it.
            (draft.changed, draft.is_prepared_anew) = (revision, true);
            if let Ok(member) = self.member(&key)
                && (before != after || member.node_status != after)
            {
                let next = Member { node_status: after, ..Member::clone(&member) };
                let events = self.events.len();
                self.put_status(&member, next, Arc::clone(&output));
                if events == self.events.len() && self.fixed.is_some() {
                    // Perhaps only here it was in that state before.
                    self.repeat_status(&member, self.base.revision);
                }
            }
        }
    }

    /// The rows of the nodes that changed.
    pub(super) fn node_rows(&self, rows: &mut Vec<Change>) {
        let mut nodes: Vec<_> = self.nodes.iter().collect();
        nodes.sort_unstable_by_key(|(id, _)| *id);
        rows.extend(nodes.into_iter().map(|(id, node)| match node {
            Some(member) => Change::PutMember(Arc::clone(member)),
            None => Change::DeleteMember(InstanceKey::new(ServiceName::nodes(), id.clone())),
        }));
    }

    /// The nodes that changed.
    pub(super) fn touched_nodes(&self) -> impl Iterator<Item = InstanceKey> {
        self.nodes.keys().map(|id| InstanceKey::new(ServiceName::nodes(), id.clone()))
    }

    /// The nodes as they are to be.
    pub(super) fn into_nodes(self, nodes: &mut Shards<InstanceId, Arc<Member>>) {
        for (id, node) in self.nodes {
            match node {
                Some(member) => nodes.insert(id, member),
                None => nodes.remove(&id),
            }
        }
    }

    /// Notes what is registered elsewhere as what, in place of what was.
    pub(super) fn note_origin(
        &mut self,
        before: Option<&Member>,
        next: Option<&Member>,
        at: Revision,
    ) {
        let origin = |member: &Member| member.instance.origin.clone();
        let (was, is) = (before.and_then(origin), next.and_then(origin));
        if !differ(before, next) {
            return;
        }
        let mut has_changed =
            [before, next].into_iter().flatten().any(|m| m.instance.service.is_nodes());
        if let Some(was) = &was
            && is.as_ref().is_none_or(|is| (&is.scope, &is.id) != (&was.scope, &was.id))
        {
            has_changed |= before.is_some_and(|it| self.origins.remove(&it.instance, at));
            if let Some(heir) = self.heir_of(was) {
                has_changed |= self.origins.insert(&heir, at);
            }
        }
        if let Some(next) = next {
            let other = self.origins.other_than(&next.instance);
            let other = other.and_then(|other| self.look_up(&other.key()));
            if other.is_none_or(|other| next.is_younger_than(&other)) {
                has_changed |= self.origins.insert(&next.instance, at);
            } else {
                self.origins.insert_rival(&next.instance);
            }
        }
        if has_changed {
            self.nodes_changed = at;
        }
    }

    /// Of those with an origin that nobody has now the youngest.
    fn heir_of(&self, origin: &Origin) -> Option<Arc<Instance>> {
        if self.origins.get(&origin.scope, &origin.id).is_some() {
            return None;
        }
        let is_of = |it: &Origin| (&it.scope, &it.id) == (&origin.scope, &origin.id);
        let rivals = self.origins.rivals().iter();
        let rivals = rivals.filter(|rival| rival.origin.as_deref().is_some_and(is_of));
        let heirs = rivals.filter_map(|rival| self.look_up(&rival.key()));
        let heir = heirs.reduce(|one, other| if one.is_younger_than(&other) { one } else { other });
        heir.map(|heir| Arc::clone(&heir.instance))
    }

    fn node_status(&self, scope: &Scope) -> Status {
        let node = self.origins.get(scope, "").and_then(|node| self.node(&node.id));
        node.map_or(Status::Passing, |node| state(node))
    }
}

/// The state of a node for those on it: one in maintenance is down.
pub(in crate::registry) fn state(node: &Member) -> Status {
    if node.drained { Status::Critical } else { node.status }
}

/// Whether those who read a node, or what is on it, are told of a change: not of one that is in
/// what a check says.
fn differ(before: Option<&Member>, next: Option<&Member>) -> bool {
    let (Some(before), Some(next)) = (before, next) else { return true };
    before.registered != next.registered
        || before.instance != next.instance
        || before.drained != next.drained
        || !before.has_statuses_of(next)
}

fn scope_of(node: &Member) -> Option<Scope> {
    node.instance.origin.as_ref().map(|origin| origin.scope.clone())
}
