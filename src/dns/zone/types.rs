//! The numbers of the record types that mean something to a zone or to its reader.

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const HINFO: u16 = 13;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;
pub(crate) const NAPTR: u16 = 35;
pub(crate) const CERT: u16 = 37;
pub(crate) const DNAME: u16 = 39;
pub(crate) const DS: u16 = 43;
pub(crate) const SSHFP: u16 = 44;
pub(crate) const TLSA: u16 = 52;
pub(crate) const SMIMEA: u16 = 53;
pub(crate) const OPENPGPKEY: u16 = 61;
pub(crate) const CSYNC: u16 = 62;
pub(crate) const SVCB: u16 = 64;
pub(crate) const HTTPS: u16 = 65;
pub(crate) const ANY: u16 = 255;
pub(crate) const CAA: u16 = 257;
