//! What a check's last result said, in the words of an agent.
//!
//! Some clients look into that text: for the body of a health page, which follows `Output: `, or
//! for whether it was a timeout. The registry has the words of the native interface, in which
//! reasons of failures are more precise than an agent's; what an agent says of success, and of
//! heartbeats that did not come, is the same each time and is said here as it does.

use crate::model::{Addresses, CheckKind, CheckSpec, CheckState, HttpCheck, Instance, Target};

/// What a state's output is shown as.
pub(super) fn shown(spec: &CheckSpec, instance: &Instance, state: &CheckState) -> String {
    let own = &*state.output;
    in_words_of_an_agent(&spec.kind, instance, own).unwrap_or_else(|| own.to_owned())
}

/// `None` when the registry's own words are to be shown.
fn in_words_of_an_agent(kind: &CheckKind, instance: &Instance, own: &str) -> Option<String> {
    let at = |target: &Target| place(target, instance);
    match kind {
        CheckKind::Http(check) => {
            let reply = own.strip_prefix("HTTP ").filter(|reply| is_final(reply))?;
            let (status, body) = reply.split_once(": ").unwrap_or((reply, ""));
            let (method, url) = (&check.method, url(check, instance));
            Some(format!("HTTP {method} {url}: {status} Output: {body}"))
        }
        CheckKind::Tcp(check) if own.starts_with("TCP connect ") => {
            Some(format!("TCP connect {}: Success", at(&check.target)))
        }
        CheckKind::Udp(check) if own.starts_with("UDP to ") && own.ends_with(": success") => {
            Some(format!("UDP connect {}: Success", at(&check.target)))
        }
        CheckKind::Grpc(check) if own == "gRPC SERVING" => {
            let slash = if check.service.is_empty() { "" } else { "/" };
            let whom = at(&check.target);
            Some(format!("gRPC check {whom}{slash}{}: success", check.service))
        }
        CheckKind::H2ping(_) if own.starts_with("HTTP/2 PING ") => {
            Some("HTTP2 ping was successful".to_owned())
        }
        CheckKind::Ttl { .. } => {
            let silence = own.strip_prefix("no heartbeat for ")?;
            Some(match silence.split_once("; the last one said: ") {
                Some((_, last)) => {
                    format!("TTL expired (last output before timeout follows): {last}")
                }
                None => "TTL expired".to_owned(),
            })
        }
        _ => None,
    }
}

/// Whether it begins with a status code, and the reply that had it came to its end.
fn is_final(reply: &str) -> bool {
    let code = reply.split(' ').next().unwrap_or_default();
    code.len() == 3 && code.bytes().all(|octet| octet.is_ascii_digit()) && !is_broken(reply)
}

fn is_broken(reply: &str) -> bool {
    let status = reply.split_once(": ").map_or(reply, |(status, _)| status);
    status.ends_with(", but the body broke off")
}

fn url(check: &HttpCheck, instance: &Instance) -> String {
    let (scheme, port) = if check.tls { ("https", ":443") } else { ("http", ":80") };
    let authority = place(&check.target, instance);
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    format!("{scheme}://{authority}{}", check.path)
}

/// `host:port`, of the check's target or of the instance.
fn place(target: &Target, instance: &Instance) -> String {
    let host = match (&target.host, &instance.addresses) {
        (Some(host), _) => host.to_string(),
        (None, Addresses::Host(name)) => name.to_string(),
        (None, ips) => ips.as_ips().first().map(ToString::to_string).unwrap_or_default(),
    };
    let port = target.port.unwrap_or(instance.port);
    if host.contains(':') && !host.starts_with('[') {
        return format!("[{host}]:{port}");
    }
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::shown;
    use crate::{
        http::consul::{definition::CheckType, duration::GoDuration, site::Host, translate::check},
        model::{CheckState, Status, Timestamp},
        registry::testing::instance,
    };

    fn said(definition: &CheckType, own: &str) -> String {
        let interval = GoDuration::from(Duration::from_secs(10));
        let periodic = definition.ttl.nanos() == 0;
        let definition = CheckType {
            interval: if periodic { interval } else { GoDuration::default() },
            ..definition.clone()
        };
        let host = Host { name: "n".into(), address: "10.0.0.1".into() };
        let spec = check(&definition, &host, true).unwrap().spec;
        let state = CheckState { status: Status::Passing, output: own.into(), since: Timestamp(0) };
        shown(&spec, &Arc::new(instance("web/a", "10.0.0.1")), &state)
    }

    #[test]
    fn success_and_silence_are_said_as_an_agent_does() {
        let http = |url: &str| CheckType { http: url.into(), ..CheckType::default() };
        let page = http("http://10.0.0.5:8080/health?x=1");
        for (own, expected) in [
            ("HTTP 200 OK: {\"a\": 1}", "HTTP GET URL: 200 OK Output: {\"a\": 1}"),
            ("HTTP 204 No Content", "HTTP GET URL: 204 No Content Output: "),
            ("HTTP 299", "HTTP GET URL: 299 Output: "),
            (
                "HTTP 503 Service Unavailable: a: b",
                "HTTP GET URL: 503 Service Unavailable Output: a: b",
            ),
            // What an agent has no such words for.
            (
                "HTTP 200 OK, but the body broke off: reset",
                "HTTP 200 OK, but the body broke off: reset",
            ),
            ("HTTP with 10.0.0.5:8080: reset", "HTTP with 10.0.0.5:8080: reset"),
            ("timeout after 10s while connecting to x", "timeout after 10s while connecting to x"),
            ("", ""),
        ] {
            let expected = expected.replace("URL", "http://10.0.0.5:8080/health?x=1");
            assert_eq!(said(&page, own), expected, "{own}");
        }
        let ok = "HTTP 200 OK: x";
        for (url, shown) in [
            ("https://a.example", "https://a.example/"),
            ("http://[fd00::1]/h", "http://[fd00::1]/h"),
            ("http://[fd00::1]:81/h", "http://[fd00::1]:81/h"),
        ] {
            assert_eq!(said(&http(url), ok), format!("HTTP GET {shown}: 200 OK Output: x"));
        }
        let post = CheckType { method: "post".into(), ..page };
        assert!(said(&post, ok).starts_with("HTTP POST http://"), "{}", said(&post, ok));
    }

    #[test]
    fn each_kind_of_check_has_its_words() {
        let none = CheckType::default;
        let ttl = CheckType { ttl: GoDuration::from(Duration::from_secs(5)), ..none() };
        for (check, own, expected) in [
            (
                CheckType { tcp: "h:1".into(), ..none() },
                "TCP connect 10.0.0.5:1: success",
                "TCP connect h:1: Success",
            ),
            (
                CheckType { tcp: "h:1".into(), ..none() },
                "connect to h:1: connection refused",
                "connect to h:1: connection refused",
            ),
            (
                CheckType { udp: "h:1".into(), ..none() },
                "UDP to h:1: success",
                "UDP connect h:1: Success",
            ),
            (
                CheckType { grpc: "h:1/s".into(), ..none() },
                "gRPC SERVING",
                "gRPC check h:1/s: success",
            ),
            (CheckType { grpc: "h:1".into(), ..none() }, "gRPC SERVING", "gRPC check h:1: success"),
            (
                CheckType { h2ping: "h:1".into(), ..none() },
                "HTTP/2 PING h:1: success",
                "HTTP2 ping was successful",
            ),
            (ttl.clone(), "no heartbeat for 5s", "TTL expired"),
            (
                ttl.clone(),
                "no heartbeat for 5s; the last one said: fine; really",
                "TTL expired (last output before timeout follows): fine; really",
            ),
            (ttl, "all is well", "all is well"),
        ] {
            assert_eq!(said(&check, own), expected);
        }
    }
}
