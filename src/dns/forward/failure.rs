//! Why a name could not be looked up.

use std::time::Duration;

use crate::{
    dns::{
        code::{extended, rcode},
        stats::rcode_name,
    },
    util::format_duration,
};

/// What metrics say of an upstream that nobody waited for any more.
pub(super) const GIVEN_UP: &str = "given_up";

/// What metrics say of asking an upstream, besides the names of response codes.
pub(super) const RESULTS: [&str; 5] = ["busy", "unreachable", "timeout", "garbled", GIVEN_UP];

/// The reasons, those first that tell least of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dns) enum Failure {
    /// There is too much under way.
    Busy,
    /// What is asked upstream comes back to us.
    Loop,
    /// No upstream has answered for a while, and none was asked.
    Down,
    /// No upstream is known, because the file that names them cannot be used, or names only us.
    Unlisted,
    /// The network says that there is nobody.
    Unreachable,
    /// The host says that nobody listens there.
    Refused,
    /// No reply has come in time.
    Silent,
    /// What came is no reply, or says nothing.
    Garbled,
    /// The upstream's own code: SERVFAIL, REFUSED and the like.
    Code(u16),
}

// === impl Failure ===

impl Failure {
    /// Whether it shows that the upstream itself does not work.
    pub(super) fn is_upstreams(self) -> bool {
        matches!(self, Self::Unreachable | Self::Refused | Self::Silent)
    }

    /// The same of one upstream, which was given so long.
    pub(super) fn of_one(self, timeout: Duration) -> String {
        match self {
            Self::Silent => format!("no reply within {}", format_duration(timeout)),
            Self::Refused => "connection refused".to_owned(),
            // The library does not always say which of the two it is.
            Self::Unreachable => "nobody listens there, or no way leads there".to_owned(),
            _ => self.extended().1.to_owned(),
        }
    }

    /// INFO-CODE and EXTRA-TEXT of the extended error (RFC 8914).
    pub(in crate::dns) fn extended(self) -> (u16, &'static str) {
        match self {
            Self::Busy => (extended::OTHER, "too many questions wait for upstreams"),
            Self::Loop => (extended::OTHER, "the upstream sends questions back here"),
            Self::Down => (extended::NO_REACHABLE_AUTHORITY, "all upstreams are down"),
            Self::Unlisted => (extended::NOT_READY, "no upstream is known: see the server's log"),
            Self::Unreachable | Self::Refused => {
                (extended::NETWORK_ERROR, "no upstream can be reached")
            }
            Self::Silent => (extended::NO_REACHABLE_AUTHORITY, "no upstream answers"),
            Self::Garbled => (extended::OTHER, "the upstream's reply cannot be used"),
            Self::Code(rcode::REFUSED) => (extended::OTHER, "the upstream refuses"),
            Self::Code(_) => (extended::OTHER, "the upstream failed"),
        }
    }

    /// What metrics say of asking an upstream that came to this.
    pub(super) fn result(self) -> &'static str {
        match self {
            // The others are told when no upstream is asked.
            Self::Busy | Self::Loop | Self::Down | Self::Unlisted => "busy",
            Self::Unreachable | Self::Refused => "unreachable",
            Self::Silent => "timeout",
            Self::Garbled => "garbled",
            Self::Code(code) => rcode_name(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Failure;

    #[test]
    fn of_one_upstream_it_is_said_what_it_did() {
        let said = |failure: Failure| failure.of_one(Duration::from_millis(1_500));
        assert_eq!(said(Failure::Silent), "no reply within 1s500ms");
        assert_eq!(said(Failure::Refused), "connection refused");
        for failure in [Failure::Silent, Failure::Refused, Failure::Unreachable] {
            assert!(failure.is_upstreams() && !said(failure).contains("upstream"), "{failure:?}");
        }
    }
}
