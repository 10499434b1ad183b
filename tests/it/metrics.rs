//! `/metrics` of a server in use: well formed, named and typed as Prometheus' rules have it
//! (what `promtool check metrics` looks at, and more), bounded, and true.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use crate::support::{
    Backend, Node, api::instance_path, etcd::Etcd, events::Events, eventually, raw,
};

/// A page of metrics, read strictly.
struct Page {
    /// By the name of the family.
    families: BTreeMap<String, Family>,
}

#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    /// By name and sorted labels, as they stand there.
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

// === impl Page ===

impl Page {
    fn of(node: &Node) -> Self {
        let page = raw::call(node.http[0], ("GET", "/metrics"), &[], b"");
        assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(&page.text)
    }

    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line is a whole one");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                let new = Family { help: help.to_owned(), ..Family::default() };
                assert!(families.insert(name.to_owned(), new).is_none(), "twice: {line}");
                name.clone_into(&mut current);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current, "the help comes first: {line}");
                kind.clone_into(&mut families.get_mut(name).unwrap().kind);
            } else {
                assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
                let (name, labels, value) = sample(line);
                let family = families.get_mut(&current).unwrap_or_else(|| panic!("{line}"));
                assert!(is_of(&name, &current, &family.kind), "{line} is not of {current}");
                assert!(family.samples.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        Self { families }
    }

    /// The value of a sample by its labels, in any order.
    fn value(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let samples = &self.families[family].samples;
        samples.get(&(family.to_owned(), labels)).copied().unwrap_or(0.0)
    }

    /// Every family, its labels and their values, without the samples' values.
    fn series(&self) -> BTreeSet<(String, BTreeMap<String, String>)> {
        self.families.values().flat_map(|family| family.samples.keys().cloned()).collect()
    }
}

fn is_of(name: &str, family: &str, kind: &str) -> bool {
    match (kind, name.strip_prefix(family)) {
        ("histogram", Some(suffix)) => matches!(suffix, "_bucket" | "_count" | "_sum"),
        (_, suffix) => suffix == Some(""),
    }
}

/// `name{a="b",c="d"} 1`; no label's value here has a quote, a comma or a backslash.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let pairs = labels.split_terminator("\",").filter(|pair| !pair.is_empty());
    let labels: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect();
    let distinct: BTreeMap<String, String> = labels.iter().cloned().collect();
    assert_eq!(labels.len(), distinct.len(), "a label is there twice: {line}");
    (name.to_owned(), distinct, value.parse().unwrap_or_else(|_| panic!("{line}")))
}

fn is_snake(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    plain && !name.contains("__") && !name.ends_with('_') && !name.starts_with('_')
}

/// A server that has met most of what there is.
fn used() -> (Node, Backend, Events) {
    let node = Node::builder().zone("example.zone", "@ SOA ns. a. 1 1 1 1 1\n@ NS ns.\n").start();
    let backend = Backend::start("127.0.0.1");
    let (port, api) = (backend.address.port(), node.api());
    let body = json!({ "port": port, "checks": [
        { "type": "http", "interval": "200ms" }, { "type": "tcp", "interval": "200ms" },
        { "type": "grpc", "interval": "200ms" }, { "type": "ttl", "ttl": "200ms" } ] });
    let watch = Events::open(node.http[0], "", None);
    api.register("web", "i", &body);
    api.put("/api/v1/services/web/policy", &json!({ "when_none_healthy": "all" }));
    api.put(&instance_path("web", "i"), &json!({ "weight": 70000 }));
    raw::call(node.http[0], ("BREW", "/coffee"), &[], b"");
    let resolver = node.resolver();
    resolver.ask("web.service.internal.", RecordType::A);
    resolver.ask_tcp("web.service.internal.", RecordType::HTTPS);
    resolver.ask("elsewhere.example.", RecordType::A);
    let results = ["http", "tcp", "grpc"]
        .map(|kind| format!("rollcall_check_results_total{{type=\"{kind}\",result="));
    eventually("all its checks have run", || {
        let page = api.text("/metrics");
        results.iter().all(|result| page.contains(result)).then_some(())
    });
    (node, backend, watch)
}

#[test]
fn every_family_keeps_prometheus_rules() {
    let (node, _backend, _watch) = used();
    let page = Page::of(&node);
    assert!(page.families.len() > 25, "{}", page.families.len());
    assert_keeps_rules(&page);
}

#[test]
fn every_family_of_a_shared_store_keeps_them_too() {
    let etcd = Etcd::single();
    let store = format!("etcd={}", etcd.endpoints()[0]);
    let node = Node::builder().arg("--store").arg(store).start();
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    // The count of what is its task comes when it is known to be alive.
    let page = eventually("the instance is its task", || {
        let page = Page::of(&node);
        (page.value("rollcall_cluster_instances_owned", &[]) > 0.5).then_some(page)
    });
    assert_keeps_rules(&page);
    assert!(page.value("rollcall_cluster_revision", &[]) >= 3.0);
    assert!(page.value("rollcall_cluster_silence_seconds", &[]) < 10.0);
    for (family, labels, expected) in [
        ("rollcall_cluster_servers", vec![], 1.0),
        ("rollcall_cluster_lists_total", vec![], 1.0),
        ("rollcall_cluster_rows_unreadable", vec![], 0.0),
        ("rollcall_store_transactions_total", vec![("outcome", "written")], 1.0),
    ] {
        let value = page.value(family, &labels);
        assert!((value - expected).abs() < 0.5, "{family}: {value}");
    }
}

/// A rate over what was absent before misses the first event.
#[test]
fn what_is_counted_of_a_shared_store_by_fixed_labels_is_0_from_the_start() {
    let etcd = Etcd::single();
    let store = format!("etcd={}", etcd.endpoints()[0]);
    let node = Node::builder().arg("--store").arg(store).start();
    let series = Page::of(&node).series();
    for (family, labels) in [
        ("cluster_watch_restarts", vec![("reason", "compacted")]),
        ("cluster_watch_restarts", vec![("reason", "silent")]),
        ("store_transactions", vec![("outcome", "unavailable")]),
        ("store_transactions", vec![("outcome", "full")]),
        ("cluster_beats", vec![("way", "direct"), ("outcome", "failed")]),
        ("cluster_beats", vec![("way", "etcd"), ("outcome", "written")]),
        ("cluster_beats_dropped", vec![("reason", "late")]),
        ("cluster_beats_sent_bytes", vec![("way", "etcd")]),
        ("cluster_beats_received", vec![("outcome", "taken")]),
    ] {
        let labels = labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let sample = (format!("rollcall_{family}_total"), labels);
        assert!(series.contains(&sample), "{sample:?}: {series:#?}");
    }
}

fn assert_keeps_rules(page: &Page) {
    for (name, family) in &page.families {
        assert!(
            (name.starts_with("rollcall_") || name.starts_with("process_")) && is_snake(name),
            "{name}"
        );
        assert!(family.help.len() > 5, "{name} has no help");
        assert!(matches!(&*family.kind, "counter" | "gauge" | "histogram"), "{name}");
        let is_counter = family.kind == "counter";
        assert_eq!(name.ends_with("_total"), is_counter, "{name} is a {}", family.kind);
        for reserved in ["_count", "_sum", "_bucket", "_created"] {
            assert!(!name.ends_with(reserved), "{name} looks like a part of a histogram");
        }
        let bare = name.trim_end_matches("_total");
        for word in bare.split('_').skip(1) {
            let not_base = [
                "ms",
                "millis",
                "milliseconds",
                "us",
                "microseconds",
                "nanoseconds",
                "minutes",
                "hours",
                "days",
                "kb",
                "mb",
                "kilobytes",
                "megabytes",
                "kib",
                "mib",
                "bits",
                "octets",
                "percent",
                "counter",
                "gauge",
                "histogram",
            ];
            assert!(!not_base.contains(&word), "{name} is in base units, without its type");
        }
        for word in ["duration", "lateness"] {
            assert!(!bare.contains(word) || bare.ends_with("_seconds"), "{name} has no unit");
        }
        assert!(!bare.contains("size") || bare.ends_with("_bytes"), "{name} has no unit");
        for ((_, labels), value) in &family.samples {
            assert!(!is_counter || (value.is_finite() && *value >= 0.0), "{name}");
            for (label, value) in labels {
                assert!(
                    is_snake(label) && label != "instance" && label != "job",
                    "{name}: {label}"
                );
                assert!(!value.is_empty() && value.len() < 100, "{name}: {label}={value}");
            }
        }
        if family.kind == "histogram" {
            assert_is_histogram(name, family);
        }
    }
}

fn assert_is_histogram(name: &str, family: &Family) {
    let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for ((sample, labels), value) in &family.samples {
        if sample.ends_with("_bucket") {
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap().replace("+Inf", "inf").parse().unwrap();
            buckets.entry(labels).or_default().push((bound, *value));
        }
    }
    assert!(!buckets.is_empty(), "{name} was used");
    for (labels, mut buckets) in buckets {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name} is cumulative: {buckets:?}");
        let (last, all) = *buckets.last().unwrap();
        assert!(last.is_infinite() && buckets.len() > 5, "{name}");
        let of = |suffix: &str| family.samples[&(format!("{name}{suffix}"), labels.clone())];
        assert!((of("_count") - all).abs() < 0.5, "{name}: +Inf is the count");
        assert!(of("_sum") >= 0.0 && (all > 0.0 || of("_sum") == 0.0), "{name}");
    }
}

#[test]
fn names_that_clients_choose_do_not_become_series() {
    let (node, _backend, _watch) = used();
    let (api, resolver, http) = (node.api(), node.resolver(), node.http[0]);
    let storm = |round: usize| {
        let name = |n: u16| format!("x{round}-{n}");
        for n in 0..20_u16 {
            let path = instance_path(&name(n), &name(n));
            api.register(
                &name(n),
                &name(n),
                &json!({ "addresses": ["10.0.0.1"],
                "tags": [name(n)], "meta": { name(n): name(n) } }),
            );
            resolver.ask(&format!("{}.service.internal.", name(n)), RecordType::A);
            resolver.ask(&format!("{}.example.", name(n)), RecordType::from(40_000 + n));
            api.deregister(&name(n), &name(n));
            api.get(&path);
            raw::call(http, ("GET", &format!("/{}?q={n}", name(n))), &[], b"");
            raw::call(http, (&format!("M{n}"), "/health"), &[("host", &name(n))], b"");
            raw::call(http, ("GET", &format!("/api/v1/services/a_{n}")), &[], b"");
        }
        Page::of(&node).series()
    };
    storm(0); // asks every route for the first time, /metrics among them
    let (first, second) = (storm(1), storm(2));
    let new: Vec<_> = second.difference(&first).collect();
    assert_eq!(new, [] as [&_; 0], "series that grow with what clients say");
    assert!(first.len() < 1_000, "{} series", first.len());
}

#[test]
fn the_numbers_are_those_of_what_happened() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let ttl = json!([{ "type": "ttl", "ttl": "1h" }]);
    for n in 1..=4 {
        let body = json!({ "addresses": [format!("10.0.0.{n}")], "checks": ttl });
        api.register("web", &format!("i{n}"), &body);
    }
    for (n, status) in [(2, "warning"), (3, "critical")] {
        let path = format!("{}/heartbeat", instance_path("web", &format!("i{n}")));
        assert_eq!(api.put(&path, &json!({ "status": status })).status, 200);
    }
    assert_eq!(api.put(&format!("{}/drain", instance_path("web", "i4")), &Value::Null).status, 200);
    let before = Page::of(&node);
    for (count, name, rtype) in [
        (7, "web.service.internal.", RecordType::A),
        (5, "web.service.internal.", RecordType::AAAA),
        (3, "nobody.service.internal.", RecordType::SRV),
        (2, "example.org.", RecordType::A),
    ] {
        (0..count).for_each(|_| drop(resolver.ask(name, rtype)));
    }
    (0..4).for_each(|_| drop(resolver.ask_tcp("web.service.internal.", RecordType::TXT)));
    let after = eventually("all are counted", || {
        let page = Page::of(&node);
        let of = "rollcall_dns_queries_total";
        let tcp = page.value(of, &[("transport", "tcp"), ("type", "TXT")]);
        let udp = page.value(of, &[("transport", "udp"), ("type", "SRV")]);
        (tcp >= 4.0 && udp >= 3.0).then_some(page)
    });
    let queries = "rollcall_dns_queries_total";
    let responses = "rollcall_dns_responses_total";
    let http = "rollcall_http_requests_total";
    let route = "/api/v1/services/{service}/instances/{instance}";
    for (family, labels, expected) in [
        (queries, vec![("transport", "udp"), ("type", "A")], 9.0),
        (queries, vec![("transport", "udp"), ("type", "AAAA")], 5.0),
        (queries, vec![("transport", "udp"), ("type", "SRV")], 3.0),
        (queries, vec![("transport", "tcp"), ("type", "TXT")], 4.0),
        (responses, vec![("transport", "udp"), ("rcode", "NOERROR")], 12.0),
        (responses, vec![("transport", "udp"), ("rcode", "NXDOMAIN")], 3.0),
        (responses, vec![("transport", "udp"), ("rcode", "REFUSED")], 2.0),
        (responses, vec![("transport", "tcp"), ("rcode", "NOERROR")], 4.0),
        ("rollcall_dns_connections_accepted_total", vec![("transport", "tcp")], 4.0),
    ] {
        let counted = after.value(family, &labels) - before.value(family, &labels);
        assert!((counted - expected).abs() < 0.5, "{family} {labels:?}: {counted}");
    }
    for (family, labels, expected) in [
        ("rollcall_instances", vec![("status", "passing")], 2.0),
        ("rollcall_instances", vec![("status", "warning")], 1.0),
        ("rollcall_instances", vec![("status", "critical")], 1.0),
        ("rollcall_instances_drained", vec![], 1.0),
        ("rollcall_instances_suspect", vec![], 0.0),
        ("rollcall_instances_by_interface", vec![("interface", "native")], 4.0),
        ("rollcall_instances_by_interface", vec![("interface", "consul")], 0.0),
        ("rollcall_nodes", vec![], 0.0),
        ("rollcall_services", vec![], 1.0),
        ("rollcall_log_lines_dropped_total", vec![], 0.0),
        (http, vec![("method", "PUT"), ("route", route), ("status", "201")], 4.0),
    ] {
        let value = after.value(family, &labels);
        assert!((value - expected).abs() < 0.5, "{family} {labels:?}: {value}");
    }
    assert_stored(&node, &after);
}

/// Seven changes, one after the other, and nothing else.
fn assert_stored(node: &Node, page: &Page) {
    let stored = match node.is_shared() {
        true => vec![("rollcall_store_transactions_total", vec![("outcome", "written")], 7.0)],
        false => vec![
            ("rollcall_revision", vec![], 7.0),
            ("rollcall_store_commits_total", vec![], 7.0),
            ("rollcall_store_changes_total", vec![], 7.0),
            ("rollcall_store_commit_failures_total", vec![], 0.0),
        ],
    };
    for (family, labels, expected) in stored {
        let value = page.value(family, &labels);
        assert!((value - expected).abs() < 0.5, "{family} {labels:?}: {value}");
    }
}

#[test]
fn who_asks_for_open_metrics_gets_it() {
    let (node, _backend, _watch) = used();
    let accept = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let page = raw::call(node.http[0], ("GET", "/metrics"), &accept, b"");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(page.header("content-type"), kind);
    assert!(page.text.ends_with("\n# EOF\n"));
    for line in page.text.lines() {
        // OpenMetrics names the family of a counter without the suffix of its samples.
        assert!(!line.starts_with("# TYPE") || !line.contains("_total"), "{line}");
    }
}
