//! What is refused before a handler sees it: changes while the server stops, and changes that a
//! browser asks for on behalf of a web page of another site.
//!
//! Heartbeats are taken to the end: were they refused, instances would lapse while this server is
//! a lame duck, and the next one would start with them as critical.
//!
//! Bodies are read as JSON whatever their Content-Type says, and the API usually listens where
//! only its own machine reaches it. Without this guard any web page that is open on that machine
//! could register instances by a form that posts `text/plain` (which browsers send across sites
//! without asking), or by a name that it rebinds to 127.0.0.1. A browser says so: it sends
//! `Origin` with every request that may change something. Such a request passes only when the
//! origin is the host itself *and* the host is an address or `localhost`, which cannot be rebound.
//! Programs send no `Origin` and are not concerned. Reads are open: what they show, DNS tells
//! everybody who may ask.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, Method, header},
};

use super::{Api, problem::Problem, routes};

/// Looks whether a request may pass.
///
/// # Errors
/// When it may not.
pub(super) fn check(api: &Api, request: &Request) -> Result<(), Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads {
        check_origin(request.headers()).map_err(Problem::cross_site)?;
        if api.draining().is_cancelled() && !is_heartbeat(request.method(), request.uri().path()) {
            return Err(Problem::stopping());
        }
    }
    Ok(())
}

/// Whether the path is `/api/v1/services/{S}/instances/{I}/heartbeat`, or one of those by which
/// clients of Consul (`/v1/agent/check/pass/{check}`) and of Eureka say how they are, or that by
/// which other servers hand heartbeats on.
fn is_heartbeat(method: &Method, path: &str) -> bool {
    let said = path.strip_prefix("/v1/agent/check/").and_then(|rest| rest.split_once('/'));
    path.split('/').skip(7).eq(["heartbeat"])
        || said.is_some_and(|(verb, _)| matches!(verb, "pass" | "warn" | "fail" | "update"))
        || is_renewal(method, path)
        || path == routes::BEATS
}

/// Whether it is `PUT /eureka/apps/{A}/{I}`, or a batch, which sorts out what it takes.
fn is_renewal(method: &Method, path: &str) -> bool {
    let Some(path) = path.strip_prefix("/eureka/") else { return false };
    let path = path.strip_prefix("v2/").unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_instance = path.strip_prefix("apps/").is_some_and(|path| path.split('/').count() == 2);
    (*method == Method::PUT && is_instance) || path == "peerreplication/batch"
}

fn check_origin(headers: &HeaderMap) -> Result<(), String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("(unreadable)"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err("the browser says that a page of another site asks for this".into());
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return Ok(()) };
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let host = text(header::HOST.as_str()).unwrap_or("");
    if authority.is_empty() || !authority.eq_ignore_ascii_case(host) {
        return Err(format!("the page's origin `{origin}` is not this server, `{host}`"));
    }
    if !cannot_be_rebound(host) {
        let reason = "is a name that any web site could point here; use the server's address";
        return Err(format!("the host `{host}` {reason}"));
    }
    Ok(())
}

fn cannot_be_rebound(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::{check_origin, is_heartbeat};

    #[test]
    fn a_heartbeat_is_known_by_its_path() {
        for (path, is) in [
            ("/api/v1/services/web/instances/a/heartbeat", true),
            ("/api/v1/services/web/instances/a/drain", false),
            ("/v1/agent/check/pass/service:web", true),
            ("/v1/agent/check/update/a/b", true),
            ("/v1/agent/check/register", false),
            ("/v1/agent/check/deregister/a", false),
            ("/eureka/apps/PAY/a", true),
            ("/eureka/v2/apps/PAY/a/", true),
            ("/eureka/apps/PAY/a/status", false),
            ("/eureka/peerreplication/batch/", true),
            ("/internal/v1/beats", true),
        ] {
            assert_eq!(is_heartbeat(&Method::PUT, path), is, "{path}");
        }
    }

    #[test]
    fn what_removes_a_lease_renews_none() {
        assert!(!is_heartbeat(&Method::DELETE, "/eureka/apps/PAY/a"));
        assert!(!is_heartbeat(&Method::POST, "/eureka/apps/PAY"));
    }

    #[test]
    fn a_browser_may_change_things_only_for_this_server_s_own_pages() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, bool); 12] = [
            (&[("host", "rollcall.corp:8500")], true), // no browser
            (&[("host", "127.0.0.1:8500"), ("origin", "http://127.0.0.1:8500")], true),
            (&[("host", "[::1]:8500"), ("origin", "http://[::1]:8500")], true),
            (&[("host", "localhost:8500"), ("origin", "http://LOCALHOST:8500")], true),
            (&[("host", "127.0.0.1:8500"), ("origin", "http://evil.example")], false),
            (&[("host", "127.0.0.1:8500"), ("origin", "http://127.0.0.1:3000")], false),
            (&[("host", "127.0.0.1:8500"), ("origin", "null")], false),
            (&[("host", "127.0.0.1:8500"), ("origin", "")], false),
            // Rebound: the page and the request agree on a name that is the attacker's.
            (&[("host", "evil.example:8500"), ("origin", "http://evil.example:8500")], false),
            (&[("host", "127.0.0.1:8500"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "127.0.0.1:8500"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "127.0.0.1:8500"), ("sec-fetch-site", "none")], true),
        ];
        for (headers, passes) in cases {
            let map: HeaderMap = headers
                .iter()
                .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
                .collect();
            assert_eq!(check_origin(&map).is_ok(), passes, "{headers:?}");
        }
    }
}
