//! A value as somebody wrote it, with the place it stands at, and its reading as what is wanted.

use std::{ops::Range, path::PathBuf, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::secret::masked;
use crate::{
    model::Invalid,
    util::{format_duration, parse_duration},
};

/// A value from a file, a variable or a flag.
#[derive(Debug, Clone)]
pub(super) struct Given {
    value: Value,
    /// Where it stands in the file, octets; empty elsewhere.
    pub span: Range<usize>,
    /// As it is shown in a message.
    shown: String,
}

/// A value that was refused, with its place. The field of `invalid` is relative to the key.
#[derive(Debug)]
pub(super) struct Refusal {
    pub invalid: Invalid,
    pub span: Range<usize>,
}

/// A table's entries: key, the key's place, value.
pub(super) type Entries = Vec<(String, Range<usize>, Given)>;

#[derive(Debug, Clone)]
enum Value {
    Boolean(bool),
    Float(f64),
    Integer(i128),
    List(Vec<Given>),
    Table(Entries),
    Text(String),
    Time,
    /// Text of a variable or a flag, which is read as whatever is wanted.
    Untyped(String),
}

// === impl Given ===

impl Given {
    /// A value of a variable or of one flag.
    pub(super) fn untyped(text: &str) -> Self {
        Self { value: Value::Untyped(text.into()), span: 0..0, shown: text.into() }
    }

    /// The values of a flag that was given several times.
    pub(super) fn untyped_list(texts: &[String]) -> Self {
        let list = texts.iter().map(|text| Self::untyped(text)).collect();
        Self { value: Value::List(list), span: 0..0, shown: "[]".into() }
    }

    /// A value of a file.
    pub(super) fn from_toml(value: &Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let (value, shown) = match value.get_ref() {
            DeValue::Array(array) => {
                let list: Vec<_> = array.iter().map(Self::from_toml).collect();
                let shown = if list.is_empty() { "[]" } else { "[…]" };
                (Value::List(list), shown.to_owned())
            }
            DeValue::Boolean(value) => (Value::Boolean(*value), value.to_string()),
            DeValue::Datetime(time) => (Value::Time, time.to_string()),
            DeValue::Float(float) => {
                let value = float.as_str().parse().unwrap_or(f64::NAN);
                (Value::Float(value), float.as_str().to_owned())
            }
            DeValue::Integer(integer) => {
                // What overflows even this is outside of every range we have.
                let value = i128::from_str_radix(integer.as_str(), integer.radix());
                (Value::Integer(value.unwrap_or(i128::MAX)), integer.as_str().to_owned())
            }
            DeValue::String(text) => (Value::Text(text.to_string()), text.to_string()),
            DeValue::Table(table) => (Value::Table(Self::entries_of(table)), "{…}".to_owned()),
        };
        Self { value, span, shown }
    }

    /// The entries of a table of a file, in no order that means anything.
    pub(super) fn entries_of(table: &DeTable<'_>) -> Entries {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (name.to_string(), key.span(), Self::from_toml(value))
        };
        table.iter().map(entry).collect()
    }

    /// A refusal of this value; `problem` reads on from it.
    pub(super) fn refuse(&self, problem: impl Into<String>) -> Refusal {
        let shown = masked(&self.shown);
        Refusal { invalid: Invalid::new("", shown, problem), span: self.span.clone() }
    }

    /// A refusal of this value by the model, whose own field names are not those of the file.
    pub(super) fn refused_as(&self, invalid: Invalid) -> Refusal {
        self.refuse(invalid.problem)
    }

    fn wrong_kind(&self, wanted: &str) -> Refusal {
        let found = match self.value {
            Value::Boolean(_) => "a boolean",
            Value::Float(_) => "a number with a fraction",
            Value::Integer(_) => "an integer",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Text(_) => "a string",
            Value::Time => "a date or time",
            Value::Untyped(_) => return self.refuse(format!("is not {wanted}")),
        };
        self.refuse(format!("is {found}, not {wanted}"))
    }

    /// Text that is not empty.
    pub(super) fn text(&self) -> Result<&str, Refusal> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) if text.is_empty() => {
                Err(self.refuse("is empty"))
            }
            Value::Text(text) | Value::Untyped(text) => Ok(text),
            _ => Err(self.wrong_kind("a string")),
        }
    }

    /// A path, taken as it is.
    pub(super) fn path(&self) -> Result<PathBuf, Refusal> {
        self.text().map(PathBuf::from)
    }

    /// Text, or nothing for the empty one.
    pub(super) fn optional_text(&self) -> Result<Option<&str>, Refusal> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) if text.is_empty() => Ok(None),
            _ => self.text().map(Some),
        }
    }

    /// A path, or nothing for the empty text.
    pub(super) fn optional_path(&self) -> Result<Option<PathBuf>, Refusal> {
        Ok(self.optional_text()?.map(PathBuf::from))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, Refusal> {
        match &self.value {
            Value::Boolean(value) => Ok(*value),
            Value::Untyped(text) if text == "true" => Ok(true),
            Value::Untyped(text) if text == "false" => Ok(false),
            _ => Err(self.wrong_kind("`true` or `false`")),
        }
    }

    /// An integer within `range`, as whichever type holds that range.
    pub(super) fn integer<T: TryFrom<i128>>(
        &self,
        range: std::ops::RangeInclusive<i128>,
    ) -> Result<T, Refusal> {
        let value = match &self.value {
            Value::Integer(value) => Some(*value),
            Value::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        let value = value.ok_or_else(|| self.wrong_kind("an integer"))?;
        let within = range.contains(&value).then(|| T::try_from(value).ok()).flatten();
        within.ok_or_else(|| {
            let (low, high) = range.into_inner();
            self.refuse(format!("is outside the limits of {low} to {high}"))
        })
    }

    /// A number from 0 to 1.
    pub(super) fn share(&self) -> Result<f64, Refusal> {
        let value = match &self.value {
            Value::Float(value) => Some(*value),
            Value::Integer(0) => Some(0.0),
            Value::Integer(1) => Some(1.0),
            // Any other integer is as much out of range as this one.
            Value::Integer(_) => Some(2.0),
            Value::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        let value = value.ok_or_else(|| self.wrong_kind("a number"))?;
        let within = (0.0..=1.0).contains(&value);
        if within { Ok(value) } else { Err(self.refuse("is outside the limits of 0 to 1")) }
    }

    /// A duration within `range`.
    pub(super) fn duration(
        &self,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Result<Duration, Refusal> {
        let (Value::Text(text) | Value::Untyped(text)) = &self.value else {
            return Err(self.wrong_kind("a duration, which is a string such as \"5s\""));
        };
        let duration = parse_duration(text).map_err(|problem| self.refuse(problem.to_string()))?;
        if !range.contains(&duration) {
            let (low, high) = range.into_inner();
            let (low, high) = (format_duration(low), format_duration(high));
            return Err(self.refuse(format!("is outside the limits of {low} to {high}")));
        }
        Ok(duration)
    }

    /// A list; that of a variable has commas.
    pub(super) fn list(&self) -> Result<Vec<Self>, Refusal> {
        match &self.value {
            Value::List(list) => Ok(list.clone()),
            Value::Untyped(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Self::untyped)
                .collect()),
            _ => Err(self.wrong_kind("a list")),
        }
    }

    /// Where its items stand in the file, if it is a list there.
    pub(super) fn item_spans(&self) -> Vec<Range<usize>> {
        match &self.value {
            Value::List(list) => list.iter().map(|item| item.span.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a table.
    pub(super) fn table(&self) -> Result<&Entries, Refusal> {
        match &self.value {
            Value::Table(entries) => Ok(entries),
            _ => Err(self.wrong_kind("a table")),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// The same refusal seen from one level further out.
    pub(super) fn under(mut self, parent: impl std::fmt::Display) -> Self {
        self.invalid = self.invalid.under(parent);
        self
    }
}
