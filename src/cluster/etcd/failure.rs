//! What a failed attempt means: for the caller, and for the next endpoint.

use tokio::time::Instant;
use tonic::{Code, Status};

use super::{
    EtcdError, LeaseId,
    error::{Attempt, Late},
    wire::Unsent,
};

/// Who we are to etcd where nothing says it.
pub(super) const NOBODY: &str = "somebody without user and password";

/// Why one attempt at one endpoint failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// Whether etcd may have done, or may still do, what it was asked.
    pub(super) may_be_done: bool,
}

/// What to do about it.
#[derive(Debug)]
pub(super) enum Kind {
    /// A certificate was refused; another endpoint may have a better one.
    Certificate(String),
    /// It lies with this endpoint.
    Elsewhere(String),
    /// Everybody would say the same.
    Final(EtcdError),
    /// It lies with the connection, which has failed.
    Lost(String),
    /// The member knows no leader; another one may.
    NoLeader(String),
    /// Nothing came of it in time.
    Silent(String),
    /// It comes, and too slowly; another endpoint is no faster.
    Slow(String),
    /// The token is not known, or not any more: a new one is wanted.
    Token(String),
}

/// What is asked, as far as the texts need it to be of use, and until when an answer is.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// In words: "read `/rollcall/*`".
    pub(super) what: String,
    /// The lease it was about.
    pub(super) lease: Option<LeaseId>,
    /// The revision that was asked for.
    pub(super) revision: u64,
    /// When whoever asks has given it up, if that is before all endpoints were tried.
    pub(super) until: Option<Instant>,
}

// === impl Asked ===

impl Asked {
    /// Whether nobody waits for an answer any more.
    pub(super) fn is_late(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// That moment, or when whoever asks has given it up if that is before.
    pub(super) fn at_most(&self, at: Instant) -> Instant {
        self.until.map_or(at, |until| until.min(at))
    }
}

// === impl Kind ===

impl Kind {
    /// The cause, if another endpoint may fare better.
    pub(super) fn local(&self) -> Option<&str> {
        match self {
            Self::Certificate(cause)
            | Self::Elsewhere(cause)
            | Self::Lost(cause)
            | Self::NoLeader(cause)
            | Self::Silent(cause) => Some(cause),
            Self::Final(_) | Self::Slow(_) | Self::Token(_) => None,
        }
    }

    /// Whether it was the time that ran out.
    pub(super) fn late(&self) -> Option<Late> {
        match self {
            Self::Silent(_) => Some(Late::Silent),
            Self::Slow(_) => Some(Late::Slow),
            _ => None,
        }
    }
}

// === impl Failure ===

impl Failure {
    /// It never went out.
    pub(super) fn unsent(cause: impl Into<String>) -> Self {
        Self { kind: Kind::Elsewhere(cause.into()), may_be_done: false }
    }

    /// It went out, and no answer came.
    pub(super) fn lost(cause: impl Into<String>) -> Self {
        Self { kind: Kind::Elsewhere(cause.into()), may_be_done: true }
    }

    /// It went out, and nothing came in time.
    pub(super) fn silent(cause: String) -> Self {
        Self { kind: Kind::Silent(cause), may_be_done: true }
    }

    /// It went out, and what came of it was not all in time.
    pub(super) fn slow(cause: String) -> Self {
        Self { kind: Kind::Slow(cause), may_be_done: true }
    }

    pub(super) fn certain(error: EtcdError) -> Self {
        Self { kind: Kind::Final(error), may_be_done: false }
    }

    /// Whether etcd's authentication has refused it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Token(_) | Kind::Final(EtcdError::Denied { .. }))
    }

    /// The same with a guess at the reason, if it lies with the connection.
    pub(super) fn with_hint(self, hint: &str) -> Self {
        match self.kind {
            Kind::Elsewhere(cause) | Kind::Lost(cause) => {
                Self { kind: Kind::Elsewhere(format!("{cause}; {hint}")), ..self }
            }
            kind => Self { kind, ..self },
        }
    }

    /// Reads what tonic, or etcd through it, says. Told apart by etcd's texts, because one code
    /// stands for many things; they are the same in all its versions, 3.4 to 3.6.
    pub(super) fn of(status: &Status, endpoint: &str, user: &str, asked: &Asked) -> Self {
        if let Some(source) = std::error::Error::source(status) {
            return Self::of_transport(source);
        }
        let message = status.message();
        let says = |text: &str| message.contains(text);
        let endpoint = || endpoint.to_owned();
        let elsewhere = |may_be_done| Self { kind: Kind::Elsewhere(plain(message)), may_be_done };
        let certain = |error| Self::certain(error);
        if let Some(lease) = asked.lease
            && says("lease not found")
        {
            return certain(EtcdError::LeaseGone { lease });
        }
        match status.code() {
            _ if says("no leader") => {
                Self { kind: Kind::NoLeader(plain(message)), may_be_done: false }
            }
            _ if says("invalid auth token")
                || says("user name is empty")
                || says("revision of auth store is old") =>
            {
                Self { kind: Kind::Token(plain(message)), may_be_done: false }
            }
            _ if says("database space exceeded") => {
                certain(EtcdError::NoSpace { endpoint: endpoint() })
            }
            _ if says("has been compacted") => {
                certain(EtcdError::Compacted { oldest: asked.revision.saturating_add(1) })
            }
            _ if says("is a future revision") => {
                certain(EtcdError::Future { endpoint: endpoint(), revision: asked.revision })
            }
            _ if says("permission denied") || says("authentication failed") => {
                certain(EtcdError::denied(endpoint(), user, asked, message))
            }
            _ if is_size(status) => certain(EtcdError::TooLarge {
                endpoint: endpoint(),
                problem: format!("{} ({}); {}", plain(message), asked.what, limit_of(message)),
            }),
            // Refused before anything was proposed to the others.
            Code::ResourceExhausted | Code::Unavailable
                if says("too many requests") || says("not capable") || says("for learner") =>
            {
                elsewhere(false)
            }
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => elsewhere(true),
            // Nobody knows how far it had come.
            Code::Internal | Code::Unknown => elsewhere(true),
            code => certain(EtcdError::Other {
                endpoint: endpoint(),
                code: format!("{code:?}"),
                message: plain(message),
            }),
        }
    }

    /// As an error of a call that must not be made twice.
    pub(super) fn unsure(self, endpoint: &str) -> EtcdError {
        let endpoint = endpoint.to_owned();
        match self.kind {
            Kind::Certificate(cause)
            | Kind::Elsewhere(cause)
            | Kind::Lost(cause)
            | Kind::NoLeader(cause)
            | Kind::Silent(cause)
            | Kind::Slow(cause)
            | Kind::Token(cause) => EtcdError::Unsure { endpoint, cause },
            Kind::Final(error) => error,
        }
    }

    /// As an error of its own, where no other endpoint is tried.
    pub(super) fn into_error(self, endpoint: &str, user: &str) -> EtcdError {
        let endpoint = endpoint.to_owned();
        let late = self.kind.late();
        let attempts = |cause| vec![Attempt { endpoint: endpoint.clone(), cause, late }];
        match self.kind {
            Kind::Certificate(problem) => EtcdError::Certificate { endpoint, problem },
            Kind::Elsewhere(cause)
            | Kind::Lost(cause)
            | Kind::Silent(cause)
            | Kind::Slow(cause) => EtcdError::Unreachable { attempts: attempts(cause) },
            Kind::Final(error) => error,
            Kind::NoLeader(cause) => EtcdError::NoLeader { attempts: attempts(cause) },
            Kind::Token(_) if user == NOBODY => EtcdError::no_user(endpoint),
            Kind::Token(cause) => {
                let problem = format!("etcd does not know who {user} is: {cause}");
                EtcdError::Denied { endpoint, problem }
            }
        }
    }

    /// An error that no server sent: of the connection, or of what came by it.
    fn of_transport(source: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = Some(source);
        while let Some(error) = chain {
            if error.is::<Unsent>() {
                let kind = Kind::Lost("the connection was closed".to_owned());
                return Self { kind, may_be_done: false };
            }
            chain = error.source();
        }
        let kind = Kind::Lost(format!("the connection failed: {}", innermost(source)));
        Self { kind, may_be_done: true }
    }
}

// === impl EtcdError ===

impl EtcdError {
    /// etcd wants to know who we are, and we have nothing to say.
    pub(super) fn no_user(endpoint: String) -> Self {
        let problem = format!(
            "etcd's authentication is on, and lets {NOBODY} do nothing: set `store.user` and \
             `store.password_file`, or `store.certificate` and `store.key` of a certificate with a \
             user's name (CN)"
        );
        Self::Denied { endpoint, problem }
    }

    /// A refusal of etcd's authentication, in words.
    pub(super) fn denied(endpoint: String, user: &str, asked: &Asked, message: &str) -> Self {
        if user == NOBODY {
            return Self::no_user(endpoint);
        }
        let problem = if message.contains("authentication failed") {
            format!(
                "etcd does not accept the name and the password of {user} (`store.user`, \
                 `store.password_file`)"
            )
        } else if message.contains("permission denied") {
            format!(
                "etcd does not let {user} {}; grant it: `etcdctl role grant-permission`",
                asked.what
            )
        } else {
            format!("etcd does not let {user} {}: {}", asked.what, plain(message))
        };
        Self::Denied { endpoint, problem }
    }
}

/// Whether it is about the size of a message or the number of operations.
fn is_size(status: &Status) -> bool {
    let texts = [
        "too many operations",
        "request is too large",
        "larger than max",
        "message length too large",
    ];
    texts.iter().any(|text| status.message().contains(text))
}

/// Which of etcd's limits that is.
fn limit_of(message: &str) -> &'static str {
    if message.contains("too many operations") {
        "etcd takes no more to a transaction than its --max-txn-ops, 128 by default"
    } else if message.contains("request is too large") {
        "etcd takes no more to a request than its --max-request-bytes, 1.5 MiB by default"
    } else {
        "that is more than one message may have"
    }
}

/// etcd's text without the prefixes that say only where in its source it comes from.
pub(super) fn plain(message: &str) -> String {
    let text = message.strip_prefix("etcdserver: ").unwrap_or(message);
    text.strip_prefix("mvcc: ").unwrap_or(text).to_owned()
}

/// The last cause, which says most.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests;
