//! What an operator decides about the answers, prepared so that a query only copies octets.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    cookie::CookieSecrets,
    guard::{Access, AccessRule, RateLimit, Strangers},
    reverse::ReverseZone,
    service::{Consul, ConsulSpec},
    zone::is_within,
};
use crate::model::{DnsName, Invalid, limit};

/// The label of the service zone under the domain.
const ZONE_LABEL: &str = "service";

/// The label of its mailbox, unless another one is given (RFC 2142 §7).
const MAILBOX: &str = "hostmaster";

/// Name servers of the zone: as many as there are names reserved for them (`ns1` to `ns9`).
pub(super) const NAMESERVERS_MAX: usize = 9;

/// Reverse prefixes: each is compared with every reverse query.
const REVERSE_PREFIXES_MAX: usize = 64;

/// Octets of the longest `instance.instance.service` in front of the zone: two labels of 63 and
/// `instance`, each with its length octet.
const LONGEST_PREFIX_OCTETS: usize = 2 * (1 + limit::LABEL_OCTETS_MAX) + 1 + "instance".len();

/// The choices, as the configuration has them.
#[derive(Debug, Clone)]
pub struct SettingsSpec {
    /// The domain above the service zone, for example `internal`.
    pub domain: DnsName,
    /// The addresses of the zone's name servers: those of `ns1` first, then `ns2`, up to `ns9`.
    pub nameservers: Vec<Vec<IpAddr>>,
    /// The mailbox of the zone, as a name (RFC 1035 §3.3.13); `hostmaster` of the zone if `None`.
    pub hostmaster: Option<DnsName>,
    /// How long "there is nothing" may be believed, seconds: 1 to 5.
    pub negative_ttl_seconds: u32,
    /// The address prefixes whose reverse names are answered: at most /24 and /124 long.
    pub reverse: Vec<IpNet>,
    /// The largest UDP reply that is sent, octets: 512 to 4096.
    pub udp_size: u16,
    /// What is told of the server.
    pub identity: Identity,
    /// The secrets of the cookies; without any, cookies are passed over.
    pub cookies: Option<CookieSecrets>,
    /// Who may ask for which zone; without a rule, everybody.
    pub access: Vec<AccessRule>,
    /// What strangers get; everything, if `None`.
    pub rate_limit: Option<RateLimit>,
    /// Consul's names; none, if `None`.
    pub consul: Option<ConsulSpec>,
}

/// What is told of the server to those who ask; what is empty is not told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Which server this is, for who sends the NSID option (RFC 5001): at most 64 octets.
    pub nsid: Box<[u8]>,
    /// Which server this is, for who asks for `id.server` (RFC 4892): at most 255 octets.
    pub server: String,
    /// What runs here, for who asks for `version.bind`: at most 255 octets.
    pub version: String,
}

/// The choices, checked and prepared.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) origin: DnsName,
    pub(super) nameservers: Box<[NameServer]>,
    pub(super) reverse: Box<[ReverseZone]>,
    pub(super) soa: Soa,
    pub(super) udp_size: u16,
    pub(super) identity: Identity,
    pub(super) cookies: Option<CookieSecrets>,
    pub(super) access: Access,
    pub(super) strangers: Option<Strangers>,
    pub(super) consul: Option<Consul>,
}

/// One name server of the zone.
#[derive(Debug, Clone)]
pub(super) struct NameServer {
    /// Its name as wire labels, for example `ns1.service.internal`.
    pub name: DnsName,
    /// Its IPv4 addresses.
    pub v4: Box<[[u8; 4]]>,
    /// Its IPv6 addresses.
    pub v6: Box<[[u8; 16]]>,
}

/// What of the SOA record's data (RFC 1035 §3.3.13) is the operator's choice.
#[derive(Debug, Clone)]
pub(super) struct Soa {
    /// RNAME: who answers for the zone.
    pub mailbox: DnsName,
    /// REFRESH, RETRY, EXPIRE and MINIMUM in network order.
    pub timers: [u8; 16],
    /// The TTL of the SOA record, which is also its MINIMUM: a negative answer lives for the
    /// smaller of the two (RFC 2308 §5), so there is no smaller.
    pub ttl_seconds: u32,
}

// === impl SettingsSpec ===

impl SettingsSpec {
    /// The octets of a UDP reply that pass every network unfragmented (DNS flag day 2020).
    pub const UDP_SIZE_DEFAULT: u16 = 1232;

    /// The usual choices for `domain`: one name server without addresses, no reverse prefix.
    pub fn new(domain: DnsName) -> Self {
        Self {
            domain,
            nameservers: vec![Vec::new()],
            hostmaster: None,
            negative_ttl_seconds: 5,
            reverse: Vec::new(),
            udp_size: Self::UDP_SIZE_DEFAULT,
            identity: Identity::default(),
            cookies: None,
            access: Vec::new(),
            rate_limit: None,
            consul: None,
        }
    }
}

// === impl Settings ===

impl Settings {
    /// Checks and prepares the choices.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn new(spec: &SettingsSpec) -> Result<Self, Invalid> {
        let origin = service_zone(&spec.domain)?;
        let count = spec.nameservers.len();
        if !(1..=NAMESERVERS_MAX).contains(&count) {
            let problem = format!("entries are outside the limits of 1 to {NAMESERVERS_MAX}");
            return Err(Invalid::new("nameservers", count, problem));
        }
        if !(1..=5).contains(&spec.negative_ttl_seconds) {
            let problem = "is outside the limits of 1 to 5 seconds";
            return Err(Invalid::new("negative_ttl", spec.negative_ttl_seconds, problem));
        }
        if !(512..=4096).contains(&spec.udp_size) {
            let problem = "is outside the limits of 512 to 4096";
            return Err(Invalid::new("udp_size", spec.udp_size, problem));
        }
        if spec.reverse.len() > REVERSE_PREFIXES_MAX {
            let problem = format!("entries are above the limit of {REVERSE_PREFIXES_MAX}");
            return Err(Invalid::new("reverse", spec.reverse.len(), problem));
        }
        let servers = spec.nameservers.iter().zip(1..);
        let servers = servers.map(|(ips, number)| NameServer::new(&origin, number, ips));
        let nameservers = servers.collect::<Result<Box<[_]>, _>>()?;
        let reverse = spec.reverse.iter().enumerate().map(|(index, &prefix)| {
            ReverseZone::new(prefix).map_err(|e| e.under(format!("reverse[{index}]")))
        });
        let reverse = reverse.collect::<Result<_, _>>()?;
        let mailbox = match &spec.hostmaster {
            Some(name) => name.clone(),
            None => origin.child(MAILBOX)?,
        };
        let soa = Soa::new(mailbox, spec.negative_ttl_seconds);
        let (udp_size, cookies) = (spec.udp_size, spec.cookies.clone());
        let identity = spec.identity.clone().checked()?;
        let access = Access::new(&spec.access)?;
        let strangers = spec.rate_limit.as_ref().map(Strangers::new).transpose()?;
        let at: Vec<IpAddr> = spec.nameservers.iter().flatten().copied().collect();
        let consul = spec.consul.as_ref().map(|consul| Consul::new(consul, &at)).transpose()?;
        Ok(Self {
            origin,
            nameservers,
            reverse,
            soa,
            udp_size,
            identity,
            cookies,
            access,
            strangers,
            consul: consul.flatten(),
        })
    }

    /// The same choices in the place of others: what was counted is not forgotten.
    #[must_use]
    pub fn in_place_of(mut self, before: &Self) -> Self {
        if let (Some(new), Some(old)) = (self.strangers.take(), &before.strangers) {
            self.strangers = Some(new.going_on_from(old));
        }
        self
    }

    /// The zone of the services, `service.<domain>`.
    pub fn origin(&self) -> &DnsName {
        &self.origin
    }

    /// The tops of all zones that the services are in: their own, and Consul's domains.
    pub fn origins(&self) -> impl Iterator<Item = &DnsName> {
        std::iter::once(&self.origin).chain(self.consul.iter().flat_map(Consul::domains))
    }

    /// What stands behind a service in its names: the native zone, and in Consul's domains each
    /// form of it.
    pub fn service_zones(&self) -> impl Iterator<Item = &DnsName> {
        let consul = self.consul.iter().flat_map(Consul::service_zones);
        std::iter::once(&self.origin).chain(consul)
    }

    /// Whether a name (lower-case wire labels) is in one of them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.origins().any(|origin| is_within(name, origin.as_wire()))
    }

    /// The secrets of the cookies.
    pub fn cookies(&self) -> Option<&CookieSecrets> {
        self.cookies.as_ref()
    }

    /// The largest UDP reply that is sent, octets.
    pub fn udp_size(&self) -> u16 {
        self.udp_size
    }
}

// === impl Identity ===

impl Identity {
    /// Octets of an NSID: a host name's worth of room in replies of 512 octets is what most use.
    pub const NSID_OCTETS_MAX: usize = 64;

    fn checked(self) -> Result<Self, Invalid> {
        let fields = [
            ("nsid", self.nsid.len(), Self::NSID_OCTETS_MAX),
            ("identity", self.server.len(), limit::CHARACTER_STRING_OCTETS_MAX),
            ("version", self.version.len(), limit::CHARACTER_STRING_OCTETS_MAX),
        ];
        match fields.into_iter().find(|(_, octets, limit)| octets > limit) {
            None => Ok(self),
            Some((field, octets, limit)) => {
                let problem = format!("octets are above the limit of {limit}");
                Err(Invalid::new(field, octets, problem))
            }
        }
    }
}

/// The zone of the services under a domain.
///
/// # Errors
/// When the domain is so long that not every instance would have a name in the zone.
pub fn service_zone(domain: &DnsName) -> Result<DnsName, Invalid> {
    let longest = limit::NAME_OCTETS_MAX - LONGEST_PREFIX_OCTETS;
    domain.child(ZONE_LABEL).ok().filter(|zone| zone.as_wire().len() <= longest).ok_or_else(|| {
        let most = longest - 1 - ZONE_LABEL.len();
        let problem = format!("is above the limit of {most} octets on the wire");
        Invalid::new("domain", domain, problem)
    })
}

// === impl NameServer ===

impl NameServer {
    fn new(origin: &DnsName, number: usize, ips: &[IpAddr]) -> Result<Self, Invalid> {
        let v4 = ips.iter().filter_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip.octets()),
            IpAddr::V6(_) => None,
        });
        let v6 = ips.iter().filter_map(|ip| match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip.octets()),
        });
        let name = origin.child(format!("ns{number}"))?;
        Ok(Self { name, v4: v4.collect(), v6: v6.collect() })
    }

    /// The label in front of the zone, with its length octet.
    pub(super) fn label(&self) -> &[u8] {
        let wire = self.name.as_wire();
        &wire[..=usize::from(wire[0])]
    }
}

// === impl Soa ===

impl Soa {
    /// How often a secondary looks (there is none; the usual values keep monitors content).
    const REFRESH_SECONDS: u32 = 3_600;
    /// How soon it looks again after a failure.
    const RETRY_SECONDS: u32 = 600;
    /// For how long it believes what it has.
    const EXPIRE_SECONDS: u32 = 86_400;

    fn new(mailbox: DnsName, minimum: u32) -> Self {
        let mut timers = [0; 16];
        let values = [Self::REFRESH_SECONDS, Self::RETRY_SECONDS, Self::EXPIRE_SECONDS, minimum];
        for (place, value) in timers.chunks_exact_mut(4).zip(values) {
            place.copy_from_slice(&value.to_be_bytes());
        }
        Self { mailbox, timers, ttl_seconds: minimum }
    }
}
