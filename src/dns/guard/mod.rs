//! Against abuse: who may ask for a zone, and how much a stranger gets.
//!
//! The address of a datagram may be forged, and then the reply hits somebody who asked nothing. So
//! a stranger (a client over UDP that is in no exempt network and has not shown by a cookie that
//! replies reach it) gets short replies, and only so many a second; who is limited without being
//! the culprit is told to come by TCP, or with the cookie that it is given (RFC 5358, RFC 7873
//! §5.2.3; response rate limiting as BIND, NSD and Knot have it). Whoever has proven its address
//! pays for its own traffic and is not limited here.
//!
//! All of it is decided beside the answer, for each packet: nothing is locked, and counting takes
//! one atomic operation on a table of fixed size. Who is limited is noted, and told by a task.

mod access;
mod limiter;
mod networks;
mod notice;
mod strangers;
mod teller;

pub use access::{Access, AccessRule, Visitor};
pub use networks::Networks;
pub use strangers::RateLimit;
pub(super) use strangers::{Strangers, Verdict};
pub(super) use teller::tell_of_limits;
