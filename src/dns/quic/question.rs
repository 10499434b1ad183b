//! One question on one stream (RFC 9250 §4.2).

use std::time::Duration;

use quinn::{ReadError, ReadToEndError, RecvStream};
use tokio::time::timeout;

use crate::dns::{Parsed, Query, parse, query::Keepalive};

/// Octets of the length in front of a message.
const PREFIX_OCTETS: usize = 2;

/// Octets of a message behind its length.
const FRAMED_OCTETS_MAX: usize = PREFIX_OCTETS + u16::MAX as usize;

/// Why there is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client has cancelled it, or gone.
    Cancelled,
    /// It did not arrive in time.
    Late,
    /// A mistake for which the whole connection is closed (RFC 9250 §4.3.3), and which one.
    Protocol(&'static str),
}

/// Reads the question of a stream up to its end, for which it has `patience`.
pub(super) async fn read(stream: &mut RecvStream, patience: Duration) -> Result<Vec<u8>, Fault> {
    let mut framed = match timeout(patience, stream.read_to_end(FRAMED_OCTETS_MAX)).await {
        Ok(Ok(framed)) => framed,
        Ok(Err(ReadToEndError::TooLong)) => return Err(Fault::Protocol(MORE_THAN_ONE)),
        Ok(Err(ReadToEndError::Read(ReadError::Reset(_)))) => return Err(Fault::Cancelled),
        Ok(Err(ReadToEndError::Read(_))) => return Err(Fault::Cancelled),
        Err(_late) => return Err(Fault::Late),
    };
    check(&framed).map_err(Fault::Protocol)?;
    Ok(framed.split_off(PREFIX_OCTETS))
}

const MORE_THAN_ONE: &str = "more than one message on a stream";

/// Whether a stream has one whole question that may come over QUIC; else what is wrong.
fn check(framed: &[u8]) -> Result<(), &'static str> {
    let Some((prefix, message)) = framed.split_first_chunk::<PREFIX_OCTETS>() else {
        return Err("the stream ended before a message");
    };
    let length = usize::from(u16::from_be_bytes(*prefix));
    if message.len() < length {
        return Err("the stream ended before the message did");
    }
    if message.len() > length {
        return Err(MORE_THAN_ONE);
    }
    // The stream tells questions apart (§4.2.1).
    if message.first_chunk::<2>().is_some_and(|id| *id != [0; 2]) {
        return Err("a message with an ID other than 0");
    }
    // Idleness is agreed on by QUIC (§5.5.2).
    match parse(message) {
        Parsed::Query(query) if has_keepalive(&query) => Err("edns-tcp-keepalive over QUIC"),
        _ => Ok(()),
    }
}

fn has_keepalive(query: &Query<'_>) -> bool {
    query.edns.as_ref().is_some_and(|edns| edns.options.keepalive != Keepalive::Absent)
}
