//! Bodies read as Go reads them: names of fields in any case, the last of several wins, `null` is
//! left out, and what is refused is refused in the words that Consul's clients know.
//!
//! A body is read in the order of the document against a static table of its fields, which gives
//! it canonical names; a plain serde type takes it from there. Rejected: serde's own renaming and
//! aliases, which cannot match names in any case.
//!
//! Lists and maps are held to a limit while they are read, so that a body costs what it is worth.
//!
//! What is read is the first JSON value; Go's decoder never looks at what comes after it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{duration::GoDuration, readable::readable, syntax, texts::ConsulError};
use crate::model::limit;

/// A type of body, and the fields that it may have.
pub(in crate::http) trait Body: DeserializeOwned {
    /// Its fields.
    const FIELDS: &'static Fields;
}

/// The fields of an object.
#[derive(Debug)]
pub(in crate::http) struct Fields {
    /// The name of its type in a refusal of one of its fields; may be empty.
    pub(in crate::http) owner: &'static str,
    /// The name of its type in a refusal of what stands in its place.
    pub(in crate::http) kind: &'static str,
    /// The fields.
    pub(in crate::http) fields: &'static [Field],
    /// More of them, which several types have.
    pub(in crate::http) common: &'static [Field],
    /// Whether other fields are skipped, not refused.
    pub(in crate::http) open: bool,
}

/// A field.
#[derive(Debug)]
pub(in crate::http) struct Field {
    name: &'static str,
    /// Other spellings. What they say is only taken when the name itself is not there.
    aliases: &'static [&'static str],
    shape: Shape,
}

/// What the value of a field is.
#[derive(Debug)]
pub(in crate::http) enum Shape {
    /// Anything, taken as it is.
    Any,
    /// `true` or `false`.
    Bool,
    /// Text or nanoseconds, see [`GoDuration`]; becomes nanoseconds.
    Duration,
    /// A whole number that fits 64 bits.
    Integer,
    /// An array.
    List(&'static Shape),
    /// An object with keys of any name.
    Map(&'static Shape),
    /// An object with fields.
    Object(&'static Fields),
    /// A string.
    Text,
}

/// One value that is being read.
struct Reading<'p> {
    shape: &'static Shape,
    place: Option<&'p Place<'p>>,
}

/// Where it is.
struct Place<'p> {
    above: Option<&'p Self>,
    owner: &'static str,
    name: &'static str,
}

/// Reads a body. An empty one is refused, as Consul does.
///
/// # Errors
/// 400 with the text of Go's decoder.
pub(in crate::http) fn read<T: Body>(body: &[u8]) -> Result<T, ConsulError> {
    if body.trim_ascii().is_empty() {
        return Err(ConsulError::decode("EOF"));
    }
    let body = &*readable(body);
    let shape = &Shape::Object(T::FIELDS);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Reading { shape, place: None }.deserialize(&mut reader);
    let value = read.map_err(|fault| refusal(body, &fault))?.unwrap_or_else(|| Map::new().into());
    serde_json::from_value(value).map_err(|fault| ConsulError::decode(&fault.to_string()))
}

/// Go looks for faults of syntax in all of the document before it looks at anything else.
fn refusal(body: &[u8], fault: &serde_json::Error) -> ConsulError {
    if !fault.is_data() {
        return ConsulError::decode(&syntax::text(body, fault));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    if let Err(fault) = IgnoredAny::deserialize(&mut reader) {
        return ConsulError::decode(&syntax::text(body, &fault));
    }
    let text = fault.to_string();
    let at = format!(" at line {} column {}", fault.line(), fault.column());
    ConsulError::decode(text.strip_suffix(&at).unwrap_or(&text))
}

// === impl Field ===

impl Field {
    /// A field with one spelling.
    pub(in crate::http) const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, aliases: &[], shape }
    }

    /// A field with other spellings.
    pub(in crate::http) const fn or(
        name: &'static str,
        aliases: &'static [&'static str],
        shape: Shape,
    ) -> Self {
        Self { name, aliases, shape }
    }
}

// === impl Fields ===

impl Fields {
    /// The field that `key` names, and whether by its own name.
    fn find(&self, key: &str) -> Option<(&'static Field, bool)> {
        let same = |name: &str| name.eq_ignore_ascii_case(key);
        let mut fields = self.fields.iter().chain(self.common);
        let own = fields.clone().find(|field| same(field.name)).map(|field| (field, true));
        own.or_else(|| {
            let aliased = |field: &&Field| field.aliases.iter().any(|alias| same(alias));
            fields.find(aliased).map(|field| (field, false))
        })
    }
}

// === impl Shape ===

impl Shape {
    /// As Go calls the type.
    fn kind(&self) -> String {
        match self {
            Self::Any | Self::Duration => "interface {}".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Integer => "int".to_owned(),
            Self::List(inner) => format!("[]{}", inner.kind()),
            Self::Map(inner) => format!("map[string]{}", inner.kind()),
            Self::Object(fields) => fields.kind.to_owned(),
            Self::Text => "string".to_owned(),
        }
    }

    /// What `null` is as a member of a list or a map; nothing when it is left out there too.
    fn of_null(&self) -> Option<Value> {
        match self {
            Self::Text => Some("".into()),
            Self::Any => Some(Value::Null),
            _ => None,
        }
    }
}

// === impl Place ===

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            write!(f, "{above}.")?;
        }
        f.write_str(self.name)
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Takes the next of the entries of a list or a map, while there is room for one.
    fn count<E: Error>(
        &self,
        count: &mut usize,
        skip: impl FnOnce() -> Result<usize, E>,
    ) -> Result<(), E> {
        const MOST: usize = limit::CONSUL_BODY_ENTRIES_MAX;
        *count += 1;
        if *count <= MOST {
            return Ok(());
        }
        let count = *count + skip()?;
        let place = self.place.map(|place| format!("{place} ")).unwrap_or_default();
        Err(E::custom(format_args!("json: {place}has {count} entries, above the limit of {MOST}")))
    }

    fn mismatch<E: Error>(&self, found: &str) -> E {
        let kind = self.shape.kind();
        match self.place {
            None => E::custom(format_args!(
                "json: cannot unmarshal {found} into Go value of type {kind}"
            )),
            Some(place) => E::custom(format_args!(
                "json: cannot unmarshal {found} into Go struct field {}.{place} of type {kind}",
                place.owner
            )),
        }
    }

    fn object<'de, A: MapAccess<'de>>(
        &self,
        fields: &'static Fields,
        mut map: A,
    ) -> Result<Value, A::Error> {
        let mut read = Map::new();
        // How many of `read` are there by an alias is small; a name comes to stand over it.
        let mut by_alias: Vec<&'static str> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some((field, own)) = fields.find(&key) else {
                if fields.open {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                return Err(A::Error::custom(unknown(&key)));
            };
            let place = Place { above: self.place, owner: fields.owner, name: field.name };
            let value =
                map.next_value_seed(Reading { shape: &field.shape, place: Some(&place) })?;
            let Some(value) = value else { continue };
            let stands_by_name = read.contains_key(field.name) && !by_alias.contains(&field.name);
            if own {
                by_alias.retain(|name| *name != field.name);
            } else if stands_by_name {
                continue;
            } else {
                by_alias.push(field.name);
            }
            put(&mut read, field.name, value);
        }
        Ok(read.into())
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.shape {
            Shape::Any => Value::deserialize(deserializer)
                .map(|value| Some(value).filter(|value| !value.is_null())),
            Shape::Duration => {
                let value = Value::deserialize(deserializer)?;
                let read = GoDuration::from_json(&value).map_err(D::Error::custom)?;
                Ok(read.map(|duration| duration.nanos().into()))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shape.kind())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        match self.shape {
            Shape::Bool => Ok(Some(value.into())),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match self.shape {
            Shape::Integer => Ok(Some(number.into())),
            _ => Err(self.mismatch("number")),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        match (self.shape, i64::try_from(number)) {
            (Shape::Integer, Ok(number)) => Ok(Some(number.into())),
            (Shape::Integer, Err(_)) => Err(self.mismatch(&format!("number {number}"))),
            _ => Err(self.mismatch("number")),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        match self.shape {
            Shape::Integer => Err(self.mismatch(&format!("number {number:?}"))),
            _ => Err(self.mismatch("number")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match self.shape {
            Shape::Text => Ok(Some(text.into())),
            _ => Err(self.mismatch("string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Shape::List(shape) = self.shape else { return Err(self.mismatch("array")) };
        let (mut list, mut count) = (Vec::new(), 0);
        while let Some(item) = seq.next_element_seed(Reading { shape, place: self.place })? {
            self.count(&mut count, || {
                let mut more = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    more += 1;
                }
                Ok(more)
            })?;
            list.extend(item.or_else(|| shape.of_null()));
        }
        Ok(Some(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        match self.shape {
            Shape::Object(fields) => self.object(fields, map).map(Some),
            Shape::Map(shape) => {
                let (mut read, mut count) = (Map::new(), 0);
                while let Some(key) = map.next_key::<String>()? {
                    let item = map.next_value_seed(Reading { shape, place: self.place })?;
                    self.count(&mut count, || {
                        let mut more = 0;
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                            more += 1;
                        }
                        Ok(more)
                    })?;
                    if let Some(item) = item.or_else(|| shape.of_null()) {
                        read.insert(key, item);
                    }
                }
                Ok(Some(read.into()))
            }
            _ => Err(self.mismatch("object")),
        }
    }
}

/// The last one wins, but maps flow together, as into Go's map that is there already.
fn put(read: &mut Map<String, Value>, name: &str, value: Value) {
    match (read.get_mut(name), value) {
        (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
        (_, value) => {
            read.insert(name.to_owned(), value);
        }
    }
}

fn unknown(key: &str) -> String {
    let enterprise = ["Namespace", "Partition"].into_iter().find(|n| n.eq_ignore_ascii_case(key));
    let quoted = super::quote::quoted(key);
    match enterprise {
        None => format!("json: unknown field {quoted}"),
        Some(noun) => {
            format!("json: unknown field {quoted} - {noun}s are a Consul Enterprise feature")
        }
    }
}

#[cfg(test)]
mod tests;
