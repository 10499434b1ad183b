//! What stands at the top of a zone of ours: SOA, NS, and the SOA of every negative answer.

use super::{
    answer::Sources,
    asked::Asked,
    code::rtype,
    encode::{Full, Owner, Reply, Section},
    settings::{NAMESERVERS_MAX, NameServer, Settings},
    verdict::Verdict,
};

/// TTL of the NS records and of the name servers' addresses, seconds: they change when a server is
/// moved, which is planned; five minutes are short enough for that and long enough for caches.
pub(super) const SERVER_TTL_SECONDS: u32 = 300;

/// The top of the zone that a query is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Apex<'s> {
    settings: &'s Settings,
    /// The serial of the snapshot, of which SOA has room for 32 bits; these compare modulo 2³²
    /// (RFC 1982).
    serial: u32,
    /// Where the zone's name stands in the reply: it is the end of the asked one.
    at: u16,
    /// A pointer to it.
    pointer: [u8; 2],
    /// Whether it is the zone in which the name servers are named.
    has_servers: bool,
    /// Whether it is a domain of Consul's.
    is_consul: bool,
}

/// What the SOA of a domain of Consul's says: the server, the mailbox, and the times, of which the
/// last is nothing, so that no negative answer is kept.
const CONSUL_SERVER: &[u8] = b"\x02ns";
const CONSUL_MAILBOX: &[u8] = b"\x0Ahostmaster";
const CONSUL_TIMERS: [u8; 16] = [0, 0, 0x0E, 0x10, 0, 0, 2, 0x58, 0, 1, 0x51, 0x80, 0, 0, 0, 0];

// === impl Apex ===

impl<'s> Apex<'s> {
    /// The top of the service zone, in which the asked name is.
    #[inline]
    pub(super) fn of_services(sources: &Sources<'s>, asked: &Asked<'_>) -> Self {
        let octets = sources.settings.origin.as_wire().len();
        Self { has_servers: true, ..Self::of_reverse(sources, asked, octets) }
    }

    /// The top of the reverse zone whose name is the last `octets` of the asked one.
    #[inline]
    pub(super) fn of_reverse(sources: &Sources<'s>, asked: &Asked<'_>, octets: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the lower 32 bits are meant")]
        let serial = sources.snapshot.serial() as u32;
        let at = asked.suffix_at(octets);
        let pointer = (0xC000 | at).to_be_bytes();
        let settings = sources.settings;
        Self { settings, serial, at, pointer, has_servers: false, is_consul: false }
    }

    /// The top of the domain of Consul's whose name is the last `octets` of the asked one.
    pub(super) fn of_consul(sources: &Sources<'s>, asked: &Asked<'_>, octets: usize) -> Self {
        Self { is_consul: true, ..Self::of_reverse(sources, asked, octets) }
    }

    /// Answers a question about the top itself.
    pub(super) fn answer(&self, qtype: u16, reply: &mut Reply<'_>) -> Verdict {
        // What does not fit marks the reply as cut by itself.
        let _ = match qtype {
            rtype::NS => self.servers(reply),
            rtype::SOA => self.soa(Section::Answer, reply),
            _ => return Verdict::Nodata,
        };
        Verdict::Answered(None)
    }

    /// Writes the SOA record, whose TTL is already the smaller of its own and its MINIMUM
    /// (RFC 2308 §5).
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn soa(&self, section: Section, reply: &mut Reply<'_>) -> Result<(), Full> {
        if self.is_consul {
            let (zone, serial) = (&self.pointer, self.serial.to_be_bytes());
            let data: [&[u8]; 6] =
                [CONSUL_SERVER, zone, CONSUL_MAILBOX, zone, &serial, &CONSUL_TIMERS];
            reply.record(section, self.owner(), (rtype::SOA, 0), &data)?;
            return Ok(());
        }
        let (soa, zone) = (&self.settings.soa, self.server_zone());
        let primary = self.settings.nameservers[0].label();
        let serial = self.serial.to_be_bytes();
        // Most mailboxes are in the zone of the servers, whose name is there already.
        let mailbox = soa.mailbox.as_wire();
        let in_zone = soa.mailbox.is_within(&self.settings.origin);
        let (mailbox, rest): (_, &[u8]) = match in_zone {
            true => (&mailbox[..mailbox.len() - self.settings.origin.as_wire().len()], zone),
            false => (mailbox, &[]),
        };
        let data: [&[u8]; 6] = [primary, zone, mailbox, rest, &serial, &soa.timers];
        reply.record(section, self.owner(), (rtype::SOA, soa.ttl_seconds), &data)?;
        Ok(())
    }

    /// Writes as little as may be said to a question for all there is (RFC 8482 §4.2).
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn minimal_any(&self, asked: &Asked<'_>, reply: &mut Reply<'_>) -> Result<(), Full> {
        let ttl = if self.is_consul { 0 } else { self.settings.soa.ttl_seconds };
        let kind = (rtype::HINFO, ttl);
        reply.record(Section::Answer, asked.owner(), kind, &[b"\x07RFC8482\0"])?;
        Ok(())
    }

    /// Answers a question about the name server of that label; `None` when there is none.
    pub(super) fn server(
        &self,
        label: &str,
        asked: &Asked<'_>,
        reply: &mut Reply<'_>,
    ) -> Option<Verdict> {
        let is_asked = |server: &&NameServer| &server.label()[1..] == label.as_bytes();
        let server = self.settings.nameservers.iter().find(is_asked)?;
        let (at, kind) = (asked.at, (asked.qtype, SERVER_TTL_SECONDS));
        let count = match asked.qtype {
            rtype::A => server.v4.len(),
            rtype::AAAA => server.v6.len(),
            _ => 0,
        };
        // What does not fit marks the reply as cut by itself.
        let _ = match asked.qtype {
            rtype::A => reply.addresses(Section::Answer, at, kind, &server.v4),
            rtype::AAAA => reply.addresses(Section::Answer, at, kind, &server.v6),
            _ => Ok(()),
        };
        Some(if count > 0 { Verdict::Answered(None) } else { Verdict::Nodata })
    }

    /// Writes the NS records and the servers' addresses.
    fn servers(&self, reply: &mut Reply<'_>) -> Result<(), Full> {
        let mut named = [0; NAMESERVERS_MAX];
        for (server, named) in self.settings.nameservers.iter().zip(&mut named) {
            let data = [server.label(), self.server_zone()];
            let kind = (rtype::NS, SERVER_TTL_SECONDS);
            *named = reply.record(Section::Answer, self.owner(), kind, &data)?;
        }
        for (server, named) in self.settings.nameservers.iter().zip(named) {
            reply.additional_addresses(named, SERVER_TTL_SECONDS, (&server.v4, &server.v6));
        }
        Ok(())
    }

    /// The name of the zone, as the owner of records.
    pub(super) fn owner(&self) -> Owner<'static> {
        Owner::At(usize::from(self.at))
    }

    /// A pointer to the name of the zone.
    pub(super) fn pointer(&self) -> [u8; 2] {
        self.pointer
    }

    /// The rest of a name in the servers' zone: a pointer when that zone is in the asked name.
    fn server_zone(&self) -> &[u8] {
        if self.has_servers { &self.pointer } else { self.settings.origin.as_wire() }
    }
}
