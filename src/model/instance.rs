//! An instance as its owner registered it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    CheckSpec, DnsName, InstanceId, InstanceKey, Interface, Invalid, Origin, ServiceName, Status,
    Tag, limit,
};

/// One running copy of a service: where it is, how much it takes, how it is checked.
///
/// Two registrations with equal content are one: registering again changes nothing. The instances
/// of a service mostly differ in name and address only, so the rest is shared between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The service it belongs to.
    pub service: ServiceName,
    /// Its name within the service.
    pub id: InstanceId,
    /// Where it is.
    pub addresses: Addresses,
    /// Its port; 0 when it has none.
    pub port: u16,
    /// Its share of the answers within its priority; 0 is a stand-by.
    pub weight: u16,
    /// Its share while it is in the state warning; `None` leaves it as it is.
    pub warning_weight: Option<u16>,
    /// Its failover tier; the lowest number with a healthy instance is answered.
    pub priority: u16,
    /// Its tags, sorted, each once.
    pub tags: Arc<[Tag]>,
    /// Its metadata, sorted by key.
    pub meta: Meta,
    /// Its checks; without one it is passing.
    pub checks: Arc<[CheckSpec]>,
    /// How long it may be critical before it is removed; `None` keeps it.
    pub deregister_after: Option<Duration>,
    /// The state of its checks before their first result.
    pub initial_status: Option<Status>,
    /// Where its registration came from; `None` is the native interface.
    pub origin: Option<Arc<Origin>>,
}

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// A host name that stands in place of addresses; answered as CNAME.
    Host(DnsName),
    /// One address. In place, because it is what nearly all instances have.
    Ip(IpAddr),
    /// Two to sixteen addresses, each once.
    Ips(Box<[IpAddr]>),
}

/// Metadata: `key=value` pairs, sorted by key, each key once, each pair one TXT string.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Meta(Arc<[(Arc<str>, Arc<str>)]>);

// === impl Instance ===

impl Instance {
    /// The identity of the instance.
    pub fn key(&self) -> InstanceKey {
        InstanceKey::new(self.service.clone(), self.id.clone())
    }

    /// Its share of the answers in a state.
    pub fn weight_in(&self, status: Status) -> u16 {
        match (status, self.warning_weight) {
            (Status::Warning, Some(weight)) => weight,
            _ => self.weight,
        }
    }

    /// Whether the first result of a check is believed by itself, and only those after it are
    /// counted in a row, as Consul's clients expect. To others a state that is presumed counts as
    /// one that was found.
    pub fn first_result_decides(&self) -> bool {
        self.is_from(Interface::Consul)
    }

    /// Whether it was registered by that interface.
    pub fn is_from(&self, interface: Interface) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.scope.interface == interface)
    }

    /// Holds the counts to their limits, and sorts the tags.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn checked(mut self) -> Result<Self, Invalid> {
        within("tags", self.tags.len(), limit::INSTANCE_TAGS_MAX)?;
        within("checks", self.checks.len(), limit::INSTANCE_CHECKS_MAX)?;
        if !self.tags.is_sorted() {
            Arc::make_mut(&mut self.tags).sort();
        }
        if let Some(pair) = self.tags.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Invalid::new("tags", &pair[0], "is there twice"));
        }
        if let Some(after) = self.deregister_after {
            super::check::checked_deregister_after(after)?;
        }
        for (index, check) in self.checks.iter().enumerate() {
            if let Some(after) = check.deregister_after.filter(|_| !check.is_lease()) {
                super::check::checked_deregister_after(after)
                    .map_err(|refusal| refusal.under(format_args!("checks[{index}]")))?;
            }
            let has_port = self.port != 0 || check.target().is_none_or(|t| t.port.is_some());
            if !has_port {
                let problem = "is needed: the instance has no port that the check could use";
                return Err(Invalid::new(format!("checks[{index}].port"), "", problem));
            }
        }
        Ok(self)
    }

    /// Takes from `like` what is equal to its own, so that one copy of it remains.
    pub fn share(&mut self, like: &Self) {
        if self.service == like.service {
            self.service = like.service.clone();
        }
        if self.tags == like.tags {
            self.tags = Arc::clone(&like.tags);
        }
        if self.meta == like.meta {
            self.meta = like.meta.clone();
        }
        if self.checks == like.checks {
            self.checks = Arc::clone(&like.checks);
        }
    }

    /// Whether any check is a heartbeat.
    pub fn has_ttl_check(&self) -> bool {
        self.checks.iter().any(|check| check.ttl().is_some())
    }
}

// === impl Addresses ===

impl Addresses {
    /// Addresses, each once. An IPv4 address in IPv6 form (RFC 4291 §2.5.5.2) is the IPv4 address.
    ///
    /// # Errors
    /// When there is none or too many, one is there twice, or one is no address of a host
    /// (unspecified, multicast, the IPv4 broadcast).
    pub fn ips(mut ips: Vec<IpAddr>) -> Result<Self, Invalid> {
        for ip in &mut ips {
            *ip = ip.to_canonical();
        }
        within("addresses", ips.len(), limit::INSTANCE_ADDRESSES_MAX)?;
        if ips.is_empty() {
            return Err(Invalid::new("addresses", "[]", "is empty; leave it out to use your own"));
        }
        for (index, ip) in ips.iter().enumerate() {
            let field = || format!("addresses[{index}]");
            if ip.is_unspecified() || ip.is_multicast() || *ip == IpAddr::from([255; 4]) {
                return Err(Invalid::new(field(), ip, "is no address of a host"));
            }
            if ips[..index].contains(ip) {
                return Err(Invalid::new(field(), ip, "is there twice"));
            }
        }
        Ok(match *ips {
            [ip] => Self::Ip(ip),
            _ => Self::Ips(ips.into()),
        })
    }

    /// Addresses as they are written, or one host name in their place.
    ///
    /// # Errors
    /// When one is neither, and as [`Addresses::ips`].
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self, Invalid> {
        let field = |index: usize| format!("addresses[{index}]");
        if let [text] = texts
            && let text = text.as_ref()
            && text.parse::<IpAddr>().is_err()
        {
            let looks_like_ip = text.contains(':')
                || text.trim_end_matches('.').rsplit('.').next().is_some_and(is_number);
            if looks_like_ip {
                return Err(Invalid::new(field(0), text, "is no IP address"));
            }
            let name = DnsName::parse_host(text);
            return name.map(Self::Host).map_err(|r| Invalid { field: field(0), ..r });
        }
        let mut ips = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let text = text.as_ref();
            let problem = "is no IP address; a host name stands alone";
            ips.push(text.parse().map_err(|_| Invalid::new(field(index), text, problem))?);
        }
        Self::ips(ips)
    }

    /// The addresses; none for a host name.
    pub fn as_ips(&self) -> &[IpAddr] {
        match self {
            Self::Host(_) => &[],
            Self::Ip(ip) => std::slice::from_ref(ip),
            Self::Ips(ips) => ips,
        }
    }

    /// Checks that a host name leads away from `service` in `zone`: whoever follows one that is at
    /// or below the service's own name comes back to where the way began.
    ///
    /// # Errors
    /// When it does not.
    pub fn lead_away_from(&self, service: &ServiceName, zone: &DnsName) -> Result<(), Invalid> {
        let Some(host) = self.host() else { return Ok(()) };
        let count = host.labels().count().checked_sub(zone.labels().count() + 1);
        let above = count.and_then(|count| host.labels().nth(count));
        if host.is_within(zone) && above == Some(service.as_str().as_bytes()) {
            let problem = "is a name of the service itself, which leads nowhere else";
            return Err(Invalid::new("addresses[0]", host, problem));
        }
        Ok(())
    }

    /// The host name, if one stands in place of addresses.
    pub fn host(&self) -> Option<&DnsName> {
        match self {
            Self::Host(name) => Some(name),
            Self::Ip(_) | Self::Ips(_) => None,
        }
    }
}

/// No top-level domain is a number (RFC 3696 §2), so that `10.0.0` is a mistyped address.
fn is_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit())
}

// === impl Meta ===

impl Meta {
    /// Metadata from pairs in any order.
    ///
    /// # Errors
    /// When there are too many or too large ones, a key is empty or there twice, or has a `=` or a
    /// character outside printable ASCII (RFC 6763 §6.4).
    pub fn new(mut pairs: Vec<(Arc<str>, Arc<str>)>) -> Result<Self, Invalid> {
        within("meta", pairs.len(), limit::META_ENTRIES_MAX)?;
        if pairs.is_empty() {
            return Ok(Self::default()); // which takes no memory
        }
        pairs.sort();
        let mut octets = 0;
        for (index, (key, value)) in pairs.iter().enumerate() {
            octets += pair_octets(key, value)?;
            if index > 0 && pairs[index - 1].0 == *key {
                return Err(Invalid::new("meta", key, "is there twice"));
            }
        }
        if octets > limit::META_OCTETS_MAX {
            let problem = format!("octets in all, above the limit of {}", limit::META_OCTETS_MAX);
            return Err(Invalid::new("meta", octets, problem));
        }
        Ok(Self(pairs.into()))
    }

    /// As much of the pairs, in their order, as metadata may be; what does not fit is left out.
    pub fn what_fits<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let (mut fitting, mut octets) = (Vec::<(Arc<str>, Arc<str>)>::new(), 0);
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            let Ok(more) = pair_octets(key, value) else { continue };
            let is_new = fitting.iter().all(|(other, _)| &**other != key);
            if is_new && octets + more <= limit::META_OCTETS_MAX {
                octets += more;
                fitting.push((key.into(), value.into()));
            }
            if fitting.len() == limit::META_ENTRIES_MAX {
                break;
            }
        }
        Self::new(fitting).unwrap_or_default()
    }

    /// The pairs, sorted by key.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }
}

/// What a pair takes of a TXT record, its length octet with it.
///
/// # Errors
/// When its key is none, or it is longer than a character-string.
fn pair_octets(key: &str, value: &str) -> Result<usize, Invalid> {
    if key.is_empty() || key.bytes().any(|b| b == b'=' || !(b' '..=b'~').contains(&b)) {
        let problem = "is no key: one has printable ASCII characters without `=`";
        return Err(Invalid::new("meta", key, problem));
    }
    let octets = key.len() + 1 + value.len();
    if octets > limit::META_PAIR_OCTETS_MAX {
        let limit = limit::META_PAIR_OCTETS_MAX;
        let problem = format!("makes `key=value` {octets} octets, above the limit of {limit}");
        return Err(Invalid::new(format!("meta.{key}"), value, problem));
    }
    Ok(octets + 1)
}

fn within(field: &str, count: usize, limit: usize) -> Result<(), Invalid> {
    if count > limit {
        return Err(Invalid::new(field, count, format!("entries are above the limit of {limit}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Meta};
    use crate::model::{DnsName, ServiceName};

    #[test]
    fn addresses_that_no_host_has_are_refused() {
        for (text, problem) in [
            ("0.0.0.0", "no address of a host"),
            ("::", "no address of a host"),
            ("::ffff:0.0.0.0", "no address of a host"),
            ("224.0.0.1", "no address of a host"),
            ("255.255.255.255", "no address of a host"),
        ] {
            let refusal = Addresses::ips(vec![text.parse().unwrap()]).unwrap_err().to_string();
            assert!(refusal.contains(problem), "{refusal}");
        }
        let twice = vec!["10.0.0.1".parse().unwrap(); 2];
        assert_eq!(Addresses::ips(twice).unwrap_err().field, "addresses[1]");
        assert!(Addresses::ips(vec![]).is_err());
    }

    #[test]
    fn a_host_name_leads_away_from_its_service() {
        let (web, zone) = (ServiceName::parse("web"), DnsName::parse("service.internal"));
        let (web, zone) = (web.unwrap(), zone.unwrap());
        for (host, leads_away) in [
            ("web.service.internal", false),
            ("WEB.Service.Internal.", false),
            ("v1.web.service.internal", false),
            ("web-1.instance.web.service.internal", false),
            ("api.service.internal", true),
            ("web.api.service.internal", true),
            ("service.internal", true),
            ("web.internal", true),
            ("web.service.internal.example.com", true),
            ("web", true),
        ] {
            let checked = Addresses::parse(&[host]).unwrap().lead_away_from(&web, &zone);
            assert_eq!(checked.is_ok(), leads_away, "{host}: {checked:?}");
        }
        assert!(Addresses::parse(&["10.0.0.1"]).unwrap().lead_away_from(&web, &zone).is_ok());
    }

    #[test]
    fn a_mistyped_address_is_no_host_name() {
        let ip = |text: &str| Addresses::ips(vec![text.parse().unwrap()]).unwrap();
        assert_eq!(Addresses::parse(&["10.0.0.1"]).unwrap(), ip("10.0.0.1"));
        assert_eq!(Addresses::parse(&["::ffff:10.0.0.1"]).unwrap(), ip("10.0.0.1"));
        assert!(Addresses::parse(&["mail.example.net"]).unwrap().host().is_some());
        for text in ["10.0.0.300", "10.0.0", "10.0.0.1.", "fd00::g", "10.0.0.1:80", "a_b"] {
            assert_eq!(Addresses::parse(&[text]).unwrap_err().field, "addresses[0]", "{text}");
        }
        let two = Addresses::parse(&["10.0.0.1", "mail.example.net"]).unwrap_err();
        assert_eq!(two.field, "addresses[1]");
    }

    #[test]
    fn metadata_fits_txt_strings() {
        let pair = |k: &str, v: &str| (k.into(), v.into());
        let meta = Meta::new(vec![pair("b", "2"), pair("a", "1")]).unwrap();
        assert_eq!(&*meta.pairs()[0].0, "a");
        assert!(Meta::new(vec![pair("k", &"v".repeat(253))]).is_ok());
        assert!(Meta::new(vec![pair("k", &"v".repeat(254))]).is_err());
        assert!(Meta::new(vec![pair("a=b", "")]).is_err());
        assert!(Meta::new(vec![pair("", "v")]).is_err());
        let many = (0..20).map(|n| pair(&format!("k{n}"), &"v".repeat(240))).collect();
        assert!(Meta::new(many).unwrap_err().to_string().contains("above the limit of 4000"));
    }

    #[test]
    fn of_too_much_metadata_the_first_that_fits_is_taken() {
        let keys = |pairs: &[(String, String)]| {
            let meta = Meta::what_fits(pairs.iter().map(|(key, value)| (key, value)));
            meta.pairs().iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>()
        };
        let pair = |key: &str, octets: usize| (key.to_owned(), "v".repeat(octets));
        let odd = [pair("b", 1), pair("", 1), pair("a=b", 1), pair("é", 1), pair("a", 254)];
        assert_eq!(keys(&odd), ["b"]);
        assert_eq!(keys(&[pair("a", 1), pair("a", 2), pair("c", 3)]), ["a", "c"]);
        // Sixteen of 250 octets are 4,000; what is small fits no more, until one is left out.
        let large = |count| (0..count).map(|n| pair(&format!("{n:04}"), 244)).collect::<Vec<_>>();
        assert_eq!(keys(&[large(16), vec![pair("x", 0)]].concat()).len(), 16);
        assert_eq!(keys(&[large(15), vec![pair("wide", 246), pair("x", 0)]].concat()).len(), 16);
        let many: Vec<_> = (0..100_000).map(|n| pair(&format!("{n:06}"), 0)).collect();
        assert_eq!(keys(&many).len(), 64);
    }
}
