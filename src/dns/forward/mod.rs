//! Forwarding: names that are not ours, for those who may ask us for them.
//!
//! Off unless an upstream is configured. Nothing is resolved here, in the sense of going from the
//! root down: a question goes, with RD, to a server that does. `upstream` asks one of them through
//! hickory-resolver, `group` goes from one to the next, `health` knows which of them work, and
//! `state` has who is asked for what. What comes back is kept by `message` in `cache`, and that is
//! where [`crate::dns::answer()`] finds it; so there is one place that writes replies, and a name
//! in the cache costs no more than finding it there.
//!
//! What is not in the cache goes to the `lane`: it has upstreams asked until the cache, or what the
//! message itself has been told, says enough, and has the message answered anew from its beginning.
//! That lane has a thread of its own, and limits on how much waits in it; names of ours neither go
//! through it nor wait for it, whatever upstreams do.
//!
//! What is used of hickory-resolver is its pool of connections to one name server (ports and ids
//! drawn at random, TCP for what was cut, connections that are kept), not its `Resolver`: that
//! has a cache without DO, CD and stale answers, applies search lists, and gives no CD bit and no
//! authority section. What gets lost on the way: the client's EDNS options but DO (they are between
//! it and us), those of the upstream, and the records beside a response code other than NOERROR and
//! NXDOMAIN. AD is not passed on, because nothing was validated here; a client that validates sets
//! DO and CD, which are, and gets all it needs.

mod cache;
mod care;
mod chain;
mod edns;
mod failure;
mod group;
mod handle;
mod health;
mod key;
mod lane;
mod late_looks;
mod loops;
mod message;
mod metrics;
mod provider;
mod race;
mod resolv_conf;
mod spec;
mod special;
mod state;
mod streams;
#[cfg(test)]
mod testing;
mod upstream;
mod upstream_spec;
mod view;

pub use handle::{ForwardHandle, is_own};
pub use resolv_conf::check as check_resolv_conf;
pub use spec::{ForwardOrder, ForwardSpec, ForwardZone};
pub use state::Forward;
pub use upstream_spec::UpstreamSpec;
pub use view::Forwarding;
pub(super) use {
    cache::Told,
    failure::Failure,
    handle::ForwardReader,
    key::KeyRef,
    lane::{Crowded, ForwardLane},
    message::Age,
    view::{Looked, Reach},
};
