//! What came by another interface, by the id that Consul's clients see it under.
//!
//! It is shown on this server's own node. Who may take away or drain what is there by one interface
//! may do so by all of them; what it is registered as is changed where that came from.

use crate::{
    http::{
        Api,
        consul::{site::Host, texts::ConsulError, world::World},
    },
    model::{Command, InstanceKey},
    registry::RegistryError,
};

/// Takes it away.
///
/// # Errors
/// 404 when it is not there, and those of the registry.
pub(in crate::http::consul) async fn deregister_elsewhere(
    api: &Api,
    host: &Host,
    id: &str,
) -> Result<(), ConsulError> {
    let key = find(api, host, id)?;
    submit(api, id, Command::Deregister(key)).await
}

/// Takes it out of the answers, or puts it back.
///
/// # Errors
/// 404 when it is not there, and those of the registry.
pub(in crate::http::consul) async fn drain_elsewhere(
    api: &Api,
    host: &Host,
    (id, on): (&str, bool),
) -> Result<(), ConsulError> {
    let key = find(api, host, id)?;
    submit(api, id, Command::Drain { key, on }).await
}

async fn submit(api: &Api, id: &str, command: Command) -> Result<(), ConsulError> {
    match api.registry().submit(command).await {
        // Somebody else was faster.
        Err(RegistryError::UnknownInstance(_)) => Err(ConsulError::unknown_service_id(id)),
        outcome => outcome.map(|_| ()).map_err(ConsulError::from),
    }
}

fn find(api: &Api, host: &Host, id: &str) -> Result<InstanceKey, ConsulError> {
    let (snapshot, options) = (api.registry().snapshot(), api.consul());
    let world = World { snapshot: &snapshot, options };
    let is_own = host.scope() == options.own_host().scope();
    let found = is_own.then(|| world.foreign(id)).flatten();
    found.map(|member| member.key()).ok_or_else(|| ConsulError::unknown_service_id(id))
}
