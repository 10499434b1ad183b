//! Sets of networks: is this address in one of them?

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A set of networks, looked up in the logarithm of their number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// First and last address of each, in order and apart from each other.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

// === impl Networks ===

impl Networks {
    /// The networks that providers share among their customers (RFC 6598).
    pub const PROVIDERS: &str = "100.64.0.0/10";

    /// What no router of the internet leads to: this host (RFC 1122, RFC 4291), private networks
    /// (RFC 1918, RFC 4193), those of providers (RFC 6598), and the own link (RFC 3927, RFC 4291).
    pub const LOCAL: [&str; 9] = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        Self::PROVIDERS,
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    ];

    /// The set of these.
    pub fn new(networks: &[IpNet]) -> Self {
        let v4: Vec<Ipv4Net> = networks
            .iter()
            .filter_map(|network| match network {
                IpNet::V4(network) => Some(*network),
                IpNet::V6(_) => None,
            })
            .collect();
        let v6: Vec<Ipv6Net> = networks
            .iter()
            .filter_map(|network| match network {
                IpNet::V4(_) => None,
                IpNet::V6(network) => Some(*network),
            })
            .collect();
        // Together they have no overlap any more, which a search by halves needs.
        let mut v4: Vec<_> = Ipv4Net::aggregate(&v4)
            .iter()
            .map(|network| (network.network().into(), network.broadcast().into()))
            .collect();
        let mut v6: Vec<_> = Ipv6Net::aggregate(&v6)
            .iter()
            .map(|network| (network.network().into(), network.broadcast().into()))
            .collect();
        v4.sort_unstable();
        v6.sort_unstable();
        Self { v4: v4.into(), v6: v6.into() }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether the address is in one of them.
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => is_in(&self.v4, address.into()),
            IpAddr::V6(address) => is_in(&self.v6, address.into()),
        }
    }
}

#[inline]
fn is_in<N: Ord + Copy>(ranges: &[(N, N)], address: N) -> bool {
    let behind = ranges.partition_point(|&(first, _)| first <= address);
    behind.checked_sub(1).is_some_and(|place| address <= ranges[place].1)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::Networks;

    #[test]
    fn local_is_what_the_internet_does_not_lead_to() {
        let local: Vec<IpNet> = Networks::LOCAL.iter().map(|text| text.parse().unwrap()).collect();
        let local = Networks::new(&local);
        for (address, expected) in [
            ("127.0.0.1", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("9.255.255.255", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("::1", true),
            ("::2", false),
            ("fdff::1", true),
            ("2001:db8::1", false),
            ("fe80::1", true),
        ] {
            assert_eq!(local.contains(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!local.is_empty() && Networks::default().is_empty());
    }

    fn network() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (any::<u8>(), 0_u8..=32).prop_map(|(octet, length)| {
                IpNet::new([10, octet & 3, octet, 0].into(), length).unwrap()
            }),
            (any::<u16>(), 0_u8..=128).prop_map(|(group, length)| {
                IpNet::new([0x2001, group & 3, group, 0, 0, 0, 0, 1].into(), length).unwrap()
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_set_has_what_one_of_its_networks_has(
            networks in proptest::collection::vec(network(), 0..12),
            octets in any::<[u8; 2]>(),
            group in any::<u16>(),
        ) {
            let set = Networks::new(&networks);
            let v4 = IpAddr::from([10, octets[0] & 3, octets[0], octets[1]]);
            let v6 = IpAddr::from([0x2001, group & 3, group, 0, 0, 0, 0, 1]);
            for address in [v4, v6] {
                let expected = networks.iter().any(|network| network.contains(&address));
                prop_assert_eq!(set.contains(address), expected);
            }
        }
    }
}
