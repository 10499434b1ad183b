//! The JSON of the API, version 1: what clients send and what they are shown.
//!
//! These types are the contract and nothing else; they turn into the model's at the door. What is
//! read refuses unknown fields. Rejected: serde on the model's own types, which would make every
//! change inside a change of the contract.

mod acknowledged;
mod check;
mod event;
mod heartbeat;
mod instance;
mod number;
mod object;
mod period;
mod policy;
mod problem;
mod registration;
mod server;
mod service;
mod status;
mod time;

#[cfg(test)]
mod tests;

pub use acknowledged::Acknowledged;
pub use check::{Check, CheckType, Expected};
pub use event::EventView;
pub use heartbeat::Heartbeat;
pub use instance::{CheckView, InstanceList, InstanceView};
pub(super) use object::Object;
pub use period::Period;
pub use policy::{PolicyBody, PolicyView, WhenNone};
pub use problem::Problem;
pub use registration::{NamedRegistration, Registration};
pub use server::{ServerList, ServerView};
pub use service::{FailingOpen, ServiceList, ServiceView, TagView};
pub use status::StatusName;
pub(super) use time::rfc3339;
