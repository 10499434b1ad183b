//! Proposals to a real etcd: conditions, conflicts, limits, and answers that were lost.

mod bulks;
mod bulks_left;
mod conditions;
mod late;
mod limits;
mod strays;
mod support;
mod weather;

use support::{World, deregister, drain, health, own_policy, policy, register};
