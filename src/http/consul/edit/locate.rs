//! Finds a check by its id, which is unique on its node.

use std::sync::Arc;

use crate::{
    http::{
        Api,
        consul::kept::{Kept, KeptCheck, KeptNode},
    },
    model::{Instance, Scope},
    registry::{Member, Snapshot},
};

/// The service or the node that has a check of that id, and the check's place among its checks.
pub(in crate::http::consul) fn locate<'s>(
    api: &Api,
    snapshot: &'s Snapshot,
    scope: &Scope,
    id: &str,
) -> Option<(&'s Arc<Member>, usize)> {
    let found = |member: &'s Arc<Member>| {
        let at = position(&member.instance, id)?;
        (at < member.instance.checks.len()).then_some((member, at))
    };
    if let Some(own) = id.strip_prefix("service:") {
        let numbered = own.rsplit_once(':').map(|(service, _)| service);
        let made = [Some(own), numbered].into_iter().flatten().filter(|own| !own.is_empty());
        let made = made.filter_map(|service| snapshot.origins.get(scope, service));
        let mut made = made.filter_map(|instance| snapshot.member_like(instance));
        if let Some(found) = made.find_map(found) {
            return Some(found);
        }
    }
    let owner = api.check_ids().owner((api.registry(), snapshot), scope, id)?;
    found(snapshot.member(&owner)?)
}

/// Which of its checks has the id.
fn position(instance: &Instance, id: &str) -> Option<usize> {
    let of_node = |checks: &[KeptCheck]| checks.iter().position(|check| check.id == id);
    if instance.service.is_nodes() {
        return of_node(&KeptNode::of(instance)?.checks);
    }
    let (kept, origin) = (Kept::of(instance)?, instance.origin.as_ref()?);
    let count = kept.checks.len();
    let mut numbered = kept.checks.iter().zip(1..);
    numbered.position(|(check, number)| check.id(&origin.id, number, count) == id)
}
