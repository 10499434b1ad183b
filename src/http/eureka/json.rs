//! JSON into the tree that the nouns are read from.
//!
//! A list is its items one after another under the same name, which is what it is in XML; `null` is
//! the same as nothing; numbers and booleans are their text.

use std::fmt::{self, Display};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

use super::{
    error::EurekaError,
    tree::{Node, Room},
};

/// Where a value is read to.
#[derive(Clone, Copy)]
struct Place<'r> {
    room: &'r Room,
    depth: usize,
}

/// A value: nothing, one, or the items of a list.
type Values = Vec<Node>;

/// The tree of a body.
///
/// # Errors
/// When it is no JSON, or there is too much of it.
pub(super) fn parse(body: &[u8]) -> Result<Node, EurekaError> {
    let unreadable = |fault: serde_json::Error| EurekaError::unreadable("JSON", fault);
    let room = Room::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut values =
        Place { room: &room, depth: 0 }.deserialize(&mut reader).map_err(unreadable)?;
    reader.end().map_err(unreadable)?;
    Ok(values.pop().unwrap_or_default())
}

// === impl Place ===

impl Place<'_> {
    fn leaf<E: Error>(self, value: impl Display) -> Result<Values, E> {
        self.room.take(self.depth).map_err(E::custom)?;
        Ok(vec![Node::leaf(smol_str::format_smolstr!("{value}"))])
    }

    fn within(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Values, E> {
        Ok(Values::new())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Values, E> {
        self.leaf(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Values, E> {
        self.leaf(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
        self.leaf(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Values, E> {
        self.leaf(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Values, E> {
        self.leaf(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Values, A::Error> {
        self.room.take(self.depth).map_err(A::Error::custom)?;
        let mut values = Values::new();
        while let Some(mut item) = items.next_element_seed(self.within())? {
            values.append(&mut item);
        }
        Ok(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Values, A::Error> {
        self.room.take(self.depth).map_err(A::Error::custom)?;
        let mut node = Node::default();
        while let Some(name) = entries.next_key::<SmolStr>()? {
            for value in entries.next_value_seed(self.within())? {
                node.push(name.clone(), value);
            }
        }
        Ok(vec![node])
    }
}
