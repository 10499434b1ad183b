//! What may come of a call, in words that an operator can act on.

use std::fmt;

use super::LeaseId;

/// Why etcd did not do what it was asked. Each message says where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// A certificate was not accepted, on whichever side.
    #[error("{endpoint}: {problem}")]
    Certificate {
        /// Where.
        endpoint: String,
        /// Whose, what is wrong with it, with dates, and the way out.
        problem: String,
    },
    /// The revision that was asked for is not kept any more: list again.
    #[error("etcd keeps no revisions before {oldest} any more, they were compacted")]
    Compacted {
        /// The oldest one that is there; of a read, the one after that which was asked for.
        oldest: u64,
    },
    /// Wrong credentials, none at all, or no permission.
    #[error("{endpoint}: {problem}")]
    Denied {
        /// Where.
        endpoint: String,
        /// Who was refused what, and the way out.
        problem: String,
    },
    /// It answers, and is not the one that was meant.
    #[error("{endpoint}: {problem}")]
    Foreign {
        /// Where.
        endpoint: String,
        /// What it is, and the way out.
        problem: String,
    },
    /// A revision was asked for that is not there yet; or not any more, because etcd's data were
    /// restored from a backup.
    #[error("{endpoint} has not reached revision {revision}; was etcd restored from a backup?")]
    Future {
        /// Where.
        endpoint: String,
        /// Which was asked for.
        revision: u64,
    },
    /// The lease ran out, or was revoked; what was bound to it is gone.
    #[error("etcd has no lease {lease} any more: it ran out, or was revoked")]
    LeaseGone {
        /// Which.
        lease: LeaseId,
    },
    /// The members that answer know no leader: an election, or no quorum.
    #[error(
        "etcd has no leader ({}): it elects one, which takes some seconds, or less than half of \
         its members reach one another (`etcdctl endpoint status --cluster`)",
        Attempts(attempts)
    )]
    NoLeader {
        /// What each endpoint said.
        attempts: Vec<Attempt>,
    },
    /// The database is as large as it may be, and takes nothing more.
    #[error(
        "{endpoint}: etcd's database is full (alarm NOSPACE) and takes no writes: compact it, \
         `etcdctl defrag --cluster`, raise --quota-backend-bytes if need be, and then `etcdctl \
         alarm disarm`"
    )]
    NoSpace {
        /// Where.
        endpoint: String,
    },
    /// The settings cannot be used.
    #[error("`{field}`: {problem}")]
    Options {
        /// Which setting, by its key in the configuration.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Something else that etcd said.
    #[error("{endpoint}: etcd said {code}: {message}")]
    Other {
        /// Where.
        endpoint: String,
        /// gRPC's name of its kind.
        code: String,
        /// What it said.
        message: String,
    },
    /// More than etcd takes, or more than is read here.
    #[error("{endpoint}: too large: {problem}")]
    TooLarge {
        /// Where.
        endpoint: String,
        /// What was too large, with the limit if it is known.
        problem: String,
    },
    /// The server is too old.
    #[error(
        "{endpoint} is etcd {version}, which cannot say how far a watch has come: 3.4 is the \
         oldest that will do, and one with the known defects mended is 3.4.31, 3.5.13, 3.6 or later"
    )]
    TooOld {
        /// Where.
        endpoint: String,
        /// Its version, as it says.
        version: String,
    },
    /// No endpoint could be used.
    #[error("etcd is out of reach: {}", Attempts(attempts))]
    Unreachable {
        /// What became of each endpoint.
        attempts: Vec<Attempt>,
    },
    /// It was sent, and no answer came: it may have been done, or may still be.
    #[error("{endpoint}: {cause}; what was asked may have been done all the same")]
    Unsure {
        /// Where.
        endpoint: String,
        /// What happened instead of an answer.
        cause: String,
    },
}

// === impl EtcdError ===

impl EtcdError {
    /// Whether it may be over soon, as an election is: what can be repeated is worth another try.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unsure { .. } | Self::Unreachable { .. } | Self::NoLeader { .. })
    }
}

/// What became of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub endpoint: String,
    /// Why it could not be used.
    pub cause: String,
    /// Whether it was the time that ran out.
    pub late: Option<Late>,
}

/// How a reply was late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// Nothing came.
    Silent,
    /// It came, and was not whole in time.
    Slow,
}

/// `http://a:2379: connection refused; http://b:2379: no answer within 3 s`.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attempt { endpoint, cause, .. }) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{endpoint}: {cause}")?;
        }
        Ok(())
    }
}
