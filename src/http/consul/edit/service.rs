//! A service while it is being changed.

use std::sync::Arc;

use super::{
    row::Row,
    state::{maintain, removal},
};
use crate::{
    http::{
        Api,
        consul::{
            kept::{Kept, KeptCheck},
            site::Host,
            texts::ConsulError,
            translate::{Checked, Translated, addresses},
        },
    },
    model::{Amendment, Instance, InstanceId, InstanceKey, Invalid, Node, Replacement},
    registry::{Member, Snapshot},
};

/// A service that is there, or is to be.
#[derive(Debug, Clone)]
pub(in crate::http::consul) struct ServiceEdit {
    /// As the registry has it; `None` when it is new.
    before: Option<Arc<Member>>,
    /// As it is to be, its checks apart.
    pub(super) is: Translated,
    pub(super) checks: Vec<Row>,
    drained: bool,
}

// === impl ServiceEdit ===

impl ServiceEdit {
    /// A service that is there.
    pub(super) fn of(member: &Arc<Member>) -> Self {
        let instance = &*member.instance;
        let origin = instance.origin.as_deref();
        let id = origin.map_or(String::new(), |origin| origin.id.to_string());
        let mut kept = Kept::known(instance);
        let mut kept_checks = std::mem::take(&mut kept.checks);
        kept_checks.resize(instance.checks.len(), KeptCheck::default());
        let count = kept_checks.len();
        let full = |check: KeptCheck, at| KeptCheck { id: check.id(&id, at + 1, count), ..check };
        let states = instance.checks.iter().zip(&member.checks);
        let rows = kept_checks.into_iter().zip(states).enumerate();
        let rows =
            rows.map(|(at, (kept, (spec, state)))| Row::known(full(kept, at), spec, state, at));
        Self {
            checks: rows.collect(),
            drained: member.drained,
            is: Translated {
                instance: Instance { origin: None, checks: Arc::default(), ..instance.clone() },
                other_tags: origin.map(|origin| origin.other_tags.clone()).unwrap_or_default(),
                id,
                kept,
                checks: Vec::new(),
            },
            before: Some(Arc::clone(member)),
        }
    }

    /// A service that is new, without checks yet.
    pub(super) fn new(is: Translated) -> Self {
        Self { before: None, is, checks: Vec::new(), drained: false }
    }

    /// The same service as it is registered now: its checks and its maintenance stay.
    pub(super) fn register(&mut self, is: Translated) {
        let maintenance = self.is.kept.maintenance.take();
        self.is = is;
        self.is.kept.maintenance = maintenance;
    }

    /// Puts it into maintenance, or ends that, and says whether that is a change; if it is none the
    /// reason stays, too.
    pub(in crate::http::consul) fn maintain(&mut self, on: bool, reason: Option<&str>) -> bool {
        maintain((&mut self.drained, &mut self.is.kept.maintenance), on, reason)
    }

    /// The same service where its node is now; checks of the node's loopback go there, too.
    ///
    /// # Errors
    /// When that is no address.
    pub(super) fn move_to(&mut self, host: &Host) -> Result<(), ConsulError> {
        let kept = &mut self.is.kept;
        let before = std::mem::replace(&mut kept.node_address, host.address.clone());
        // A service that names that address itself stays there, and so do its checks.
        if kept.address != before {
            self.checks.iter_mut().for_each(|check| check.follow(&before, &host.address));
        }
        self.is.instance.addresses = addresses(&kept.address, &kept.tagged_addresses, host)?;
        Ok(())
    }

    /// Takes it away.
    pub(super) fn into_removal(self) -> Option<Amendment> {
        self.before.as_deref().map(removal)
    }

    /// What makes it so.
    ///
    /// # Errors
    /// 400 when something is above a limit of the registry.
    pub(super) fn into_amendments(
        self,
        api: &Api,
        snapshot: &Snapshot,
        host: &Host,
    ) -> Result<Vec<Amendment>, ConsulError> {
        let Self { before, mut is, checks, drained } = self;
        let same_name = |before: &&Arc<Member>| before.instance.service == is.instance.service;
        let goes_on = before.as_ref().filter(same_name);
        let id = match goes_on {
            Some(before) => before.instance.id.clone(),
            None => free_id(snapshot, &is, host),
        };
        let seen = goes_on.map(|before| before.registered);
        // Only what is to be another: somebody may be draining it by another interface right now.
        let was_drained = goes_on.is_some_and(|before| before.drained);
        let drained = (drained != was_drained).then_some(drained);
        let carries = checks.iter().map(|row| row.carry(seen.is_some())).collect();
        let count = checks.len();
        let made = |at: usize| KeptCheck::default().id(&is.id, at + 1, count);
        let kept = checks.iter().enumerate().map(|(at, row)| {
            // An id that is made of the service's is not kept: it says nothing of its own.
            let id = if row.id() == made(at) { String::new() } else { row.id().to_owned() };
            KeptCheck { id, ..row.kept.clone() }
        });
        is.kept.checks = kept.collect();
        is.checks = checks.into_iter().map(|row| Checked::from(row.spec)).collect();
        let moved = before.filter(|_| seen.is_none());
        let instance = is.into_instance(host, id)?;
        let refused = |refusal: Invalid| ConsulError::bad_request(refusal.to_string());
        // An address that is a name of the service itself leads nowhere; its node's stands in.
        let checked = api.checked(instance.clone()).or_else(|_| api.checked(at_its_node(instance)));
        let instance = Arc::new(checked.map_err(refused)?);
        let key = instance.key();
        let to = Some(Replacement { instance, checks: carries, drained });
        let removal = moved.map(|before| Amendment {
            key: before.key(),
            seen: Some(before.registered),
            to: None,
        });
        Ok(removal.into_iter().chain([Amendment { key, seen, to }]).collect())
    }
}

/// The instance at the address of its node, if that has one; what its clients sent stays as it was.
fn at_its_node(mut instance: Instance) -> Instance {
    if let Some(origin) = &mut instance.origin
        && let Some(Node { addresses, .. }) = &origin.node
    {
        instance.addresses = addresses.clone();
        let node = Node { addresses: addresses.clone(), lends_address: true };
        Arc::make_mut(origin).node = Some(node);
    }
    instance
}

/// The name under which a new service is kept: one that nobody has. On several nodes there may be
/// services of the same name and id.
fn free_id(snapshot: &Snapshot, is: &Translated, host: &Host) -> InstanceId {
    let apart = |number: usize| match number {
        0 => InstanceId::derived(&is.id),
        1 => InstanceId::derived_apart(&is.id, &host.name),
        _ => InstanceId::derived_apart(&is.id, &format!("{}/{number}", host.name)),
    };
    let is_free = |id: &InstanceId| {
        let key = InstanceKey::new(is.instance.service.clone(), id.clone());
        snapshot.member(&key).is_none()
    };
    let mut names = (0..).map(apart);
    names.find(is_free).unwrap_or_else(|| InstanceId::derived(&is.id))
}
