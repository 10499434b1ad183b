//! Checking: active probes of the instances, and which of their results are believed.
//!
//! One [`Checker`] serves all checks of all instances. Its scheduler is a single task that owns a
//! timer wheel with one compact record per check: an idle check has no task, no sleep and no
//! allocation of its own, so that 100,000 of them fit one core. Only a probe in flight is a task,
//! and of those there are at most [`Options::in_flight_max`]; due checks wait in order, taking
//! turns with first ones, and how late they start is measured.
//!
//! What is promised of the times:
//! - The first check of a registration runs at once, the second after a random part of the
//!   interval. Registrations that came together are not checked together ever after.
//! - From one start to the next is one interval, shortened by a random part of up to a tenth.
//!   Never lengthened: a dead instance leaves the answers within `interval × fall + timeout`.
//! - After a restart all known checks start within a few seconds, spread evenly.
//! - A `udp` check that nobody replies to takes its whole timeout to pass, and a place in flight.
//! - A check never runs twice at once: one that outlasts its interval misses turns.
//!
//! What is promised of the results: the registry is the truth, nothing here mirrors it. Each
//! result is compared with the state in the current snapshot, and a report is sent when the
//! believed state differs from the stored one; a report that was lost is thus repeated by the next
//! result. A change of the output text alone (bodies carry timestamps) is reported at most once a
//! minute per check, so that 100,000 talkative checks cost the writer 1,700 reports a second and
//! not 10,000. A result that does not agree with the believed state is not shown either: the
//! output explains the state. Results of a replaced registration are dropped.
//!
//! A probe that fails for a cause on this server (no file descriptor, no source port, no memory)
//! says nothing about the instance and is counted neither way; otherwise our own exhaustion would
//! take every service out of the answers. It is logged, counted and shown as the check's output.
//!
//! Heartbeats (`ttl` checks), removal of the long dead and self-preservation are the registry's.

mod checker;
mod follow;
mod options;
mod outcome;
mod probe;
mod queue;
mod record;
mod runner;
mod scheduler;
mod stats;

pub use checker::{Checker, start};
pub use options::{HealthError, Options};
