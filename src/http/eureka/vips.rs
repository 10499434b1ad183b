//! Which instances answer to which names.
//!
//! Clients that want the instances under one name only ask for it twice a minute, each of them. The
//! names are in the documents that were kept of the instances; the index is made when somebody asks
//! for the first time, and follows what changes from then on.

use std::{borrow::Cow, collections::BTreeSet};

use hashbrown::HashMap;
use serde::Deserialize;
use smol_str::SmolStr;

use super::shown;
use crate::{model::InstanceKey, registry::Member};

/// For which kind of connection a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Vip {
    /// `vipAddress`.
    Plain,
    /// `secureVipAddress`.
    Secure,
}

/// The names of all instances that came by this interface.
#[derive(Debug, Default)]
pub(super) struct Vips(HashMap<(Vip, SmolStr), BTreeSet<InstanceKey>>);

/// Of a document its names only.
#[derive(Deserialize)]
struct Document<'d> {
    #[serde(borrow)]
    instance: Names<'d>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names<'d> {
    #[serde(borrow, default)]
    vip_address: Cow<'d, str>,
    #[serde(borrow, default)]
    secure_vip_address: Cow<'d, str>,
}

// === impl Vips ===

impl Vips {
    /// The names of these instances.
    pub(super) fn of<'m>(members: impl Iterator<Item = &'m Member>) -> Self {
        let mut vips = Self::default();
        members.for_each(|member| vips.add(member));
        vips
    }

    /// Those that answer to a name, in the order of their keys.
    pub(super) fn answering(&self, vip: Vip, name: &str) -> impl Iterator<Item = &InstanceKey> {
        self.0.get(&(vip, SmolStr::new(name))).into_iter().flatten()
    }

    /// Adds the names of an instance.
    pub(super) fn add(&mut self, member: &Member) {
        each(member, |name| {
            self.0.entry(name).or_default().insert(member.key());
        });
    }

    /// Takes the names of an instance out.
    pub(super) fn remove(&mut self, member: &Member) {
        each(member, |name| {
            if let Some(keys) = self.0.get_mut(&name) {
                keys.remove(&member.key());
                if keys.is_empty() {
                    self.0.remove(&name);
                }
            }
        });
    }
}

/// Each field may have several names, separated by commas.
fn each(member: &Member, mut take: impl FnMut((Vip, SmolStr))) {
    let Some(origin) = shown::origin(member) else { return };
    let document = serde_json::from_str::<Document<'_>>(&origin.document);
    let names = document.map(|document| document.instance).unwrap_or_default();
    for (vip, list) in [(Vip::Plain, names.vip_address), (Vip::Secure, names.secure_vip_address)] {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.for_each(|name| take((vip, name.into())));
    }
}
