//! The first snapshot, made from what the store has kept. Pure.
//!
//! One service after the other: beside what stays there is never more than one of them in the
//! making, and what stays lies together in memory.

use std::{collections::BTreeMap, iter, sync::Arc};

use super::{Loaded, Member, Options, ServiceEntry, Snapshot, index};
use crate::model::{Invalid, Policy, Revision, ServiceName};

/// Builds the world as it was. Last known states are kept: the answers after a restart are those
/// from before it.
///
/// # Errors
/// When an instance is there twice.
pub(super) fn restore(loaded: Loaded, options: &Options) -> Result<Snapshot, Invalid> {
    let Loaded { revision, mut members, policies } = loaded;
    let mut policies: BTreeMap<ServiceName, Policy> = policies.into_iter().collect();
    let mut snapshot = Snapshot { revision, ..Snapshot::default() };
    // A store hands them over sorted.
    if !members.is_sorted_by(|a, b| in_order(a) <= in_order(b)) {
        members.sort_unstable_by(|a, b| in_order(a).cmp(&in_order(b)));
    }
    let double = members.windows(2).find(|pair| in_order(&pair[0]) == in_order(&pair[1]));
    if let Some(double) = double {
        return Err(Invalid::new("instance", double[0].key(), "is there twice"));
    }
    let mut members = members.into_iter().peekable();
    while let Some(first) = members.next() {
        let name = first.instance.service.clone();
        let rest = iter::from_fn(|| members.next_if(|member| member.instance.service == name));
        let members: Box<[Arc<Member>]> = iter::once(first).chain(rest).map(Arc::new).collect();
        members.iter().for_each(|member| snapshot.counts.add(member));
        let policy = policies.remove(&name);
        let modified = members.iter().map(|member| member.modified).max().unwrap_or(revision);
        put(&mut snapshot, options, (name, policy, modified, members));
    }
    for (name, policy) in policies {
        put(&mut snapshot, options, (name, Some(policy), revision, Box::default()));
    }
    Ok(snapshot)
}

fn in_order(member: &Member) -> (&str, &str) {
    (member.instance.service.as_str(), member.instance.id.as_str())
}

fn put(
    snapshot: &mut Snapshot,
    options: &Options,
    (name, policy, modified, members): (ServiceName, Option<Policy>, Revision, Box<[Arc<Member>]>),
) {
    let entry = ServiceEntry::new(name.clone(), policy, options.default_policy, modified, members);
    index::update_tags(&mut snapshot.tags, None, Some(&entry));
    if options.index_addresses {
        index::update_addresses(&mut snapshot.by_address, None, Some(&entry));
    }
    snapshot.services.insert(name, Arc::new(entry));
}
