//! The snapshot's side tables: which tags exist, and which instances have an address.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::{
    Member, ServiceEntry, Shards,
    holders::{self, Holders},
};
use crate::model::{InstanceKey, Tag};

/// Counts the services of each tag anew, given one service before and after a change.
pub(super) fn update_tags(
    tags: &mut Shards<Tag, u32>,
    before: Option<&ServiceEntry>,
    after: Option<&ServiceEntry>,
) {
    let of = |entry: Option<&ServiceEntry>| -> Vec<Tag> {
        entry.map(|e| e.tags().map(|(tag, _)| tag.clone()).collect()).unwrap_or_default()
    };
    let (before, after) = (of(before), of(after));
    for gone in before.iter().filter(|tag| after.binary_search(tag).is_err()) {
        match tags.get(gone) {
            Some(&count) if count > 1 => tags.insert(gone.clone(), count - 1),
            _ => tags.remove(gone),
        }
    }
    for new in after.iter().filter(|tag| before.binary_search(tag).is_err()) {
        let count = tags.get(new).copied().unwrap_or(0);
        tags.insert(new.clone(), count + 1);
    }
}

/// Whether a service is there before and after a change, and carries the same tags.
pub(super) fn have_the_same_names(
    before: Option<&ServiceEntry>,
    after: Option<&ServiceEntry>,
) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    fn other_tags(entry: &ServiceEntry) -> BTreeSet<&str> {
        let origins = entry.members.iter().filter_map(|member| member.instance.origin.as_ref());
        origins.flat_map(|origin| origin.other_tags.iter().map(AsRef::as_ref)).collect()
    }
    before.members.is_empty() == after.members.is_empty()
        && before.tags().map(|(tag, _)| tag).eq(after.tags().map(|(tag, _)| tag))
        && other_tags(before) == other_tags(after)
}

/// Brings the index of addresses up to date, given one service before and after a change.
pub(super) fn update_addresses(
    index: &mut Shards<IpAddr, Holders<InstanceKey>>,
    before: Option<&ServiceEntry>,
    after: Option<&ServiceEntry>,
) {
    let kept = |entry: Option<&ServiceEntry>, member: &Arc<Member>| {
        let same = entry.and_then(|e| e.member(member.instance.id.as_str()));
        same.is_some_and(|m| m.instance.addresses == member.instance.addresses)
    };
    for member in before.iter().flat_map(|e| &e.members).filter(|m| !kept(after, m)) {
        let key = member.key();
        for ip in member.instance.addresses.as_ips() {
            holders::remove(index, ip, &key);
        }
    }
    for member in after.iter().flat_map(|e| &e.members).filter(|m| !kept(before, m)) {
        let key = member.key();
        for ip in member.instance.addresses.as_ips() {
            holders::insert(index, *ip, &key);
        }
    }
}
