//! Services under Consul's names: which instances a name stands for, and what is answered of them.
//!
//! As in Consul, what is critical is left out and what is warning is not, unless the operator says
//! so. Other than there, weights count in every answer and not in the numbers of SRV alone.

use std::borrow::Cow;

use super::{
    name::{Meaning, Service, Tag, meaning},
    node::{dotted, label_of, labels_in},
    spec::Consul,
    srv,
    zone::Asking,
};
use crate::{
    dns::{
        asked::Asked,
        code::rtype,
        encode::Section,
        service::{
            addresses, txt,
            zone::{Answering, outcome},
        },
        verdict::Verdict,
    },
    model::{DnsName, ServiceName, Status},
    registry::{FailOpen, Member, Selection, ServiceEntry},
};

/// Instances that the fast path looks at one by one, for tags and states that nothing was prepared
/// for: some microseconds.
const FAST_MEMBERS_MAX: usize = 256;

/// The service as which Consul's servers register themselves.
const SERVERS: &str = "consul";

// === impl Asking ===

impl Asking<'_, '_> {
    /// Answers a name that stands for instances of a service.
    pub(super) fn service(&mut self, asked: &Service<'_>) -> Verdict {
        // An octet that is no UTF-8 is in no name of ours.
        let Ok(label) = std::str::from_utf8(asked.label) else { return Verdict::Nxdomain };
        let (snapshot, derived) = (self.sources.snapshot, &mut None);
        let (entry, name) = match snapshot.service(label) {
            Some(entry) => (Some(entry), label),
            None if is_label(label) => (None, label),
            // The name that a service is kept by which is called so has to be made first.
            None if !self.caller.may_allocate => return Verdict::NeedsFull,
            None => {
                let derived = derived.insert(ServiceName::derived(label)).as_str();
                (snapshot.service(derived), derived)
            }
        };
        if !self.sources.settings.shows_service(self.caller.client, name) {
            return Verdict::Denied;
        }
        let Some(entry) = entry else { return self.unknown(label, asked) };
        let selection = match asked.tag {
            None => Ok(Cow::Borrowed(&entry.all)),
            Some(tag) => self.tagged(entry, tag),
        };
        let selection = selection.and_then(|selection| self.only_passing(entry, selection));
        match selection {
            Ok(selection) => self.selection(entry, &selection, asked.is_for_srv),
            Err(verdict) => verdict,
        }
    }

    fn tagged<'e>(
        &self,
        entry: &'e ServiceEntry,
        tag: Tag<'_>,
    ) -> Result<Cow<'e, Selection>, Verdict> {
        let text = |octets| std::str::from_utf8(octets).map_err(|_| Verdict::Nxdomain);
        match tag {
            Tag::Label(tag) => match entry.tagged(text(tag)?) {
                Some(selection) => Ok(Cow::Borrowed(selection)),
                None => self.carriers(entry, text(tag)?),
            },
            Tag::Labels(labels) => {
                self.carriers(entry, text(&dotted(labels).ok_or(Verdict::Nxdomain)?)?)
            }
        }
    }

    /// Those that carry a tag which is no label of the native zone, as `v1.2`.
    fn carriers<'e>(
        &self,
        entry: &'e ServiceEntry,
        tag: &str,
    ) -> Result<Cow<'e, Selection>, Verdict> {
        let may_allocate = self.caller.may_allocate;
        if entry.members.len() > FAST_MEMBERS_MAX && !may_allocate {
            return Err(Verdict::NeedsFull);
        }
        let carries = |member: &Member| other_tags(member).any(|own| own == tag);
        if !entry.members.iter().any(|member| carries(member)) {
            // `2` of `v1.2` has nothing but a name below it.
            let is_end = |own: &str| own.strip_suffix(tag).is_some_and(|rest| rest.ends_with('.'));
            let is_above = entry.members.iter().any(|member| other_tags(member).any(is_end));
            return Err(if is_above { self.empty() } else { Verdict::Nxdomain });
        }
        if !may_allocate {
            return Err(Verdict::NeedsFull);
        }
        let indices = entry.members.iter().zip(0_u32..);
        let chosen = indices.filter(|(member, _)| carries(member)).map(|(_, index)| index);
        let chosen: Vec<u32> = chosen.collect();
        Ok(Cow::Owned(Selection::new(&entry.members, &chosen, &entry.policy)))
    }

    /// The same without those that are warning, where these are not wanted.
    fn only_passing<'e>(
        &self,
        entry: &ServiceEntry,
        selection: Cow<'e, Selection>,
    ) -> Result<Cow<'e, Selection>, Verdict> {
        if !self.consul.only_passing || selection.fail_open().is_some() {
            return Ok(selection);
        }
        let may_allocate = self.caller.may_allocate;
        if selection.groups().count() > FAST_MEMBERS_MAX && !may_allocate {
            return Err(Verdict::NeedsFull);
        }
        let indices = || selection.groups().map(|group| u32::from(group.member));
        let is_passing = |index: &u32| entry.members[*index as usize].status == Status::Passing;
        if indices().all(|index| is_passing(&index)) {
            return Ok(selection);
        }
        if !may_allocate {
            return Err(Verdict::NeedsFull);
        }
        let mut chosen: Vec<u32> = indices().filter(is_passing).collect();
        chosen.sort_unstable();
        Ok(Cow::Owned(Selection::new(&entry.members, &chosen, &entry.policy)))
    }

    fn selection(
        &mut self,
        entry: &ServiceEntry,
        selection: &Selection,
        is_for_srv: bool,
    ) -> Verdict {
        let (consul, asked) = (self.consul, self.asked);
        let fail_open = match outcome(selection, self.reply) {
            Ok(fail_open) => fail_open,
            Err(Verdict::Nodata) if consul.nxdomain_when_none_healthy => return Verdict::Nxdomain,
            Err(verdict) => return verdict,
        };
        if is_for_srv && asked.qtype != rtype::SRV {
            return self.empty();
        }
        let most = match self.reply.is_of_the_smallest() {
            true => consul.udp_answer_limit,
            false => u32::MAX,
        };
        let mut asking = Answering {
            service: entry,
            origin: self.sources.settings.origin().as_wire(),
            asked,
            caller: self.caller,
            rng: &mut *self.rng,
            reply: &mut *self.reply,
            ttl: consul.ttl_of(entry.name.as_str()),
            limit: if asked.qtype == rtype::SRV { most } else { most.min(consul.a_record_limit) },
        };
        match asked.qtype {
            rtype::A => {
                let addresses = |start| selection.first.records.v4(start);
                addresses::of_pool(&mut asking, selection.v4(), addresses, selection)
            }
            rtype::AAAA => {
                let addresses = |start| selection.first.records.v6(start);
                addresses::of_pool(&mut asking, selection.v6(), addresses, selection)
            }
            rtype::ANY => both(&mut asking, selection, fail_open),
            rtype::CNAME => addresses::alias_of(&mut asking, selection),
            rtype::SRV => srv::of_selection(&mut asking, self.domain, selection, fail_open),
            rtype::TXT => txt::of_selection(&mut asking, selection, fail_open),
            _ => Verdict::Nodata,
        }
    }

    /// A name that no service has. `_tcp` and `_T` are above those of RFC 2782; as `consul` its
    /// servers register themselves, and this server stands in for them.
    fn unknown(&mut self, label: &str, asked: &Service<'_>) -> Verdict {
        if asked.tag.is_some() {
            return Verdict::Nxdomain;
        }
        match label.strip_prefix('_') {
            Some("tcp") => self.empty(),
            Some(tag) if self.sources.snapshot.tags.get(tag).is_some() => self.empty(),
            None if label == SERVERS && asked.is_for_srv && self.asked.qtype != rtype::SRV => {
                self.empty()
            }
            None if label == SERVERS => self.own_service(),
            _ => Verdict::Nxdomain,
        }
    }

    fn own_service(&mut self) -> Verdict {
        let (ip, ttl) = (self.consul.node_address, self.consul.ttl_of(SERVERS));
        if self.asked.qtype != rtype::SRV {
            return self.addresses(&[ip], ttl);
        }
        let [high, low] = self.consul.port.to_be_bytes();
        let (owner, numbers) = (self.asked.at, [0, 1, 0, 1, high, low]);
        let (node, address) = (labels_in(&self.consul.node, self.domain), label_of(ip));
        let target = match &node {
            Some(node) => [&node[..], self.domain.of_nodes().as_wire()],
            None => [&address[..], self.domain.of_addresses.as_wire()],
        };
        // What does not fit marks the reply as cut by itself.
        if let Ok(start) = self.reply.service(owner, ttl, &numbers, target) {
            srv::put_address(self.reply, start + srv::TARGET_OFFSET, ttl, ip);
        }
        Verdict::Answered(None)
    }
}

/// The tags of an instance that are no labels.
fn other_tags(member: &Member) -> impl Iterator<Item = &str> {
    let origin = member.instance.origin.as_deref();
    origin.into_iter().flat_map(|origin| &origin.other_tags).map(|tag| &**tag)
}

/// Addresses of both families, or the host name that stands in their place.
fn both(
    asking: &mut Answering<'_, '_>,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let (v4, v6) = (selection.v4(), selection.v6());
    if v4.0.is_empty() && v6.0.is_empty() {
        return addresses::alias_of(asking, selection);
    }
    let (asked, records) = (asking.asked, &selection.first.records);
    asking.asked = Asked { qtype: rtype::A, ..asked };
    let verdict = addresses::of_groups(asking, v4, |start| records.v4(start), selection);
    if verdict == Verdict::NeedsFull {
        return verdict;
    }
    let written = asking.reply.count(Section::Answer);
    asking.limit = asking.limit.saturating_sub(written.into());
    if asking.limit > 0 {
        asking.asked = Asked { qtype: rtype::AAAA, ..asked };
        let verdict = addresses::of_groups(asking, v6, |start| records.v6(start), selection);
        if verdict == Verdict::NeedsFull {
            return verdict;
        }
    }
    Verdict::Answered(fail_open)
}

/// Whether a service that is called so is kept by the very same name.
fn is_label(text: &str) -> bool {
    let is_inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !matches!(text.as_bytes(), [b'n', b's', b'1'..=b'9'])
}

/// What an access rule should be about whose zone is some of a service's names in these domains;
/// `None` when it is all of them, or none.
pub(in crate::dns) fn zone_meant(consul: &Consul, zone: &DnsName) -> Option<DnsName> {
    let (domain, Meaning::Service(asked)) = meaning(consul, zone.as_wire())? else { return None };
    let label = std::str::from_utf8(asked.label).ok()?;
    // `_tcp.service` has the names of all services below it.
    if asked.tag.is_none() && label.starts_with('_') {
        return Some(domain.services().clone());
    }
    let kept = ServiceName::derived(label);
    let is_whole = !asked.is_for_srv && asked.tag.is_none();
    let is_whole = is_whole && zone.labels().next() == Some(kept.as_str().as_bytes());
    if is_whole { None } else { domain.services().child(kept.as_str()).ok() }
}

#[cfg(test)]
mod tests {
    use super::is_label;
    use crate::model::ServiceName;

    #[test]
    fn what_is_kept_by_its_own_name_needs_none_to_be_made() {
        for text in ["web", "a-b", "ns1", "ns10", "-a", "a-", "my_service", "a b", "7"] {
            assert_eq!(is_label(text), ServiceName::parse(text).is_ok(), "{text}");
        }
    }
}
