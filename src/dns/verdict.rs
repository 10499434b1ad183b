//! What a zone of ours says to a question, before it is put into codes and flags.

use crate::registry::FailOpen;

/// The kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An alias is written; its target stands at this offset of the reply, if it fitted.
    Alias(Option<usize>),
    /// The records are written; why instances that are not healthy are among them, if so.
    Answered(Option<FailOpen>),
    /// The client may not ask for the service.
    Denied,
    /// The answer has to allocate or takes long, and the caller may not.
    NeedsFull,
    /// The name is there, records of the type are not (RFC 2308 §2.2).
    Nodata,
    /// The name is not there, and nothing below it.
    Nxdomain,
    /// The policy says to send the client to another server.
    Servfail,
}
