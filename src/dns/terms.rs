//! What EDNS makes of a query: what is wrong with it, how long its reply may be, and what our OPT
//! record says.

use super::{
    answer::TCP_REPLY_OCTETS_MAX,
    caller::{Caller, Transport},
    code::rcode,
    encode::Opt,
    query::{Edns, Keepalive, Query, UDP_OCTETS_WITHOUT_EDNS, VERSION},
    settings::Settings,
};

/// What a reply is held to.
pub(super) struct Terms<'s> {
    /// Octets that it may have.
    pub octets_max: usize,
    /// Its OPT record, if it gets one.
    pub opt: Option<Opt<'s>>,
    /// Whether the client has shown that it gets what is sent to its address: by a connection, or
    /// by a cookie (RFC 7873 §5.2.5).
    pub is_proven: bool,
}

// === impl Terms ===

impl<'s> Terms<'s> {
    /// Those of a reply to `query`.
    #[inline]
    pub(super) fn of(settings: &'s Settings, query: &Query<'_>, caller: &Caller) -> Self {
        let is_stream = !caller.transport.is_datagram();
        // On UDP, what both sides can take (RFC 6891 §6.2.5).
        let theirs = query.edns.map_or(UDP_OCTETS_WITHOUT_EDNS, |edns| edns.udp_size);
        let octets_max = match is_stream {
            true => TCP_REPLY_OCTETS_MAX,
            false => theirs.min(settings.udp_size()).into(),
        };
        let mut terms = Self { octets_max, opt: None, is_proven: is_stream };
        if let Some(edns) = &query.edns {
            let opt =
                Opt { udp_size: settings.udp_size(), dnssec_ok: edns.dnssec_ok, ..Opt::default() };
            terms.opt = Some(opt);
            if edns.options != Default::default() {
                terms.options(settings, edns, caller);
            }
        }
        terms
    }

    /// Those of a refusal, which says no more than it must.
    pub(super) fn of_refusal(settings: &'s Settings, query: &Query<'_>, caller: &Caller) -> Self {
        let mut terms = Self::of(settings, query, caller);
        if let Some(opt) = &mut terms.opt {
            opt.nsid = &[];
        }
        terms
    }

    /// Holds the reply to so many octets, but to no fewer than any question needs; returns whether
    /// it might have had more.
    pub(super) fn hold_to(&mut self, octets_max: usize) -> bool {
        let most = octets_max.max(UDP_OCTETS_WITHOUT_EDNS.into());
        let is_held = most < self.octets_max;
        self.octets_max = self.octets_max.min(most);
        is_held
    }

    /// What the client's options ask for. Whatever is wrong with them, a cookie is answered, so
    /// that a refusal can be told from a forged one.
    #[inline(never)]
    fn options(&mut self, settings: &'s Settings, edns: &Edns, caller: &Caller) {
        let (asked, Some(opt)) = (&edns.options, &mut self.opt) else { return };
        if asked.nsid {
            opt.nsid = &settings.identity.nsid;
        }
        if let (Some(cookie), Some(secrets)) = (&asked.cookie, &settings.cookies) {
            let checked = secrets.check(cookie, caller.client, caller.now);
            opt.cookie = Some((cookie.client, checked.server));
            self.is_proven |= checked.is_proven;
        }
        // Not over QUIC (RFC 9250 §5.5.2), and over HTTP there are other means.
        if matches!(caller.transport, Transport::Tcp | Transport::Tls)
            && asked.keepalive == Keepalive::Asked
        {
            opt.keepalive = Some(caller.keepalive);
        }
        // Never over what can be read (RFC 7830 §6).
        opt.is_padded = asked.padding && caller.transport.is_encrypted();
    }
}

/// The response code of a query that is refused for what it says of EDNS.
#[inline]
pub(super) fn fault(query: &Query<'_>, caller: &Caller) -> Option<u16> {
    let edns = query.edns.as_ref()?;
    let is_stated = edns.options.keepalive == Keepalive::Stated;
    if edns.version != VERSION {
        Some(rcode::BADVERS)
    } else if edns.options.are_broken || is_stated && !caller.transport.is_datagram() {
        // Over UDP the client's timeout is passed over (RFC 7828 §3.2.1).
        Some(rcode::FORMERR)
    } else {
        None
    }
}
