//! Values: what each row of the registry has, as JSON.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Author;
use crate::{
    model::{CheckState, InstanceKey, Invalid, Revision, limit},
    registry::{Health, Opinion, Registration},
    store::text::{InstanceText, Instant, StatusText},
};

/// What the checks of an instance have found.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthText {
    of: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    suspect: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Instant>,
    #[serde(default)]
    checks: Vec<StateText>,
    /// For who reads it: the server that has found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateText {
    status: StatusText,
    #[serde(default)]
    output: String,
    since: Instant,
}

/// What one server finds of the checks of an instance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpinionText {
    of: u64,
    /// By their places, which are names in JSON.
    #[serde(default)]
    checks: BTreeMap<usize, StateText>,
}

/// For who reads it; that the row is there says all.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DrainedText {
    at: Option<Instant>,
    by: Option<String>,
}

/// Octets of a value of health: sixteen checks that say what a person reads, and each flip of one
/// of them writes it all, to every server.
pub(super) const HEALTH_OCTETS_MAX: usize = 64 << 10;

// === registrations ===

/// What is written of a registration.
pub(super) fn registration_text(registration: &Registration) -> InstanceText {
    let Registration { instance, registered, registered_at, since, created, checks } = registration;
    let initial = instance.checks.iter();
    let initial: Vec<CheckState> = initial
        .map(|spec| CheckState::initial(spec, instance.initial_status, *registered_at))
        .collect();
    let state_of = |index: usize| {
        let state = checks.as_ref()?.get(index)?;
        (initial.get(index) != Some(state)).then_some(state)
    };
    let mut text = InstanceText::new(instance, state_of);
    text.registered = registered.map(|revision| revision.0);
    text.registered_at = Some(Instant(*registered_at));
    text.since = since.map(Instant);
    text.created = created.map(|revision| revision.0);
    text
}

/// What was written of one.
pub(super) fn registration_of(
    text: InstanceText,
    key: InstanceKey,
) -> Result<Registration, Invalid> {
    let Some(Instant(registered_at)) = text.registered_at else {
        // A guess would be another on each server, and an instance that is critical since a time
        // that is long ago would be removed.
        return Err(Invalid::new("registered_at", "", "is missing"));
    };
    let (registered, created) = (text.registered.map(Revision), text.created.map(Revision));
    let (has_states, since) = (text.has_states(), text.since.map(|Instant(since)| since));
    let (instance, states) = text.into_model(key, registered_at)?;
    let checks = has_states.then(|| states.into());
    let instance = Arc::new(instance);
    Ok(Registration { instance, registered, registered_at, since, created, checks })
}

// === health ===

impl HealthText {
    /// What is written; of outputs so much that it is no more than a row of health may be.
    pub(super) fn new(health: &Health, author: &Author<'_>) -> Self {
        let mut text = Self {
            of: health.of.0,
            suspect: health.suspect,
            since: health.since.map(Instant),
            checks: health.checks.iter().map(StateText::new).collect(),
            by: Some(author.server.to_owned()),
        };
        let mut most = limit::CHECK_OUTPUT_OCTETS_MAX;
        while json(&text).len() > HEALTH_OCTETS_MAX && most > 0 {
            most /= 2;
            text.cut_outputs(most);
        }
        text
    }

    /// What was written.
    pub(super) fn into_model(mut self) -> Result<Health, Invalid> {
        if self.checks.len() > limit::INSTANCE_CHECKS_MAX {
            let problem = format!("entries are above the limit of {}", limit::INSTANCE_CHECKS_MAX);
            return Err(Invalid::new("checks", self.checks.len(), problem));
        }
        self.cut_outputs(limit::CHECK_OUTPUT_OCTETS_MAX);
        let checks = self.checks.into_iter().map(StateText::into_model).collect();
        let since = self.since.map(|Instant(since)| since);
        Ok(Health { of: Revision(self.of), checks, suspect: self.suspect, since })
    }

    fn cut_outputs(&mut self, most: usize) {
        self.checks.iter_mut().for_each(|state| state.cut_output(most));
    }
}

// === impl StateText ===

impl StateText {
    fn new(state: &CheckState) -> Self {
        Self {
            status: StatusText(state.status),
            output: state.output.to_string(),
            since: Instant(state.since),
        }
    }

    fn into_model(self) -> CheckState {
        let Self { status, output, since } = self;
        CheckState { status: status.0, output: output.into(), since: since.0 }
    }

    fn cut_output(&mut self, most: usize) {
        self.output.truncate(self.output.floor_char_boundary(most));
    }
}

// === opinions ===

/// Octets of what a check says in an opinion: enough for a person. The store's log has each
/// opinion until it is compacted, and who loses its network has one of each instance.
const OPINION_OUTPUT_OCTETS_MAX: usize = 256;

impl OpinionText {
    /// What is written.
    pub(super) fn new(opinion: &Opinion) -> Self {
        let state = |(check, state): (&usize, &CheckState)| {
            let mut text = StateText::new(state);
            text.cut_output(OPINION_OUTPUT_OCTETS_MAX);
            (*check, text)
        };
        Self { of: opinion.of.0, checks: opinion.checks.iter().map(state).collect() }
    }

    /// What was written.
    pub(super) fn into_model(self) -> Result<Opinion, Invalid> {
        if let Some((check, _)) = self.checks.last_key_value()
            && *check >= limit::INSTANCE_CHECKS_MAX
        {
            let problem = format!("is not below the limit of {}", limit::INSTANCE_CHECKS_MAX);
            return Err(Invalid::new("checks", check, problem));
        }
        let state = |(check, mut text): (usize, StateText)| {
            text.cut_output(limit::CHECK_OUTPUT_OCTETS_MAX);
            (check, text.into_model())
        };
        Ok(Opinion { of: Revision(self.of), checks: self.checks.into_iter().map(state).collect() })
    }
}

// === drains ===

impl DrainedText {
    pub(super) fn new(author: &Author<'_>) -> Self {
        Self { at: Some(Instant(author.at)), by: Some(author.server.to_owned()) }
    }
}

/// A value as it is written.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and finite numbers have a form in JSON")
}
