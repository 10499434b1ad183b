//! `examples/rollcall.toml` against what the program knows.

use super::{EXAMPLE, load};
use crate::app::config::{Config, spec_v1::Key};

/// A commented key begins with `#` without a space; prose has one.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_parses_and_shows_every_default() {
    let as_it_is = load(EXAMPLE, |_| ()).unwrap_or_else(|error| panic!("{error}"));
    let with_all = load(&uncommented(EXAMPLE), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(as_it_is, Config::default());
    assert_eq!(with_all, Config::default());
}

#[test]
fn the_example_has_every_key_once_with_its_default() {
    let mut table = String::new();
    let mut found = Vec::new();
    for line in uncommented(EXAMPLE).lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
        {
            found.push((format!("{table}.{key}"), value.to_owned()));
        }
    }
    let version = (".version".to_owned(), "1".to_owned());
    let default = Config::default();
    let keys = default.shown().map(|(path, value)| (path.to_owned(), value));
    let keys: Vec<_> = std::iter::once(version).chain(keys).collect();
    assert_eq!(found, keys);
}

#[test]
fn the_example_says_of_each_key_whether_it_reloads() {
    let (mut table, mut prose) = (String::new(), String::new());
    for line in EXAMPLE.lines() {
        let name = line.trim_start_matches('#').split_once(" = ").map(|(name, _)| name);
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if line.starts_with("# ") {
            prose.push_str(line);
        } else if line.is_empty() {
            prose.clear();
        } else if let Some(key) = name.and_then(|name| Key::find(&format!("{table}.{name}"))) {
            assert_eq!(prose.contains("Reloads."), key.reloads, "{}: {prose}", key.path);
        }
    }
}

#[test]
fn what_a_key_shows_is_read_back() {
    let default = Config::default();
    for (path, value) in default.shown() {
        let config = load(&format!("version = 1\n{path} = {value}\n"), |_| ()).unwrap();
        assert_eq!(config, default, "{path} = {value}");
    }
}
