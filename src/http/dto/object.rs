//! Objects that are objects. A type that derives `Deserialize` also takes an array, its fields by
//! position: `[null, 80]` would be a registration on port 80.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// A `T` that is written as an object and as nothing else.
#[derive(Debug)]
pub(in crate::http) struct Object<T>(pub(in crate::http) T);

struct Reader<T>(PhantomData<T>);

// === impl Object ===

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads an array of objects, or `null` for one left out.
///
/// # Errors
/// When it is something else.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Objects<T>>::deserialize(deserializer)?.map(|Objects(objects)| objects))
}

/// An array that most often has one object. serde's own `Vec` begins with room for four, which for
/// checks is more than the allocator has at hand.
struct Objects<T>(Vec<T>);

struct ObjectsReader<T>(PhantomData<T>);

// === impl Objects ===

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ObjectsReader(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectsReader<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::with_capacity(1);
        while let Some(Object(object)) = objects.next_element()? {
            read.push(object);
        }
        Ok(read)
    }
}
