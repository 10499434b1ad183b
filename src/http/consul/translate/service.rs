//! Services, as Consul defines them, in the registry's words.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Map, Value};

use super::{
    address::addresses,
    check::{Checked, check},
};
use crate::{
    http::consul::{
        definition::{CatalogService, ServiceDefinition, Weights},
        kept::{Kept, KeptCheck},
        site::Host,
        texts::ConsulError,
    },
    model::{Addresses, Instance, InstanceId, Meta, MixedTags, Node, Origin, ServiceName},
};

/// A service in the registry's words, not yet under the name that it is kept by.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http::consul) struct Translated {
    /// The instance without checks and origin, under the name that its id makes.
    pub instance: Instance,
    /// Tags that are no labels.
    pub other_tags: Box<[Arc<str>]>,
    /// Its id.
    pub id: String,
    /// What is kept for clients; its checks are those of `checks`.
    pub kept: Kept,
    /// Its checks.
    pub checks: Vec<Checked>,
}

/// Translates a service that is registered on `host`; `is_own` says whether that is this host. That
/// it is one Consul takes has been seen.
///
/// # Errors
/// As Consul's, and 400 for what the registry has no room for.
pub(in crate::http::consul) fn service(
    definition: ServiceDefinition,
    host: &Host,
    is_own: bool,
) -> Result<Translated, ConsulError> {
    let checked = definition.all_checks().map(|one| check(one, host, is_own));
    let checks = checked.collect::<Result<Vec<_>, _>>()?;
    let kept_checks = definition.all_checks().map(KeptCheck::from).collect();
    let mut translated = translated(definition, host)?;
    (translated.checks, translated.kept.checks) = (checks, kept_checks);
    Ok(translated)
}

/// Translates a service of the catalog, which is registered on `host`. The catalog has held it to
/// its own rules.
///
/// # Errors
/// 500 for what the registry has no room for.
pub(in crate::http::consul) fn of_catalog(
    service: CatalogService,
    host: &Host,
) -> Result<Translated, ConsulError> {
    // Clients in Go write both zeros for weights that were not set.
    let none = Weights { passing: 0, warning: 0 };
    let weights = service.weights.filter(|weights| *weights != none);
    let definition = ServiceDefinition {
        kind: service.kind,
        id: service.id,
        name: service.service,
        tags: service.tags,
        address: service.address,
        tagged_addresses: service.tagged_addresses,
        meta: service.meta,
        port: service.port,
        ports: service.ports,
        socket_path: service.socket_path,
        weights,
        enable_tag_override: service.enable_tag_override,
        proxy: service.proxy,
        connect: service.connect,
        locality: service.locality,
        ..ServiceDefinition::default()
    };
    let translated = translated(definition, host);
    let mut translated = translated.map_err(|refusal| ConsulError::failed(refusal.text))?;
    translated.kept.is_of_catalog = true;
    Ok(translated)
}

/// A service without its checks.
fn translated(definition: ServiceDefinition, host: &Host) -> Result<Translated, ConsulError> {
    let id = definition.id().to_owned();
    let ServiceDefinition { port, ports, weights, tags, address, tagged_addresses, meta, .. } =
        &definition;
    let refused = |refusal: crate::model::Invalid| ConsulError::bad_request(refusal.to_string());
    let tags = MixedTags::new(tags).map_err(refused)?;
    let port = ports.iter().find(|named| named.default).map_or(*port, |named| named.port);
    let Weights { passing, warning } =
        weights.clone().unwrap_or(Weights { passing: 1, warning: 1 });
    let weight = number("Weights.Passing", passing)?;
    let instance = Instance {
        service: ServiceName::derived(&definition.name),
        id: InstanceId::derived(&id),
        addresses: addresses(address, tagged_addresses, host)?,
        port: number("Port", port)?,
        weight,
        warning_weight: Some(number("Weights.Warning", warning)?).filter(|own| *own != weight),
        priority: 1,
        tags: tags.labels,
        meta: Meta::what_fits(meta), // clients get all of it
        checks: Arc::default(),
        deregister_after: None,
        initial_status: None,
        origin: None,
    };
    let kept = kept(definition, host);
    Ok(Translated { instance, other_tags: tags.other, id, kept, checks: Vec::new() })
}

fn kept(definition: ServiceDefinition, host: &Host) -> Kept {
    let mut rest = Map::new();
    let raw = [
        ("Proxy", definition.proxy),
        ("Connect", definition.connect),
        ("Locality", definition.locality),
    ];
    for (name, value) in raw {
        if let Some(value) = value.filter(|value| *value != Value::Null) {
            rest.insert(name.to_owned(), value);
        }
    }
    Kept {
        node: host.name.clone(),
        node_address: host.address.clone(),
        name: definition.name,
        tags: definition.tags,
        address: definition.address,
        tagged_addresses: definition.tagged_addresses,
        meta: definition.meta,
        ports: definition.ports,
        socket_path: definition.socket_path,
        kind: definition.kind,
        enable_tag_override: definition.enable_tag_override,
        rest,
        is_of_catalog: false,
        maintenance: None,
        checks: Vec::new(),
    }
}

fn number(field: &str, number: i64) -> Result<u16, ConsulError> {
    u16::try_from(number).map_err(|_| {
        ConsulError::bad_request(format!("{field} {number} is outside the limits of 0 to 65535"))
    })
}

// === impl Translated ===

impl Translated {
    /// Whether its client gave it none, or a host name in whose place its node's stands.
    fn has_no_address(&self) -> bool {
        let (sent, known) = (&self.kept.address, &self.instance.addresses);
        sent.is_empty() || known.host().is_none() && sent.parse::<IpAddr>().is_err()
    }

    /// The instance with its checks and with what is kept of it.
    ///
    /// # Errors
    /// 400 when something is above a limit of the registry.
    pub(in crate::http::consul) fn into_instance(
        self,
        host: &Host,
        id: InstanceId,
    ) -> Result<Instance, ConsulError> {
        let document = serde_json::to_string(&self.kept)
            .map_err(|error| ConsulError::failed(error.to_string()))?;
        // What is no address of a host is nobody's, and was none of this service's either.
        let addresses = Addresses::parse(&[&self.kept.node_address]).ok();
        let node = addresses.map(|addresses| {
            let lends_address = self.has_no_address() && self.instance.addresses == addresses;
            Node { addresses, lends_address }
        });
        let name = &self.kept.name;
        let is_own = name.eq_ignore_ascii_case(self.instance.service.as_str());
        let service = (!is_own).then(|| name.as_str().into());
        let origin = Origin {
            scope: host.scope(),
            id: self.id.into(),
            document: document.into(),
            other_tags: self.other_tags,
            service,
            node,
        };
        let refused =
            |refusal: crate::model::Invalid| ConsulError::bad_request(refusal.to_string());
        let origin = Some(Arc::new(origin.checked().map_err(refused)?));
        let checks = self.checks.into_iter().map(|checked| checked.spec).collect();
        let instance = Instance { id, checks, origin, ..self.instance };
        instance.checked().map_err(refused)
    }
}
