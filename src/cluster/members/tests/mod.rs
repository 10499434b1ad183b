//! Servers that come, go, are taken for dead, and are not.

mod alone;
mod emptied;
mod leases;
mod support;
mod together;

use support::Seat;
