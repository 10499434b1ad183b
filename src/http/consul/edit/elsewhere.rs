//! What came by another interface, by the id that Consul's clients see it under.
//!
//! It is shown on this server's own node. Who may take away or drain what is there by one interface
//! may do so by all of them; what it is registered as is changed where that came from.

use crate::{
    http::{
        Api,
        consul::{site::Host, texts::ConsulError, world::shown_id},
    },
    model::{Command, Door, InstanceId, InstanceKey, ServiceName},
    registry::Member,
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
    api.registry().submit(Command::Deregister(key)).await?;
    Ok(())
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
    api.registry().submit(Command::Drain { key, on }).await?;
    Ok(())
}

fn find(api: &Api, host: &Host, id: &str) -> Result<InstanceKey, ConsulError> {
    let unknown = || ConsulError::unknown_service_id(id);
    if host.scope() != api.consul().own_host().scope() {
        return Err(unknown());
    }
    let snapshot = api.registry().snapshot();
    // The names that the id may be made of, and then the applications, of which there are few.
    let names = [id.split_once(':'), id.rsplit_once('-').map(|(service, _)| (service, id))];
    let named = names.into_iter().flatten().filter_map(|(service, id)| {
        let (service, id) = (ServiceName::parse(service).ok()?, InstanceId::parse(id).ok()?);
        snapshot.member(&InstanceKey::new(service, id))
    });
    let applications = snapshot.origins.scopes().filter(|scope| scope.door == Door::Eureka);
    let theirs =
        applications.filter_map(|scope| snapshot.member_like(snapshot.origins.get(scope, id)?));
    let mut all = named.chain(theirs);
    let found = all.find(|member| is_of_another_door(member) && shown_id(&member.instance) == id);
    found.map(|member| member.key()).ok_or_else(unknown)
}

fn is_of_another_door(member: &Member) -> bool {
    member.instance.origin.as_ref().is_none_or(|origin| origin.scope.door != Door::Consul)
}
