//! Passing over what a later version wrote.
//!
//! A deserializer around another one: a struct says which fields it knows, and gets to see no
//! others; these are noted by their paths. So one shape serves both readers, the strict one with
//! serde's own refusal, which lists the fields there are. Rejected: reading into a tree first and
//! taking fields out of it (a repeated key, which headers can have, would be lost), and a map for
//! the rest in each shape (whoever forgets it loses the strictness, too).

use std::{cell::RefCell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

/// Fields that are noted of one value: enough to know what is new.
const NOTED_MAX: usize = 16;
/// Characters of a field's path: as much as a refusal shows of a value.
const PATH_CHARS_MAX: usize = 80;

/// Has `read` read from what passes over unknown fields, and says which.
pub(super) fn deserialize<'de, D: Deserializer<'de>, T, E>(
    inner: D,
    read: impl FnOnce(Lenient<'_, D>) -> Result<T, E>,
) -> Result<(T, Vec<String>), E> {
    let later = RefCell::default();
    let value = read(Lenient { inner, place: Place { step: Step::Root, later: &later } })?;
    Ok((value, later.into_inner()))
}

/// A deserializer, a seed or the visitor of an option, within a value.
pub(super) struct Lenient<'p, X> {
    inner: X,
    place: Place<'p>,
}

/// The visitor of a list, and its elements.
struct Elements<'p, X> {
    inner: X,
    place: Place<'p>,
    next: usize,
}

/// The visitor of a struct, and its fields.
struct Fields<'p, X> {
    inner: X,
    place: Place<'p>,
    known: &'static [&'static str],
    current: &'static str,
}

/// Where in the value, and where it is noted what is not known.
#[derive(Clone, Copy)]
struct Place<'p> {
    step: Step<'p>,
    later: &'p RefCell<Vec<String>>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Field(&'p Step<'p>, &'p str),
    Element(&'p Step<'p>, usize),
}

// === impl Lenient ===

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = D::Error;

    // What is neither a struct nor leads to one is what it is in the JSON.
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct map enum identifier ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Lenient { inner: visitor, place: self.place })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_seq(Elements { inner: visitor, place: self.place, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let fields = Fields { inner: visitor, place: self.place, known, current: "" };
        self.inner.deserialize_struct(name, known, fields)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Lenient<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Lenient { inner, place: self.place })
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Lenient<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Lenient { inner, place: self.place })
    }
}

// === impl Elements ===

impl<'de, V: Visitor<'de>> Visitor<'de> for Elements<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Elements { inner, place: self.place, next: 0 })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let step = Step::Element(&self.place.step, self.next);
        self.next += 1;
        let place = Place { step, later: self.place.later };
        self.inner.next_element_seed(Lenient { inner: seed, place })
    }
}

// === impl Fields ===

impl<'de, V: Visitor<'de>> Visitor<'de> for Fields<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { inner: visitor, place, known, current } = self;
        visitor.visit_map(Fields { inner, place, known, current })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        while let Some(key) = self.inner.next_key::<String>()? {
            if let Some(field) = self.known.iter().find(|field| **field == key) {
                self.current = field;
                return seed.deserialize((*field).into_deserializer()).map(Some);
            }
            self.inner.next_value::<IgnoredAny>()?;
            self.place.note(&key);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let step = Step::Field(&self.place.step, self.current);
        let place = Place { step, later: self.place.later };
        self.inner.next_value_seed(Lenient { inner: seed, place })
    }
}

// === impl Place ===

impl Place<'_> {
    fn note(&self, field: &str) {
        let mut later = self.later.borrow_mut();
        if later.len() < NOTED_MAX {
            let path = Step::Field(&self.step, field).to_string();
            later.push(path.chars().take(PATH_CHARS_MAX).collect());
        }
    }
}

// === impl Step ===

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(before, name) => write!(f, "{before}.{name}"),
            Self::Element(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}
