//! A server that takes part: what it is called, where it answers, and its process.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::Process;

/// How long a reply may take before the server counts as silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// The size that queries with EDNS allow: what servers and resolvers have agreed on since 2020.
const EDNS_OCTETS: u16 = 1_232;

/// A server that answers DNS.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// What the tables call it.
    pub(crate) name: &'static str,
    /// Where it answers, by UDP and (the floor apart) by TCP.
    pub(crate) dns: SocketAddr,
    /// Its process; ended before its folder goes.
    pub(crate) process: Process,
    /// Its configuration, data and log.
    pub(crate) _scratch: TempDir,
}

/// A query in wire form for a question as dnsperf reads it, `name TYPE`.
///
/// # Errors
/// When it is no question.
pub(crate) fn query(question: &str, id: u16, edns: bool) -> Result<Vec<u8>> {
    let (name, kind) = question.trim().split_once(' ').context("a question is `name TYPE`")?;
    let kind: u16 = match kind {
        "A" => 1,
        "AAAA" => 28,
        "SRV" => 33,
        other => bail!("no number is known for type `{other}`"),
    };
    let mut query = Vec::with_capacity(64);
    query.extend(id.to_be_bytes());
    query.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).context("a label is too long")?);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend(1_u16.to_be_bytes());
    if edns {
        query.extend([0, 0, 41]);
        query.extend(EDNS_OCTETS.to_be_bytes());
        query.extend([0; 6]);
    }
    Ok(query)
}

/// Sends `query` by UDP and returns the reply to it.
///
/// # Errors
/// When there is none.
pub(crate) fn ask_udp(server: SocketAddr, query: &[u8]) -> Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut reply = vec![0; 4_096];
    let octets = socket.recv(&mut reply)?;
    reply.truncate(octets);
    anyhow::ensure!(reply.get(..2) == query.get(..2), "the reply is to another query");
    Ok(reply)
}

/// Sends `query` by TCP and returns the reply to it.
///
/// # Errors
/// When there is none.
pub(crate) fn ask_tcp(server: SocketAddr, query: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(query.len())?.to_be_bytes();
    stream.write_all(&[&length, query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

// === impl Contestant ===

impl Contestant {
    /// Waits until `process` answers `question` at `dns` without an error.
    ///
    /// # Errors
    /// When it ends, or stays silent.
    pub(crate) fn wait_until_it_answers(
        process: &mut Process,
        dns: SocketAddr,
        question: &str,
    ) -> Result<()> {
        let query = query(question, 1, false)?;
        process.wait_until(|| match ask_udp(dns, &query) {
            Ok(reply) => reply.get(3).is_some_and(|flags| flags & 15 == 0),
            Err(_) => false,
        })
    }
}
