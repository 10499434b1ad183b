//! Finds a check by its id, which is unique on its node.

use std::sync::Arc;

use crate::{
    http::consul::kept::{Kept, KeptCheck, KeptNode},
    model::{Instance, Scope},
    registry::{Member, Snapshot},
};

/// The service or the node that has a check of that id, and the check's place among its checks.
///
/// Nearly all ids are made of their service's, which is looked up. For any other one the documents
/// of the node's services are searched as text, and only one that has it is read.
pub(in crate::http::consul) fn locate<'s>(
    snapshot: &'s Snapshot,
    scope: &Scope,
    id: &str,
) -> Option<(&'s Arc<Member>, usize)> {
    let service = |id: &str| snapshot.origins.get(scope, id);
    let found = |instance: &'s Arc<Instance>| {
        let at = position(instance, id)?;
        let member = snapshot.member_like(instance)?;
        (at < member.instance.checks.len()).then_some((member, at))
    };
    if let Some(own) = id.strip_prefix("service:") {
        let numbered = own.rsplit_once(':').map(|(service, _)| service);
        let made = [Some(own), numbered].into_iter().flatten().filter(|own| !own.is_empty());
        if let Some(found) = made.filter_map(service).find_map(found) {
            return Some(found);
        }
    }
    let quoted = serde_json::to_string(id).ok()?;
    let has_it = |instance: &&Arc<Instance>| {
        let origin = instance.origin.as_ref();
        origin.is_some_and(|origin| origin.document.contains(&*quoted))
    };
    snapshot.origins.of(scope).filter(has_it).find_map(found)
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
