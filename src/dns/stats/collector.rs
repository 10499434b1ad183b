//! The counters in Prometheus' form.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::{MetricType, exemplar::Exemplar},
    registry::Unit,
};

use super::{
    Totals,
    labels::{DropReason, RCODES, TYPES},
    tally::{BUCKETS, Tally},
};
use crate::dns::{answer::Guarded, caller::Transport};

/// The counters of one family, with their labels.
type Counters<L> = Vec<(L, u64)>;

impl Collector for Totals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_by_transport(&mut encoder)?;
        self.encode_durations(&mut encoder)?;
        self.encode_losses(&mut encoder)?;
        self.encode_guarded(&mut encoder)?;
        self.encode_connections(&mut encoder)
    }
}

// === impl Totals ===

impl Totals {
    fn encode_by_transport(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (mut queries, mut responses) = (Vec::new(), Vec::new());
        for transport in self.transports() {
            let transport_label = ("transport", transport.as_str());
            for (index, (_, qtype)) in TYPES.iter().enumerate() {
                let count = self.sum(Some(transport), |tally| &tally.queries[index]);
                queries.push(([transport_label, ("type", *qtype)], count));
            }
            for (index, rcode) in RCODES.iter().enumerate() {
                let count = self.sum(Some(transport), |tally| &tally.responses[index]);
                responses.push(([transport_label, ("rcode", *rcode)], count));
            }
        }
        encode(encoder, "dns_queries", "DNS queries by transport and type.", &queries)?;
        let help = "DNS replies by transport and response code.";
        encode(encoder, "dns_responses", help, &responses)
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("dns_response_duration", "Time from a query's arrival to its reply.");
        let kind = MetricType::Histogram;
        let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind)?;
        for transport in self.transports() {
            let bucket = |index: usize| self.sum(Some(transport), |tally| &tally.buckets[index]);
            let buckets: Vec<(f64, u64)> =
                (0..=BUCKETS).map(|index| (Tally::bound(index), bucket(index))).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            #[allow(clippy::cast_precision_loss, reason = "a sum of times need not be exact")]
            let seconds = self.sum(Some(transport), |tally| &tally.nanoseconds) as f64 / 1e9;
            let labels = [("transport", transport.as_str())];
            let mut member = metric.encode_family(&labels)?;
            member.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }

    fn encode_losses(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut dropped: Counters<_> = DropReason::ALL
            .into_iter()
            .map(|(reason, name)| {
                let count = self.sum(None, |tally| &tally.dropped[reason as usize]);
                ([("reason", name)], count)
            })
            .collect();
        let sockets = self.sockets.lock();
        let unread = sockets.iter().filter_map(Weak::upgrade);
        let unread = unread.filter_map(|socket| socket.kernel_drops().ok()).sum();
        drop(sockets);
        dropped.push(([("reason", "receive_buffer_full")], unread));
        encode(encoder, "dns_dropped", "DNS packets that got no reply, by reason.", &dropped)?;

        let truncated = self.sum(None, |tally| &tally.truncated);
        plain(encoder, "dns_truncated", "DNS replies that were cut to fit (TC).", truncated)?;
        let full = self.sum(None, |tally| &tally.full_path);
        plain(encoder, "dns_full_path", "DNS messages that took the full path.", full)?;
        let open = self.sum(None, |tally| &tally.failing_open);
        let help = "DNS replies with instances that are not healthy, because too few are.";
        plain(encoder, "dns_failing_open", help, open)
    }

    fn encode_guarded(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let count = |what: Guarded| self.sum(None, |tally| &tally.guarded[what as usize]);
        let help = "DNS queries that were refused because the client may not ask for the zone.";
        plain(encoder, "dns_access_denied", help, count(Guarded::Denied))?;
        let help = "DNS queries that were not forwarded because the client is in no network of \
                    `forward.allow`.";
        plain(encoder, "forward_denied", help, count(Guarded::NotForwarded))?;
        let [dropped, slipped] = self.limits();
        let limited = [([("action", "drop")], dropped), ([("action", "slip")], slipped)];
        let help = "DNS replies to strangers above the limit: left out, or sent empty and cut.";
        encode(encoder, "dns_rate_limited", help, &limited)?;
        let help = "DNS replies that were cut because they are longer than what strangers get.";
        plain(encoder, "dns_unproven_cut", help, count(Guarded::Unproven))
    }

    /// Replies to strangers that were left out, and that were sent empty.
    fn limits(&self) -> [u64; 2] {
        let dropped = self.sum(None, |tally| &tally.dropped[DropReason::RateLimited as usize]);
        [dropped, self.sum(None, |tally| &tally.guarded[Guarded::Slipped as usize])]
    }

    /// Replies to strangers that were not as they would be for others, by the rate.
    pub(super) fn limited(&self) -> u64 {
        self.limits().iter().sum()
    }

    /// The transports that are served.
    pub(super) fn transports(&self) -> impl Iterator<Item = Transport> {
        let tallies = self.tallies.lock();
        let is_served =
            Transport::ALL.map(|transport| tallies.iter().any(|(other, _)| *other == transport));
        Transport::ALL.into_iter().zip(is_served).filter_map(|(it, served)| served.then_some(it))
    }

    /// The sum of one counter over the tallies of a transport, or over all.
    fn sum(&self, of: Option<Transport>, counter: impl Fn(&Tally) -> &AtomicU64) -> u64 {
        let tallies = self.tallies.lock();
        let chosen = tallies.iter().filter(|(transport, _)| of.is_none_or(|of| of == *transport));
        chosen.map(|(_, tally): &(_, Arc<Tally>)| counter(tally).load(Relaxed)).sum()
    }
}

/// Encodes a family of counters.
pub(super) fn encode<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counters: &[(L, u64)],
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    counters.iter().try_for_each(|(labels, count)| one(&mut metric.encode_family(labels)?, *count))
}

/// Encodes a counter without labels.
pub(super) fn plain(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    count: u64,
) -> fmt::Result {
    one(&mut encoder.encode_descriptor(name, help, None, MetricType::Counter)?, count)
}

fn one(metric: &mut MetricEncoder<'_>, count: u64) -> fmt::Result {
    metric.encode_counter(&count, None::<&Exemplar<NoLabelSet, f64>>)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        dns::{
            caller::Transport,
            stats::{DropReason, Refusal, Stats},
        },
        telemetry::Metrics,
    };

    #[test]
    fn the_tallies_of_all_pens_are_summed_under_standard_names() {
        let metrics = Metrics::new();
        let stats = Stats::new(&metrics);
        let (mut first, mut second) = (stats.pen(Transport::Udp), stats.pen(Transport::Udp));
        let mut tcp = stats.pen(Transport::Tcp);
        first.query(28);
        second.query(28);
        tcp.query(28);
        first.dropped(DropReason::Overlong, 3);
        first.duration(Duration::from_micros(3), 2);
        let connection = stats.open_connection(Transport::Tcp);
        stats.refuse_connection(Transport::Tcp, Refusal::ClientLimit);
        let text = metrics.encode().unwrap();
        for line in [
            "rollcall_dns_queries_total{transport=\"udp\",type=\"AAAA\"} 2",
            "rollcall_dns_queries_total{transport=\"tcp\",type=\"AAAA\"} 1",
            "rollcall_dns_dropped_total{reason=\"overlong\"} 3",
            "rollcall_dns_response_duration_seconds_count{transport=\"udp\"} 2",
            "rollcall_dns_response_duration_seconds_bucket{le=\"0.000002\",transport=\"udp\"} 0",
            "rollcall_dns_response_duration_seconds_bucket{le=\"0.000004\",transport=\"udp\"} 2",
            "rollcall_dns_connections{transport=\"tcp\"} 1",
            "rollcall_dns_connections_refused_total{transport=\"tcp\",reason=\"client_limit\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing from:\n{text}");
        }
        drop(connection);
        let text = metrics.encode().unwrap();
        assert!(text.contains("rollcall_dns_connections{transport=\"tcp\"} 0"));
        assert!(!text.contains("transport=\"tls\""), "it is not served");
    }
}
