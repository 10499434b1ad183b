//! Reading JSON: each field is known, or a mistake.

use serde::Deserialize;

/// Reads a value with all fields known.
///
/// # Errors
/// Names the field that is not acceptable, by its path.
pub(crate) fn read_strictly<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    read(json, |json| serde_path_to_error::deserialize(json))
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
