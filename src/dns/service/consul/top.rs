//! The top of a domain of Consul's: SOA, and the one name server, which is this server.
//!
//! Consul names its own servers as nodes, and `ns` in the SOA record without it being there. Here
//! `ns` is both, with the addresses that DNS is asked at, so that the domain can be delegated.

use super::spec::{Consul, Server};
use crate::dns::{
    apex::{Apex, SERVER_TTL_SECONDS},
    asked::Asked,
    code::rtype,
    encode::{Reply, Section},
    verdict::Verdict,
};

/// The label of the name server.
const SERVER: &[u8] = b"\x02ns";

/// Answers a question about the top itself.
pub(super) fn answer(
    consul: &Consul,
    apex: &Apex<'_>,
    qtype: u16,
    reply: &mut Reply<'_>,
) -> Verdict {
    // What does not fit marks the reply as cut by itself.
    match qtype {
        rtype::NS => {
            let (owner, pointer) = (apex.owner(), apex.pointer());
            let kind = (rtype::NS, SERVER_TTL_SECONDS);
            let server = reply.record(Section::Answer, owner, kind, &[SERVER, &pointer]);
            if let Ok(server) = server {
                let Server { v4, v6 } = &consul.server;
                reply.additional_addresses(server, SERVER_TTL_SECONDS, (v4, v6));
            }
        }
        rtype::SOA => drop(apex.soa(Section::Answer, reply)),
        _ => return Verdict::Nodata,
    }
    Verdict::Answered(None)
}

/// Answers a question about the name server.
pub(super) fn server(consul: &Consul, asked: &Asked<'_>, reply: &mut Reply<'_>) -> Verdict {
    let Server { v4, v6 } = &consul.server;
    let kind = (asked.qtype, SERVER_TTL_SECONDS);
    // What does not fit marks the reply as cut by itself.
    let has_any = match asked.qtype {
        rtype::A => {
            let _ = reply.addresses(Section::Answer, asked.at, kind, v4);
            !v4.is_empty()
        }
        rtype::AAAA => {
            let _ = reply.addresses(Section::Answer, asked.at, kind, v6);
            !v6.is_empty()
        }
        _ => false,
    };
    if has_any { Verdict::Answered(None) } else { Verdict::Nodata }
}
