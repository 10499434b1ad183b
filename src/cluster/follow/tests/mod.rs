//! Following a real etcd through all its weather.

mod calm;
mod emptied;
mod history;
mod rows;
mod storm;
mod support;

use super::testing::{Flow, Link, Mirror, client};
use support::{WEB, delete, put, register, registration};

use crate::cluster::testing::{Etcd, shared};
