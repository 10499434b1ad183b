//! A member's address, parsed from a URL.

use std::fmt;

use hyper::{Uri, http::uri::Scheme};

use super::EtcdError;

/// Where a member takes clients, as it was written: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) tls: bool,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Scheme and authority, which each request carries.
    pub(super) origin: Uri,
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads `http://host:port`, `https://host:port`; without a port it is 2379, etcd's own.
    ///
    /// # Errors
    /// When it is none of these; the message says which part.
    pub(super) fn parse(text: &str) -> Result<Self, EtcdError> {
        let refuse = |problem: String| EtcdError::Options { field: "store.endpoints", problem };
        let example = "an endpoint is written http://10.0.0.1:2379 or https://etcd-1.example:2379";
        let uri: Uri = text
            .parse()
            .map_err(|error| refuse(format!("`{text}` is no URL ({error}); {example}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse(format!("`{text}` has neither http nor https; {example}"))),
        };
        let Some(authority) = uri.authority() else {
            return Err(refuse(format!("`{text}` has no host; {example}")));
        };
        if authority.as_str().contains('@') {
            let problem = "has a user in it, which belongs into `store.user`";
            return Err(refuse(format!("an endpoint {problem}; {example}")));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse(format!("`{text}` has something behind its port; {example}")));
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == host => 2379,
            None => return Err(refuse(format!("`{text}` has no port below 65536; {example}"))),
        };
        let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
        let origin = Uri::builder()
            .scheme(scheme)
            .authority(format!("{host}:{port}"))
            .path_and_query("/")
            .build()
            .map_err(|error| refuse(format!("`{text}` is no URL ({error}); {example}")))?;
        Ok(Self { tls, host: bare.to_owned(), port, origin })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.to_string().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_url_with_or_without_port_is_read() {
        for (text, tls, host, port, shown) in [
            ("http://10.0.0.1:2379", false, "10.0.0.1", 2379, "http://10.0.0.1:2379"),
            ("http://10.0.0.1", false, "10.0.0.1", 2379, "http://10.0.0.1:2379"),
            (
                "https://etcd-1.example:443/",
                true,
                "etcd-1.example",
                443,
                "https://etcd-1.example:443",
            ),
            ("HTTPS://[fd00::1]:4001", true, "fd00::1", 4001, "https://[fd00::1]:4001"),
            ("http://[fd00::1]", false, "fd00::1", 2379, "http://[fd00::1]:2379"),
        ] {
            let read = Endpoint::parse(text).unwrap();
            assert_eq!((read.tls, read.host.as_str(), read.port), (tls, host, port), "{text}");
            assert_eq!(read.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_by_its_fault() {
        for (text, fault) in [
            ("10.0.0.1:2379", "neither http nor https"),
            ("unix:///run/etcd", "no URL"),
            ("localhost", "neither http nor https"),
            ("http://", "no URL"),
            ("http://a:99999", "no port below 65536"),
            ("http://a:2379/v3", "behind its port"),
            ("http://a:2379?x=1", "behind its port"),
            ("http://root:secret@a:2379", "has a user in it"),
            ("", "no URL"),
        ] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(fault), "{text}: {error}");
            assert!(error.contains("http://10.0.0.1:2379") && !error.contains("secret"), "{error}");
        }
    }
}
