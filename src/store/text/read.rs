//! Reading JSON: in a file that somebody may have written, each field is known or a mistake; among
//! servers, one that is not known was written by a later version.

use serde::Deserialize;

use super::lenient;

/// Reads a value with all fields known.
///
/// # Errors
/// Names the field that is not acceptable, by its path.
pub(crate) fn read_strictly<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
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
}

type Json<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

fn read<'a, T>(
    json: &'a [u8],
    how: impl FnOnce(&mut Json<'a>) -> Result<T, serde_path_to_error::Error<serde_json::Error>>,
) -> Result<T, String> {
    let json = &mut serde_json::Deserializer::from_slice(json);
    let value = how(json).map_err(|error| {
        let path = error.path().to_string();
        let problem = shorten(&error.into_inner());
        if path == "." { problem } else { format!("`{path}`: {problem}") }
    })?;
    json.end().map_err(|error| shorten(&error))?;
    Ok(value)
}

/// serde_json counts lines too, but within the value that it was given.
fn shorten(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(problem) if error.is_syntax() || error.is_eof() => {
            format!("{problem} at column {}", error.column())
        }
        Some(problem) => problem.to_owned(),
        None => text,
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
        let known = "expected one of `name`, `inner`, `list`";
        assert!(refusal.starts_with("`new`: unknown field `new`, "), "{refusal}");
        assert!(refusal.ends_with(known), "{refusal}");
        let (outer, later) = read_leniently::<Outer>(json).unwrap();
        let list = vec![Inner { number: 2 }, Inner { number: 3 }];
        let inner = Some(Inner { number: 1 });
        assert_eq!(outer, Outer { name: "n".into(), inner, list });
        assert_eq!(later, ["new", "inner.more", "list[1].new"]);
    }

    #[test]
    fn what_is_wrong_has_its_path_in_either_case() {
        for (json, problem) in [
            (r#"{"list":[{"number":70000}]}"#, "`list[0].number`: invalid value: integer `70000`"),
            (r#"{"inner":7}"#, "`inner`: invalid type: integer `7`, expected struct Inner"),
            (r#"{"name":null}"#, "`name`: invalid type: null, expected a string"),
            (r#"{"name":"a","name":"b"}"#, "duplicate field `name`"),
            (r#"{"name":"a"} 1"#, "trailing characters at column 14"),
            (r#"{"new":[1,}"#, "column 11"),
            ("{", "EOF while parsing an object at column 1"),
        ] {
            let refusal = read_leniently::<Outer>(json.as_bytes()).unwrap_err();
            assert!(refusal.contains(problem), "{json}: {refusal}");
            if !json.contains("new") {
                assert_eq!(read_strictly::<Outer>(json.as_bytes()).unwrap_err(), refusal);
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
