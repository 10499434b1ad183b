//! Which log lines are written: a filter as somebody wrote it, and what is held down beside it.
//!
//! tracing-subscriber takes any word that is no level for the name of a module, so that a slip
//! (`inof`) silences the whole log; here a word has to be one or the other.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The levels that a filter may have, by name.
pub const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The crates that write log lines, or may come to, by the name that their modules begin with.
const CRATES: [&str; 21] = [
    "axum",
    "h2",
    "hickory_net",
    "hickory_proto",
    "hickory_resolver",
    "hickory_server",
    "hyper",
    "hyper_util",
    "jiff",
    "jiff_core",
    "mio",
    "quinn",
    "quinn_proto",
    "quinn_udp",
    "redb",
    "rollcall",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tonic",
    "tower",
];

/// What is held down unless the filter names it. Anybody can have these written: hickory logs each
/// request at INFO, its decoder warns of odd packets and its clients of forged replies; rustls
/// warns of names that a client made up, quinn and h2 may of what breaks their protocols. With a
/// line for each packet a stranger could fill the disk. What hickory's resolver tells of is counted
/// here.
const HELD: [(&str, LevelFilter); 10] = [
    ("h2", LevelFilter::ERROR),
    ("hickory_net", LevelFilter::ERROR),
    ("hickory_proto", LevelFilter::ERROR),
    ("hickory_resolver", LevelFilter::OFF),
    ("hickory_server", LevelFilter::WARN),
    // Of hyper-util as well: a name stands for all that begin with it.
    ("hyper", LevelFilter::ERROR),
    // Of quinn-proto and quinn-udp as well.
    ("quinn", LevelFilter::ERROR),
    ("rustls", LevelFilter::ERROR),
    ("tokio_rustls", LevelFilter::ERROR),
    ("tower", LevelFilter::ERROR),
];

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It has no words, and would silence the log.
    #[error("it is empty; `off` is what writes nothing")]
    Empty,
    /// It cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// A word that stands where only a level can.
    #[error("`{0}` is no level")]
    UnknownLevel(String),
    /// A word that is neither a level nor the name of a module that writes log lines.
    #[error("`{0}` is neither a level nor a module that writes log lines")]
    UnknownWord(String),
}

/// Parses a filter such as `info` or `info,rollcall::dns=debug`, and adds what is held down.
///
/// # Errors
/// When the text is no filter, or has a word in it that is neither a level nor a known module.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, FilterError> {
    let directives = || filter.split(',').map(str::trim).filter(|it| !it.is_empty());
    if directives().next().is_none() {
        return Err(FilterError::Empty);
    }
    let (mut named, mut general) = (Vec::new(), LevelFilter::OFF);
    for directive in directives() {
        match target(directive)? {
            Some(name) => named.push(name),
            // Of several the last one counts, and with none nothing but what is named is written.
            None => general = directive.parse().unwrap_or(general),
        }
    }
    // A name stands for all modules that begin with it. Nothing is held down to more than the
    // others have.
    let held = HELD.iter().filter(|(held, level)| {
        *level < general && !named.iter().any(|name| held.starts_with(name))
    });
    let held: String = held.map(|(name, level)| format!(",{name}={level}")).collect();
    let whole = format!("{}{held}", directives().collect::<Vec<_>>().join(","));
    EnvFilter::try_new(whole).map_err(|error| FilterError::Syntax(error.to_string()))
}

/// The module that a directive is about; none if it is about all of them.
fn target(directive: &str) -> Result<Option<&str>, FilterError> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    // What stands in brackets is about spans, and EnvFilter's own business.
    let (name, level) = match directive.find(['=', '[']) {
        Some(at) if directive[at..].starts_with('=') => (&directive[..at], &directive[at + 1..]),
        Some(at) => (&directive[..at], ""),
        None if is_level(directive) => return Ok(None),
        None => (directive, ""),
    };
    if !name.is_empty() && !is_known(name) {
        return Err(FilterError::UnknownWord(name.to_owned()));
    }
    if !level.is_empty() && !is_level(level) {
        return Err(FilterError::UnknownLevel(level.to_owned()));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// Whether modules of a crate that is known begin so: `rollcall::dns`, `hickory`.
fn is_known(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    !target.contains(char::is_whitespace)
        && CRATES.iter().any(|known| {
            known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{CRATES, FilterError, HELD, LEVELS, LevelFilter, parse_filter};

    /// Those that could write log lines, and never do here.
    const SILENT: [&str; 3] = [
        // Only Android has it.
        "jni",
        // They take the lines of others.
        "tracing_log",
        "tracing_subscriber",
    ];

    fn shown(filter: &str) -> Result<Vec<String>, FilterError> {
        let filter = parse_filter(filter)?.to_string();
        Ok(filter.split(',').map(str::to_owned).collect())
    }

    #[test]
    fn a_word_that_is_neither_a_level_nor_a_module_is_refused() {
        for level in LEVELS.into_iter().chain(["INFO", "3"]) {
            assert!(parse_filter(level).is_ok(), "{level}");
        }
        for filter in [
            "hickory",
            "hyper",
            "rustls=debug",
            "quinn,info",
            "info,hickory_proto=warn",
            "rollcall::dns",
            "warn, rollcall::dns::udp=debug ",
            "rollcall[span]=debug",
            "[span]=trace,info",
            "info,,",
        ] {
            assert!(parse_filter(filter).is_ok(), "{filter}: {:?}", parse_filter(filter));
        }
        for (filter, word) in [
            ("inof", "inof"),
            ("loud", "loud"),
            ("info,bogus", "bogus"),
            ("bogus=", "bogus"),
            ("rolcall=debug", "rolcall"),
            ("rollcalls", "rollcalls"),
            ("roll", "roll"),
            ("info,bogus[span]=debug", "bogus"),
            ("rollcall =debug", "rollcall "),
        ] {
            let refused = FilterError::UnknownWord(word.into());
            assert_eq!(parse_filter(filter).err(), Some(refused), "{filter}");
        }
        for (filter, level) in [("rollcall=loud", "loud"), ("info,h2=b=c", "b=c")] {
            let refused = FilterError::UnknownLevel(level.into());
            assert_eq!(parse_filter(filter).err(), Some(refused), "{filter}");
        }
        for filter in ["", " , "] {
            assert_eq!(parse_filter(filter).err(), Some(FilterError::Empty));
        }
        assert!(matches!(parse_filter("[{"), Err(FilterError::Syntax(_))));
    }

    #[test]
    fn libraries_that_strangers_make_talk_are_held_down_unless_they_are_named() {
        let held: Vec<String> =
            HELD.iter().map(|(name, level)| format!("{name}={level}")).collect();
        let all = shown("debug").unwrap();
        assert!(held.iter().all(|it| all.contains(it)), "{all:?}");
        let one = shown("info,rustls=debug").unwrap();
        assert!(one.contains(&"rustls=debug".to_owned()), "{one:?}");
        assert!(!one.contains(&"rustls=error".to_owned()), "{one:?}");
        assert!(one.contains(&"h2=error".to_owned()), "the others are held: {one:?}");
        let group = shown("info,hickory=debug").unwrap();
        assert!(!group.iter().any(|it| it.starts_with("hickory_")), "{group:?}");
        let part = shown("info,hickory_net::udp=debug").unwrap();
        assert!(part.contains(&"hickory_net=error".to_owned()), "the rest of it: {part:?}");
    }

    #[test]
    fn nothing_is_held_down_to_more_than_the_filter_has() {
        for (filter, written) in [
            ("off", vec!["off"]),
            ("OFF", vec!["off"]),
            ("info,off", vec!["off"]),
            ("error", vec!["hickory_resolver=off", "error"]),
            ("rollcall=debug", vec!["rollcall=debug"]),
            ("off,rollcall=debug", vec!["rollcall=debug", "off"]),
            ("rollcall=debug,error", vec!["hickory_resolver=off", "rollcall=debug", "error"]),
        ] {
            let mut shown = shown(filter).unwrap();
            shown.sort();
            let mut written: Vec<_> = written.into_iter().map(str::to_owned).collect();
            written.sort();
            assert_eq!(shown, written, "{filter}");
        }
        let warn = shown("warn").unwrap();
        assert!(!warn.contains(&"hickory_server=warn".to_owned()), "it has that: {warn:?}");
        assert!(warn.contains(&"h2=error".to_owned()), "{warn:?}");
        let hint = |filter| parse_filter(filter).unwrap().max_level_hint();
        assert_eq!(hint("off"), Some(LevelFilter::OFF));
        assert_eq!(hint("error"), Some(LevelFilter::ERROR));
    }

    /// The crates that we are built with, and whether each can write log lines.
    fn built_with() -> BTreeMap<String, bool> {
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let manifest = read(include_str!("../../Cargo.toml"));
        let lock = read(include_str!("../../Cargo.lock"));
        let mut needs = BTreeMap::<_, BTreeSet<_>>::new();
        for package in lock["package"].as_array().unwrap() {
            let of = needs.entry(package["name"].as_str().unwrap()).or_default();
            let all = package.get("dependencies").and_then(toml::Value::as_array);
            // A version stands behind the name where there are several.
            let name =
                |it: &'_ toml::Value| it.as_str().unwrap().split(' ').next().unwrap().to_owned();
            of.extend(all.into_iter().flatten().map(name));
        }
        let mut waiting: Vec<_> =
            manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
        let mut found = BTreeMap::new();
        while let Some(name) = waiting.pop() {
            let of = &needs[&*name];
            let can_write = ["log", "tracing"].iter().any(|it| of.contains(*it));
            if found.insert(name.replace('-', "_"), can_write).is_none() {
                waiting.extend(of.iter().cloned());
            }
        }
        found
    }

    #[test]
    fn every_crate_that_writes_log_lines_can_be_named() {
        let built_with = built_with();
        assert!(built_with["hickory_proto"] && !built_with["base64"], "{built_with:?}");
        for (name, _) in built_with.iter().filter(|(_, can_write)| **can_write) {
            assert_ne!(CRATES.contains(&&**name), SILENT.contains(&&**name), "{name}");
        }
        let mut listed = CRATES.iter().filter(|name| **name != "rollcall");
        assert!(listed.all(|name| built_with.contains_key(*name)), "one is gone: {CRATES:?}");
        assert_eq!(parse_filter("info,tonic=debug").err(), None);
    }

    #[test]
    fn what_is_held_down_is_known() {
        assert!(HELD.iter().all(|(name, _)| CRATES.contains(name)));
    }
}
