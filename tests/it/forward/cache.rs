//! What is asked once and answered often, and for how long.

use std::time::Instant;

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{forwarding, metric};
use crate::support::{
    Upstream,
    dns::{Resolver, lines},
    eventually,
    upstream::{Said, known},
};

const A: RecordType = RecordType::A;

#[test]
fn records_are_answered_from_the_cache_with_the_time_that_is_left() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["100 A 192.0.2.1"]));
    let node = forwarding(&[&upstream], "max_ttl = \"10s\"").start();
    let resolver = node.resolver();
    assert_eq!(resolver.ask("www.example.", A).answers[0].ttl, 10, "no longer than `max_ttl`");
    eventually("a second has passed", || {
        let reply = resolver.ask("WWW.Example.", A);
        assert_eq!(reply.queries[0].name().to_string(), "WWW.Example.");
        (reply.answers[0].ttl < 10).then_some(())
    });
    assert_eq!(upstream.seen().len(), 1, "in whatever letters it is asked");
    let hits = metric(&node, "rollcall_forward_cache_hits_total{kind=\"positive\"}").unwrap();
    assert!(hits.parse::<u64>().unwrap() >= 1);
    assert_eq!(metric(&node, "rollcall_forward_cache_misses_total ").as_deref(), Some("1"));
    eventually("the cache is measured", || {
        (metric(&node, "rollcall_forward_cache_entries ").as_deref() == Some("1")).then_some(())
    });
}

#[test]
fn a_ttl_of_zero_is_answered_and_not_cached() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["0 A 192.0.2.1"]));
    let node = forwarding(&[&upstream], "").start();
    for count in 1..=3 {
        let reply = node.resolver().ask("www.example.", A);
        assert_eq!(lines(&reply.answers), ["www.example. 0 A 192.0.2.1"]);
        assert_eq!(upstream.seen().len(), count);
    }
}

#[test]
fn there_is_nothing_is_cached_for_the_smaller_of_soa_ttl_and_minimum() {
    let upstream = Upstream::start(|seen| match &*seen.name {
        "short.example." => Said::nothing(ResponseCode::NXDomain, "example.", (900, 2)),
        "nodata.example." => Said::nothing(ResponseCode::NoError, "example.", (3, 900)),
        "bare.example." => Said::code(ResponseCode::NXDomain),
        _ => Said::nothing(ResponseCode::NXDomain, "example.", (90_000, 90_000)),
    });
    let node = forwarding(&[&upstream], "negative_max_ttl = \"5s\"").start();
    let resolver = node.resolver();
    for (name, code, ttl) in [
        ("short.example.", ResponseCode::NXDomain, 2),
        ("nodata.example.", ResponseCode::NoError, 3),
        ("long.example.", ResponseCode::NXDomain, 5),
    ] {
        for _ in 0..2 {
            let reply = resolver.ask(name, A);
            assert_eq!(reply.metadata.response_code, code, "{name}");
            assert!(reply.authorities[0].ttl <= ttl && reply.answers.is_empty(), "{reply}");
        }
        assert_eq!(upstream.count(name), 1, "{name}");
    }
    // The name is asked for again when its time is over.
    eventually("the time is over", || {
        resolver.ask("short.example.", A);
        (upstream.count("short.example.") == 2).then_some(())
    });
    // Without an SOA nobody knows for how long (RFC 2308 §5).
    for count in 1..=2 {
        assert_eq!(resolver.ask("bare.example.", A).metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(upstream.count("bare.example."), count);
    }
    let hits = metric(&node, "rollcall_forward_cache_hits_total{kind=\"negative\"}").unwrap();
    assert!(hits.parse::<u64>().unwrap() >= 3);
}

#[test]
fn a_name_that_many_ask_for_at_once_is_asked_for_once() {
    let records = &["www.example. 0 A 192.0.2.1"];
    let upstream = Upstream::start(|seen| known(records, seen).held());
    let node = forwarding(&[&upstream], "timeout = \"10s\"").start();
    let address = node.dns[0];
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(move || {
                let reply = Resolver::new(address).ask("www.example.", A);
                assert_eq!(reply.answers.len(), 1);
            });
        }
        eventually("all wait", || {
            (metric(&node, "rollcall_forward_in_flight ").as_deref() == Some("20")).then_some(())
        });
        eventually("the question has come", || (upstream.held() == 1).then_some(()));
        upstream.release();
    });
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn what_is_asked_for_often_is_fetched_again_before_its_time_is_over() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["4 A 192.0.2.1"]));
    let node = forwarding(&[&upstream], "").start();
    let resolver = node.resolver();
    let misses = || metric(&node, "rollcall_forward_cache_misses_total ").unwrap();
    // A machine that stands still for the second in which it is to be asked for is no defect.
    let is_fetched_in_time = (0..3).any(|n| {
        let name = format!("www{n}.example.");
        resolver.ask(&name, A);
        let (began, before) = (Instant::now(), misses());
        eventually("it is fetched again", || {
            resolver.ask(&name, A);
            (upstream.count(&name) == 2).then_some(())
        });
        // Who waits for an upstream has missed the cache.
        misses() == before && began.elapsed().as_secs_f64() > 2.5
    });
    assert!(is_fetched_in_time, "somebody had to wait each time");
    let prefetches = metric(&node, "rollcall_forward_cache_prefetches_total ").unwrap();
    assert!(prefetches != "0");
}

#[test]
fn without_prefetching_a_name_is_asked_for_when_its_time_is_over() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["4 A 192.0.2.1"]));
    let node = forwarding(&[&upstream], "prefetch = false").start();
    let resolver = node.resolver();
    let began = Instant::now();
    eventually("it is asked for again", || {
        resolver.ask("www.example.", A);
        (upstream.count("www.example.") == 2).then_some(())
    });
    assert!(began.elapsed().as_secs_f64() > 3.5, "{:?}", began.elapsed());
}

#[test]
fn the_cache_is_bounded_by_octets() {
    let upstream = Upstream::start(|seen| {
        let text = format!("3600 TXT {}", "x".repeat(250));
        Said::records(seen, &[&text])
    });
    let node = forwarding(&[&upstream], "cache_size = 1048576").start();
    let resolver = node.resolver();
    for n in 0..4_000 {
        resolver.ask(&format!("n{n}.example."), RecordType::TXT);
    }
    eventually("what is too much has left", || {
        let size = metric(&node, "rollcall_forward_cache_size_bytes ").unwrap();
        let size = size.parse::<u64>().unwrap();
        let left = metric(&node, "rollcall_forward_cache_evictions_total ").unwrap();
        (size > 500_000 && size <= 1_048_576 && left != "0").then_some(())
    });
}
