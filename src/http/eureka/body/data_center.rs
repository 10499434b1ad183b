//! Where an instance runs.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Metadata;
use crate::{http::eureka::tree::Node, model::Invalid};

/// The data centre of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DataCenterInfo {
    /// Amazon's, with what its metadata service says: `instance-id`, `availability-zone` and so on.
    Amazon(Metadata),
    /// Netflix's own.
    Netflix,
    /// Any other.
    MyOwn,
    /// Without a name, which a registration must not be.
    Unnamed,
}

/// By which its unwrapped metadata is written; serde has no other way to say it.
struct Plain<'a>(&'a Metadata);

// === impl DataCenterInfo ===

impl DataCenterInfo {
    /// Its name, if it has one.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Amazon(_) => Some("Amazon"),
            Self::Netflix => Some("Netflix"),
            Self::MyOwn => Some("MyOwn"),
            Self::Unnamed => None,
        }
    }

    /// The Java class that clients look for. It follows from the name, whatever was sent.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Amazon(_) => "com.netflix.appinfo.AmazonInfo",
            Self::Netflix | Self::MyOwn | Self::Unnamed => {
                "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
            }
        }
    }

    /// What Amazon calls the instance, which is its id when it has no other.
    pub(crate) fn instance_id(&self) -> Option<&str> {
        let Self::Amazon(metadata) = self else { return None };
        metadata.get("instance-id").filter(|id| !id.is_empty())
    }

    /// The data centre that is said; metadata of any but Amazon's is left out, as it is by Eureka.
    ///
    /// # Errors
    /// When its name is none that Java clients know: one such instance breaks all that they fetch.
    pub(super) fn read(field: &str, node: &Node) -> Result<Self, Invalid> {
        let name = node.child("name").map_or("", Node::text).trim();
        match &*name.to_ascii_lowercase() {
            "" => Ok(Self::Unnamed),
            "amazon" => {
                Ok(Self::Amazon(node.child("metadata").map(Metadata::read).unwrap_or_default()))
            }
            "netflix" => Ok(Self::Netflix),
            "myown" => Ok(Self::MyOwn),
            _ => {
                let problem = "is no data centre; there are Amazon, MyOwn, Netflix";
                Err(Invalid::new("name", name, problem).under(field))
            }
        }
    }
}

impl Serialize for DataCenterInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("@class", self.class())?;
        if let Some(name) = self.name() {
            map.serialize_entry("name", name)?;
        }
        if let Self::Amazon(metadata) = self {
            map.serialize_entry("metadata", &Plain(metadata))?;
        }
        map.end()
    }
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_plain(serializer)
    }
}
