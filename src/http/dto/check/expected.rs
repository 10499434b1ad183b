//! Expected status codes: `200`, `"200-299"`, or an array of such.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
    ser::SerializeSeq,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use crate::model::{Expect, Invalid};

/// The status codes that pass, as inclusive ranges: a number, text such as `200-299`, or an array
/// of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Vec<(u16, u16)>);

struct Reader {
    /// Whether an array may stand here; inside one it may not.
    array: bool,
}

struct Item(Vec<(u16, u16)>);

// === impl Expected ===

impl Expected {
    /// The codes as the model has them.
    ///
    /// # Errors
    /// When there is none, or one is no HTTP status.
    pub fn into_model(self) -> Result<Expect, Invalid> {
        Expect::new(self.0)
    }
}

impl From<&Expect> for Expected {
    fn from(expect: &Expect) -> Self {
        Self(expect.ranges().to_vec())
    }
}

/// As short as it can be said: a number or text when there is but one range.
impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            &[(low, high)] if low == high => serializer.serialize_u16(low),
            [(low, high)] => serializer.collect_str(&format_args!("{low}-{high}")),
            ranges => {
                let mut array = serializer.serialize_seq(Some(ranges.len()))?;
                for &range in ranges {
                    array.serialize_element(&Self(vec![range]))?;
                }
                array.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { array: true }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { array: false }).map(Self)
    }
}

// === impl Reader ===

fn refusal<E: Error>() -> E {
    E::custom("is no status code or range of them, such as 200 or \"200-299\"")
}

impl<'de> Visitor<'de> for Reader {
    type Value = Vec<(u16, u16)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status code or range such as 200 or \"200-299\"")?;
        if self.array { f.write_str(", or an array of them") } else { Ok(()) }
    }

    fn visit_u64<E: Error>(self, code: u64) -> Result<Self::Value, E> {
        let code = u16::try_from(code).map_err(|_| refusal())?;
        Ok(vec![(code, code)])
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let code = |text: &str| text.trim().parse::<u16>().map_err(|_| refusal());
        match text.split_once('-') {
            Some((low, high)) => Ok(vec![(code(low)?, code(high)?)]),
            None => code(text).map(|code| vec![(code, code)]),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        /// More ranges than there are hundreds of codes are a mistake.
        const RANGES_MAX: usize = 32;
        if !self.array {
            return Err(refusal());
        }
        let mut ranges = Vec::new();
        while let Some(Item(item)) = array.next_element()? {
            ranges.extend(item);
            if ranges.len() > RANGES_MAX {
                return Err(A::Error::custom(format_args!(
                    "has more ranges than the limit of {RANGES_MAX}"
                )));
            }
        }
        Ok(ranges)
    }
}

// === impl ToSchema for Expected ===

impl PartialSchema for Expected {
    fn schema() -> RefOr<Schema> {
        let code = || ObjectBuilder::new().schema_type(Type::Integer);
        let range =
            || ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^\d{3}(-\d{3})?$"));
        let each = OneOfBuilder::new().item(code()).item(range());
        OneOfBuilder::new()
            .item(code())
            .item(range())
            .item(ArrayBuilder::new().items(each))
            .description(Some(
                "The status codes that pass: 200, \"200-299\", or an array of these.",
            ))
            .into()
    }
}

impl ToSchema for Expected {}
