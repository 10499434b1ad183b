//! Changes on their way to the registry.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use tokio::sync::Mutex;

use super::{changes::Edit, locate::locate};
use crate::{
    http::{
        Api,
        consul::{site::Host, texts::ConsulError, world::World},
    },
    model::{Command, Heartbeat, Status},
    registry::{JournalError, RegistryError},
};

/// How often a change is worked out anew because somebody else was faster.
const TRIES: usize = 8;

/// Those who change the same take turns, so that of a hundred of them not ninety-nine try again and
/// again. Others than Consul's clients may still be in between. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::http) struct Turns(Arc<[Mutex<()>; 64]>);

/// Changes what is on a node. `of` names what is changed for the most part: the id of a service, or
/// nothing for the node.
///
/// # Errors
/// Those of `edit` and of the registry, and 503 when somebody else was faster again and again.
pub(in crate::http::consul) async fn change(
    api: &Api,
    (host, of): (&Host, &str),
    edit: impl Fn(&mut Edit) -> Result<(), ConsulError>,
) -> Result<(), ConsulError> {
    let _turn = api.turns().of(host, of).lock().await;
    for _ in 0..TRIES {
        let mut draft = Edit::new(api, host.clone());
        edit(&mut draft)?;
        let amendments = draft.into_amendments()?;
        if amendments.is_empty() {
            return Ok(());
        }
        match api.registry().submit(Command::Amend(amendments)).await {
            Err(RegistryError::Conflict(_)) => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(_) => return Ok(()),
        }
    }
    Err(changed_too_often())
}

/// Says the state of a TTL check.
///
/// # Errors
/// 404 when it is not there, 500 when it is no TTL check, and those of the registry.
pub(in crate::http::consul) async fn report(
    api: &Api,
    host: &Host,
    (check, status, output): (&str, Status, Arc<str>),
) -> Result<(), ConsulError> {
    let scope = host.scope();
    let is_own = scope == api.consul().own_host().scope();
    for _ in 0..TRIES {
        let snapshot = api.registry().snapshot();
        let world = World { snapshot: &snapshot, options: api.consul() };
        let found = locate(api, &snapshot, &scope, check);
        // What came by another interface is on this server's own node.
        let found = found.or_else(|| is_own.then(|| world.foreign_check(check)).flatten());
        let (member, at) = found.ok_or_else(|| ConsulError::unknown_check_id(check))?;
        if member.instance.checks[at].ttl().is_none() {
            return Err(ConsulError::no_ttl(check));
        }
        let (key, output) = (member.key(), Arc::clone(&output));
        let check = Some((at, member.registered));
        match api
            .registry()
            .submit(Command::Heartbeat(Heartbeat { key, check, status, output, heard: None }))
            .await
        {
            // It was registered anew, or taken away: it is looked for again.
            Err(RegistryError::Conflict(_) | RegistryError::UnknownInstance(_)) => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(_) => return Ok(()),
        }
    }
    Err(changed_too_often())
}

fn changed_too_often() -> ConsulError {
    ConsulError::unavailable("it was changed by others all the time; try again")
}

// === impl Turns ===

impl Turns {
    fn of(&self, host: &Host, of: &str) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one((host.scope(), of));
        let at = usize::try_from(hash % self.0.len() as u64).unwrap_or_default();
        &self.0[at]
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new([const { Mutex::const_new(()) }; 64]))
    }
}

// === impl ConsulError ===

impl From<RegistryError> for ConsulError {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Invalid(_) => Self::bad_request(text),
            RegistryError::Limit(_)
            | RegistryError::NoTtlCheck(_)
            | RegistryError::UnknownInstance(_)
            | RegistryError::UnknownPolicy(_) => Self::failed(text),
            RegistryError::NotDurable(JournalError::Unreachable(_)) => Self::no_leader(),
            RegistryError::NotDurable(JournalError::Unsure(_)) => Self::leadership_lost(),
            RegistryError::Busy
            | RegistryError::Conflict(_)
            | RegistryError::Held(_)
            | RegistryError::NotDurable(_)
            | RegistryError::Stopping => Self::unavailable(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ConsulError;
    use crate::{
        model::Invalid,
        registry::{JournalError, RegistryError, testing},
    };

    #[test]
    fn every_error_of_the_registry_is_said_as_consul_says_it() {
        let invalid = || Invalid::new("instances", 5, "is above the limit of 4");
        let full = JournalError::Full("no space".into());
        let unreachable = JournalError::Unreachable("http://etcd:2379 refuses".into());
        let unsure = JournalError::Unsure("no reply in time".into());
        for (error, status, text) in [
            (RegistryError::Busy, 503, "too busy"),
            (RegistryError::Held("a bulk".into()), 503, "too busy: a bulk"),
            (RegistryError::Conflict(testing::key("web/a")), 503, "was changed meanwhile"),
            (RegistryError::Invalid(invalid()), 400, "above the limit of 4"),
            (RegistryError::Limit(invalid()), 500, "above the limit of 4"),
            (RegistryError::NoTtlCheck(testing::key("web/a")), 500, "no check of type `ttl`"),
            (RegistryError::NotDurable(full), 503, "no space"),
            (RegistryError::NotDurable(unreachable), 500, "No cluster leader"),
            (RegistryError::NotDurable(unsure), 500, "leadership lost while committing log"),
            (RegistryError::Stopping, 503, "stopping"),
        ] {
            let refusal = ConsulError::from(error);
            assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
            assert!(refusal.text.contains(text), "{refusal:?}");
        }
    }
}
