//! Values as text in JSON: durations, instants, states, and pairs that keep their order.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
};

use crate::{
    model::{Interface, Invalid, Scope, Status, Timestamp},
    util::{format_duration, parse_duration},
};

/// A duration: `"1m30s"`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Period(pub Duration);

/// An instant in UTC with milliseconds (RFC 3339).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(pub Timestamp);

/// A state by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusText(pub Status);

/// An interface by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InterfaceText(pub Interface);

/// The fields that say within what an id is unique, as `origin` and `alias` have them.
#[derive(Debug)]
pub(crate) struct ScopeFields {
    pub interface: InterfaceText,
    pub node: Option<String>,
    pub application: Option<String>,
}

/// An object of strings; repeated keys are pairs of their own, as headers can have them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs(pub Vec<(String, String)>);

// === impl Period ===

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refuse = |problem| D::Error::custom(format_args!("`{text}` {problem}"));
        parse_duration(&text).map(Self).map_err(refuse)
    }
}

// === impl Instant ===

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        // A clock that is past the year 9999 is wrong in any case.
        let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{instant:.3}"))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed: Option<jiff::Timestamp> = text.parse().ok();
        let millis = parsed.and_then(|instant| u64::try_from(instant.as_millisecond()).ok());
        let problem = "is no instant since 1970; write one as in `2026-11-20T10:00:00Z`";
        millis
            .map(|millis| Self(Timestamp(millis)))
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` {problem}")))
    }
}

// === impl StatusText ===

impl Serialize for StatusText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for StatusText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let problem = "is no state; one is `passing`, `warning` or `critical`";
        Status::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` {problem}")))
    }
}

// === impl InterfaceText ===

impl Serialize for InterfaceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for InterfaceText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let problem = "is no interface; one is `consul` or `eureka`";
        Interface::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` {problem}")))
    }
}

// === impl ScopeFields ===

impl From<&Scope> for ScopeFields {
    fn from(scope: &Scope) -> Self {
        let (interface, name) = (scope.interface, Some(scope.name.to_string()));
        let (node, application) = match interface {
            Interface::Consul => (name, None),
            Interface::Eureka => (None, name),
        };
        Self { interface: InterfaceText(interface), node, application }
    }
}

impl ScopeFields {
    /// The scope; its name has not been held to anything.
    pub(super) fn into_model(self) -> Result<Scope, Invalid> {
        let interface = self.interface.0;
        let (name, other) = match interface {
            Interface::Consul => (self.node, self.application.map(|name| ("application", name))),
            Interface::Eureka => (self.application, self.node.map(|name| ("node", name))),
        };
        if let Some((field, name)) = other {
            let problem = format!("is not said of what came by {interface}");
            return Err(Invalid::new(field, name, problem));
        }
        let problem = format!("is missing, and said of all that came by {interface}");
        let name = name.ok_or_else(|| Invalid::new(interface.scope_name(), "", problem))?;
        Ok(Scope { interface, name: name.into() })
    }
}

// === impl Pairs ===

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsReader).map(Self)
    }
}

struct PairsReader;

impl<'de> Visitor<'de> for PairsReader {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = entries.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
