//! A name server to forward to, which says what a test has it say, and remembers what it was asked.

use std::{
    collections::HashSet,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata},
};
use parking_lot::Mutex;

use super::dns::framed;

/// A server on a port of its own, UDP and TCP, that runs until it is dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    say: Mutex<Say>,
    seen: Mutex<Vec<Seen>>,
    held: Mutex<Vec<Held>>,
    is_over: AtomicBool,
}

type Say = Box<dyn Fn(&Seen) -> Said + Send>;

/// What goes out.
struct Reply {
    octets: Vec<u8>,
    /// Of which name it is, if it is to be held back.
    held: Option<String>,
    /// Whether nothing follows on its connection.
    is_last: bool,
}

struct Held {
    name: String,
    socket: UdpSocket,
    client: SocketAddr,
    reply: Vec<u8>,
}

/// A question that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// In lower case, with the final dot.
    pub(crate) name: String,
    pub(crate) rtype: RecordType,
    pub(crate) over_tcp: bool,
    /// The whole message.
    pub(crate) message: Message,
}

/// What is said to it.
pub(crate) enum Said {
    /// This; number and question are filled in.
    Message(Box<Message>),
    /// The same, but not before [`Upstream::release`]; UDP only.
    Held(Box<Message>),
    /// The same as [`Said::Message`], and over TCP nothing more on that connection.
    Last(Box<Message>),
    /// These octets.
    Octets(Vec<u8>),
    /// Nothing.
    Nothing,
}

// === impl Seen ===

impl Seen {
    /// Whether it is asked on the server's own account.
    fn is_probe(&self) -> bool {
        self.name == "." || self.rtype == RecordType::HINFO
    }

    /// What is the same when it is sent again.
    fn identity(&self) -> (&str, RecordType, u16, bool) {
        (&self.name, self.rtype, self.message.metadata.id, self.over_tcp)
    }
}

// === impl Said ===

impl Said {
    /// NOERROR with these records: `TTL TYPE DATA`, for the name that was asked.
    pub(crate) fn records(seen: &Seen, records: &[&str]) -> Self {
        let mut message = Message::query().into_response();
        message.answers = records.iter().map(|text| record(&seen.name, text)).collect();
        Self::Message(Box::new(message))
    }

    /// A response code.
    pub(crate) fn code(code: ResponseCode) -> Self {
        let mut message = Message::query().into_response();
        message.metadata.response_code = code;
        Self::Message(Box::new(message))
    }

    /// A response code with the SOA of `zone`: TTL and MINIMUM.
    pub(crate) fn nothing(code: ResponseCode, zone: &str, (ttl, minimum): (u32, u32)) -> Self {
        let mut message = Message::query().into_response();
        message.metadata.response_code = code;
        let name = |label: &str| Name::from_ascii(format!("{label}.{zone}")).unwrap();
        let soa = rdata::SOA::new(name("ns"), name("hostmaster"), 7, 3600, 600, 86_400, minimum);
        let zone = Name::from_ascii(zone).unwrap();
        message.authorities.push(Record::from_rdata(zone, ttl, RData::SOA(soa)));
        Self::Message(Box::new(message))
    }

    /// The same, held back until the test releases it.
    pub(crate) fn held(self) -> Self {
        match self {
            Self::Message(message) => Self::Held(message),
            other => other,
        }
    }

    /// The same, and over TCP the connection is closed then.
    pub(crate) fn and_closes(self) -> Self {
        match self {
            Self::Message(message) => Self::Last(message),
            other => other,
        }
    }

    /// The same with TC, and nothing in it, unless it goes over TCP.
    pub(crate) fn cut_over_udp(self, seen: &Seen) -> Self {
        match self {
            Self::Message(mut message) if !seen.over_tcp => {
                message.metadata.truncation = true;
                message.answers.clear();
                Self::Message(message)
            }
            other => other,
        }
    }
}

/// A record from `TTL TYPE DATA`, or from `OWNER TTL TYPE DATA`.
pub(crate) fn record(owner: &str, text: &str) -> Record {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (owner, rest) = match words[0].parse::<u32>() {
        Ok(_) => (owner, &words[..]),
        Err(_) => (words[0], &words[1..]),
    };
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let data = match rest[1] {
        "A" => RData::A(rest[2].parse().unwrap()),
        "AAAA" => RData::AAAA(rest[2].parse().unwrap()),
        "CNAME" => RData::CNAME(rdata::CNAME(name(rest[2]))),
        "PTR" => RData::PTR(rdata::PTR(name(rest[2]))),
        "TXT" => RData::TXT(rdata::TXT::new(vec![rest[2].to_owned()])),
        other => panic!("no {other} here"),
    };
    Record::from_rdata(name(owner), rest[0].parse().unwrap(), data)
}

// === impl Upstream ===

impl Upstream {
    /// A server that says this.
    pub(crate) fn start(say: impl Fn(&Seen) -> Said + Send + 'static) -> Self {
        Self::start_on("127.0.0.1:0", say)
    }

    /// A server that knows these records, `OWNER TTL TYPE DATA`; other names do not exist.
    pub(crate) fn of(records: &'static [&'static str]) -> Self {
        Self::start(move |seen| known(records, seen))
    }

    /// A server at this address.
    pub(crate) fn start_on(address: &str, say: impl Fn(&Seen) -> Said + Send + 'static) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(address).unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let state = Arc::new(State {
            say: Mutex::new(Box::new(say)),
            seen: Mutex::default(),
            held: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || serve_udp(&udp, &shared));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || serve_tcp(&tcp, &shared));
        Self { address, state }
    }

    /// Says this from now on.
    pub(crate) fn says(&self, say: impl Fn(&Seen) -> Said + Send + 'static) {
        *self.state.say.lock() = Box::new(say);
    }

    /// Sends what was held back.
    pub(crate) fn release(&self) {
        for held in self.state.held.lock().drain(..) {
            held.socket.send_to(&held.reply, held.client).unwrap();
        }
    }

    /// How many names have replies that are held back.
    pub(crate) fn held(&self) -> usize {
        let held = self.state.held.lock();
        held.iter().map(|held| &held.name).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// What it was asked, but for probes: questions for the root, and HINFO. A question that was
    /// sent again counts once: over UDP it is after a third of a second, and a loaded machine is no
    /// defect.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.once(|seen| !seen.is_probe())
    }

    /// How often it was asked for a name, where a question that was sent again counts once.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.once(|seen| seen.name == name).len()
    }

    fn once(&self, is_wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut known = HashSet::new();
        let all = self.state.seen.lock();
        let wanted = all.iter().filter(|seen| is_wanted(seen));
        wanted.filter(|seen| known.insert(seen.identity())).cloned().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        let _woken = std::net::TcpStream::connect(self.address);
    }
}

// === impl State ===

impl State {
    fn reply(&self, packet: &[u8], over_tcp: bool) -> Option<Reply> {
        let message = Message::from_vec(packet).ok()?;
        let query = message.queries.first()?.clone();
        let name = query.name().to_string().to_ascii_lowercase();
        let (id, rtype) = (message.metadata.id, query.query_type());
        let seen = Seen { name, rtype, over_tcp, message };
        self.seen.lock().push(seen.clone());
        let said = (self.say.lock())(&seen);
        let is_last = matches!(said, Said::Last(_));
        let (mut message, held) = match said {
            Said::Message(message) | Said::Last(message) => (message, None),
            // Probes are no matter of the tests that hold back.
            Said::Held(message) => (message, Some(seen.name.clone()).filter(|_| !seen.is_probe())),
            Said::Octets(octets) => return Some(Reply { octets, held: None, is_last }),
            Said::Nothing => return None,
        };
        message.metadata.id = id;
        message.metadata.recursion_desired = seen.message.metadata.recursion_desired;
        message.metadata.recursion_available = true;
        if message.queries.is_empty() {
            message.queries.push(query);
        }
        Some(Reply { octets: message.to_vec().unwrap(), held, is_last })
    }
}

fn serve_udp(socket: &UdpSocket, state: &State) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut packet = [0; 4096];
    while !state.is_over.load(SeqCst) {
        let Ok((octets, client)) = socket.recv_from(&mut packet) else { continue };
        match state.reply(&packet[..octets], false) {
            Some(Reply { octets: reply, held: Some(name), .. }) => {
                let socket = socket.try_clone().unwrap();
                state.held.lock().push(Held { name, socket, client, reply });
            }
            Some(reply) => {
                let _gone = socket.send_to(&reply.octets, client);
            }
            None => {}
        }
    }
}

fn serve_tcp(listener: &TcpListener, state: &Arc<State>) {
    for mut stream in listener.incoming().map_while(Result::ok) {
        if state.is_over.load(SeqCst) {
            return;
        }
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
                if stream.read_exact(&mut packet).is_err() {
                    return;
                }
                if let Some(reply) = state.reply(&packet, true)
                    && (stream.write_all(&framed(&reply.octets)).is_err() || reply.is_last)
                {
                    return;
                }
            }
        });
    }
}

/// What a server says that knows these records, `OWNER TTL TYPE DATA`: chains of aliases whole.
pub(crate) fn known(records: &[&str], seen: &Seen) -> Said {
    let all: Vec<Record> = records.iter().map(|text| record(".", text)).collect();
    let mut message = Message::query().into_response();
    let mut name = Name::from_ascii(&seen.name).unwrap();
    loop {
        let own: Vec<_> = all.iter().filter(|record| record.name == name).collect();
        let wanted = |record: &&&Record| record.record_type() == seen.rtype;
        let found: Vec<Record> = own.iter().filter(wanted).copied().cloned().collect();
        if !found.is_empty() {
            message.answers.extend(found);
            return Said::Message(Box::new(message));
        }
        let alias = own.iter().find_map(|record| match &record.data {
            RData::CNAME(target) => Some(((**record).clone(), target.0.clone())),
            _ => None,
        });
        let Some((alias, target)) = alias else {
            let code = if own.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
            let Said::Message(mut end) = Said::nothing(code, "example.", (60, 60)) else {
                unreachable!("it was just made")
            };
            end.answers = message.answers;
            return Said::Message(end);
        };
        message.answers.push(alias);
        name = target;
    }
}
