//! What strangers get: clients over UDP that are in no exempt network and have proven nothing.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
};

use ipnet::IpNet;

use super::{Networks, limiter::Limiter, notice::Notice};
use crate::{dns::caller::Caller, model::Invalid};

/// The operator's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Replies a second to one network that say the same (one name, or one kind of error); zero is
    /// no limit.
    pub responses_per_second: u32,
    /// Replies a second to one network in all; zero is no limit.
    pub all_per_second: u32,
    /// Of those above the limit, every so many-th is cut rather than left out, so that a client
    /// whose address is forged by others gets through; zero leaves all out.
    pub slip: u8,
    /// Bits of an IPv4 address that make a network.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a network.
    pub ipv6_prefix: u8,
    /// Octets of the longest reply to a stranger; a longer one is cut.
    pub unproven_udp_size: u16,
    /// Who is no stranger.
    pub exempt: Vec<IpNet>,
}

/// The choices, prepared, and what was counted.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Strangers {
    exempt: Networks,
    alike: Option<NonZeroU32>,
    all: Option<NonZeroU32>,
    slip: u8,
    v4_mask: u32,
    v6_mask: u128,
    octets_max: usize,
    limiter: Arc<Limiter>,
    /// A network that is limited, to be told of.
    notice: Arc<Notice>,
}

/// What is said to a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum Verdict {
    /// The reply.
    Answer,
    /// Nothing.
    Drop,
    /// To come again, by TCP or with a cookie.
    Slip,
}

// === impl RateLimit ===

impl RateLimit {
    /// The highest rate, which is counted to a tenth: above it, no limit is the honest one.
    pub const PER_SECOND_MAX: u32 = 100_000;

    /// The largest `slip`: BIND's.
    pub const SLIP_MAX: u8 = 10;

    /// The largest `unproven_udp_size`: no reply by UDP is longer.
    pub const UNPROVEN_UDP_SIZE_MAX: u16 = 4_096;

    fn check(&self) -> Result<(), Invalid> {
        let fields = [
            ("responses_per_second", self.responses_per_second, Self::PER_SECOND_MAX),
            ("all_per_second", self.all_per_second, Self::PER_SECOND_MAX),
            ("slip", self.slip.into(), Self::SLIP_MAX.into()),
            ("ipv4_prefix", self.ipv4_prefix.into(), Ipv4Addr::BITS),
            ("ipv6_prefix", self.ipv6_prefix.into(), Ipv6Addr::BITS),
            (
                "unproven_udp_size",
                self.unproven_udp_size.into(),
                Self::UNPROVEN_UDP_SIZE_MAX.into(),
            ),
        ];
        match fields.into_iter().find(|(_, value, limit)| value > limit) {
            None => Ok(()),
            Some((field, value, limit)) => {
                let problem = format!("is above the limit of {limit}");
                Err(Invalid::new(field, value, problem).under("rate_limit"))
            }
        }
    }
}

impl Default for RateLimit {
    /// NSD's rate, BIND's slip and networks, and the size of a reply before there was EDNS.
    fn default() -> Self {
        let exempt = Networks::LOCAL.iter().filter_map(|network| network.parse().ok()).collect();
        Self {
            responses_per_second: 200,
            all_per_second: 0,
            slip: 2,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            unproven_udp_size: 512,
            exempt,
        }
    }
}

// === impl Strangers ===

impl Strangers {
    /// Checks and prepares the choices.
    ///
    /// # Errors
    /// Names the field that is above its limit.
    pub(in crate::dns) fn new(limits: &RateLimit) -> Result<Self, Invalid> {
        limits.check()?;
        let v4_shift = Ipv4Addr::BITS - u32::from(limits.ipv4_prefix);
        let v6_shift = Ipv6Addr::BITS - u32::from(limits.ipv6_prefix);
        Ok(Self {
            exempt: Networks::new(&limits.exempt),
            alike: NonZeroU32::new(limits.responses_per_second),
            all: NonZeroU32::new(limits.all_per_second),
            slip: limits.slip,
            v4_mask: u32::MAX.checked_shl(v4_shift).unwrap_or(0),
            v6_mask: u128::MAX.checked_shl(v6_shift).unwrap_or(0),
            octets_max: limits.unproven_udp_size.into(),
            limiter: Arc::new(Limiter::new()),
            notice: Arc::default(),
        })
    }

    /// The same choices that go on counting where others have left off.
    pub(in crate::dns) fn going_on_from(self, before: &Self) -> Self {
        let (limiter, notice) = (Arc::clone(&before.limiter), Arc::clone(&before.notice));
        Self { limiter, notice, ..self }
    }

    /// Whether the client is one, unless it has proven its address.
    #[inline]
    pub(in crate::dns) fn include(&self, caller: &Caller) -> bool {
        caller.transport.is_datagram() && !self.exempt.contains(caller.client)
    }

    /// Octets of the longest reply.
    pub(in crate::dns) fn octets_max(&self) -> usize {
        self.octets_max
    }

    /// Counts a reply that says `what`, and decides on it.
    pub(in crate::dns) fn judge(
        &self,
        caller: &Caller,
        what: impl Hash,
        rng: &mut fastrand::Rng,
    ) -> Verdict {
        let network = self.network(caller.client);
        let (limiter, now) = (&self.limiter, caller.since_start);
        let is_within = self.all.is_none_or(|rate| limiter.admit(network, rate, now))
            && self.alike.is_none_or(|rate| limiter.admit((network, what), rate, now));
        if is_within {
            return Verdict::Answer;
        }
        self.notice.leave(network);
        if self.slip > 0 && rng.u8(0..self.slip) == 0 { Verdict::Slip } else { Verdict::Drop }
    }

    /// A network that is limited; the same until it is forgotten.
    pub(super) fn limited(&self) -> Option<IpNet> {
        let network = self.notice.read()?;
        let bits = match network {
            IpAddr::V4(_) => self.v4_mask.count_ones(),
            IpAddr::V6(_) => self.v6_mask.count_ones(),
        };
        IpNet::new(network, u8::try_from(bits).ok()?).ok()
    }

    /// Makes room for the next network that is limited.
    pub(super) fn forget_limited(&self) {
        self.notice.clear();
    }

    /// The network that an address counts for.
    fn network(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & self.v4_mask).into(),
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & self.v6_mask).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RateLimit, Strangers};

    type Change = fn(&mut RateLimit);

    #[test]
    fn what_is_above_its_limit_is_refused_by_its_field() {
        let changes: [(&str, Change); 6] = [
            ("responses_per_second", |limits| limits.responses_per_second = 100_001),
            ("all_per_second", |limits| limits.all_per_second = 100_001),
            ("slip", |limits| limits.slip = 11),
            ("ipv4_prefix", |limits| limits.ipv4_prefix = 33),
            ("ipv6_prefix", |limits| limits.ipv6_prefix = 129),
            ("unproven_udp_size", |limits| limits.unproven_udp_size = 4_097),
        ];
        for (field, change) in changes {
            let mut limits = RateLimit::default();
            change(&mut limits);
            let refused = Strangers::new(&limits).unwrap_err().to_string();
            assert!(refused.contains(&format!("rate_limit.{field}")), "{refused}");
        }
    }
}
