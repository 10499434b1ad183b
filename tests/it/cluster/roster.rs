//! The instances of a run: what they are called, what says how they are, and what is registered.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};

use super::ledger::{Care, Key, Registered, State};
use crate::support::{api, lab::Lab};

/// All instances, by their key.
pub(super) struct Roster(Vec<Entry>);

/// One instance.
pub(super) struct Entry {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What says how an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Beating,
    Http,
    Tcp,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Plain, Self::Beating, Self::Http, Self::Tcp];
}

/// The services with how many instances each: as many as one answer takes, at the most.
const SERVICES: [(&str, Kind, usize); 6] = [
    ("plain-1", Kind::Plain, 8),
    ("plain-2", Kind::Plain, 8),
    ("plain-3", Kind::Plain, 1),
    ("beating", Kind::Beating, 8),
    ("by-http", Kind::Http, 4),
    ("by-tcp", Kind::Tcp, 4),
];

/// For how long a heartbeat is good.
pub(super) const TTL: Duration = Duration::from_secs(3);

/// From a turn of what is checked to the check that finds out: an interval, as long again as the
/// check may take, and something for a loaded machine.
const FOUND_OUT: Duration = Duration::from_millis(2_500);

/// Addresses begin with this and the key, so that none is a host of the lab.
const FIRST: u8 = 100;

// === impl Roster ===

impl Roster {
    pub(super) fn new() -> Self {
        let each = SERVICES.iter().flat_map(|&(service, kind, count)| {
            (1..=count).map(move |number| Entry {
                service: service.to_owned(),
                name: format!("{service}-{number}"),
                kind,
            })
        });
        Self(each.collect())
    }

    /// The keys of all instances.
    pub(super) fn keys(&self) -> std::ops::Range<Key> {
        0..self.0.len()
    }

    /// The keys of those of a kind.
    pub(super) fn of(&self, kind: Kind) -> Vec<Key> {
        self.keys().filter(|key| self.0[*key].kind == kind).collect()
    }

    pub(super) fn entry(&self, key: Key) -> &Entry {
        &self.0[key]
    }

    /// The services, each with the keys of its instances.
    pub(super) fn services(&self) -> Vec<(String, std::ops::Range<Key>)> {
        let mut next = 0;
        let service = |&(name, _, count): &(&str, Kind, usize)| {
            next += count;
            (name.to_owned(), next - count..next)
        };
        SERVICES.iter().map(service).collect()
    }

    /// What says how each is.
    pub(super) fn cares(&self) -> Vec<Care> {
        let care = |entry: &Entry| match entry.kind {
            Kind::Plain => Care::Nobody,
            Kind::Beating => Care::Heartbeats(TTL),
            Kind::Http | Kind::Tcp => Care::Checks(FOUND_OUT),
        };
        self.0.iter().map(care).collect()
    }

    /// What is sent to register it for the time of this number. What checks ask is at `port`.
    pub(super) fn registration(&self, key: Key, generation: u32, port: u16) -> Value {
        let active = |kind: &str| {
            json!([{ "type": kind, "host": Lab::TEST, "port": port, "interval": "1s",
                "timeout": "1s", "rise": 1, "fall": 1 }])
        };
        let checks = match self.0[key].kind {
            Kind::Plain => json!([]),
            Kind::Beating => json!([{ "type": "ttl", "ttl": format!("{}s", TTL.as_secs()) }]),
            Kind::Http => active("http"),
            Kind::Tcp => active("tcp"),
        };
        json!({ "addresses": [address(key, generation)], "port": 80, "checks": checks })
    }
}

// === impl Entry ===

impl Entry {
    /// Its path in the HTTP interface.
    pub(super) fn path(&self) -> String {
        api::instance_path(&self.service, &self.name)
    }
}

/// The address of an instance tells which it is, and which of its registrations is shown.
pub(super) fn address(key: Key, generation: u32) -> Ipv4Addr {
    let key = FIRST + u8::try_from(key).expect("the roster is short");
    let [_, _, high, low] = generation.to_be_bytes();
    assert!(generation <= 0xFFFF, "the addresses of an instance are used up");
    Ipv4Addr::new(10, key, high, low)
}

/// The key and the registration that an address is of.
pub(super) fn of_address(address: Ipv4Addr) -> Option<(Key, u32)> {
    let [ten, key, high, low] = address.octets();
    let key = key.checked_sub(FIRST).filter(|_| ten == 10)?;
    Some((key.into(), u32::from(u16::from_be_bytes([high, low]))))
}

/// How an instance is that is shown by the HTTP interface.
pub(super) fn state_in(view: &Value) -> State {
    let address: Ipv4Addr = view["addresses"][0].as_str()?.parse().ok()?;
    let (_, generation) = of_address(address)?;
    Some(Registered { generation, drained: view["drained"].as_bool()? })
}

#[test]
fn an_address_tells_whose_it_is() {
    let roster = Roster::new();
    for key in roster.keys() {
        for generation in [1, 255, 256, 0xFFFF] {
            assert_eq!(of_address(address(key, generation)), Some((key, generation)));
        }
    }
    assert_eq!(of_address(Ipv4Addr::new(192, 0, 2, 1)), None);
    assert_eq!(of_address(Lab::TEST), None);
    let services = roster.services();
    assert_eq!(services.iter().map(|(_, keys)| keys.len()).sum::<usize>(), roster.keys().len());
    for (service, keys) in services {
        assert!(keys.clone().all(|key| roster.entry(key).service == service));
    }
}
