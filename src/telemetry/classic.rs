//! Prometheus' older text format (0.0.4), made from the OpenMetrics text of the encoder.
//!
//! The two look alike and are not: OpenMetrics names a counter's family without the `_total` of its
//! samples. A parser of the older format, which is what everything but Prometheus itself has
//! (promtool, agents, whoever pipes curl into something), finds a counter without samples and
//! samples without a type. Rejected: to send the older format always, because Prometheus asks for
//! OpenMetrics first.

/// Turns OpenMetrics text into the older format.
///
/// Knows the types that are in use here: counters, gauges and histograms, without exemplars.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    // The help comes before the type, which decides the name that both have.
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                classic.push_str(&format!("# HELP {name}{suffix} {help}\n"));
            }
            classic.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::from_open_metrics;

    #[test]
    fn a_counter_s_family_is_named_as_its_samples_are() {
        let open = "# HELP a_commits Transactions made durable.\n\
                    # TYPE a_commits counter\n\
                    a_commits_total 3\n\
                    # HELP a_took_seconds How long.\n\
                    # TYPE a_took_seconds histogram\n\
                    # UNIT a_took_seconds seconds\n\
                    a_took_seconds_bucket{le=\"0.5\"} 1\n\
                    # EOF\n";
        let classic = "# HELP a_commits_total Transactions made durable.\n\
                       # TYPE a_commits_total counter\n\
                       a_commits_total 3\n\
                       # HELP a_took_seconds How long.\n\
                       # TYPE a_took_seconds histogram\n\
                       a_took_seconds_bucket{le=\"0.5\"} 1\n";
        assert_eq!(from_open_metrics(open), classic);
    }
}
