//! A client of DNS at message level: what a resolver library hides (flags, sections, TTLs) is what
//! the rules are about. hickory decodes, so that it is not our own code that reads our replies.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    str::FromStr,
};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};

use super::PATIENCE;

/// Asks one server; one socket, used one question at a time.
pub(crate) struct Resolver {
    socket: UdpSocket,
    server: SocketAddr,
    next_id: std::cell::Cell<u16>,
}

// === impl Resolver ===

impl Resolver {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local).unwrap();
        // Connected, as a stub's socket is: a reply from another address would not arrive.
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, server, next_id: std::cell::Cell::new(1) }
    }

    /// Asks over UDP, with EDNS and room for 1232 octets.
    pub(crate) fn ask(&self, name: &str, rtype: RecordType) -> Message {
        self.exchange(&question(name, rtype, Some(1232)))
    }

    /// Asks over UDP without EDNS.
    pub(crate) fn ask_plain(&self, name: &str, rtype: RecordType) -> Message {
        self.exchange(&question(name, rtype, None))
    }

    /// Asks over TCP, on a connection of its own.
    pub(crate) fn ask_tcp(&self, name: &str, rtype: RecordType) -> Message {
        let mut stream = TcpStream::connect(self.server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bytes = question(name, rtype, Some(1232)).to_vec().unwrap();
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &bytes].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply).unwrap();
        Message::from_vec(&reply).unwrap()
    }

    /// Sends a message under an id of its own, and returns the reply to it.
    pub(crate) fn exchange(&self, message: &Message) -> Message {
        let mut message = message.clone();
        message.metadata.id = self.next_id.get();
        self.next_id.set(self.next_id.get().wrapping_add(1));
        self.socket.send(&message.to_vec().unwrap()).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).expect("a reply");
            let reply = Message::from_vec(&buffer[..length]).expect("a message");
            if reply.metadata.id == message.metadata.id {
                assert_eq!(reply.metadata.message_type, MessageType::Response);
                return reply;
            }
        }
    }

    /// The addresses of a name, in the order of the answer.
    pub(crate) fn addresses(&self, name: &str, rtype: RecordType) -> Vec<IpAddr> {
        self.ask(name, rtype).answers.iter().filter_map(|record| address(&record.data)).collect()
    }

    /// The IPv4 addresses of a service, in the order of the answer.
    pub(crate) fn service(&self, service: &str) -> Vec<IpAddr> {
        self.addresses(&format!("{service}.service.internal."), RecordType::A)
    }

    /// The response code of a question for A.
    pub(crate) fn rcode(&self, name: &str) -> ResponseCode {
        self.ask(name, RecordType::A).metadata.response_code
    }
}

/// A question as a stub sends it.
pub(crate) fn question(name: &str, rtype: RecordType, edns: Option<u16>) -> Message {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), rtype));
    if let Some(size) = edns {
        let mut edns = Edns::new();
        edns.set_max_payload(size).set_version(0);
        message.edns = Some(edns);
    }
    message
}

/// The address in a record.
pub(crate) fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}
