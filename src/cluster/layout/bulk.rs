//! Changes that are more than one transaction takes, and are made all or none.
//!
//! They are written in parts, and count from the revision on at which one more key, the marker,
//! says so. A part has a change on each line, with the fields that its row has.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Author, Key, Layout, RowKey, Stray, TooLarge, Unreadable, Write,
    row::{VALUE_OCTETS_MAX, read},
    value::{DrainedText, HealthText, json, registration_of, registration_text},
};
use crate::{
    model::{Invalid, Revision, Timestamp},
    registry::{Edit, Guard, ServerId, SharedRow},
    store::text::{InstanceText, Instant, PolicyText},
};

/// Tells bulks apart; drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BulkId(pub u64);

/// A part of a bulk: which, counted from 0.
pub type PartId = (BulkId, u32);

/// Which bulk is under way, and whether it counts: the value of the marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which.
    pub bulk: BulkId,
    /// Whether it counts, from the revision of this value on. As long as it does not, its parts are
    /// being written, and mean nothing.
    pub counts: bool,
    /// How many parts there are.
    pub parts: u32,
    /// How many changes they have.
    pub edits: u64,
    /// The revision of etcd on which they were decided.
    pub base: u64,
    /// The server that has written them.
    pub by: ServerId,
    /// When, by its clock.
    pub at: Timestamp,
}

/// A part that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its changes, in their order.
    pub edits: Vec<Edit>,
    /// Lines that cannot be read. What was known of their rows stays as it is.
    pub unreadable: Vec<Unreadable>,
    /// Lines and fields that this version does not know.
    pub later: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkerText {
    bulk: String,
    #[serde(default)]
    counts: bool,
    parts: u32,
    edits: u64,
    base: u64,
    by: String,
    at: Instant,
}

/// A change: a row, named as in keys, with what it is to be; with nothing it is deleted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditText {
    row: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<InstanceText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drained: Option<DrainedText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyText>,
}

/// Octets of a part: two thirds of what a request to etcd may have (1.5 MiB). A change that is
/// larger stands in a part of its own.
const PART_OCTETS_MAX: usize = 1 << 20;

// === impl BulkId ===

impl BulkId {
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        const DIGITS: usize = 16;
        let is_right = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = if is_right { u64::from_str_radix(text, 16).ok() } else { None };
        let problem = format!("is no number of {DIGITS} hexadecimal digits");
        id.map(Self).ok_or_else(|| Invalid::new("bulk", text, problem))
    }
}

impl fmt::Display for BulkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

// === impl Marker ===

impl Marker {
    /// What is written.
    pub fn encode(&self) -> Vec<u8> {
        let Self { bulk, counts, parts, edits, base, by, at } = self.clone();
        let (bulk, by, at) = (bulk.to_string(), by.to_string(), Instant(at));
        json(&MarkerText { bulk, counts, parts, edits, base, by, at })
    }
}

/// Changes as the values of parts, in their order.
///
/// # Errors
/// When a registration is larger than a row can be, into which it is folded later.
pub fn encode_parts(edits: &[Edit], author: &Author<'_>) -> Result<Vec<Vec<u8>>, TooLarge> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for edit in edits {
        let line = json(&EditText::new(edit, author));
        if let (Edit::Register { key, .. }, true) = (edit, line.len() > VALUE_OCTETS_MAX) {
            let (key, octets) = (key.clone(), line.len());
            return Err(TooLarge { key, octets, limit: VALUE_OCTETS_MAX });
        }
        match parts.last_mut() {
            Some(part) if part.len() + line.len() < PART_OCTETS_MAX => {
                part.push(b'\n');
                part.extend(line);
            }
            _ => parts.push(line),
        }
    }
    Ok(parts)
}

/// What a change of a bulk is when it is shown.
pub fn shown(edit: Edit) -> SharedRow {
    match edit {
        Edit::Register { key, to, .. } => SharedRow::Registration { key, to: Some(to) },
        Edit::Deregister { key, .. } => SharedRow::Registration { key, to: None },
        Edit::Drain { key, on, .. } => SharedRow::Drained { key, on },
        Edit::Health { key, to } => SharedRow::Health { key, to: Some(to) },
        Edit::Policy { service, to } => SharedRow::Policy { service, to },
        Edit::Opinion { key, by, to } => SharedRow::Opinion { key, by, to },
    }
}

impl Layout {
    /// Reads a marker's value.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn decode_marker(&self, value: &[u8], revision: u64) -> Result<Marker, Unreadable> {
        let refuse = |problem| self.unreadable(&Key::Bulk, revision, problem);
        let (text, _) = read(value).map_err(refuse)?;
        let MarkerText { bulk, counts, parts, edits, base, by, at } = text;
        let bulk = BulkId::parse(&bulk).map_err(|refusal| refuse(refusal.to_string()))?;
        Ok(Marker { bulk, counts, parts, edits, base, by: by.into(), at: at.0 })
    }

    /// Reads a part.
    pub fn decode_part(&self, id: BulkId, number: u32, value: &[u8], revision: u64) -> Part {
        let mut part = Part::default();
        for (index, line) in value.split(|octet| *octet == b'\n').enumerate() {
            let mut row = None;
            match EditText::read(line, &mut row, &mut part.later) {
                Ok(edit) => part.edits.extend(edit),
                Err(problem) => {
                    let problem = format!("line {}: {problem}", index + 1);
                    let fault = self.unreadable(&Key::Part(id, number), revision, problem);
                    part.unreadable.push(Unreadable { row, ..fault });
                }
            }
        }
        part
    }

    /// What a change of a bulk writes into its row when it is folded: a registration is that of the
    /// marker's revision, of which health and conditions have heard.
    ///
    /// # Errors
    /// When a registration is larger than a row can be.
    pub fn encode_folded(
        &self,
        mut edit: Edit,
        marker: &Marker,
        revision: u64,
    ) -> Result<Write, TooLarge> {
        if let Edit::Register { to, .. } = &mut edit {
            to.registered.get_or_insert(Revision::shared(revision));
        }
        self.encode(&edit, &Author { server: &marker.by, at: marker.at })
    }
}

// === impl EditText ===

impl EditText {
    fn new(edit: &Edit, author: &Author<'_>) -> Self {
        let mut text = Self {
            row: String::new(),
            guard: None,
            registration: None,
            health: None,
            drained: None,
            policy: None,
        };
        let (row, guard) = match edit {
            Edit::Register { key, to, guard } => {
                text.registration = Some(registration_text(to));
                (RowKey::Registration(key.clone()), *guard)
            }
            Edit::Deregister { key, guard } => (RowKey::Registration(key.clone()), *guard),
            Edit::Drain { key, on, guard } => {
                text.drained = on.then(|| DrainedText::new(author));
                (RowKey::Drained(key.clone()), *guard)
            }
            Edit::Health { key, to } => {
                text.health = Some(HealthText::new(to, author));
                (RowKey::Health(key.clone()), Guard::None)
            }
            // Bound to a lease, it is never in a bulk, and is not read from one.
            Edit::Opinion { key, by, .. } => {
                (RowKey::Opinion(key.clone(), Arc::clone(by)), Guard::None)
            }
            Edit::Policy { service, to } => {
                text.policy = to.as_ref().map(PolicyText::from);
                (RowKey::Policy(service.clone()), Guard::None)
            }
        };
        text.row = row.to_string();
        text.guard = guard_name(guard).map(str::to_owned);
        text
    }

    /// The change on a line; `None` of a row that only a later version knows. Says of which row it
    /// is, also where it is wrong.
    fn read(
        line: &[u8],
        of: &mut Option<RowKey>,
        later: &mut Vec<String>,
    ) -> Result<Option<Edit>, String> {
        let (text, fields) = read::<Self>(line)?;
        let row = match Key::parse(&text.row) {
            Ok(Key::Row(row)) => row,
            Err(Stray::Later(_)) => {
                later.push(text.row);
                return Ok(None);
            }
            Ok(_) => return Err(format!("`row`: `{}` is no row of the registry", text.row)),
            Err(stray) => return Err(format!("`row`: `{}` {stray}", text.row)),
        };
        *of = Some(row.clone());
        later.extend(fields);
        text.into_edit(row, later).map(Some).map_err(|refusal| refusal.to_string())
    }

    fn into_edit(self, row: RowKey, later: &mut Vec<String>) -> Result<Edit, Invalid> {
        let guard = guard_of(self.guard.as_deref())?;
        Ok(match (row, self.registration, self.health, self.drained, self.policy) {
            (RowKey::Registration(key), Some(text), None, None, None) => {
                let under = |refusal: Invalid| refusal.under("registration");
                later.extend(text.foreign().map(|refusal| under(refusal).field));
                let to = registration_of(text, key.clone()).map_err(under)?.into();
                Edit::Register { key, to, guard }
            }
            (RowKey::Registration(key), None, None, None, None) => Edit::Deregister { key, guard },
            (RowKey::Health(key), None, Some(text), None, None) => {
                let to = text.into_model().map_err(|refusal| refusal.under("health"))?;
                Edit::Health { key, to }
            }
            (RowKey::Drained(key), None, None, drained, None) => {
                Edit::Drain { key, on: drained.is_some(), guard }
            }
            (RowKey::Policy(service), None, None, None, policy) => {
                let policy = policy.map(PolicyText::into_model).transpose();
                Edit::Policy { service, to: policy.map_err(|refusal| refusal.under("policy"))? }
            }
            (row, ..) => {
                let problem = "is no row of what stands beside it, or cannot be deleted";
                return Err(Invalid::new("row", row, problem));
            }
        })
    }
}

fn guard_name(guard: Guard) -> Option<&'static str> {
    match guard {
        Guard::None => None,
        Guard::Present => Some("present"),
        Guard::PresentUnchanged => Some("present-unchanged"),
        Guard::Unchanged => Some("unchanged"),
    }
}

fn guard_of(name: Option<&str>) -> Result<Guard, Invalid> {
    let all = [Guard::None, Guard::Present, Guard::PresentUnchanged, Guard::Unchanged];
    all.into_iter().find(|guard| guard_name(*guard) == name).ok_or_else(|| {
        let problem = "is no condition; one is `present`, `present-unchanged` or `unchanged`";
        Invalid::new("guard", name.unwrap_or_default(), problem)
    })
}
