//! Query strings of reads, and the headers that say the same things.
//!
//! Of a parameter that is there several times the first one counts, an empty one is as good as
//! none, and unknown ones are nobody's business: all as in Consul.

use std::{borrow::Cow, time::Duration};

use axum::http::{HeaderMap, header};

use super::{duration::GoDuration, number::truth, texts::ConsulError};

/// Parameters in their order, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Query(Vec<(String, String)>);

/// What the parameters of a read say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct ReadParams {
    /// `?dc=`, or `?datacenter=`.
    pub(in crate::http) datacenter: Option<String>,
    /// `?index=`: the reply waits until it is newer than this; 0 waits for nothing.
    pub(in crate::http) index: u64,
    /// `?wait=`: how long it waits at most; nothing for the default.
    pub(in crate::http) wait: Option<Duration>,
    /// How fresh the answer has to be.
    pub(in crate::http) consistency: Consistency,
    /// `?cached`.
    pub(in crate::http) cached: bool,
    /// `?tag=`: all of them are needed.
    pub(in crate::http) tags: Vec<String>,
    /// `?node-meta=key:value`: all of them are needed.
    pub(in crate::http) node_meta: Vec<(String, String)>,
    /// `?filter=`: an expression.
    pub(in crate::http) filter: Option<String>,
    /// `?pretty`: indented JSON.
    pub(in crate::http) pretty: bool,
}

/// How fresh an answer has to be. It has no effect here, but for a header of the reply: there is
/// one snapshot, and it is the newest one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) enum Consistency {
    /// Neither.
    #[default]
    Default,
    /// `?consistent`.
    Consistent,
    /// `?stale`, or `?max_stale=`.
    Stale,
}

/// A query has at most so many parameters; Consul has no limit, and no client comes near.
const PARAMETERS_MAX: usize = 1_000;

// === impl Query ===

impl Query {
    /// Decodes the query string of a request.
    ///
    /// # Errors
    /// 500 and no text when it cannot be decoded, as Consul does.
    pub(in crate::http) fn parse(text: Option<&str>) -> Result<Self, ConsulError> {
        let pairs = text.unwrap_or("").split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        let decoded: Option<Vec<_>> = decoded.take(PARAMETERS_MAX + 1).collect();
        match decoded {
            Some(pairs) if pairs.len() <= PARAMETERS_MAX => Ok(Self(pairs)),
            _ => Err(ConsulError::malformed_query()),
        }
    }

    /// Whether a parameter is there, with a value or without.
    pub(in crate::http) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The first value of a parameter; nothing when it is empty or not there.
    pub(in crate::http) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
        value.filter(|value| !value.is_empty())
    }

    /// All values of a parameter, empty ones too.
    pub(in crate::http) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// All parameters.
    pub(in crate::http) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// `?passing`: whether only instances whose checks all pass are wanted.
    ///
    /// # Errors
    /// 400 when its value is no truth value.
    pub(in crate::http) fn passing(&self) -> Result<bool, ConsulError> {
        match self.all("passing").next() {
            None => Ok(false),
            Some("") => Ok(true),
            Some(value) => truth(value).ok_or_else(ConsulError::invalid_passing),
        }
    }

    /// `?enable` of the maintenance modes.
    ///
    /// # Errors
    /// 400 when it is not there or no truth value.
    pub(in crate::http) fn enable(&self) -> Result<bool, ConsulError> {
        let value = self.all("enable").next().ok_or_else(ConsulError::missing_enable)?;
        truth(value).ok_or_else(|| ConsulError::invalid_enable(value))
    }

    /// Refuses what only the Enterprise version has, unless it is empty.
    ///
    /// # Errors
    /// 400 that names it. (1.8.7 takes no notice of it.)
    pub(in crate::http) fn no_enterprise(&self, headers: &HeaderMap) -> Result<(), ConsulError> {
        for (name, noun) in [("ns", "Namespaces"), ("partition", "Partitions")] {
            if self.get(name).is_some() {
                return Err(ConsulError::enterprise_parameter(name, noun));
            }
        }
        for (name, noun) in
            [("X-Consul-Namespace", "Namespaces"), ("X-Consul-Partition", "Partitions")]
        {
            if headers.get(name).is_some_and(|value| !value.is_empty()) {
                return Err(ConsulError::enterprise_header(name, noun));
            }
        }
        Ok(())
    }
}

// === impl ReadParams ===

impl ReadParams {
    /// What the parameters of a read say; the order of the refusals is Consul's.
    ///
    /// # Errors
    /// 400 for a value that is none, or for two that contradict one another.
    pub(in crate::http) fn read(query: &Query, headers: &HeaderMap) -> Result<Self, ConsulError> {
        query.no_enterprise(headers)?;
        let consistency = consistency(query)?;
        let cached = query.has("cached");
        if cached && consistency == Consistency::Consistent {
            return Err(ConsulError::conflicting("cached"));
        }
        if cached {
            cache_control(headers)?;
        }
        let wait = match query.get("wait").map(GoDuration::parse) {
            None => None,
            Some(Ok(wait)) => wait.set(),
            Some(Err(_)) => return Err(ConsulError::invalid_wait()),
        };
        let index = match query.get("index") {
            None => 0,
            Some(digits) => index(digits).ok_or_else(ConsulError::invalid_index)?,
        };
        let owned = |name| query.get(name).map(str::to_owned);
        let node_meta = query.all("node-meta").map(|pair| {
            let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
            (key.to_owned(), value.to_owned())
        });
        Ok(Self {
            datacenter: owned("dc").or_else(|| owned("datacenter")),
            index,
            wait,
            consistency,
            cached,
            tags: query.all("tag").map(str::to_owned).collect(),
            node_meta: node_meta.collect(),
            filter: owned("filter"),
            pretty: query.has("pretty"),
        })
    }
}

/// Whether it is there counts, not what it says: `?consistent=false` is `?consistent`.
fn consistency(query: &Query) -> Result<Consistency, ConsulError> {
    let mut stale = query.has("stale");
    if let Some(text) = query.get("max_stale") {
        GoDuration::parse(text).map_err(|_| ConsulError::invalid_max_stale(text))?;
        stale = true;
    }
    match (stale, query.has("consistent")) {
        (true, true) => Err(ConsulError::conflicting("stale")),
        (true, false) => Ok(Consistency::Stale),
        (false, true) => Ok(Consistency::Consistent),
        (false, false) => Ok(Consistency::Default),
    }
}

/// The numbers of `Cache-Control` have no effect, as there is no cache; they are checked.
fn cache_control(headers: &HeaderMap) -> Result<(), ConsulError> {
    let Some(text) = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok())
    else {
        return Ok(());
    };
    let wrong = text.split(',').map(|part| part.trim().to_ascii_lowercase()).any(|part| {
        let seconds = ["max-age=", "stale-if-error="].iter().find_map(|n| part.strip_prefix(n));
        seconds.is_some_and(|number| number.parse::<i64>().is_err())
    });
    if wrong { Err(ConsulError::invalid_cache_control()) } else { Ok(()) }
}

/// Digits and nothing else, as Go reads unsigned numbers: Rust would also take `+5`.
fn index(digits: &str) -> Option<u64> {
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Undoes the percent-encoding of forms. Octets that are no UTF-8 are replaced: no name has them.
pub(super) fn decode(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let octet = digit()? * 16 + digit()?;
                u8::try_from(octet).ok()?
            }
            octet => octet,
        });
    }
    Some(match String::from_utf8_lossy(&octets) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    })
}

#[cfg(test)]
mod tests;
