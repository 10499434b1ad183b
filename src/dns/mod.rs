//! Answering: the DNS door.
//!
//! A packet is read in place ([`parse`]), answered from one snapshot ([`answer()`]) and written
//! into a buffer that is there already ([`Reply`]): no allocation, no lock, no log. The services'
//! own zone, the reverse zones and the static zones (`zone/`) are the sources of answers.

mod additional;
pub mod answer;
mod apex;
mod asked;
mod caller;
mod chaos;
pub mod client;
pub mod code;
mod cookie;
pub mod encode;
mod foreign;
pub mod forward;
mod full;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod guard;
mod https;
mod limits;
pub mod query;
mod quic;
mod reverse;
mod select;
mod server;
mod service;
mod settings;
mod stats;
mod tcp;
mod terms;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(unused, reason = "the targets need some of it"))]
#[allow(clippy::unwrap_used, reason = "for tests and targets only, which clippy does not see")]
pub(crate) mod testing;
pub mod tls;
mod turn;
mod udp;
mod verdict;
mod view;
pub mod zone;

pub use answer::{Answered, Source, Sources, Summary, answer};
pub use caller::{Caller, Transport};
pub use cookie::CookieSecrets;
pub use encode::Reply;
pub use guard::{Access, AccessRule, Networks, RateLimit, Visitor};
pub use limits::{ConnectionLimits, Limits};
pub use query::{Parsed, Query, parse};
pub use server::{
    BindError, DnsConfig, DnsServer, EncryptedListen, Encryption, RunningDns, Wiring,
};
pub use service::ConsulSpec;
pub use settings::{Identity, Settings, SettingsSpec, service_zone};
