//! Reading JSON: in a file that somebody may have written, each field is known or a mistake; among
//! servers, one that is not known was written by a later version.

use serde::Deserialize;

use super::lenient;
use crate::util::{json_words, named_field};

/// How it begins what is said of a text that is no JSON at all.
const NO_JSON: &str = "is no JSON: ";

/// Why a value was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Where it is, in octets, counted from 1.
    pub column: usize,
    /// What is wrong, by the path of the field if it lies there.
    pub problem: String,
}

/// Reads a value with all fields known.
///
/// # Errors
/// Names the field that is not acceptable, by its path.
pub(crate) fn read_strictly<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Unread> {
    read(json, |json| serde_path_to_error::deserialize(json))
}

/// Reads a value; the second is the paths of fields that are not known, and were passed over.
///
/// # Errors
/// Names the field that is not acceptable, by its path.
pub(crate) fn read_leniently<'a, T: Deserialize<'a>>(
    json: &'a [u8],
) -> Result<(T, Vec<String>), String> {
    read(json, |json| lenient::deserialize(json, |json| serde_path_to_error::deserialize(json)))
        .map_err(|Unread { column, problem }| match problem.starts_with(NO_JSON) {
            true => format!("{problem}, column {column}"),
            false => problem,
        })
}

type Json<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

fn read<'a, T>(
    json: &'a [u8],
    how: impl FnOnce(&mut Json<'a>) -> Result<T, serde_path_to_error::Error<serde_json::Error>>,
) -> Result<T, Unread> {
    let json = &mut serde_json::Deserializer::from_slice(json);
    let value = how(json).map_err(|error| {
        let path = error.path().to_string();
        Unread::new(path.trim_start_matches('.'), &error.into_inner())
    })?;
    json.end().map_err(|error| Unread::new("", &error))?;
    Ok(value)
}

// === impl Unread ===

impl Unread {
    fn new(path: &str, error: &serde_json::Error) -> Self {
        let (column, text) = (error.column(), error.to_string());
        // serde_json counts lines too, but within the value that it was given.
        let place = format!(" at line {} column {column}", error.line());
        let message = text.strip_suffix(&place).unwrap_or(&text);
        if error.is_eof() {
            return Self { column, problem: format!("{NO_JSON}it ends too early") };
        }
        if !error.is_data() {
            return Self { column, problem: format!("{NO_JSON}{message}") };
        }
        let last = path.rsplit('.').next();
        let field = match named_field(message).filter(|name| last != Some(*name)) {
            Some(name) if path.is_empty() => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => path.to_owned(),
        };
        let mut words = json_words(message);
        if let (true, Some(value)) = (words.starts_with("is outside"), message.split('`').nth(1)) {
            words = format!("`{value}` {words}").into();
        }
        let problem = if field.is_empty() { words.into() } else { format!("`{field}`: {words}") };
        Self { column, problem }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{read_leniently, read_strictly};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        name: String,
        inner: Option<Inner>,
        list: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        number: u16,
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_or_passed_over_by_its_path() {
        let json = br#"{"new":[{"a":1}],"name":"n","inner":{"number":1,"more":null},
            "list":[{"number":2},{"number":3,"new":"x"}]}"#;
        let refusal = read_strictly::<Outer>(json).unwrap_err();
        let known = "`new`: is unknown; there are `name`, `inner`, `list`";
        assert_eq!((refusal.column, &*refusal.problem), (6, known));
        let (outer, later) = read_leniently::<Outer>(json).unwrap();
        let list = vec![Inner { number: 2 }, Inner { number: 3 }];
        let inner = Some(Inner { number: 1 });
        assert_eq!(outer, Outer { name: "n".into(), inner, list });
        assert_eq!(later, ["new", "inner.more", "list[1].new"]);
    }

    #[test]
    fn what_is_wrong_has_its_path_in_either_case() {
        for (json, problem, column) in [
            (
                r#"{"list":[{"number":70000}]}"#,
                "`list[0].number`: `70000` is outside the limits of 0 to 65535",
                24,
            ),
            (r#"{"inner":7}"#, "`inner`: is a number, not an object", 10),
            (r#"{"name":null}"#, "`name`: is null, not a string", 12),
            (r#"{"inner":{"number":1,"number":2}}"#, "`inner.number`: is there twice", 29),
            (r#"{"name":"a","name":"b"}"#, "`name`: is there twice", 18),
            (r#"{"name":"a"} 1"#, "is no JSON: trailing characters", 14),
            (r#"{"new":[1,}"#, "is no JSON: ", 11),
            ("{", "is no JSON: it ends too early", 1),
        ] {
            let refusal = read_leniently::<Outer>(json.as_bytes()).unwrap_err();
            assert!(refusal.contains(problem), "{json}: {refusal}");
            if !json.contains("new") {
                let unread = read_strictly::<Outer>(json.as_bytes()).unwrap_err();
                assert!(refusal.starts_with(&unread.problem), "{unread:?}");
                assert_eq!(unread.column, column, "{unread:?}");
            }
        }
    }

    #[test]
    fn what_is_passed_over_is_noted_a_few_times_only() {
        let fields: Vec<_> = (0..1_000).map(|number| format!("\"new-{number}\":0")).collect();
        let json = format!("{{{}}}", fields.join(","));
        let (_, later) = read_leniently::<Outer>(json.as_bytes()).unwrap();
        assert_eq!((later.len(), &*later[0]), (16, "new-0"));
        let long = format!("{{\"{}\":0}}", "\u{e4}".repeat(1_000));
        let (_, later) = read_leniently::<Outer>(long.as_bytes()).unwrap();
        assert_eq!(later[0].chars().count(), 80);
    }
}
