//! What clients change: a node, the services on it and their checks.
//!
//! Clients change parts of what the registry knows as a whole: a check of an instance, a tag. So a
//! change is worked out from what is seen, and asked for in place of just that
//! ([`crate::model::Amendment`]); if somebody else was faster it is worked out anew. A change is
//! made as a whole or not at all, however many services it touches.

mod changes;
mod elsewhere;
mod follow;
mod locate;
mod node;
mod row;
mod service;
mod settle;
mod state;
mod submit;

pub(super) use self::{
    changes::{Edit, Owner},
    elsewhere::{deregister_elsewhere, drain_elsewhere},
    row::{Row, cut},
    settle::settle,
    submit::{change, report},
};
pub(in crate::http) use self::{follow::follow_own_address, submit::Turns};
