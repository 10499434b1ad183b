//! Word of a network that is limited, left by whoever answers for a task that tells of it.
//!
//! A line of the log for each packet is what a flood would want. So the first one who limits a
//! network leaves it here, and from then on a limited packet costs a look at one word that nobody
//! writes, until the task takes word again. Whoever limits nobody does not come here at all.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{
        AtomicU8, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

const EMPTY: u8 = 0;
const IN_WRITING: u8 = 1;
const WRITTEN: u8 = 2;

/// Room for one address.
#[derive(Debug, Default)]
pub(super) struct Notice {
    state: AtomicU8,
    /// The address, one of IPv4 as one of IPv6 (RFC 4291 §2.5.5.2).
    halves: [AtomicU64; 2],
}

// === impl Notice ===

impl Notice {
    /// Leaves an address, if there is room.
    #[inline]
    pub(super) fn leave(&self, address: IpAddr) {
        if self.state.load(Relaxed) == EMPTY {
            self.write(address);
        }
    }

    #[cold]
    fn write(&self, address: IpAddr) {
        // Whoever was quicker has written.
        if self.state.compare_exchange(EMPTY, IN_WRITING, Acquire, Relaxed).is_err() {
            return;
        }
        let mapped = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let octets = mapped.octets();
        for (half, part) in self.halves.iter().zip(octets.as_chunks().0) {
            half.store(u64::from_be_bytes(*part), Relaxed);
        }
        self.state.store(WRITTEN, Release);
    }

    /// What was left, which stays.
    pub(super) fn read(&self) -> Option<IpAddr> {
        if self.state.load(Acquire) != WRITTEN {
            return None;
        }
        let [high, low] = self.halves.each_ref().map(|half| u128::from(half.load(Relaxed)));
        Some(IpAddr::V6(Ipv6Addr::from(high << 64 | low)).to_canonical())
    }

    /// Forgets what was left, so that there is room again.
    pub(super) fn clear(&self) {
        // One that is in writing is for the next look.
        let _is_in_use = self.state.compare_exchange(WRITTEN, EMPTY, Acquire, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Notice;

    #[test]
    fn the_first_address_stays_until_it_is_cleared() {
        let notice = Notice::default();
        assert_eq!(notice.read(), None);
        for [first, second] in [["192.0.2.0", "2001:db8::"], ["2001:db8:1:200::", "192.0.2.0"]] {
            let [first, second] = [first, second].map(|it| it.parse::<IpAddr>().unwrap());
            notice.leave(first);
            notice.leave(second);
            assert_eq!((notice.read(), notice.read()), (Some(first), Some(first)));
            notice.clear();
            assert_eq!(notice.read(), None);
        }
    }
}
