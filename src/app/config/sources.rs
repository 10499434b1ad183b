//! Where the configuration comes from, and how the sources become one.

use std::{collections::BTreeMap, ops::Range, path::PathBuf};

use toml::de::DeTable;

use super::{
    Config, ConfigError,
    across::{Clash, clashes},
    fault::{Mistake, Text},
    given::{Entries, Given, Refusal},
    nearest::{closest, nearest},
    spec_v1::{Key, VERSION, keys},
};
use crate::{model::Invalid, util::read_limited};

/// Octets of a configuration file: every key with a page of comment is a tenth of it.
const FILE_OCTETS_MAX: usize = 1 << 20;

/// Variables that are all shown to who has written none of them: more are a list that nobody reads.
const SHOWN_MAX: usize = 6;

/// The sources, the weakest first. What none of them names has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The file.
    pub file: Option<PathBuf>,
    /// Variables with their values, of which those with a key's name count: `ROLLCALL_DNS_LISTEN`
    /// for `dns.listen`. One that begins like a table's and is no key's is a mistake. Others are
    /// nobody's: Kubernetes sets `ROLLCALL_PORT` and the like for a service called `rollcall`.
    pub environment: Vec<(String, String)>,
    /// The paths of keys with the values of their flags, for example
    /// `("dns.listen", ["127.0.0.1:53"])`.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// Whether no server is started with it, as by a verb that only wants to know where the
    /// registry is kept: then nobody has to be able to reach one.
    pub is_for_client: bool,
}

/// The configuration as it grows, and what was wrong so far.
struct Loading<'a> {
    config: Config,
    /// Who set each key last.
    set_by: BTreeMap<&'static str, SetBy>,
    text: Option<Text<'a>>,
    /// With their place in the file, by which they are sorted.
    faults: Vec<(usize, Mistake)>,
}

#[derive(Debug, Clone)]
struct SetBy {
    origin: Origin,
    /// Where the value stands in the file, octets.
    span: Range<usize>,
    /// Where its items stand, if it is a list.
    items: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Environment,
    File,
    Flag,
}

// === impl Config ===

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// When the file cannot be read, or anything in any source is wrong; all of it is said.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let file = sources.read()?;
        let mut loading = Loading::new(file.as_ref());
        loading.apply(&sources);
        loading.finish(sources)
    }

    /// The refusal of a key's value by whoever used it, such as that of a file which it names. The
    /// place is that where the key is set now; without one, if the sources are no longer there, as
    /// what came through a pipe: for more of that one would wait without end.
    pub(in crate::app) fn mistake(&self, path: &'static str, invalid: Invalid) -> ConfigError {
        let is_there = self.sources.file.as_ref().is_some_and(|file| file.is_file());
        let file = is_there.then(|| self.sources.read().unwrap_or_default()).flatten();
        let mut loading = Loading::new(file.as_ref());
        loading.apply(&self.sources);
        loading.faults.clear();
        loading.fault_of([path; 2], None, &invalid.under(path).to_string());
        loading.into_error()
    }

    /// Reads the same sources again, as they are now.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn reload(&self) -> Result<Self, ConfigError> {
        Self::load(self.sources.clone())
    }
}

// === impl Sources ===

impl Sources {
    /// The file's path and text, if there is a file.
    fn read(&self) -> Result<Option<(String, String)>, ConfigError> {
        let read = |path: &PathBuf| Ok((path.display().to_string(), read_file(path)?));
        self.file.as_ref().map(read).transpose()
    }
}

fn read_file(path: &std::path::Path) -> Result<String, ConfigError> {
    let shown = path.display().to_string();
    let fault = |problem: String| ConfigError::new(vec![Mistake::of_file(&shown, &problem)]);
    let octets = std::fs::File::open(path)
        .and_then(|file| read_limited(file, FILE_OCTETS_MAX))
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    String::from_utf8(octets).map_err(|error| {
        let octet = error.utf8_error().valid_up_to() + 1;
        fault(format!("is not UTF-8 from octet {octet} on; TOML has no other encoding"))
    })
}

// === impl Loading ===

impl<'a> Loading<'a> {
    /// Nothing but the defaults, with the path and the text of the file to show lines of.
    fn new(file: Option<&'a (String, String)>) -> Self {
        let text = file.map(|(path, text)| Text { path, text });
        Self { config: Config::default(), set_by: BTreeMap::new(), text, faults: Vec::new() }
    }

    fn apply(&mut self, sources: &Sources) {
        self.apply_file();
        self.apply_environment(&sources.environment);
        self.apply_flags(&sources.flags);
    }

    fn apply_file(&mut self) {
        let Some(text) = self.text else { return };
        let (table, errors) = DeTable::parse_recoverable(text.text);
        for error in &errors {
            self.fault_at(error.message(), &error.span().unwrap_or(0..0));
        }
        // What follows a mistake of syntax is read as something else than was meant.
        if errors.is_empty() {
            let entries = Given::entries_of(table.get_ref());
            if self.accepts_version(&entries) {
                self.apply_table("", entries);
            }
        }
    }

    /// A file of another version is not held to the keys of this one.
    fn accepts_version(&mut self, entries: &Entries) -> bool {
        let Some((.., given)) = entries.iter().find(|(key, ..)| key == "version") else {
            let message =
                format!("`version` is missing; begin the file with `version = {VERSION}`");
            self.fault_at(&message, &(0..0));
            return false;
        };
        if let Err(mut refusal) = given.integer::<u16>(VERSION.into()..=VERSION.into()) {
            if refusal.invalid.problem.starts_with("is outside") {
                refusal = given.refuse(format!("is no version that is known; it is {VERSION}"));
            }
            self.refuse("version", Origin::File, refusal);
            return false;
        }
        true
    }

    fn apply_table(&mut self, parent: &str, entries: Entries) {
        for (name, span, given) in entries {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
            let is_table = keys().any(|key| is_below(key.path, &path));
            if let Some(key) = Key::find(&path) {
                self.set(key, Origin::File, &given);
            } else if is_table {
                match given.table() {
                    Ok(entries) => self.apply_table(&path, entries.clone()),
                    Err(refusal) => self.refuse(&path, Origin::File, refusal),
                }
            } else if path != "version" {
                self.fault_at(&unknown(parent, &name), &span);
            }
        }
    }

    fn apply_environment(&mut self, environment: &[(String, String)]) {
        for key in keys() {
            let variable = key.variable();
            let Some((_, value)) = environment.iter().find(|(name, _)| *name == variable) else {
                continue;
            };
            if key.is_in_file_only {
                let message = format!("`{}` can stand only in the file", key.path);
                self.fault(key.path, Origin::Environment, &message, &(0..0));
            } else {
                self.set(key, Origin::Environment, &Given::untyped(value));
            }
        }
        for mistake in environment.iter().filter_map(|(name, _)| unknown_variable(name)) {
            self.faults.push((usize::MAX, mistake));
        }
    }

    fn apply_flags(&mut self, flags: &[(&'static str, Vec<String>)]) {
        for (path, values) in flags {
            let key = Key::find(path).expect("flags are written down with the keys they set");
            let given = match values.as_slice() {
                [value] => Given::untyped(value),
                values => Given::untyped_list(values),
            };
            self.set(key, Origin::Flag, &given);
        }
    }

    fn set(&mut self, key: &'static Key, origin: Origin, given: &Given) {
        match (key.set)(&mut self.config, given) {
            Ok(()) => {
                let (span, items) = (given.span.clone(), given.item_spans());
                self.set_by.insert(key.path, SetBy { origin, span, items });
            }
            Err(refusal) => self.refuse(key.path, origin, refusal),
        }
    }

    /// Derives what was not given, checks what spans several keys, and closes.
    fn finish(mut self, sources: Sources) -> Result<Config, ConfigError> {
        if !self.set_by.contains_key("dns.hostmaster") {
            self.config.dns.hostmaster = self.config.default_hostmaster();
        }
        if !self.set_by.contains_key("dns.nameservers") {
            self.config.dns.nameservers = self.config.default_nameservers();
        }
        let lists = self.config.dns.encrypted.lists();
        if self.config.tls.self_signed
            && !lists.iter().any(|(path, _)| self.set_by.contains_key(path))
        {
            self.config.dns.encrypted.listen = Config::self_signed_listen();
        }
        self.config.sources = sources;
        if self.faults.is_empty() {
            self.check_across_keys();
        }
        if self.faults.is_empty() {
            return Ok(self.config);
        }
        Err(self.into_error())
    }

    fn into_error(mut self) -> ConfigError {
        self.faults.sort_by_key(|(place, _)| *place);
        ConfigError::new(self.faults.into_iter().map(|(_, fault)| fault).collect())
    }

    fn check_across_keys(&mut self) {
        for Clash { paths, index, message } in
            clashes(&self.config, |path| self.set_by.contains_key(path))
        {
            self.fault_of(paths, index, &message);
        }
    }

    /// A mistake in `path`, in the item of that index if there is one; or, if nobody set that, in
    /// `other`.
    fn fault_of(&mut self, [path, other]: [&'static str; 2], index: Option<usize>, message: &str) {
        let (path, by, index) = match (self.set_by.get(path), self.set_by.get(other)) {
            (Some(by), _) => (path, by, index),
            (None, Some(by)) => (other, by, None),
            (None, None) => return self.fault_at(message, &(0..0)),
        };
        let item = index.and_then(|index| by.items.get(index));
        let (origin, span) = (by.origin, item.unwrap_or(&by.span).clone());
        self.fault(path, origin, message, &span);
    }

    fn refuse(&mut self, path: &str, origin: Origin, refusal: Refusal) {
        let Refusal { invalid, span } = refusal.under(path);
        self.fault(path, origin, &invalid.to_string(), &span);
    }

    fn fault(&mut self, path: &str, origin: Origin, message: &str, span: &Range<usize>) {
        let key = Key::find(path);
        match (origin, key) {
            (Origin::Environment, Some(key)) => {
                let mistake = Mistake::by_variable(message, &key.variable());
                self.faults.push((usize::MAX, mistake));
            }
            (Origin::Flag, Some(Key { flag: Some(flag), .. })) => {
                self.faults.push((usize::MAX, Mistake::by(message, format!("flag {flag}"))));
            }
            _ => self.fault_at(message, span),
        }
    }

    fn fault_at(&mut self, message: &str, span: &Range<usize>) {
        let nowhere = || Mistake::from(message.to_owned());
        let mistake = self.text.map_or_else(nowhere, |text| text.mistake(message, span));
        self.faults.push((span.start, mistake));
    }
}

/// Whether `path` is that of a key in the table `table` or deeper.
fn is_below(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// Says that a variable that begins like those of a table is no key's, and what was probably meant.
fn unknown_variable(name: &str) -> Option<Mistake> {
    let table_of = |key: &Key| key.path.split('.').next().unwrap_or(key.path);
    let is_named =
        |table: &&str| name.starts_with(&format!("ROLLCALL_{}_", table.to_ascii_uppercase()));
    let table = keys().map(table_of).find(is_named)?;
    let known = keys().filter(|key| table_of(key) == table && !key.is_in_file_only);
    let known: Vec<String> = known.map(Key::variable).collect();
    // Kubernetes sets these for a service called `rollcall-server` and the like.
    let is_of_a_service =
        name.contains("_SERVICE_") || name.contains("_PORT_") || name.ends_with("_PORT");
    if is_of_a_service || keys().any(|key| key.variable() == name) {
        return None;
    }
    let candidates = || known.iter().map(String::as_str);
    let hint = match nearest(name, candidates()) {
        Some(meant) => format!("is `{meant}` meant?"),
        None if known.len() <= SHOWN_MAX => format!("`[{table}]` has `{}`", known.join("`, `")),
        None => {
            let closest = closest(name, candidates()).unwrap_or(table);
            format!("of those of `[{table}]` `{closest}` is the closest")
        }
    };
    let message = format!("`{name}` is the variable of no key; {hint}");
    Some(Mistake::by_variable(&message, name))
}

/// Says that there is no such key or table, and what was probably meant.
fn unknown(parent: &str, name: &str) -> String {
    let mut known: Vec<&str> = keys()
        .filter_map(|key| match parent {
            "" => key.path.split('.').next(),
            _ => key.path.strip_prefix(parent)?.strip_prefix('.')?.split('.').next(),
        })
        .collect();
    known.dedup();
    let place = if parent.is_empty() { "the file" } else { &format!("`[{parent}]`") };
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("`{name}` is not known in {place}; is `{meant}` meant?"),
        None => format!("`{name}` is not known in {place}, which has `{}`", known.join("`, `")),
    }
}
