//! Reverse zones: from an address back to the instances that have it.

use ipnet::IpNet;

use crate::model::Invalid;

/// A prefix whose reverse names are answered.
///
/// A name under `in-addr.arpa` has whole octets for labels, one under `ip6.arpa` whole nibbles, so
/// a prefix that ends in between is several zones side by side (as RFC 6303 does it for
/// 172.16.0.0/12): cut at the next label boundary, they hold the prefix and nothing beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReverseZone {
    prefix: IpNet,
}

// === impl ReverseZone ===

impl ReverseZone {
    /// A zone, or several, for a prefix.
    ///
    /// # Errors
    /// When the prefix is so long that the zone would be a single address.
    pub(super) fn new(prefix: IpNet) -> Result<Self, Invalid> {
        let longest = match prefix {
            IpNet::V4(_) => 24,
            IpNet::V6(_) => 124,
        };
        if prefix.prefix_len() > longest {
            let problem = format!("is above the limit of /{longest}: a zone holds whole labels");
            return Err(Invalid::new("", prefix, problem));
        }
        if prefix.prefix_len() == 0 {
            return Err(Invalid::new(
                "",
                prefix,
                "is everything; name the prefixes that are yours",
            ));
        }
        Ok(Self { prefix: prefix.trunc() })
    }
}
