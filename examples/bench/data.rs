//! What all contestants serve, and what they are asked: made from numbers, the same in each run.
//!
//! Names have a fixed width, so that all replies to one kind of question have one length and the
//! floor's recorded reply fits to all questions.

use std::fmt::Write;

use fastrand::Rng;
use serde_json::{Value, json};

/// The zone in which all of them live.
pub(crate) const ZONE: &str = "service.internal";

/// Registrations in one request; the limit of Rollcall's interface is higher.
const BULK: u32 = 20_000;

/// Where the random queries begin: the same in each run.
const SEED: u64 = 0x0052_6f6c_6c63_616c;

/// So many services with so many instances each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Data {
    /// How many services.
    pub(crate) services: u32,
    /// How many instances each service has.
    pub(crate) instances: u32,
}

/// A kind of question; a workload is a list of them with their shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Addresses of a service.
    A,
    /// Its addresses of version 6.
    Aaaa,
    /// Its instances with their ports.
    Srv,
    /// An address of a service that is not there.
    Missing,
}

/// Kinds of questions with the share of each in hundredths.
pub(crate) type Mix = [(Kind, u8)];

/// Addresses only.
pub(crate) const A: &Mix = &[(Kind::A, 100)];
/// Instances with their ports only: the largest replies.
pub(crate) const SRV: &Mix = &[(Kind::Srv, 100)];
/// 45 % A, 35 % AAAA, 15 % SRV, 5 % NXDOMAIN: what hosts and their programs ask.
pub(crate) const MIX: &Mix =
    &[(Kind::A, 45), (Kind::Aaaa, 35), (Kind::Srv, 15), (Kind::Missing, 5)];

// === impl Data ===

impl Data {
    /// The name of service `index`, without its zone.
    pub(crate) fn service(index: u32) -> String {
        format!("svc{index:06}")
    }

    /// The addresses of an instance, one of each version.
    pub(crate) fn addresses(service: u32, instance: u32) -> [String; 2] {
        let number = service * 8 + instance;
        let [a, b, c, d] = number.to_be_bytes();
        [
            format!("10.{b}.{c}.{d}"),
            format!("fd00::{:x}:{:x}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        ]
    }

    /// A registration of one instance, as Rollcall's interface takes it.
    pub(crate) fn registration(service: u32, instance: u32) -> Value {
        json!({
            "service": Self::service(service),
            "instance": format!("i{instance}"),
            "addresses": Self::addresses(service, instance),
            "port": 8_080 + instance,
        })
    }

    /// All registrations, in bodies for `POST /api/v1/instances`.
    pub(crate) fn bulks(self) -> impl Iterator<Item = Value> {
        let services_max = (BULK / self.instances).max(1);
        (0..self.services).step_by(services_max as usize).map(move |first| {
            let services = first..self.services.min(first + services_max);
            let all = services.flat_map(|service| (0..self.instances).map(move |i| (service, i)));
            all.map(|(service, instance)| Self::registration(service, instance)).collect()
        })
    }

    /// The same as a zone file: what Rollcall answers of its own accord is written out.
    pub(crate) fn zone(self) -> String {
        let mut zone = format!(
            "$ORIGIN {ZONE}.\n$TTL 5\n\
             @ SOA ns1 hostmaster 1 3600 600 86400 5\n@ NS ns1\nns1 A 127.0.0.1\n"
        );
        for service in 0..self.services {
            let name = Self::service(service);
            for instance in 0..self.instances {
                let [v4, v6] = Self::addresses(service, instance);
                let (target, port) = (format!("i{instance}.instance.{name}"), 8_080 + instance);
                let written = write!(
                    zone,
                    "{name} A {v4}\n{name} AAAA {v6}\n{name} SRV 1 1 {port} {target}\n\
                     {target} A {v4}\n{target} AAAA {v6}\n"
                );
                written.expect("a string takes everything");
            }
        }
        zone
    }

    /// `count` questions, each of a random service, as dnsperf reads them: exactly the shares of
    /// `mix`, in random order, always the same.
    pub(crate) fn questions(self, mix: &Mix, count: usize) -> String {
        let mut rng = Rng::with_seed(SEED);
        let mut kinds: Vec<Kind> = mix
            .iter()
            .flat_map(|(kind, share)| vec![*kind; count * usize::from(*share) / 100])
            .collect();
        rng.shuffle(&mut kinds);
        kinds.iter().map(|kind| kind.question(rng.u32(0..self.services)) + "\n").collect()
    }
}

// === impl Kind ===

impl Kind {
    /// The question of this kind about service `index`, as dnsperf reads it.
    pub(crate) fn question(self, index: u32) -> String {
        let (name, kind) = match self {
            Self::A => (Data::service(index), "A"),
            Self::Aaaa => (Data::service(index), "AAAA"),
            Self::Srv => (Data::service(index), "SRV"),
            Self::Missing => (format!("nil{index:06}"), "A"),
        };
        format!("{name}.{ZONE} {kind}")
    }
}
