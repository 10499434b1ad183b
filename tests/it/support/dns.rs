//! A client of DNS at message level: what a resolver library hides (flags, sections, TTLs) is what
//! the rules are about. hickory decodes, so that it is not our own code that reads our replies.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::opt::{EdnsCode, EdnsOption},
    },
    serialize::binary::BinDecodable,
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
        Self::from(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }, server)
    }

    /// Asks from this address.
    pub(crate) fn from(local: &str, server: SocketAddr) -> Self {
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
        let mut connection = Connection::open(self.server);
        connection.send(&question(name, rtype, Some(1232)).to_vec().unwrap());
        Message::from_vec(&connection.read().expect("a reply")).unwrap()
    }

    /// Sends a message under an id of its own, and returns the reply to it.
    pub(crate) fn exchange(&self, message: &Message) -> Message {
        let reply = Message::from_vec(&self.exchange_octets(message)).expect("a message");
        assert_eq!(reply.metadata.message_type, MessageType::Response);
        reply
    }

    /// As [`Resolver::exchange`], but the reply as it came.
    pub(crate) fn exchange_octets(&self, message: &Message) -> Vec<u8> {
        let mut message = message.clone();
        message.metadata.id = self.next_id.get();
        self.next_id.set(self.next_id.get().wrapping_add(1));
        self.socket.send(&message.to_vec().unwrap()).unwrap();
        self.receive_until(message.metadata.id).pop().expect("the reply is the last")
    }

    /// Sends packets as they are and returns all that comes back, also when that is nothing. None
    /// of them may have one of the two highest ids.
    ///
    /// No time is waited out: packets of one client are answered in order on each of the server's
    /// two paths, so once a question has come back on the full path and then one on the fast path,
    /// nothing is under way any more, but for combinations of tags, which take longer.
    pub(crate) fn replies_to(&self, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        for packet in packets {
            self.socket.send(packet).unwrap();
        }
        let mut last = question("service.internal.", RecordType::SOA, Some(1232));
        last.metadata.id = 0xFFFE;
        // No query sets TC, so this one is for the full path.
        last.metadata.truncation = true;
        self.socket.send(&last.to_vec().unwrap()).unwrap();
        let mut replies = self.receive_until(0xFFFE);
        replies.pop();
        (last.metadata.id, last.metadata.truncation) = (0xFFFF, false);
        self.socket.send(&last.to_vec().unwrap()).unwrap();
        replies.extend(self.receive_until(0xFFFF));
        replies.pop();
        replies
    }

    /// Sends a packet as it is, and returns what comes until the reply to it, which is the last.
    pub(crate) fn replies_until(&self, packet: &[u8]) -> Vec<Vec<u8>> {
        self.socket.send(packet).unwrap();
        self.receive_until(u16::from_be_bytes([packet[0], packet[1]]))
    }

    /// The next packet that comes.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 65_535];
        let length = self.socket.recv(&mut buffer).expect("a reply");
        buffer[..length].to_vec()
    }

    /// What comes until the reply of that id, which is the last.
    fn receive_until(&self, id: u16) -> Vec<Vec<u8>> {
        let (mut buffer, mut replies) = ([0; 65_535], Vec::new());
        loop {
            let length = self.socket.recv(&mut buffer).expect("a reply");
            replies.push(buffer[..length].to_vec());
            if buffer[..2] == id.to_be_bytes() {
                return replies;
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

/// A connection over TCP.
pub(crate) struct Connection(pub(crate) TcpStream);

// === impl Connection ===

impl Connection {
    /// Connects.
    pub(crate) fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends a message behind its length.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.0.write_all(&framed(message)).unwrap();
    }

    /// Reads a message; `None` when the server has closed.
    ///
    /// # Panics
    /// When neither comes within [`PATIENCE`].
    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.read_whole(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.read_whole(&mut message)?;
        Some(message)
    }

    fn read_whole(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.0.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("neither a reply nor an end within {PATIENCE:?}")
            }
            Err(_closed) => None,
        }
    }
}

/// A message behind its length, as it goes over TCP.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// The codes of extended errors (RFC 8914).
pub(crate) fn extended_errors(message: &Message) -> Vec<u16> {
    let options = message.edns.iter().flat_map(|edns| edns.options().as_ref());
    let code = |(code, option): &(EdnsCode, EdnsOption)| match (code, option) {
        (code, EdnsOption::Unknown(_, data)) if u16::from(*code) == 15 => {
            Some(u16::from_be_bytes([data[0], data[1]]))
        }
        _ => None,
    };
    options.filter_map(code).collect()
}

/// Records as lines, sorted: owner, TTL, type, data.
pub(crate) fn lines(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        let Record { name, ttl, data, .. } = record;
        format!("{name} {ttl} {} {}", record.record_type(), text(data))
    };
    let mut lines: Vec<_> = records.iter().map(line).collect();
    lines.sort();
    lines
}

/// The same of records that may come from a cache, where their time has begun to run: `*` for it.
pub(crate) fn ageless(records: &[Record]) -> Vec<String> {
    let cut = |line: String| match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [owner, _, rest] => format!("{owner} * {rest}"),
        _ => unreachable!("a line has four words or more"),
    };
    lines(records).into_iter().map(cut).collect()
}

/// The data of a record as text; that of a DNAME is a name, which hickory does not know.
pub(crate) fn text(data: &RData) -> String {
    match data {
        RData::Unknown { code: RecordType::DNAME, rdata } => {
            Name::from_bytes(&rdata.anything).unwrap().to_string()
        }
        data => data.to_string(),
    }
}

/// A question as a stub sends it, in the letters that are given.
pub(crate) fn question(name: &str, rtype: RecordType, edns: Option<u16>) -> Message {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), rtype));
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
