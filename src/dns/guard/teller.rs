//! Tells in the log that a network is limited: once when it begins, and once a minute as long as
//! any is.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use super::Strangers;
use crate::{
    dns::{settings::Settings, stats::Stats},
    util::Clock,
};

/// How long it may take until the log says so.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// At least so far apart are two lines: a flood from a thousand networks is one thing to be told.
const LINE_INTERVAL: Duration = Duration::from_mins(1);

/// What was told last.
#[derive(Debug, Default)]
struct Teller {
    /// When there was a line last, as long as none may follow it.
    told: Option<Duration>,
    /// How many replies had been limited by then.
    replies: u64,
}

/// Tells until `stop`.
pub(in crate::dns) async fn tell_of_limits(
    settings: Arc<ArcSwap<Settings>>,
    stats: Stats,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut teller = Teller::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        let settings = settings.load();
        let Some(strangers) = &settings.strangers else { continue };
        if let Some((network, replies)) = teller.look(strangers, stats.limited(), clock.elapsed()) {
            tracing::warn!(
                %network, replies,
                "replies to strangers are limited (`dns.rate_limit`): to this network, and to \
                 others of which no line is written for a minute"
            );
        }
    }
}

// === impl Teller ===

impl Teller {
    /// What there is to tell now: a network, and how many replies were limited since the last line.
    fn look(&mut self, strangers: &Strangers, replies: u64, now: Duration) -> Option<(IpNet, u64)> {
        match self.told {
            Some(at) if now < at + LINE_INTERVAL => return None,
            Some(_) => {
                // Who is limited from now on is told of at the next look.
                strangers.forget_limited();
                self.told = None;
                return None;
            }
            None => {}
        }
        let network = strangers.limited()?;
        let more = replies.saturating_sub(std::mem::replace(&mut self.replies, replies));
        self.told = Some(now);
        Some((network, more))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::RateLimit, Strangers, Teller};
    use crate::dns::caller::{Caller, Transport};

    #[test]
    fn a_network_that_begins_to_be_limited_is_told_of_once_a_minute_at_the_most() {
        let limits = RateLimit { responses_per_second: 1, ..RateLimit::default() };
        let strangers = Strangers::new(&limits).unwrap();
        let mut rng = fastrand::Rng::with_seed(7);
        let mut ask = |client: &str, seconds: u64| {
            let caller = Caller::new(client.parse().unwrap(), Transport::Udp, 0);
            let caller = Caller { since_start: Duration::from_secs(seconds), ..caller };
            strangers.judge(&caller, "web", &mut rng);
        };
        let mut teller = Teller::default();
        let mut look = |replies: u64, seconds: u64| {
            let told = teller.look(&strangers, replies, Duration::from_secs(seconds));
            told.map(|(network, replies)| (network.to_string(), replies))
        };
        ask("192.0.2.7", 100);
        assert_eq!(look(0, 100), None, "within the limit");
        (0..3).for_each(|_| ask("192.0.2.7", 100));
        (0..3).for_each(|_| ask("2001:db8:1:2ff::7", 100));
        assert_eq!(look(5, 101), Some(("192.0.2.0/24".into(), 5)));
        (0..3).for_each(|_| ask("198.51.100.1", 120));
        assert_eq!((look(8, 121), look(8, 160)), (None, None), "within the minute");
        assert_eq!((look(8, 161), look(8, 162)), (None, None), "and nobody since");
        (0..3).for_each(|_| ask("2001:db8:1:2ff::7", 200));
        assert_eq!(look(10, 200), Some(("2001:db8:1:200::/56".into(), 5)), "with those between");
    }
}
