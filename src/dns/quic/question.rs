//! One question on one stream (RFC 9250 §4.2).

use std::time::Duration;

use quinn::{ReadExactError, RecvStream};
use tokio::time::timeout;

use crate::dns::{
    Parsed, full, parse,
    query::Keepalive,
    tcp::{Full, Question},
};

/// Octets of the length in front of a message.
const PREFIX_OCTETS: usize = 2;

/// Why there is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client has cancelled it, or gone.
    Cancelled,
    /// It did not arrive in time.
    Late,
    /// A mistake for which the whole connection is closed (RFC 9250 §4.3.3), and which one.
    Protocol(&'static str),
    /// More waits on the connection than may.
    TooMuch,
}

/// Reads the question of a stream up to its end, for which it has `patience`.
pub(super) async fn read(
    stream: &mut RecvStream,
    mut question: Question,
    patience: Duration,
) -> Result<Question, Fault> {
    match timeout(patience, fill(&mut question, stream)).await {
        Ok(filled) => filled?,
        Err(_late) => return Err(Fault::Late),
    }
    check(&question).map_err(Fault::Protocol)?;
    Ok(question)
}

/// Reads in order: quinn would hand out what comes too early in pieces, each of which keeps the
/// packet that it came in.
async fn fill(question: &mut Question, stream: &mut RecvStream) -> Result<(), Fault> {
    let mut prefix = [0; PREFIX_OCTETS];
    stream.read_exact(&mut prefix).await.map_err(|error| match error {
        ReadExactError::FinishedEarly(_) => Fault::Protocol("the stream ended before a message"),
        ReadExactError::ReadError(_) => Fault::Cancelled,
    })?;
    let length = usize::from(u16::from_be_bytes(prefix));
    while let Some(chunk) =
        stream.read_chunk(usize::MAX, true).await.map_err(|_| Fault::Cancelled)?
    {
        if question.len() + chunk.bytes.len() > length {
            return Err(Fault::Protocol("more than one message on a stream"));
        }
        question.push(&chunk.bytes).map_err(|Full| Fault::TooMuch)?;
    }
    if question.len() < length {
        return Err(Fault::Protocol("the stream ended before the message did"));
    }
    Ok(())
}

/// Whether a question may come over QUIC; else what is wrong.
fn check(message: &[u8]) -> Result<(), &'static str> {
    // The stream tells questions apart (§4.2.1).
    if message.first_chunk::<2>().is_some_and(|id| *id != [0; 2]) {
        return Err("a message with an ID other than 0");
    }
    // Idleness is agreed on by QUIC (§5.5.2).
    if keepalive(message) != Keepalive::Absent {
        return Err("edns-tcp-keepalive over QUIC");
    }
    Ok(())
}

/// What a message says of keeping the connection, however odd it is otherwise.
fn keepalive(message: &[u8]) -> Keepalive {
    let edns = match parse(message) {
        Parsed::Drop => None,
        Parsed::Query(query) => query.edns,
        Parsed::Other => full::salvage(message).edns,
    };
    edns.map_or(Keepalive::Absent, |edns| edns.options.keepalive)
}
