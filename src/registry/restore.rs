//! The first snapshot, made from what the store has kept. Pure.

use std::{collections::HashMap, sync::Arc};

use super::{Loaded, Member, Options, ServiceEntry, Snapshot, index};
use crate::model::{Invalid, Policy, ServiceName};

/// Builds the world as it was. Last known states are kept: the answers after a restart are those
/// from before it.
///
/// # Errors
/// When an instance is there twice.
pub(super) fn restore(loaded: Loaded, options: &Options) -> Result<Snapshot, Invalid> {
    type Parts = (Option<Policy>, Vec<Arc<Member>>);
    let mut services: HashMap<ServiceName, Parts> = HashMap::new();
    let mut snapshot = Snapshot { revision: loaded.revision, ..Snapshot::default() };
    for (name, policy) in loaded.policies {
        services.entry(name).or_default().0 = Some(policy);
    }
    for member in loaded.members {
        snapshot.counts.add(&member);
        let parts = services.entry(member.instance.service.clone()).or_default();
        parts.1.push(Arc::new(member));
    }
    for (name, (policy, mut members)) in services {
        members.sort_unstable_by(|a, b| a.instance.id.cmp(&b.instance.id));
        let double = members.windows(2).find(|pair| pair[0].instance.id == pair[1].instance.id);
        if let Some(double) = double {
            return Err(Invalid::new("instance", double[0].key(), "is there twice"));
        }
        let modified = members.iter().map(|m| m.modified).max().unwrap_or(loaded.revision);
        let default = options.default_policy;
        let entry = ServiceEntry::new(name.clone(), policy, default, modified, members.into());
        index::update_tags(&mut snapshot.tags, None, Some(&entry));
        if options.index_addresses {
            index::update_addresses(&mut snapshot.by_address, None, Some(&entry));
        }
        snapshot.services.insert(name, Arc::new(entry));
    }
    Ok(snapshot)
}
