//! All changes of one node, from what is seen to what is asked for.

use std::{collections::BTreeMap, sync::Arc};

use super::{locate::locate, node::NodeEdit, row::Row, service::ServiceEdit};
use crate::{
    http::{
        Api,
        consul::{
            definition::CatalogRegistration,
            kept::{Kept, KeptCheck, KeptNode},
            site::Host,
            texts::ConsulError,
            translate::{Translated, addresses},
        },
    },
    model::Amendment,
    registry::{Member, Snapshot},
};

/// Changes of one node, worked out from one moment of the registry.
pub(in crate::http::consul) struct Edit {
    api: Api,
    snapshot: Arc<Snapshot>,
    host: Host,
    is_own: bool,
    /// Whether only the catalog has it so far.
    is_external: bool,
    /// What is changed, by id; nothing in place of what is taken away.
    services: BTreeMap<String, Option<ServiceEdit>>,
    node: Option<NodeEdit>,
    removals: Vec<Amendment>,
}

/// Whose a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::consul) enum Owner<'o> {
    /// The node.
    Node,
    /// The service of that id.
    Service(&'o str),
}

// === impl Edit ===

impl Edit {
    /// No changes yet of the node of that name.
    pub(super) fn new(api: &Api, mut host: Host) -> Self {
        let (api, snapshot) = (api.clone(), api.registry().snapshot());
        let is_own = host.scope() == api.consul().own_host().scope();
        // Where it was registered to be stands over where its clients come from.
        let node = snapshot.origins.get(&host.scope(), "");
        let node = node.and_then(|node| KeptNode::of(node));
        let is_external = node.as_ref().is_some_and(KeptNode::is_external);
        let registered = node.filter(|node| node.is_registered).map(|node| node.address);
        if let Some(address) = registered.filter(|address| !address.is_empty()) {
            host.address = address;
        }
        let (services, removals) = (BTreeMap::new(), Vec::new());
        Self { api, snapshot, host, is_own, is_external, services, node: None, removals }
    }

    /// The node.
    pub(in crate::http::consul) fn host(&self) -> &Host {
        &self.host
    }

    /// Whether the node is this very host.
    pub(in crate::http::consul) fn is_own(&self) -> bool {
        self.is_own
    }

    /// Whether anything is known of the node.
    pub(in crate::http::consul) fn is_known(&self) -> bool {
        self.is_own || self.snapshot.origins.of(&self.host.scope()).next().is_some()
    }

    /// The service of that id, to be changed.
    pub(in crate::http::consul) fn service(&mut self, id: &str) -> Option<&mut ServiceEdit> {
        if !self.services.contains_key(id) {
            let member = self.seen(id)?;
            self.services.insert(id.to_owned(), Some(ServiceEdit::of(&member)));
        }
        self.services.get_mut(id)?.as_mut()
    }

    /// The node, to be changed.
    pub(in crate::http::consul) fn node(&mut self) -> &mut NodeEdit {
        let Self { node, snapshot, host, .. } = self;
        node.get_or_insert_with(|| NodeEdit::of(snapshot, host))
    }

    /// Has the node be one of an agent: what is changed is changed through that.
    pub(in crate::http::consul) fn meet_agent(&mut self) {
        if self.is_external {
            self.node().meet_agent();
        }
    }

    /// Registers a service in place of the one of the same id. Of that, checks that are not listed
    /// stay, unless they are to be replaced.
    pub(in crate::http::consul) fn register(
        &mut self,
        mut service: Translated,
        replaces_checks: bool,
    ) {
        let id = service.id.clone();
        let (kept, checks) =
            (std::mem::take(&mut service.kept.checks), std::mem::take(&mut service.checks));
        match self.service(&id) {
            Some(known) => known.register(service),
            None => {
                self.services.insert(id.clone(), Some(ServiceEdit::new(service)));
            }
        }
        let count = kept.len();
        let mut listed = Vec::with_capacity(count);
        for ((number, kept), checked) in (1..).zip(kept).zip(checks) {
            let full = kept.id(&id, number, count);
            listed.push(full.clone());
            self.put_check(Owner::Service(&id), Row::new(KeptCheck { id: full, ..kept }, checked));
        }
        if replaces_checks && let Some(service) = self.service(&id) {
            service.checks.retain(|row| listed.iter().any(|id| id == row.id()));
        }
    }

    /// Takes a service away, and says whether it was there.
    pub(in crate::http::consul) fn remove_service(&mut self, id: &str) -> bool {
        let known = self.service(id).is_some();
        let service = self.services.insert(id.to_owned(), None).flatten();
        self.removals.extend(service.and_then(ServiceEdit::into_removal));
        known
    }

    /// Takes the node away with all that is on it.
    pub(in crate::http::consul) fn remove_node(&mut self) {
        for id in self.ids() {
            self.remove_service(&id);
        }
        let node = self.node.take().unwrap_or_else(|| NodeEdit::of(&self.snapshot, &self.host));
        self.removals.extend(node.into_removal());
    }

    /// Registers the node as the catalog's client has it. Services without an address of their own
    /// are where it is.
    ///
    /// # Errors
    /// 500 for an address that is none.
    pub(in crate::http::consul) fn register_node(
        &mut self,
        registration: &CatalogRegistration,
    ) -> Result<(), ConsulError> {
        let before = self.known_address();
        let (has_moved, is_known) = (before != registration.address, self.is_known());
        self.node().register(registration, is_known);
        self.host.name.clone_from(&registration.node);
        self.host.address.clone_from(&registration.address);
        let there = addresses("", &BTreeMap::new(), &self.host);
        there.map_err(|_| ConsulError::failed("Invalid node address"))?;
        if !has_moved {
            return Ok(());
        }
        let checks = &mut self.node().checks;
        checks.iter_mut().for_each(|check| check.follow(&before, &registration.address));
        for id in self.ids() {
            let host = self.host.clone();
            if let Some(service) = self.service(&id) {
                service.move_to(&host)?;
            }
        }
        Ok(())
    }

    /// Has what is on the node without an address of its own, and the node's own state, be where
    /// the node is; up to `most` services. Says how many were somewhere else.
    ///
    /// # Errors
    /// When that is no address.
    pub(super) fn follow_node(&mut self, most: usize) -> Result<usize, ConsulError> {
        let host = self.host.clone();
        let left_behind = self.snapshot.origins.of(&host.scope()).filter_map(|instance| {
            let kept = Kept::of(instance).filter(|_| !instance.service.is_nodes())?;
            let id = instance.origin.as_ref()?.id.to_string();
            (kept.node_address != host.address).then_some(id)
        });
        let left_behind: Vec<String> = left_behind.take(most).collect();
        for id in &left_behind {
            if let Some(service) = self.service(id) {
                service.move_to(&host)?;
            }
        }
        let node = self.snapshot.origins.get(&host.scope(), "").and_then(|node| KeptNode::of(node));
        let has_moved = node.is_some_and(|node| node.address != host.address);
        if has_moved {
            self.node().move_to(&host);
        }
        Ok(left_behind.len() + usize::from(has_moved))
    }

    /// Has the node stay where it is, whatever address a client brings with it.
    pub(in crate::http::consul) fn leave_node(&mut self) {
        self.host.address = self.known_address();
    }

    /// Puts a check in place of the one of the same id, whosever that is on the node.
    pub(in crate::http::consul) fn put_check(&mut self, owner: Owner<'_>, row: Row) {
        let at = |rows: &Vec<Row>| rows.iter().position(|known| known.id() == row.id());
        if let Some(rows) = self.rows(owner)
            && let Some(at) = at(rows)
        {
            let next = row.in_place_of(&rows[at]);
            rows[at] = next;
            return;
        }
        let taken = self.take_check(row.id());
        let row = match taken {
            Some(before) => row.in_place_of(&before.moved()),
            None => row,
        };
        if let Some(rows) = self.rows(owner) {
            rows.push(row);
        }
    }

    /// Takes the check of that id away from whosever it is.
    pub(in crate::http::consul) fn take_check(&mut self, id: &str) -> Option<Row> {
        let in_hand = self.services.values_mut().flatten().map(|service| &mut service.checks);
        let in_hand = in_hand.chain(self.node.as_mut().map(|node| &mut node.checks));
        for rows in in_hand {
            if let Some(at) = rows.iter().position(|row| row.id() == id) {
                return Some(rows.remove(at));
            }
        }
        let owner = {
            let (member, _) = locate(&self.api, &self.snapshot, &self.host.scope(), id)?;
            member.instance.origin.as_ref()?.id.to_string()
        };
        // What is in hand already has been looked at.
        let rows = match &*owner {
            "" if self.node.is_none() => &mut self.node().checks,
            "" => return None,
            service if self.services.contains_key(service) => return None,
            service => &mut self.service(service)?.checks,
        };
        let at = rows.iter().position(|row| row.id() == id)?;
        Some(rows.remove(at))
    }

    /// All changes.
    ///
    /// # Errors
    /// 400 when something is above a limit of the registry.
    pub(super) fn into_amendments(self) -> Result<Vec<Amendment>, ConsulError> {
        let Self { api, snapshot, host, services, node, removals, .. } = self;
        let mut all = removals;
        for service in services.into_values().flatten() {
            all.extend(service.into_amendments(&api, &snapshot, &host)?);
        }
        if let Some(node) = node {
            all.extend(node.into_amendment(&snapshot, &host)?);
        }
        Ok(all)
    }

    /// Where the node was so far; empty when nothing is known of it.
    fn known_address(&self) -> String {
        if self.is_own {
            return self.host.address.clone();
        }
        let (scope, origins) = (self.host.scope(), &self.snapshot.origins);
        let node = origins.get(&scope, "").and_then(|node| KeptNode::of(node));
        let on_it = || Some(origins.of(&scope).find_map(|on_it| Kept::of(on_it))?.node_address);
        node.map(|node| node.address).or_else(on_it).unwrap_or_default()
    }

    /// The ids of the services on the node.
    fn ids(&self) -> Vec<String> {
        let origins = self.snapshot.origins.of(&self.host.scope());
        let ids = origins.filter_map(|instance| Some(&*instance.origin.as_ref()?.id));
        ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
    }

    fn rows(&mut self, owner: Owner<'_>) -> Option<&mut Vec<Row>> {
        match owner {
            Owner::Node => Some(&mut self.node().checks),
            Owner::Service(id) => self.service(id).map(|service| &mut service.checks),
        }
    }

    fn seen(&self, id: &str) -> Option<Arc<Member>> {
        // Of that id is the node itself.
        let named = Some(id).filter(|id| !id.is_empty())?;
        let instance = self.snapshot.origins.get(&self.host.scope(), named)?;
        self.snapshot.member_like(instance).cloned()
    }
}
