//! A stub resolver for people: one question to one server, and the reply as plain text values.
//!
//! It is what `rollcall resolve` and the tests look through, so it shows what a resolver library
//! hides: the code, the flags and all sections of the reply. UDP first; a reply that was cut
//! is asked for again over TCP (RFC 7766 §5).

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use hickory_proto::{
    op::{Edns, Message, MessageType, Query},
    rr::{Name, RData, Record, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// UDP packets sent before the server is given up: one may get lost, two are a statement.
const ATTEMPTS: u32 = 2;

/// The UDP size that we announce: what passes any network whole.
const UDP_SIZE: u16 = 1232;

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    name: Name,
    record_type: RecordType,
}

/// What the server replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The response code by its IANA name, for example `NXDOMAIN`.
    pub rcode: String,
    /// The flags that are set, as dig shows them: `qr`, `aa`, `tc`, `rd`, `ra`.
    pub flags: Vec<&'static str>,
    /// Whether it came over TCP.
    pub tcp: bool,
    /// The answer section.
    pub answers: Vec<AnswerRecord>,
    /// The authority section.
    pub authorities: Vec<AnswerRecord>,
    /// The additional section without OPT.
    pub additionals: Vec<AnswerRecord>,
}

/// One record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRecord {
    /// The owner's name, with its final dot.
    pub name: String,
    /// Its TTL, seconds.
    pub ttl: u32,
    /// Its type, for example `SRV`.
    pub record_type: String,
    /// Its data in the form of zone files.
    pub data: String,
}

/// Why there is no reply to show.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name or the type of the question is none.
    #[error("{0}")]
    BadQuestion(String),
    /// Something replied that is not the reply to the question.
    #[error("the reply of {0} is no DNS reply to the question: {1}")]
    BadReply(SocketAddr, String),
    /// No reply in time.
    #[error("{0} has not answered within {1:?}")]
    TimedOut(SocketAddr, Duration),
    /// The server cannot be reached.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(SocketAddr, std::io::Error),
}

// === impl Question ===

impl Question {
    /// A question for the records of type `record_type` (`A`, `srv`, `TYPE65` …) of `name`.
    ///
    /// # Errors
    /// When either is none.
    pub fn new(name: &str, record_type: &str) -> Result<Self, LookupError> {
        let mut parsed = Name::from_ascii(name).map_err(|error| {
            // The library quotes the label that it means, which may be an empty one.
            let error = error.to_string();
            let problem = match error.trim_end().strip_suffix(':') {
                Some(_) => "it has an empty label",
                None => &error,
            };
            LookupError::BadQuestion(format!("`{name}` is no name: {problem}"))
        })?;
        parsed.set_fqdn(true);
        let upper = record_type.to_ascii_uppercase();
        let number = upper.strip_prefix("TYPE").and_then(|number| number.parse::<u16>().ok());
        let known = number.map(RecordType::from).or_else(|| RecordType::from_str(&upper).ok());
        let record_type = known.ok_or_else(|| {
            let problem = "is no record type; A, AAAA, SRV, TXT, PTR, SOA and NS are some";
            LookupError::BadQuestion(format!("`{record_type}` {problem}"))
        })?;
        Ok(Self { name: parsed, record_type })
    }

    /// Asks `server`, and waits for at most `patience`. `tcp_only` leaves UDP out.
    ///
    /// # Errors
    /// When there is no reply to the question.
    pub async fn ask(
        &self,
        server: SocketAddr,
        patience: Duration,
        tcp_only: bool,
    ) -> Result<Lookup, LookupError> {
        let mut query = Message::query();
        // What a stub resolver says, so that a name that is forwarded is answered too.
        query.metadata.recursion_desired = true;
        query.add_query(Query::query(self.name.clone(), self.record_type));
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_SIZE);
        query.set_edns(edns);
        let bad = |error: &dyn fmt::Display| LookupError::BadQuestion(error.to_string());
        let octets = query.to_vec().map_err(|error| bad(&error))?;
        let whole = async {
            if !tcp_only {
                let reply = ask_udp(server, &query, &octets, patience / ATTEMPTS).await?;
                if !reply.metadata.truncation {
                    return Ok(Lookup::new(&reply, false));
                }
            }
            ask_tcp(server, &query, &octets).await.map(|reply| Lookup::new(&reply, true))
        };
        let late = |_| Err(LookupError::TimedOut(server, patience));
        timeout(patience, whole).await.unwrap_or_else(late)
    }
}

async fn ask_udp(
    server: SocketAddr,
    query: &Message,
    octets: &[u8],
    patience: Duration,
) -> Result<Message, LookupError> {
    let fail = |error| LookupError::Unreachable(server, error);
    let any: SocketAddr =
        if server.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(fail)?;
    // Connected, so that only this server's packets come in, and its refusal is heard.
    socket.connect(server).await.map_err(fail)?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        socket.send(octets).await.map_err(fail)?;
        let receive = async {
            loop {
                let length = socket.recv(&mut buffer).await.map_err(fail)?;
                // What does not fit is a stray or a forgery: the reply may still come.
                if let Ok(reply) = check(server, query, &buffer[..length]) {
                    return Ok(reply);
                }
            }
        };
        // The caller's patience ends this.
        if let Ok(reply) = timeout(patience, receive).await {
            return reply;
        }
    }
}

async fn ask_tcp(
    server: SocketAddr,
    query: &Message,
    octets: &[u8],
) -> Result<Message, LookupError> {
    let fail = |error| LookupError::Unreachable(server, error);
    let length = u16::try_from(octets.len()).expect("one question is far below 64 KiB");
    let mut stream = TcpStream::connect(server).await.map_err(fail)?;
    let framed = [&length.to_be_bytes(), octets].concat();
    stream.write_all(&framed).await.map_err(fail)?;
    let length = stream.read_u16().await.map_err(fail)?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await.map_err(fail)?;
    check(server, query, &reply)
}

/// Takes octets for the reply to `query` if they are (RFC 5452 §9.1).
fn check(server: SocketAddr, query: &Message, octets: &[u8]) -> Result<Message, LookupError> {
    let refuse = |problem: &str| Err(LookupError::BadReply(server, problem.to_owned()));
    let reply = match Message::from_vec(octets) {
        Ok(reply) => reply,
        Err(error) => return refuse(&error.to_string()),
    };
    if reply.metadata.message_type != MessageType::Response {
        return refuse("it is a query itself");
    }
    if reply.metadata.id != query.metadata.id {
        return refuse("it has another identifier");
    }
    // A server that could not read the question leaves it out.
    if !reply.queries.is_empty() && reply.queries != query.queries {
        return refuse("it has another question");
    }
    Ok(reply)
}

// === impl Lookup ===

impl Lookup {
    fn new(message: &Message, tcp: bool) -> Self {
        let metadata = &message.metadata;
        let flags = [
            ("qr", true),
            ("aa", metadata.authoritative),
            ("tc", metadata.truncation),
            ("rd", metadata.recursion_desired),
            ("ra", metadata.recursion_available),
        ];
        let section = |records: &[Record]| records.iter().map(AnswerRecord::from).collect();
        Self {
            rcode: mnemonic(metadata.response_code.into()),
            flags: flags.into_iter().filter_map(|(name, set)| set.then_some(name)).collect(),
            tcp,
            answers: section(&message.answers),
            authorities: section(&message.authorities),
            additionals: section(&message.additionals),
        }
    }
}

// === impl AnswerRecord ===

impl From<&Record> for AnswerRecord {
    fn from(record: &Record) -> Self {
        let data = match &record.data {
            RData::TXT(txt) => {
                let strings = txt.txt_data.iter().map(|octets| quoted(octets));
                strings.collect::<Vec<_>>().join(" ")
            }
            // The form for types that a program does not know (RFC 3597 §5).
            RData::Unknown { rdata, .. } => {
                let hex: String =
                    rdata.anything.iter().map(|octet| format!("{octet:02x}")).collect();
                format!("\\# {} {hex}", rdata.anything.len()).trim_end().to_owned()
            }
            data => data.to_string(),
        };
        let record_type = match record.record_type() {
            RecordType::Unknown(number) => format!("TYPE{number}"),
            known => known.to_string(),
        };
        Self { name: record.name.to_ascii(), ttl: record.ttl, record_type, data }
    }
}

/// The IANA name of a response code.
fn mnemonic(code: u16) -> String {
    const NAMES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    match (NAMES.get(usize::from(code)), code) {
        (Some(name), _) => (*name).to_owned(),
        (None, 16) => "BADVERS".to_owned(),
        (None, 23) => "BADCOOKIE".to_owned(),
        (None, _) => format!("RCODE{code}"),
    }
}

/// A character string as zone files have it (RFC 1035 §5.1).
fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', octet.into()]),
            b' '..=b'~' => text.push(octet.into()),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests;
