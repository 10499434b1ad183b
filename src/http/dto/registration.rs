//! What an instance's owner says of it.
//!
//! Names and addresses are short strings that stand in place: a bulk has a hundred thousand of
//! each, and to take and give back memory for them and for checks took a fifth of its time.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use smol_str::{SmolStr, ToSmolStr};
use utoipa::ToSchema;

use super::{Check, Period, StatusName, number::whole, object::objects};
use crate::model::{
    Addresses, Instance, InstanceId, InstanceKey, Invalid, Meta, ServiceName, Status, Tag,
};

/// An instance as it is registered. Registering again replaces it as a whole; with the same
/// content it changes nothing and keeps the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "addresses": ["10.0.1.6", "fd00::6"], "port": 8080, "weight": 10, "tags": ["v1"],
    "meta": {"version": "1.4.2"},
    "checks": [{"type": "http", "path": "/health", "interval": "5s", "timeout": "2s"}],
    "deregister_after": "10m"
}))]
pub struct Registration {
    /// One to sixteen IP addresses, or a single host name in place of them. Left out, it is the
    /// address that the request comes from.
    #[schema(value_type = Option<Vec<String>>)]
    pub addresses: Option<Vec<SmolStr>>,
    /// The port, 0 to 65535; 0, the default, when it has none.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub port: Option<u16>,
    /// Its share of the answers within its priority, 0 to 65535; default 1, 0 is a stand-by.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub weight: Option<u16>,
    /// Its share while its status is `warning`, 0 to 65535; left out, the same.
    #[serde(
        default,
        deserialize_with = "whole::<_, 0, 65535>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 0, maximum = 65535)]
    pub warning_weight: Option<u16>,
    /// Its failover tier, 0 to 65535; default 1. The lowest number that has a healthy instance is
    /// answered.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub priority: Option<u16>,
    /// Its tags, at most 64: `T.S` answers with the instances of `S` that carry `T`.
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Option<Vec<SmolStr>>,
    /// Metadata, at most 64 entries: each `key=value` is one string of the TXT record.
    pub meta: Option<Strings>,
    /// Its checks, at most 16; without one it is passing.
    #[serde(default, deserialize_with = "objects")]
    pub checks: Option<Vec<Check>>,
    /// How long it may be critical before it is removed, 100ms to 8760h; left out, it is kept.
    pub deregister_after: Option<Period>,
    /// The state of its checks before their first result; left out, `critical` for active checks
    /// and `passing` for `ttl` ones.
    pub initial_status: Option<StatusName>,
}

/// A registration that carries its names, for registering many at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedRegistration {
    /// The service.
    #[schema(value_type = String)]
    pub service: SmolStr,
    /// The instance's name within the service.
    #[schema(value_type = String)]
    pub instance: SmolStr,
    /// As in a single registration.
    #[schema(value_type = Option<Vec<String>>)]
    pub addresses: Option<Vec<SmolStr>>,
    /// As in a single registration.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub port: Option<u16>,
    /// As in a single registration.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub weight: Option<u16>,
    /// As in a single registration.
    #[serde(
        default,
        deserialize_with = "whole::<_, 0, 65535>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 0, maximum = 65535)]
    pub warning_weight: Option<u16>,
    /// As in a single registration.
    #[serde(default, deserialize_with = "whole::<_, 0, 65535>")]
    #[schema(minimum = 0, maximum = 65535)]
    pub priority: Option<u16>,
    /// As in a single registration.
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Option<Vec<SmolStr>>,
    /// As in a single registration.
    pub meta: Option<Strings>,
    /// As in a single registration.
    #[serde(default, deserialize_with = "objects")]
    pub checks: Option<Vec<Check>>,
    /// As in a single registration.
    pub deregister_after: Option<Period>,
    /// As in a single registration.
    pub initial_status: Option<StatusName>,
}

/// An object of strings that refuses a key which is there twice; serde's own map would silently
/// keep the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = BTreeMap<String, String>)]
pub struct Strings(pub BTreeMap<String, String>);

// === impl Registration ===

impl Registration {
    /// The instance as the model has it; `peer` is where the request comes from.
    ///
    /// # Errors
    /// Names the field that is not acceptable.
    pub fn into_model(self, key: InstanceKey, peer: IpAddr) -> Result<Instance, Invalid> {
        let addresses = match self.addresses {
            None => Addresses::ips(vec![peer])?,
            Some(texts) => Addresses::parse(&texts)?,
        };
        let tags = self.tags.unwrap_or_default();
        let tags = tags.iter().enumerate().map(|(index, tag)| {
            Tag::parse(tag)
                .map_err(|refusal| Invalid { field: format!("tags[{index}]"), ..refusal })
        });
        let checks = self.checks.unwrap_or_default();
        let checks = checks.into_iter().enumerate().map(|(index, check)| {
            check.into_model().map_err(|refusal| refusal.under(format_args!("checks[{index}]")))
        });
        let meta = self.meta.unwrap_or_default().0;
        let meta = meta.into_iter().map(|(key, value)| (key.into(), value.into()));
        Instance {
            service: key.service,
            id: key.id,
            addresses,
            port: self.port.unwrap_or(0),
            weight: self.weight.unwrap_or(1),
            warning_weight: self.warning_weight,
            priority: self.priority.unwrap_or(1),
            tags: tags.collect::<Result<_, _>>()?,
            meta: Meta::new(meta.collect())?,
            checks: checks.collect::<Result<_, _>>()?,
            deregister_after: self.deregister_after.map(|period| period.0),
            initial_status: self.initial_status.map(Status::from),
            origin: None,
        }
        .checked()
    }
}

impl From<&Instance> for Registration {
    fn from(instance: &Instance) -> Self {
        let addresses = match &instance.addresses {
            Addresses::Host(name) => vec![name.to_smolstr()],
            ips => ips.as_ips().iter().map(ToSmolStr::to_smolstr).collect(),
        };
        let meta = instance.meta.pairs().iter().map(|(k, v)| (k.to_string(), v.to_string()));
        Self {
            addresses: Some(addresses),
            port: Some(instance.port),
            weight: Some(instance.weight),
            warning_weight: instance.warning_weight,
            priority: Some(instance.priority),
            tags: Some(instance.tags.iter().map(ToSmolStr::to_smolstr).collect()),
            meta: Some(Strings(meta.collect())),
            checks: Some(instance.checks.iter().map(Check::from).collect()),
            deregister_after: instance.deregister_after.map(Period),
            initial_status: instance.initial_status.map(StatusName::from),
        }
    }
}

// === impl NamedRegistration ===

impl NamedRegistration {
    /// The instance as the model has it; `peer` is where the request comes from.
    ///
    /// # Errors
    /// Names the field that is not acceptable.
    pub fn into_model(self, peer: IpAddr) -> Result<Instance, Invalid> {
        let service = ServiceName::parse(&self.service)?;
        let id = InstanceId::parse(&self.instance)?;
        let registration = Registration {
            addresses: self.addresses,
            port: self.port,
            weight: self.weight,
            warning_weight: self.warning_weight,
            priority: self.priority,
            tags: self.tags,
            meta: self.meta,
            checks: self.checks,
            deregister_after: self.deregister_after,
            initial_status: self.initial_status,
        };
        registration.into_model(InstanceKey::new(service, id), peer)
    }
}

// === impl Strings ===

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringsReader).map(Self)
    }
}

struct StringsReader;

impl<'de> Visitor<'de> for StringsReader {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}
