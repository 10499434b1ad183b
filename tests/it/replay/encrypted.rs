//! Messages over HTTPS, by curl, and over QUIC.

use std::fs;

use super::ask::Way;
use crate::{
    dns::{
        https::{self, POST},
        quic::Client,
    },
    support::{Node, dns::framed, tls::Certificate},
};

/// Sends a message over HTTP/2; the reply, and for how long HTTP may keep it.
///
/// # Panics
/// If it is not answered with 200 and a message, whatever is in it (RFC 8484 §4.2.1).
pub(super) fn https(node: &Node, sent: &[u8], way: Way) -> (Vec<u8>, Option<u32>) {
    fs::write(node.path("query.bin"), sent).unwrap();
    let request = match way {
        Way::Get => format!("URL/dns-query?dns={}", https::in_url(sent)),
        _ => POST.to_owned(),
    };
    let (said, reply) = https::asked(node, &format!("--http2 {request}"));
    let max_age = said.strip_prefix("2 200 application/dns-message max-age=");
    let max_age = max_age.unwrap_or_else(|| panic!("over HTTPS: {said}"));
    (reply, Some(max_age.parse().unwrap()))
}

/// Sends a message on a connection of its own over QUIC; `None` if that is closed instead.
pub(super) fn quic(node: &Node, certificate: &Certificate, sent: &[u8]) -> Option<Vec<u8>> {
    let client = Client::new(node, certificate);
    let connection = client.connect().unwrap();
    let reply = client.exchange(&connection, &framed(sent)).ok()?;
    let (length, message) = reply.split_first_chunk::<2>()?;
    assert_eq!(usize::from(u16::from_be_bytes(*length)), message.len());
    Some(message.to_vec())
}
