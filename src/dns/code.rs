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
    /// What a host is.
    pub const HINFO: u16 = 13;
    /// A server that takes mail.
    pub const MX: u16 = 15;
    /// Text.
    pub const TXT: u16 = 16;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// A server of a service (RFC 2782).
    pub const SRV: u16 = 33;
    /// A rule that rewrites a name (RFC 3403).
    pub const NAPTR: u16 = 35;
    /// A certificate (RFC 4398).
    pub const CERT: u16 = 37;
    /// Another name for a whole tree (RFC 6672).
    pub const DNAME: u16 = 39;
    /// The key that a delegated zone is signed with (RFC 4034 §5).
    pub const DS: u16 = 43;
    /// The fingerprint of an SSH host key (RFC 4255).
    pub const SSHFP: u16 = 44;
    /// A signature (RFC 4034 §3).
    pub const RRSIG: u16 = 46;
    /// The certificate of a TLS server (RFC 6698).
    pub const TLSA: u16 = 52;
    /// The certificate of a mail address (RFC 8162).
    pub const SMIMEA: u16 = 53;
    /// The OpenPGP key of a mail address (RFC 7929).
    pub const OPENPGPKEY: u16 = 61;
    /// What a parent may take over from its child (RFC 7477).
    pub const CSYNC: u16 = 62;
    /// How to reach a service (RFC 9460).
    pub const SVCB: u16 = 64;
    /// The same for a web site (RFC 9460 §9).
    pub const HTTPS: u16 = 65;
    /// Question: the changes of a zone (RFC 1995).
    pub const IXFR: u16 = 251;
    /// Question: the whole of a zone (RFC 5936).
    pub const AXFR: u16 = 252;
    /// Question: all there is (RFC 8482).
    pub const ANY: u16 = 255;
    /// Who may issue certificates (RFC 8659).
    pub const CAA: u16 = 257;
}

/// EDNS options.
pub mod option {
    /// Which server this is (RFC 5001).
    pub const NSID: u16 = 3;
    /// That the client gets what is sent to it (RFC 7873).
    pub const COOKIE: u16 = 10;
    /// How long an idle connection is kept (RFC 7828).
    pub const KEEPALIVE: u16 = 11;
    /// Nothing, so that the length tells nothing (RFC 7830).
    pub const PADDING: u16 = 12;
    /// Why (RFC 8914).
    pub const EXTENDED_ERROR: u16 = 15;
}

/// Extended errors (RFC 8914 §4).
pub mod extended {
    /// What has no code of its own; the text says it.
    pub const OTHER: u16 = 0;
    /// What was true some time ago.
    pub const STALE: u16 = 3;
    /// The server has yet to learn what it is asked for.
    pub const NOT_READY: u16 = 14;
    /// The client may not ask this.
    pub const PROHIBITED: u16 = 18;
    /// There was no such name some time ago.
    pub const STALE_NXDOMAIN: u16 = 19;
    /// The server is not in charge of the name, and may not ask others for this client.
    pub const NOT_AUTHORITATIVE: u16 = 20;
    /// The server does not do such a thing.
    pub const NOT_SUPPORTED: u16 = 21;
    /// Nobody who would know answers.
    pub const NO_REACHABLE_AUTHORITY: u16 = 22;
    /// The network does not get there.
    pub const NETWORK_ERROR: u16 = 23;
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
    /// A name that follows from a DNAME is too long (RFC 6672 §2.2).
    pub const YXDOMAIN: u16 = 6;
    /// Not in charge, or not signed with a key that is known (RFC 8945 §5.2).
    pub const NOTAUTH: u16 = 9;
    /// An EDNS version that is not spoken; needs the OPT record (RFC 6891 §6.1.3).
    pub const BADVERS: u16 = 16;
    /// A good cookie is needed; needs the OPT record (RFC 7873 §8).
    pub const BADCOOKIE: u16 = 23;
}
