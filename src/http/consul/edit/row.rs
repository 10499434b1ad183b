//! A check of a service or a node while that is being changed.

use std::sync::Arc;

use crate::{
    http::consul::{
        definition::{CatalogCheck, CheckDefinition, catalog::CatalogCheckDefinition},
        kept::KeptCheck,
        texts::ConsulError,
        translate::Checked,
    },
    model::{Carry, CheckKind, CheckSpec, CheckState, Status, limit},
};

/// A check that is there, or is to be.
#[derive(Debug, Clone)]
pub(in crate::http::consul) struct Row {
    /// What is kept of it, with its id in full.
    pub(super) kept: KeptCheck,
    pub(super) spec: CheckSpec,
    /// Its place among the checks of the registration that is being changed, if its state is still
    /// the one that it has there.
    from: Option<usize>,
    /// Whether it was registered, so that it need not be heard of for as long as a new one.
    is_renewed: bool,
    status: Status,
    output: Arc<str>,
    /// Whether its state was said with it, and holds whatever was known before.
    is_said: bool,
}

// === impl Row ===

impl Row {
    /// A check that is the `at`th of what is being changed.
    pub(super) fn known(kept: KeptCheck, spec: &CheckSpec, state: &CheckState, at: usize) -> Self {
        let (status, output) = (state.status, Arc::clone(&state.output));
        Self {
            kept,
            spec: spec.clone(),
            from: Some(at),
            is_renewed: false,
            status,
            output,
            is_said: false,
        }
    }

    /// A check that is registered; if it is there already it goes on from what is known of it.
    pub(super) fn new(kept: KeptCheck, checked: Checked) -> Self {
        let Checked { spec, start } = checked;
        let output = "".into();
        Self { kept, spec, from: None, is_renewed: true, status: start, output, is_said: false }
    }

    /// A check that is registered by itself.
    pub(in crate::http::consul) fn own(definition: &CheckDefinition, checked: Checked) -> Self {
        let kept = KeptCheck { id: definition.id().to_owned(), ..(&definition.check).into() };
        Self::new(kept, checked)
    }

    /// A check of the catalog: others probe it and say its state with it.
    ///
    /// # Errors
    /// When what others are to probe cannot be written.
    pub(in crate::http::consul) fn of_catalog(check: &CatalogCheck) -> Result<Self, ConsulError> {
        let definition = serde_json::to_value(&check.definition);
        let definition = definition.map_err(|error| ConsulError::failed(error.to_string()))?;
        let kept = KeptCheck {
            id: check.id().to_owned(),
            name: check.name.clone(),
            notes: check.notes.clone(),
            shown_type: shown_type(check),
            interval: check.interval.clone(),
            timeout: check.timeout.clone(),
            definition: definition.as_object().cloned().unwrap_or_default(),
        };
        let status = Status::parse(&check.status).unwrap_or(Status::Critical);
        let (spec, output) = (CheckSpec::new(CheckKind::Manual), cut(&check.output));
        Ok(Self { kept, spec, from: None, is_renewed: true, status, output, is_said: true })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.kept.id
    }

    /// This one in place of `before`, with what is known of that.
    pub(super) fn in_place_of(mut self, before: &Self) -> Self {
        if self.is_said {
            let is_the_same = self.status == before.status && self.output == before.output;
            self.from = before.from.filter(|_| is_the_same);
            return self;
        }
        self.spec.start = before.spec.start;
        (self.from, self.status) = (before.from, before.status);
        self.output = Arc::clone(&before.output);
        self
    }

    /// Has it go `to` another host if it goes to the one that it comes `from`.
    pub(super) fn follow(&mut self, from: &str, to: &str) {
        if let Some(target) = self.spec.target_mut()
            && target.host.as_deref() == Some(from)
        {
            target.host = Some(to.into());
        }
    }

    /// This one for another service or node than the one that it was of.
    pub(super) fn moved(self) -> Self {
        Self { from: None, ..self }
    }

    /// What its state is when the registration is replaced; `goes_on` says whether by one of the
    /// same name.
    pub(super) fn carry(&self, goes_on: bool) -> Carry {
        match self.from.filter(|_| goes_on) {
            Some(at) if self.is_renewed => Carry::Renewed(at),
            Some(at) => Carry::From(at),
            None => Carry::Anew(self.status, Arc::clone(&self.output)),
        }
    }
}

/// As much of an output as is kept.
pub(in crate::http::consul) fn cut(output: &str) -> Arc<str> {
    output[..output.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX)].into()
}

/// The type as it was sent, or as it is to be probed.
fn shown_type(check: &CatalogCheck) -> String {
    let CatalogCheckDefinition { http, tcp, udp, grpc, .. } = &check.definition;
    let probed = [("http", http), ("tcp", tcp), ("udp", udp), ("grpc", grpc)];
    let probed = probed.iter().find(|(_, target)| !target.is_empty()).map(|(kind, _)| *kind);
    match &*check.r#type {
        "" => probed.unwrap_or_default().to_owned(),
        sent => sent.to_owned(),
    }
}
