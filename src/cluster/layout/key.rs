//! Keys: a prefix, the layout's version, and names that have no slash.

use std::{fmt, sync::Arc};

use super::{BulkId, Stray};
use crate::{
    model::{InstanceId, InstanceKey, Invalid, ServiceName},
    registry::ServerId,
};

/// Makes and reads the keys below a prefix. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Everything before the first name, as in `/rollcall/v1/`.
    root: Arc<str>,
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// What all servers have agreed on once.
    Meta,
    /// A server that is alive; with a lease, as its opinions are.
    Server(ServerId),
    /// A row of the registry.
    Row(RowKey),
    /// Heartbeats that a server has for others, which it cannot reach.
    Beats(ServerId),
    /// Which bulk is under way; there is one at the most.
    Bulk,
    /// A part of a bulk: which, counted from 0.
    Part(BulkId, u32),
}

/// A row of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// What was registered.
    Registration(InstanceKey),
    /// What its checks have found.
    Health(InstanceKey),
    /// That it was taken out of the answers by hand.
    Drained(InstanceKey),
    /// What one of several servers that check an instance finds otherwise than is shared.
    Opinion(InstanceKey, ServerId),
    /// How a service is answered.
    Policy(ServiceName),
}

/// All keys from one to before another, in the order of their octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first that is in it.
    pub from: String,
    /// The first that is not.
    pub to: String,
}

const INSTANCES: &str = "instances";
const POLICIES: &str = "policies";
const OPINIONS: &str = "opinions";
const SERVERS: &str = "servers";
const BEATS: &str = "beats";
const BULK: &str = "bulk";
const BULKS: &str = "bulks";
const META: &str = "meta";
const REGISTRATION: &str = "registration";
const HEALTH: &str = "health";
const DRAINED: &str = "drained";

/// Digits of a part's number, so that parts are in their order.
const PART_DIGITS: usize = 5;
/// Octets of a server's name: what a host's name has at the most (RFC 1035 §2.3.4).
const SERVER_OCTETS_MAX: usize = 253;

// === impl Layout ===

impl Layout {
    /// The version of the layout that this code writes and reads.
    pub const VERSION: &str = "v1";
    /// The prefix where none is configured.
    pub const DEFAULT_PREFIX: &str = "/rollcall";
    /// Octets of a prefix: what a company and an environment are called, many times over.
    const PREFIX_OCTETS_MAX: usize = 255;

    /// The layout below a prefix, which begins with a slash and does not end with one.
    ///
    /// # Errors
    /// When it is no such prefix.
    pub fn new(prefix: &str) -> Result<Self, Invalid> {
        let refuse = |problem: &str| Err(Invalid::new("prefix", prefix, problem));
        let Some(names) = prefix.strip_prefix('/').filter(|names| !names.is_empty()) else {
            return refuse("is no prefix of keys; write one as in `/rollcall`");
        };
        if names.ends_with('/') {
            return refuse("ends with `/`, which the names below it begin with; leave it out");
        }
        if names.split('/').any(str::is_empty) {
            return refuse("has two `/` without a name between them");
        }
        if let Some(dots) = names.split('/').find(|name| matches!(*name, "." | "..")) {
            return refuse(&format!(
                "has the name `{dots}`, which in keys does not mean what it does in paths of \
                 files: another prefix is another registry"
            ));
        }
        if let Some(bad) = names.chars().find(|c| !c.is_ascii_graphic()) {
            return refuse(&format!(
                "has the character {bad:?}; a prefix has printable ASCII without blanks"
            ));
        }
        if prefix.len() > Self::PREFIX_OCTETS_MAX {
            return refuse(&format!("is above the limit of {} octets", Self::PREFIX_OCTETS_MAX));
        }
        Ok(Self { root: format!("{prefix}/{}/", Self::VERSION).into() })
    }

    /// The key of what is called so.
    pub fn key(&self, key: &Key) -> String {
        format!("{}{key}", self.root)
    }

    /// The key of a row of the registry.
    pub fn row(&self, row: &RowKey) -> String {
        format!("{}{row}", self.root)
    }

    /// The key of the row whose changes conditions are about: an instance's registration.
    pub fn registration(&self, key: &InstanceKey) -> String {
        format!("{}{INSTANCES}/{}/{}/{REGISTRATION}", self.root, key.service, key.id)
    }

    /// What a key stands for.
    ///
    /// # Errors
    /// When it is not of this layout, of a later one, or has a name that is none.
    pub fn parse(&self, key: &[u8]) -> Result<Key, Stray> {
        let Some(below) = key.strip_prefix(self.prefix_and_slash().as_bytes()) else {
            return Err(Stray::Foreign);
        };
        let Ok(below) = std::str::from_utf8(below) else {
            let shown = String::from_utf8_lossy(key);
            return Err(Stray::Malformed(Invalid::new("key", shown, "is no text")));
        };
        match below.split_once('/') {
            Some((Self::VERSION, names)) => Key::parse(names),
            Some((version, _)) if is_version(version) => Err(Stray::Later(version.to_owned())),
            _ => Err(Stray::Foreign),
        }
    }

    fn prefix_and_slash(&self) -> &str {
        &self.root[..self.root.len() - Self::VERSION.len() - 1]
    }

    /// Everything below the prefix that is of this layout.
    pub fn all(&self) -> KeyRange {
        self.below("")
    }

    /// The rows of all instances.
    pub fn instances(&self) -> KeyRange {
        self.below(&format!("{INSTANCES}/"))
    }

    /// The policies.
    pub fn policies(&self) -> KeyRange {
        self.below(&format!("{POLICIES}/"))
    }

    /// All rows of an instance.
    pub fn instance(&self, key: &InstanceKey) -> KeyRange {
        self.below(&format!("{INSTANCES}/{}/{}/", key.service, key.id))
    }

    /// The servers that are alive.
    pub fn servers(&self) -> KeyRange {
        self.below(&format!("{SERVERS}/"))
    }

    /// Heartbeats of all servers.
    pub fn beats(&self) -> KeyRange {
        self.below(&format!("{BEATS}/"))
    }

    /// The parts of all bulks.
    pub fn bulks(&self) -> KeyRange {
        self.below(&format!("{BULKS}/"))
    }

    /// `name` is empty or ends with a slash: of all octets that a name can go on with, none is
    /// above that one's successor.
    fn below(&self, name: &str) -> KeyRange {
        let from = format!("{}{name}", self.root);
        let to = format!("{}0", from.trim_end_matches('/'));
        KeyRange { from, to }
    }
}

// === impl Key ===

impl Key {
    /// Reads what stands behind the version.
    pub(super) fn parse(names: &str) -> Result<Self, Stray> {
        let mut names = names.split('/');
        let kind = names.next().unwrap_or_default();
        let key = match kind {
            META => Self::Meta,
            BULK => Self::Bulk,
            SERVERS => Self::Server(name("server", names.next(), server_id)?),
            BEATS => Self::Beats(name("server", names.next(), server_id)?),
            POLICIES => {
                Self::Row(RowKey::Policy(name("service", names.next(), ServiceName::parse)?))
            }
            INSTANCES => {
                let service = name("service", names.next(), ServiceName::parse_kept)?;
                let id = name("instance", names.next(), InstanceId::parse)?;
                let key = InstanceKey { service, id };
                Self::Row(match some("row", names.next())? {
                    REGISTRATION => RowKey::Registration(key),
                    HEALTH => RowKey::Health(key),
                    DRAINED => RowKey::Drained(key),
                    other => return Err(Stray::Later(format!("{INSTANCES}/…/{other}"))),
                })
            }
            OPINIONS => {
                let service = name("service", names.next(), ServiceName::parse_kept)?;
                let id = name("instance", names.next(), InstanceId::parse)?;
                let by = name("server", names.next(), server_id)?;
                Self::Row(RowKey::Opinion(InstanceKey { service, id }, by))
            }
            BULKS => {
                let id = name("bulk", names.next(), BulkId::parse)?;
                Self::Part(id, part(some("part", names.next())?)?)
            }
            "" => {
                let refusal = Invalid::new("key", "", "has no name behind the version");
                return Err(Stray::Malformed(refusal));
            }
            other => return Err(Stray::Later(other.to_owned())),
        };
        match names.next() {
            None => Ok(key),
            Some(more) => Err(Stray::Later(format!("{kind}/…/{more}"))),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => f.write_str(META),
            Self::Server(id) => write!(f, "{SERVERS}/{id}"),
            Self::Row(row) => row.fmt(f),
            Self::Beats(id) => write!(f, "{BEATS}/{id}"),
            Self::Bulk => f.write_str(BULK),
            Self::Part(id, number) => write!(f, "{BULKS}/{id}/{number:0PART_DIGITS$}"),
        }
    }
}

// === impl RowKey ===

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, row) = match self {
            Self::Registration(key) => (key, REGISTRATION),
            Self::Health(key) => (key, HEALTH),
            Self::Drained(key) => (key, DRAINED),
            Self::Opinion(key, by) => {
                return write!(f, "{OPINIONS}/{}/{}/{by}", key.service, key.id);
            }
            Self::Policy(service) => return write!(f, "{POLICIES}/{service}"),
        };
        write!(f, "{INSTANCES}/{}/{}/{row}", key.service, key.id)
    }
}

/// The name of a server, as keys have it.
///
/// # Errors
/// When it is empty or longer than a host's name, or has a character that no host's name has.
pub fn server_id(text: &str) -> Result<ServerId, Invalid> {
    let refuse = |problem: String| Err(Invalid::new("server", text, problem));
    if text.is_empty() {
        return refuse("is empty".into());
    }
    let is_right = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if let Some(bad) = text.chars().find(|c| !is_right(c)) {
        return refuse(format!(
            "has the character {bad:?}; a server's name has letters, digits and `-`, `.`, `_`"
        ));
    }
    if text.len() > SERVER_OCTETS_MAX {
        return refuse(format!("is above the limit of {SERVER_OCTETS_MAX} octets"));
    }
    Ok(text.into())
}

fn some<'n>(field: &str, name: Option<&'n str>) -> Result<&'n str, Stray> {
    name.ok_or_else(|| Stray::Malformed(Invalid::new(field, "", "is missing at the key's end")))
}

/// A name in the one spelling that keys have it in: else two keys would be of one row.
fn name<T: fmt::Display>(
    field: &str,
    name: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<T, Stray> {
    let name = some(field, name)?;
    let parsed = parse(name).map_err(Stray::Malformed)?;
    let spelling = parsed.to_string();
    if spelling == name {
        return Ok(parsed);
    }
    let problem = format!("is written as `{spelling}` in keys");
    Err(Stray::Malformed(Invalid::new(field, name, problem)))
}

fn part(number: &str) -> Result<u32, Stray> {
    let is_right = number.len() == PART_DIGITS && number.bytes().all(|b| b.is_ascii_digit());
    let parsed = if is_right { number.parse().ok() } else { None };
    let problem = format!("is no number of {PART_DIGITS} digits");
    parsed.ok_or_else(|| Stray::Malformed(Invalid::new("part", number, problem)))
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}
