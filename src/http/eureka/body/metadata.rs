//! What the owner of an instance wants others to know of it.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};
use smol_str::SmolStr;

use crate::http::eureka::tree::Node;

/// A flat map of strings, in the order of its keys; no key is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata(BTreeMap<SmolStr, SmolStr>);

// === impl Metadata ===

impl Metadata {
    /// What Eureka says in place of entries when there are none.
    pub(crate) const EMPTY_CLASS: &'static str = "java.util.Collections$EmptyMap";

    /// All entries, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SmolStr, &SmolStr)> {
        self.0.iter()
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(SmolStr::as_str)
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets an entry. `@class` is no key but the name of the map's type in Java, and the empty key
    /// has no form in XML: these are left out.
    pub(crate) fn insert(&mut self, key: SmolStr, value: SmolStr) {
        if !key.is_empty() && key != "@class" {
            self.0.insert(key, value);
        }
    }

    /// The entries as they are said; the last of a key is believed.
    pub(super) fn read(node: &Node) -> Self {
        let entries = node.children();
        entries.map(|(key, value)| (key.clone(), value.text().into())).collect()
    }

    /// As a map and nothing else, which is how the metadata of Amazon's data centres is written.
    ///
    /// # Errors
    /// What the serializer says.
    pub(super) fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl FromIterator<(SmolStr, SmolStr)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (SmolStr, SmolStr)>>(entries: I) -> Self {
        let mut metadata = Self::default();
        entries.into_iter().for_each(|(key, value)| metadata.insert(key, value));
        metadata
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.is_empty() {
            return self.serialize_plain(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("@class", Self::EMPTY_CLASS)?;
        map.end()
    }
}
