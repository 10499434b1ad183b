//! A node while it is being changed.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    row::Row,
    state::{maintain, removal},
};
use crate::{
    http::consul::{
        definition::CatalogRegistration,
        kept::{KeptCheck, KeptNode},
        site::Host,
        texts::ConsulError,
        translate::addresses,
    },
    model::{
        Amendment, CheckSpec, Instance, InstanceId, InstanceKey, Invalid, Meta, Origin,
        Replacement, ServiceName,
    },
    registry::{Member, Snapshot},
};

/// A node with a state of its own, or one that gets it.
#[derive(Debug, Clone)]
pub(in crate::http::consul) struct NodeEdit {
    /// As the registry has it; `None` when it has had no state of its own so far.
    before: Option<Arc<Member>>,
    kept: KeptNode,
    pub(super) checks: Vec<Row>,
    drained: bool,
}

// === impl NodeEdit ===

impl NodeEdit {
    /// The node, as it is.
    pub(super) fn of(snapshot: &Snapshot, host: &Host) -> Self {
        let node = snapshot.origins.get(&host.scope(), "");
        let before = node.and_then(|node| snapshot.member_like(node)).cloned();
        let Some(member) = &before else {
            let (node, address) = (host.name.clone(), host.address.clone());
            let kept = KeptNode { node, address, ..KeptNode::default() };
            return Self { before, kept, checks: Vec::new(), drained: false };
        };
        let mut kept = KeptNode::of(&member.instance).unwrap_or_else(|| KeptNode {
            node: host.name.clone(),
            address: host.address.clone(),
            ..KeptNode::default()
        });
        let mut kept_checks = std::mem::take(&mut kept.checks);
        kept_checks.resize(member.instance.checks.len(), KeptCheck::default());
        let states = member.instance.checks.iter().zip(&member.checks);
        let rows = kept_checks.into_iter().zip(states).enumerate();
        let rows = rows.map(|(at, (kept, (spec, state)))| Row::known(kept, spec, state, at));
        Self { kept, checks: rows.collect(), drained: member.drained, before }
    }

    /// The node as the catalog's client has it; `is_known` says whether there was something on it
    /// before. Without an UUID it keeps the one that it has.
    pub(super) fn register(&mut self, registration: &CatalogRegistration, is_known: bool) {
        let CatalogRegistration { id, node, address, tagged_addresses, node_meta, .. } =
            registration;
        let old = std::mem::take(&mut self.kept);
        self.kept = KeptNode {
            id: if id.is_empty() { old.id } else { id.clone() },
            node: node.clone(),
            address: address.clone(),
            tagged_addresses: tagged_addresses.clone(),
            meta: node_meta.clone(),
            is_registered: true,
            // What was there without having been registered is what clients have of their agent.
            has_agent: old.has_agent || (is_known && !old.is_registered),
            maintenance: old.maintenance,
            checks: Vec::new(),
        };
    }

    /// Has it be the node of an agent, which somebody registers with.
    pub(super) fn meet_agent(&mut self) {
        self.kept.has_agent = true;
    }

    /// The same node at another address.
    pub(super) fn move_to(&mut self, host: &Host) {
        self.kept.address.clone_from(&host.address);
    }

    /// Puts it into maintenance, or ends that, and says whether that is a change; if it is none the
    /// reason stays, too.
    pub(in crate::http::consul) fn maintain(&mut self, on: bool, reason: Option<&str>) -> bool {
        maintain((&mut self.drained, &mut self.kept.maintenance), on, reason)
    }

    /// Takes away what it has of its own.
    pub(super) fn into_removal(self) -> Option<Amendment> {
        self.before.as_deref().map(removal)
    }

    /// What makes it so. A node that is left with nothing of its own is taken away: it is there as
    /// long as a service is on it.
    ///
    /// # Errors
    /// 400 when something is above a limit of the registry.
    pub(super) fn into_amendment(
        self,
        snapshot: &Snapshot,
        host: &Host,
    ) -> Result<Option<Amendment>, ConsulError> {
        if !self.kept.is_registered && !self.drained && self.checks.is_empty() {
            return Ok(self.into_removal());
        }
        let Self { before, mut kept, checks, drained } = self;
        let id = match &before {
            Some(before) => before.instance.id.clone(),
            None => free_id(snapshot, host),
        };
        // Only what is to be another: somebody may be draining it by another interface right now.
        let was_drained = before.as_ref().is_some_and(|before| before.drained);
        let drained = (drained != was_drained).then_some(drained);
        let carries = checks.iter().map(|row| row.carry(before.is_some())).collect();
        // A check of a node removes nothing: as in Consul, it is services that are reaped.
        let spec = |row: &Row| CheckSpec { deregister_after: None, ..row.spec.clone() };
        let specs = checks.iter().map(spec).collect();
        kept.checks = checks.into_iter().map(|row| row.kept).collect();
        let document = serde_json::to_string(&kept);
        let document = document.map_err(|error| ConsulError::failed(error.to_string()))?;
        let refused = |refusal: Invalid| ConsulError::bad_request(refusal.to_string());
        let origin = Origin {
            scope: host.scope(),
            id: "".into(),
            document: document.into(),
            other_tags: Box::default(),
            service: None,
            node: None,
        };
        let instance = Instance {
            service: ServiceName::nodes(),
            id,
            addresses: addresses(&kept.address, &BTreeMap::new(), host)?,
            port: 0,
            weight: 1,
            warning_weight: None,
            priority: 1,
            tags: Arc::default(),
            meta: Meta::what_fits(&kept.meta),
            checks: specs,
            deregister_after: None,
            initial_status: None,
            origin: Some(Arc::new(origin.checked().map_err(refused)?)),
        };
        let instance = Arc::new(instance.checked().map_err(refused)?);
        let (key, seen) = (instance.key(), before.map(|before| before.registered));
        let to = Some(Replacement { instance, checks: carries, drained });
        Ok(Some(Amendment { key, seen, to }))
    }
}

/// The name under which a node is kept that has had no state of its own.
fn free_id(snapshot: &Snapshot, host: &Host) -> InstanceId {
    let scope = host.scope();
    let derived = InstanceId::derived(&scope.name);
    let key = InstanceKey::new(ServiceName::nodes(), derived);
    match snapshot.member(&key) {
        None => key.id,
        Some(_) => InstanceId::derived_apart(&scope.name, "node"),
    }
}
