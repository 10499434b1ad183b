//! An instance as it is shown: what was registered, and what is known of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, RefBuilder, Schema, Type},
    },
};

use super::{Check, Period, Registration, StatusName, registration::Strings, rfc3339};
use crate::{
    model::{CheckState, Interface, Origin},
    registry::{Member, Opinion, ServerId, ServiceEntry},
};

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceView {
    /// The service it belongs to.
    pub service: String,
    /// Its name within the service.
    pub instance: String,
    /// Its IP addresses, or the one host name that stands in place of them.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<SmolStr>,
    /// Its port; 0 when it has none.
    pub port: u16,
    /// Its share of the answers within its priority; 0 is a stand-by.
    pub weight: u16,
    /// Its share while its status is `warning`; absent when it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_weight: Option<u16>,
    /// Its failover tier.
    pub priority: u16,
    /// Its tags, sorted.
    #[schema(value_type = Vec<String>)]
    pub tags: Vec<SmolStr>,
    /// Its metadata.
    pub meta: Strings,
    /// Its checks and their states.
    pub checks: Vec<CheckView>,
    /// How long it may be critical before it is removed; absent when it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregister_after: Option<Period>,
    /// The state that its checks were registered to start in; absent when none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_status: Option<StatusName>,
    /// Its state: its worst check's.
    pub status: StatusName,
    /// Since when it is in this state (RFC 3339).
    pub since: String,
    /// Whether DNS answers with it now.
    pub answered: bool,
    /// Whether it is silent, and held in the answers by self-preservation.
    pub suspect: bool,
    /// Whether it was taken out of the answers by hand.
    pub drained: bool,
    /// Where its registration came from; left out for this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginView>,
    /// The server that looks after it, by its id: it writes what is found of the instance, and
    /// counts its heartbeats. Of one instance that is asked for; absent with an embedded store, and
    /// where no server is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it was registered (RFC 3339).
    pub registered_at: String,
    /// The revision of its last change.
    pub revision: u64,
}

/// By what interface an instance was registered, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OriginView {
    /// `consul` or `eureka`.
    pub interface: String,
    /// Consul's: the node that it is on, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Eureka's: its application, in upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The id that the client gave it, unique in that node or application.
    pub id: String,
}

/// One check and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// The check as it was registered, with all defaults.
    #[serde(flatten)]
    pub check: Check,
    /// Its state.
    pub status: StatusName,
    /// What its last result said, for a person.
    pub output: String,
    /// Since when it is in this state (RFC 3339).
    pub since: String,
    /// The servers that find it otherwise, where several check the instance, of one instance that
    /// is asked for; absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dissent: Vec<DissentView>,
}

/// What one server finds of a check, where the majority finds something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DissentView {
    /// Which server.
    pub server: String,
    /// What it finds.
    pub status: StatusName,
    /// What the result said, for a person.
    pub output: String,
    /// Since when it has found so (RFC 3339).
    pub since: String,
}

/// Instances of one service at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceList {
    /// The revision of the whole registry that the list shows.
    pub revision: u64,
    /// The instances, sorted by name.
    pub instances: Vec<InstanceView>,
}

// === impl InstanceView ===

impl InstanceView {
    /// A member as it is shown; `answered` says whether DNS answers with it.
    pub fn new(member: &Member, answered: bool) -> Self {
        let instance = &*member.instance;
        let registered = Registration::from(instance);
        let specs = registered.checks.unwrap_or_default();
        let checks =
            specs.into_iter().zip(&member.checks).map(|(check, s)| CheckView::new(check, s));
        Self {
            service: instance.service.to_string(),
            instance: instance.id.to_string(),
            addresses: registered.addresses.unwrap_or_default(),
            port: instance.port,
            weight: instance.weight,
            warning_weight: instance.warning_weight,
            priority: instance.priority,
            tags: registered.tags.unwrap_or_default(),
            meta: registered.meta.unwrap_or_default(),
            checks: checks.collect(),
            deregister_after: registered.deregister_after,
            initial_status: registered.initial_status,
            status: member.status.into(),
            since: rfc3339(member.since),
            answered,
            suspect: member.suspect,
            drained: member.drained,
            origin: instance.origin.as_deref().map(OriginView::from),
            owner: None,
            registered_at: rfc3339(member.registered_at),
            revision: member.modified.0,
        }
    }

    /// With the server that looks after it.
    #[must_use]
    pub fn with_owner(mut self, owner: Option<&ServerId>) -> Self {
        self.owner = owner.map(ToString::to_string);
        self
    }

    /// With what single servers find otherwise of `member`, which it shows.
    #[must_use]
    pub fn with_dissent(mut self, member: &Member, dissent: &[(ServerId, Opinion)]) -> Self {
        let current = dissent.iter().filter(|(_, opinion)| opinion.of == member.registered);
        for (server, opinion) in current {
            for (check, state) in &opinion.checks {
                let Some(view) = self.checks.get_mut(*check) else { continue };
                view.dissent.push(DissentView {
                    server: server.to_string(),
                    status: state.status.into(),
                    output: state.output.to_string(),
                    since: rfc3339(state.since),
                });
            }
        }
        self
    }

    /// The members of a service for which `wanted` says so, given also whether DNS answers with
    /// them. Each is made when it is its turn.
    pub fn of_service(
        service: Arc<ServiceEntry>,
        wanted: impl Fn(&Member, bool) -> bool,
    ) -> impl Iterator<Item = Self> {
        let mut answered = vec![false; service.members.len()];
        for group in service.all.groups() {
            answered[usize::from(group.member)] = true;
        }
        answered.into_iter().enumerate().filter_map(move |(index, answered)| {
            let member = &service.members[index];
            wanted(member, answered).then(|| Self::new(member, answered))
        })
    }

    /// The view turned back into what was registered: the body that would register it again.
    pub fn into_registration(self) -> Registration {
        Registration {
            addresses: Some(self.addresses),
            port: Some(self.port),
            weight: Some(self.weight),
            warning_weight: self.warning_weight,
            priority: Some(self.priority),
            tags: Some(self.tags),
            meta: Some(self.meta),
            checks: Some(self.checks.into_iter().map(|view| view.check).collect()),
            deregister_after: self.deregister_after,
            initial_status: self.initial_status,
        }
    }
}

// === impl OriginView ===

impl From<&Origin> for OriginView {
    fn from(origin: &Origin) -> Self {
        let Origin { scope, id, .. } = origin;
        let (interface, name) = (scope.interface.to_string(), Some(scope.name.to_string()));
        let (node, application) = match scope.interface {
            Interface::Consul => (name, None),
            Interface::Eureka => (None, name),
        };
        Self { interface, node, application, id: id.to_string() }
    }
}

// === impl CheckView ===

impl CheckView {
    fn new(check: Check, state: &CheckState) -> Self {
        Self {
            check,
            status: state.status.into(),
            output: state.output.to_string(),
            since: rfc3339(state.since),
            dissent: Vec::new(),
        }
    }
}

// === impl ToSchema for CheckView ===

/// One object with the fields of [`Check`] and the state's. Derived, it would be an `allOf` with a
/// [`Check`], which refuses all other fields: no check would be what the contract says.
impl PartialSchema for CheckView {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(check)) = Check::schema() else { return Check::schema() };
        let state = RefBuilder::new()
            .ref_location_from_schema_name("StatusName")
            .description(Some("Its state."));
        let dissent = RefBuilder::new().ref_location_from_schema_name("DissentView").build();
        let dissent = ArrayBuilder::new()
            .items(RefOr::<Schema>::Ref(dissent))
            .description(Some("The servers that find it otherwise; absent when there is none."));
        let text = |says| ObjectBuilder::new().schema_type(Type::String).description(Some(says));
        ObjectBuilder::from(check)
            .description(Some("One check as it was registered, with all defaults, and its state."))
            .additional_properties(None::<Schema>)
            .property("status", state)
            .property("output", text("What its last result said, for a person."))
            .property("since", text("Since when it is in this state (RFC 3339)."))
            .property("dissent", dissent)
            .required("status")
            .required("output")
            .required("since")
            .into()
    }
}

impl ToSchema for CheckView {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Check::schemas(schemas);
        schemas.push((DissentView::name().into(), DissentView::schema()));
        DissentView::schemas(schemas);
    }
}
