//! Questions about the server itself, in the class CHAOS, as BIND has them (RFC 4892).

use super::{
    code::{extended, rcode, rtype},
    encode::Reply,
    query::Query,
    settings::Settings,
};

/// The class CHAOS (RFC 1035 §3.2.4).
pub(super) const CLASS_CHAOS: u16 = 3;

/// Answers a question of that class: with what the operator lets be known, which is nothing by
/// default.
pub(super) fn answer(settings: &Settings, query: &Query<'_>, reply: &mut Reply<'_>) {
    let identity = &settings.identity;
    let (text, key) = match query.name() {
        b"\x07version\x04bind\x00" | b"\x07version\x06server\x00" => {
            (&*identity.version, "dns.version")
        }
        b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => {
            (&*identity.server, "dns.identity")
        }
        _ => ("", ""),
    };
    if text.is_empty() {
        reply.set_rcode(rcode::REFUSED);
        return reply.set_extended_error(extended::PROHIBITED, key);
    }
    reply.set_authoritative(true);
    if matches!(query.qtype, rtype::TXT | rtype::ANY) {
        // What does not fit marks the reply as cut by itself.
        let _ = reply.chaos_text(text);
    }
}
