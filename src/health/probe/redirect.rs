//! The requests of an `http` check, each where the reply to the one before leads.
//!
//! As browsers and Go's client do it (RFC 9110 §15.4): after 301, 302 and 303 a request other than
//! HEAD goes on as a GET without its body, after 307 and 308 as it was. What is meant for the first
//! host only, its `Host` header and credentials, is not told to another.

use hyper::Method;
use url::{ParseError, Url};

use super::connect::Destination;
use crate::model::HttpCheck;

/// One request.
#[derive(Debug)]
pub(super) struct Request<'c> {
    /// The check that it is part of.
    pub check: &'c HttpCheck,
    /// Who is asked.
    pub to: Destination,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The method.
    pub method: &'c str,
    /// Path and query.
    pub path: String,
    /// The body.
    pub body: Option<&'c str>,
    /// Whether the check's own `Host` is meant for it.
    keeps_host: bool,
    /// Whether the check's credentials are meant for it.
    is_trusted: bool,
    /// Whether the check's body was left behind.
    is_bodiless: bool,
}

/// Headers that are told to the first host only, and to those below its name.
const CREDENTIALS: [&str; 6] = [
    "authorization",
    "cookie",
    "cookie2",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
];

// === impl Request ===

impl<'c> Request<'c> {
    /// The check's own request.
    pub(super) fn first(check: &'c HttpCheck, to: &Destination) -> Self {
        Self {
            check,
            to: to.clone(),
            tls: check.tls,
            method: &check.method,
            path: check.path.to_string(),
            body: check.body().map(|body| &**body),
            keeps_host: true,
            is_trusted: true,
            is_bodiless: false,
        }
    }

    /// The request that follows a redirect.
    ///
    /// # Errors
    /// When it leads to nothing that can be asked over HTTP; says only what is wrong with it.
    pub(super) fn follow(self, status: u16, location: &str) -> Result<Self, &'static str> {
        let own = self.url().map_err(|_| "has no base that it could lead on from")?;
        let is_relative = Url::parse(location) == Err(ParseError::RelativeUrlWithoutBase);
        let url = own.join(location).map_err(|_| "is no address")?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err("is no HTTP address"),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("is no HTTP address");
        };
        let to = Destination::at(host, port);
        let is_rewritten = matches!(status, 301..=303);
        let is_get = is_rewritten && self.method != Method::HEAD.as_str();
        Ok(Self {
            tls,
            method: if is_get { "GET" } else { self.method },
            path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            body: self.body.filter(|_| !is_rewritten),
            keeps_host: self.keeps_host && is_relative && to == self.to,
            is_trusted: self.is_trusted && to.is_at_or_below(&self.to),
            is_bodiless: self.is_bodiless || is_rewritten,
            to,
            ..self
        })
    }

    /// Whether one of the check's headers belongs to this request.
    pub(super) fn sends(&self, header: &str) -> bool {
        let is = |other: &&str| header.eq_ignore_ascii_case(other);
        (self.keeps_host || !is(&"host"))
            && (self.is_trusted || !CREDENTIALS.iter().any(is))
            // What describes a body goes with it.
            && !(self.is_bodiless && header.to_ascii_lowercase().starts_with("content-"))
    }

    fn url(&self) -> Result<Url, ParseError> {
        let (scheme, port) = if self.tls { ("https", 443) } else { ("http", 80) };
        Url::parse(&format!("{scheme}://{}{}", self.to.authority(port), self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::{
        health::probe::testing::{destination, http_check},
        model::{CheckKind, HttpCheck, HttpExtra},
    };

    fn check(change: impl FnOnce(&mut HttpCheck)) -> HttpCheck {
        let CheckKind::Http(check) = http_check(change).kind else { panic!("an http check") };
        *check
    }

    #[test]
    fn a_reference_leads_on_from_where_it_was_found() {
        let check = check(|check| check.path = "/a/b?q=1".into());
        for (location, tls, to, path) in [
            ("/x?y#z", false, "10.0.0.1:80", "/x?y"),
            ("c", false, "10.0.0.1:80", "/a/c"),
            ("../c d", false, "10.0.0.1:80", "/c%20d"),
            ("?r=2", false, "10.0.0.1:80", "/a/b?r=2"),
            ("https://web.example", true, "web.example:443", "/"),
            ("HTTPS://10.0.0.2:8443/h", true, "10.0.0.2:8443", "/h"),
            ("//[fd00::1]:81/", false, "[fd00::1]:81", "/"),
        ] {
            let first = Request::first(&check, &destination("10.0.0.1:80"));
            let next = first.follow(302, location).unwrap();
            let (reached, path_there) = (next.to.to_string(), next.path.as_str());
            assert_eq!((next.tls, &*reached, path_there), (tls, to, path), "{location}");
        }
    }

    #[test]
    fn what_is_no_address_of_http_is_not_followed() {
        let check = check(|_| {});
        for location in ["ftp://10.0.0.1/", "file:///etc/passwd", "http://", "javascript:1"] {
            let first = Request::first(&check, &destination("10.0.0.1:80"));
            assert!(first.follow(302, location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_post_goes_on_as_get_unless_it_is_told_to_stay() {
        let post = check(|check| {
            check.method = "POST".into();
            check.extra = HttpExtra::new(Some("ping".into()), None);
        });
        for (status, method, body) in [
            (301, "GET", None),
            (302, "GET", None),
            (303, "GET", None),
            (307, "POST", Some("ping")),
            (308, "POST", Some("ping")),
        ] {
            let first = Request::first(&post, &destination("10.0.0.1:80"));
            let next = first.follow(status, "/").unwrap();
            assert_eq!((next.method, next.body), (method, body), "{status}");
            assert_eq!(next.sends("Content-Type"), body.is_some(), "{status}");
        }
        let head = check(|check| check.method = "HEAD".into());
        let next = Request::first(&head, &destination("10.0.0.1:80")).follow(303, "/").unwrap();
        assert_eq!(next.method, "HEAD");
    }

    #[test]
    fn credentials_stay_with_the_host_and_below_its_name() {
        let check = check(|check| check.target.host = Some("web.example".into()));
        let first = || Request::first(&check, &super::Destination::at("web.example", 80));
        for (location, trusted, host) in [
            ("/", true, true),
            ("http://web.example/", true, false),
            ("https://WEB.example:8443/", true, false),
            ("http://a.web.example/", true, false),
            ("http://otherweb.example/", false, false),
            ("http://example/", false, false),
            ("http://10.0.0.1/", false, false),
            ("//evil.example/", false, false),
            ("\\\\evil.example/", false, false), // read as slashes
        ] {
            let next = first().follow(302, location).unwrap();
            assert_eq!(next.sends("Authorization"), trusted, "{location}");
            assert_eq!(next.sends("Host"), host, "{location}");
            assert!(next.sends("X-Probe"));
        }
        let away = first().follow(302, "http://evil.example/").unwrap();
        let back = away.follow(302, "http://web.example/").unwrap();
        assert!(!back.sends("Cookie"), "who has been elsewhere is not trusted again");
    }
}
