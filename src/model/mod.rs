//! The nouns: pure values that mean the same in every layer. No I/O, no clock, no serde.
//!
//! Every outside string becomes one of these types at the door that received it, or is refused
//! there with an [`Invalid`] that names the field, the value and the limit. Inside, there are no
//! raw strings to check again.

mod check;
mod command;
mod error;
mod event;
mod health;
mod id;
mod instance;
pub mod limit;
mod name;
mod origin;
mod policy;
mod time;

pub use check::{
    AliasCheck, CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra, Target,
    TcpCheck, Thresholds, UdpCheck, text as check_text,
};
pub use command::{Amendment, Arrival, Carry, CheckReport, Command, Heartbeat, Replacement};
pub use error::Invalid;
pub use event::{Event, EventKind, RemovalReason};
pub use health::{CheckState, Status, Streak};
pub use id::{InstanceId, InstanceKey, ServiceName, Tag};
pub use instance::{Addresses, Instance, Meta};
pub use name::DnsName;
pub use origin::{Interface, MixedTags, Node, Origin, Scope};
pub use policy::{Policy, Share, WhenNoneHealthy};
pub use time::{Revision, Timestamp};
