//! A port, and whether it is open.

use serde::Serialize;

use super::field::{as_text, int, is_true};
use crate::{http::eureka::tree::Node, model::Invalid};

/// A port, `{"$":8080,"@enabled":"true"}` or `<port enabled="true">8080</port>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Port {
    /// Its number. Clients send 0, and less, for a port that they do not have.
    #[serde(rename = "$")]
    pub(crate) number: i32,
    /// Whether anything listens there.
    #[serde(rename = "@enabled", serialize_with = "as_text")]
    pub(crate) enabled: bool,
}

// === impl Port ===

impl Port {
    /// What Eureka takes for the port when nothing is said of it.
    pub(crate) const DEFAULT: Self = Self { number: 7001, enabled: true };
    /// What Eureka takes for the secure port when nothing is said of it.
    pub(crate) const DEFAULT_SECURE: Self = Self { number: 7002, enabled: false };

    /// The port that a client can connect to: enabled, and from 1 to 65535.
    pub(crate) fn usable(self) -> Option<u16> {
        u16::try_from(self.number).ok().filter(|number| self.enabled && *number > 0)
    }

    /// The port that is said; what is not said of it stays as in `default`.
    ///
    /// # Errors
    /// When the number is none.
    pub(super) fn read(name: &str, node: &Node, default: Self) -> Result<Self, Invalid> {
        let enabled = node.attribute("enabled").map_or(default.enabled, is_true);
        Ok(Self { number: int(name, node)?.unwrap_or(default.number), enabled })
    }
}
