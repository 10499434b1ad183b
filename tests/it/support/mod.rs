//! The harness: a server, a resolver, an HTTP client and services to be checked.

pub(crate) mod api;
pub(crate) mod authority;
pub(crate) mod backend;
pub(crate) mod command;
pub(crate) mod disk;
pub(crate) mod dns;
pub(crate) mod etcd;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod lab;
pub(crate) mod namespace;
pub(crate) mod node;
pub(crate) mod peer;
#[path = "../../../src/util/port.rs"]
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod skew;
pub(crate) mod tls;
pub(crate) mod upstream;

pub(crate) use backend::Backend;
pub(crate) use node::Node;
pub(crate) use port::free_address;
pub(crate) use upstream::Upstream;

use std::time::Duration;

/// How long a test waits for an event before it fails. Long, because a loaded machine is no
/// defect; nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is there; for states that come about by themselves.
///
/// # Panics
/// When it is not there within [`PATIENCE`].
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A number from the environment, by which more is asked of a test.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
