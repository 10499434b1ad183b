//! The numbers of the wire that answers are made of (IANA, "Domain Name System Parameters").

/// Types of records, and of questions.
pub mod rtype {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// A name server.
    pub const NS: u16 = 2;
    /// Another name for the same.
    pub const CNAME: u16 = 5;
    /// The start of a zone.
    pub const SOA: u16 = 6;
    /// The name of an address.
    pub const PTR: u16 = 12;
    /// Text.
    pub const TXT: u16 = 16;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// A server of a service (RFC 2782).
    pub const SRV: u16 = 33;
    /// Question: the changes of a zone (RFC 1995).
    pub const IXFR: u16 = 251;
    /// Question: the whole of a zone (RFC 5936).
    pub const AXFR: u16 = 252;
}

/// Response codes (RFC 1035 §4.1.1).
pub mod rcode {
    /// In order.
    pub const NOERROR: u16 = 0;
    /// Not readable.
    pub const FORMERR: u16 = 1;
    /// The server cannot.
    pub const SERVFAIL: u16 = 2;
    /// There is no such name.
    pub const NXDOMAIN: u16 = 3;
    /// Not this kind of question.
    pub const NOTIMP: u16 = 4;
    /// The server will not.
    pub const REFUSED: u16 = 5;
    /// An EDNS version that is not spoken; needs the OPT record (RFC 6891 §6.1.3).
    pub const BADVERS: u16 = 16;
}
