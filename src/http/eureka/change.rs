//! What Eureka's clients change: each an amendment of what was read, made again when somebody else
//! was faster.

use std::{cmp::Ordering, sync::Arc};

use super::{
    body::{
        Instance,
        InstanceStatus::{self, OutOfService, Unknown, Up},
    },
    error::EurekaError,
    rules, shown,
    translate::{amendment, in_state, settled},
};
use crate::{
    http::Api,
    model::{Amendment, Command, Heartbeat, InstanceKey, Scope, ServiceName, Status},
    registry::{Member, RegistryError, Snapshot},
};

/// How often something is tried that others change at the same time. Of those who try together one
/// succeeds each time, and no instance has as many owners.
const ATTEMPTS_MAX: usize = 8;

/// An instance by the names of this interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Named {
    /// The application, in capitals.
    pub app: String,
    /// Its id.
    pub id: String,
}

/// One change, by whom it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    /// Where.
    pub api: &'a Api,
    /// Whether a Eureka server asks for it on behalf of its clients.
    pub by_peer: bool,
}

/// What became of a renewal.
#[derive(Debug)]
pub(super) enum Renewed {
    /// It lives on.
    Alive,
    /// It lives on, and is known in a newer form than the peer has; boxed for its size.
    Newer(Box<Instance>),
}

// === impl Named ===

impl Named {
    /// The instance `id` of an application in any case.
    pub(super) fn new(app: &str, id: impl Into<String>) -> Self {
        Self { app: app.to_uppercase(), id: id.into() }
    }

    /// What is known of it, by whichever interface it came.
    pub(super) fn find<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<Member>> {
        let own = snapshot.origins.get(&Scope::application(&self.app), &self.id);
        if let Some(own) = own {
            return snapshot.member_like(own);
        }
        let service = ServiceName::derived(&self.app);
        let label = shown::label_of(service.as_str(), &self.id)?;
        let member = snapshot.service(service.as_str())?.member(label)?;
        shown::origin(member).is_none().then_some(member)
    }

    /// What is known of it, if it came by this interface.
    fn own<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<Member>> {
        self.find(snapshot).filter(|member| shown::origin(member).is_some())
    }
}

// === impl Change ===

impl Change<'_> {
    /// Registers an instance that was admitted. What is known in a newer form stays, and counts as
    /// heard of.
    ///
    /// # Errors
    /// When something of it is not acceptable, or the registry refuses.
    pub(super) async fn register(self, instance: Instance) -> Result<(), EurekaError> {
        let app = instance.app.as_deref().unwrap_or_default();
        let named = Named::new(app, instance.id().unwrap_or_default());
        self.again(|snapshot| {
            let known = named.own(snapshot).map(AsRef::as_ref);
            if let Some(known) = known
                && rules::is_outdated(instance.last_dirty_timestamp, shown::said_dirty(known))
            {
                return Ok(Some(heartbeat(known)));
            }
            let body = settled(instance.clone(), known, self.by_peer, self.now());
            amendment(self.api, snapshot, known, body).map(amend).map(Some)
        })
        .await
    }

    /// Renews the lease of an instance, of which whoever asks has the form of `dirty`.
    ///
    /// # Errors
    /// 404 when it is not known, or so well that it has to register again.
    pub(super) async fn renew(
        self,
        named: &Named,
        dirty: Option<i64>,
    ) -> Result<Renewed, EurekaError> {
        let mut known = None;
        self.again(|snapshot| {
            let member = named.own(snapshot).ok_or_else(EurekaError::not_found)?;
            if shown::status(member) == Unknown {
                return Err(EurekaError::not_found());
            }
            known = Some(Arc::clone(member));
            Ok(Some(heartbeat(member)))
        })
        .await?;
        let Some(known) = known.filter(|_| dirty.is_some()) else { return Ok(Renewed::Alive) };
        match rules::newness(dirty, shown::dirty(&known)) {
            Ordering::Greater => Err(EurekaError::not_found()),
            Ordering::Less if self.by_peer => {
                let snapshot = self.api.registry().snapshot();
                let member = named.own(&snapshot).ok_or_else(EurekaError::not_found)?;
                Ok(Renewed::Newer(Box::new(shown::instance(member))))
            }
            Ordering::Less | Ordering::Equal => Ok(Renewed::Alive),
        }
    }

    /// Removes an instance.
    ///
    /// # Errors
    /// 404 when it is not known.
    pub(super) async fn cancel(self, named: &Named) -> Result<(), EurekaError> {
        self.again(|snapshot| {
            let known = named.own(snapshot).ok_or_else(EurekaError::not_found)?;
            let seen = Some(known.registered);
            Ok(Some(amend(Amendment { key: known.key(), seen, to: None })))
        })
        .await
    }

    /// Puts a state in the place of the instance's own, until it is taken away again.
    ///
    /// # Errors
    /// 404 when it is not known; 400 when it came by another interface and cannot be in that state.
    pub(super) async fn override_status(
        self,
        named: &Named,
        status: InstanceStatus,
        dirty: Option<i64>,
    ) -> Result<(), EurekaError> {
        self.again(|snapshot| {
            let known = named.find(snapshot).ok_or_else(EurekaError::not_found)?;
            if shown::origin(known).is_none() {
                return drain(known.key(), status).map(Some);
            }
            let body = shown::instance(known);
            if body.status == status {
                return Ok(Some(heartbeat(known)));
            }
            let body = Instance { overridden_status: status, ..touched(known, body, dirty) };
            self.put(snapshot, known, body, status).map(Some)
        })
        .await
    }

    /// Takes the override away; the instance is in `status` then. Without one the client is told
    /// to register again at its next renewal, and says so itself.
    ///
    /// # Errors
    /// 404 when it is not known.
    pub(super) async fn remove_override(
        self,
        named: &Named,
        status: InstanceStatus,
        dirty: Option<i64>,
    ) -> Result<(), EurekaError> {
        self.again(|snapshot| {
            let known = named.find(snapshot).ok_or_else(EurekaError::not_found)?;
            if shown::origin(known).is_none() {
                return Ok(Some(Command::Drain { key: known.key(), on: false }));
            }
            let body = shown::instance(known);
            if body.overridden_status == Unknown {
                return Ok(Some(heartbeat(known)));
            }
            let body = Instance { overridden_status: Unknown, ..touched(known, body, dirty) };
            self.put(snapshot, known, body, status).map(Some)
        })
        .await
    }

    /// Adds metadata to an instance, in place of what it has under the same keys.
    ///
    /// # Errors
    /// 404 when it is not known.
    pub(super) async fn add_metadata(
        self,
        named: &Named,
        entries: &[(String, String)],
    ) -> Result<(), EurekaError> {
        self.again(|snapshot| {
            let known = named.own(snapshot).ok_or_else(EurekaError::not_found)?;
            let mut body = touched(known, shown::instance(known), None);
            for (key, value) in entries {
                body.metadata.insert(key.into(), value.into());
            }
            let status = body.status;
            self.put(snapshot, known, body, status).map(Some)
        })
        .await
    }

    fn put(
        self,
        snapshot: &Snapshot,
        known: &Member,
        body: Instance,
        status: InstanceStatus,
    ) -> Result<Command, EurekaError> {
        let up_since = body.lease_info.map_or(0, |lease| lease.service_up_timestamp);
        let body = in_state(body, status, up_since, self.now());
        amendment(self.api, snapshot, Some(known), body).map(amend)
    }

    /// Has the registry do what `decide` makes of the newest snapshot; again, when that was no
    /// longer the newest by then.
    async fn again(
        self,
        mut decide: impl FnMut(&Snapshot) -> Result<Option<Command>, EurekaError>,
    ) -> Result<(), EurekaError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let command = decide(&self.api.registry().snapshot())?;
            let Some(command) = command else { return Ok(()) };
            match self.api.registry().submit(command).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_) | RegistryError::UnknownInstance(_))
                    if attempts < ATTEMPTS_MAX => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    fn now(self) -> i64 {
        i64::try_from(self.api.clock().wall_millis()).unwrap_or(i64::MAX)
    }
}

/// What a client said of it, as newly as somebody who changes it does. What is shown in place of a
/// time that nobody said is not kept.
fn touched(known: &Member, body: Instance, dirty: Option<i64>) -> Instance {
    Instance { last_dirty_timestamp: shown::said_dirty(known).max(dirty), ..body }
}

/// The lease is the first check.
fn heartbeat(known: &Member) -> Command {
    Command::Heartbeat(Heartbeat {
        key: known.key(),
        check: Some((0, known.registered)),
        status: Status::Passing,
        output: "".into(),
        heard: None,
    })
}

fn amend(amendment: Amendment) -> Command {
    Command::Amend(vec![amendment])
}

/// What came by another interface is drained by those who know only this one.
fn drain(key: InstanceKey, status: InstanceStatus) -> Result<Command, EurekaError> {
    match status {
        OutOfService => Ok(Command::Drain { key, on: true }),
        Up => Ok(Command::Drain { key, on: false }),
        _ => Err(EurekaError::bad_request(
            "this instance was registered by another interface; it can be OUT_OF_SERVICE or UP",
        )),
    }
}
