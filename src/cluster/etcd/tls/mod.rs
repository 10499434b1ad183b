//! TLS to etcd: whom we trust, and who we are.
//!
//! The files are read when the client is made, so that mistakes are told at the start, and again
//! when a connection is made and they have changed: certificates that are renewed in time need no
//! restart. What is wrong with new ones is logged, and the old ones stay in use.

mod fault;
mod files;
mod observed;
mod session;

use fault::Own;
use observed::Observed;
pub(super) use session::{Judge, Tls};
