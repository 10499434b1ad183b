//! What an operator decides about the API.

use std::time::Duration;

/// The settings of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Connections at once, on all listeners together. A further one waits in the kernel's queue.
    pub connections_max: usize,
    /// How long a connection may take over a request's head, and how long it may stay idle.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take until its reply begins; a stream may go on after that.
    pub request_timeout: Duration,
    /// How long a client may take nothing, or next to nothing, of what is sent to it.
    pub write_timeout: Duration,
    /// How long connections have to finish what is in flight when the server stops.
    pub stop_timeout: Duration,
    /// Watchers at once. Each is a connection that stays.
    pub watchers_max: usize,
    /// The longest silence on a watch, so that proxies and clients know it from a dead one.
    pub watch_keep_alive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Ten thousand clients of Consul's interface that each wait for a change, and others.
            connections_max: 16_384,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
            watchers_max: 1_000,
            watch_keep_alive: Duration::from_secs(15),
        }
    }
}
