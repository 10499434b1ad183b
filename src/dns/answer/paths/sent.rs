//! Messages as all kinds of clients send them: what they say, how they write it, and what follows
//! from that.

use std::{net::IpAddr, time::Duration};

use hickory_proto::rr::RecordType;
use ipnet::IpNet;
use proptest::{prelude::*, sample::select};

use super::super::properties::an_ask;
use crate::dns::{
    Caller, CookieSecrets,
    query::{Cookie, HEADER_OCTETS},
    testing::{Ask, NOW},
};

/// Who is no stranger.
pub(super) const EXEMPT: &str = "10.0.0.0/8";

/// Those who ask: two of one IPv4 network, one of another, an exempt one; of IPv6 two of one /56,
/// one of the /56 beside it, and one of another /48.
const CLIENTS: [&str; 8] = [
    "192.0.2.1",
    "192.0.2.200",
    "198.51.100.7",
    "10.1.1.1",
    "2001:db8::1",
    "2001:db8:0:99::1",
    "2001:db8:0:199::1",
    "2001:db8:1::1",
];

/// What a client says by the COOKIE option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    /// Its own part alone.
    Part,
    /// A cookie that was made for it lately.
    Good,
    /// One that was made for somebody else.
    Stolen,
    /// One that was made too long ago.
    Old,
    /// A server's part of a length that none has.
    Broken,
}

/// How a message is written down; only the first way is for the fast path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Plain,
    /// With TC, which means nothing in a query.
    Cut,
    /// With an address behind the question, which means nothing either.
    Address,
}

/// A message, and who sends it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) ask: Ask,
    pub(super) client: IpAddr,
    pub(super) said: Said,
    pub(super) form: Form,
    pub(super) version: u8,
    /// What chance makes of the reply.
    pub(super) seed: u64,
}

pub(super) fn a_message() -> impl Strategy<Value = Sent> {
    let corp = [
        "corp.test.",
        "www.corp.test.",
        "x.open.corp.test.",
        "open.corp.test.",
        "y.alias.corp.test.",
        "loop.corp.test.",
        "none.corp.test.",
        "web.service.internal.",
    ];
    let types = [RecordType::A, RecordType::MX, RecordType::TXT, RecordType::SRV];
    let fixed = (select(corp.to_vec()), select(types.to_vec()), select(vec![None, Some(1232)]));
    let fixed = fixed.prop_map(|(name, rtype, edns)| Ask { edns, ..Ask::new(name, rtype) });
    use Said::{Broken, Good, Nothing, Old, Part, Stolen};
    let said = select(vec![Nothing, Nothing, Part, Good, Stolen, Old, Broken]);
    let form = select(vec![Form::Plain, Form::Plain, Form::Cut, Form::Address]);
    let version = prop_oneof![15 => Just(0_u8), 1 => Just(1)];
    let ask = prop_oneof![an_ask(), fixed];
    (ask, select(CLIENTS.to_vec()), said, form, version, any::<u64>()).prop_map(
        |(ask, client, said, form, version, seed)| {
            let client = client.parse().unwrap();
            Sent { ask, client, said, form, version, seed }
        },
    )
}

pub(super) fn secrets() -> CookieSecrets {
    CookieSecrets::parse("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap()
}

// === impl Sent ===

impl Sent {
    pub(super) fn caller(&self) -> Caller {
        let since_start = Duration::from_secs(1);
        Caller { since_start, ..Caller::new(self.client, self.ask.transport, NOW) }
    }

    /// The data of the COOKIE option, if there is one.
    pub(super) fn cookie(&self) -> Option<Vec<u8>> {
        let client = *b"abcdefgh";
        let made = |to: IpAddr, at: u32| {
            let checked = secrets().check(&Cookie { client, server: None }, to, at);
            [&client[..], &checked.server].concat()
        };
        let data = match self.said {
            Said::Nothing => return None,
            Said::Part => client.to_vec(),
            Said::Good => made(self.client, NOW - 60),
            Said::Stolen => made("203.0.113.9".parse().unwrap(), NOW - 60),
            Said::Old => made(self.client, NOW - 4_000),
            Said::Broken => [&client[..], b"123"].concat(),
        };
        self.ask.edns.map(|_| data)
    }

    /// Whether it shows that its sender gets what is sent to its address.
    pub(super) fn is_proven(&self) -> bool {
        let is_good = self.said == Said::Good && self.ask.edns.is_some() && self.version == 0;
        is_good || !self.ask.transport.is_datagram()
    }

    /// Whether the rates and the size for strangers are for its sender.
    pub(super) fn is_a_strangers(&self) -> bool {
        !self.is_proven() && !EXEMPT.parse::<IpNet>().unwrap().contains(&self.client)
    }

    /// The message in the simple form.
    pub(super) fn plain(&self) -> Vec<u8> {
        let mut packet = self.ask.packet();
        let end = packet.len();
        if self.ask.edns.is_some() {
            packet[end - 5] = self.version;
        }
        if let Some(data) = self.cookie() {
            let octets = u8::try_from(data.len()).unwrap();
            packet[end - 1] = 4 + octets;
            packet.extend([0, 10, 0, octets]);
            packet.extend(data);
        }
        packet
    }

    /// The message as it is sent.
    pub(super) fn octets(&self) -> Vec<u8> {
        let mut packet = self.plain();
        match self.form {
            Form::Plain => {}
            Form::Cut => packet[2] |= 0x02,
            Form::Address => {
                let name = packet[HEADER_OCTETS..].iter().scan(0_u8, |left, &octet| {
                    let is_length = *left == 0;
                    *left = if is_length { octet } else { *left - 1 };
                    Some(is_length && octet == 0)
                });
                let question = HEADER_OCTETS + name.take_while(|is_end| !is_end).count() + 1 + 4;
                packet[11] += 1;
                let record = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 66];
                packet.splice(question..question, record);
            }
        }
        packet
    }
}
