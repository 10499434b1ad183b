//! A small HTTP client for the API: one connection a request, no pool, no redirects, no proxy.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};

use super::{exit::Failure, output::printable, reply::Problem};

/// Octets of a reply: the list of all instances that a registry can have is below it.
const REPLY_OCTETS_MAX: usize = 1 << 30;

/// The header that says at which revision a change is visible.
const REVISION: &str = "x-rollcall-revision";

/// The API of one server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// As it was given, for messages.
    url: String,
    host: String,
    port: u16,
    /// What stands before `/api`, without a final slash.
    prefix: String,
    timeout: Duration,
}

/// A success.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The revision at which a change is visible, if the server says so.
    pub revision: Option<u64>,
    /// What was sent; null when it was nothing.
    pub body: Value,
}

/// A path of the API, with a query.
#[derive(Debug, Clone)]
pub(super) struct Path(String);

// === impl Client ===

impl Client {
    /// The API at `url`, which is given up on after `timeout` without a reply.
    ///
    /// # Errors
    /// When `url` is no URL of an HTTP server.
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, Failure> {
        let refuse = |problem: &str| {
            Failure::Usage(format!("--server: `{url}` {problem}, as in `http://127.0.0.1:8500`"))
        };
        // `host:8500` reads as a scheme; what is meant is plain.
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = whole.parse().map_err(|_| refuse("is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(refuse("asks for TLS, which is not there yet; use http")),
            _ => return Err(refuse("is no URL of an HTTP server")),
        }
        let authority = uri.authority().ok_or_else(|| refuse("names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(refuse("has more than a host, a port and a path"));
        }
        Ok(Self {
            url: whole.trim_end_matches('/').to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            timeout,
        })
    }

    /// Sends a request, with JSON if it has a body, and reads the reply if it is a success.
    ///
    /// # Errors
    /// When nobody answers in time, or the server refuses.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &Path,
        body: Option<String>,
    ) -> Result<Reply, Failure> {
        let whole = async {
            let response = self.request(method, path, body, "application/json").await?;
            let status = response.status();
            let revision = response.headers().get(REVISION);
            let revision = revision.and_then(|value| value.to_str().ok()?.parse().ok());
            let octets = self.read(response).await?;
            if !status.is_success() {
                return Err(refusal(status, &octets));
            }
            let octets = if octets.is_empty() { b"null" } else { &octets[..] };
            let body = serde_json::from_slice(octets).map_err(|error| {
                let url = &self.url;
                Failure::Negative(format!("{url} replied with something that is no JSON: {error}"))
            })?;
            Ok(Reply { status, revision, body })
        };
        timeout(self.timeout, whole).await.unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// Sends a request without a body, and reads the reply as a `T` beside the JSON it was.
    ///
    /// # Errors
    /// As [`Client::send`], and when the reply is something else.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<(T, Value), Failure> {
        let value = self.send(Method::GET, path, None).await?.body;
        let parsed = T::deserialize(&value).map_err(|error| {
            let url = &self.url;
            Failure::Negative(format!("the reply of {url} is not what it should be: {error}"))
        })?;
        Ok((parsed, value))
    }

    /// Opens a stream of events. The timeout holds for its beginning, not for its duration.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn stream(&self, path: &Path) -> Result<Incoming, Failure> {
        let opening = async {
            let response = self.request(Method::GET, path, None, "text/event-stream").await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response.into_body());
            }
            let octets = self.read(response).await?;
            Err(refusal(status, &octets))
        };
        timeout(self.timeout, opening).await.unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn request(
        &self,
        method: Method,
        path: &Path,
        body: Option<String>,
        accept: &str,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error))?;
        // It ends with the reply, or with the process. Its errors come back through the sender.
        tokio::spawn(connection);
        let host = if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{}", self.prefix, path.0))
            .header(HOST, host)
            .header(USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, accept);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, Bytes::from);
        let request = request.body(Full::new(body)).map_err(anyhow::Error::from)?;
        sender.send_request(request).await.map_err(|error| self.unreachable(&error))
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let body = Limited::new(response.into_body(), REPLY_OCTETS_MAX);
        let whole = body.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                let url = &self.url;
                let limit = REPLY_OCTETS_MAX;
                Failure::Negative(format!(
                    "the reply of {url} is above the limit of {limit} octets"
                ))
            } else {
                self.unreachable(&error)
            }
        })?;
        Ok(whole.to_bytes())
    }

    fn unreachable(&self, error: &dyn fmt::Display) -> Failure {
        let url = &self.url;
        Failure::Unreachable(format!(
            "{url} cannot be reached: {error}; is `rollcall serve` running there? \
             --server or ROLLCALL_SERVER name another place"
        ))
    }

    fn timed_out(&self) -> Failure {
        let Self { url, timeout, .. } = self;
        Failure::Unreachable(format!("{url} has not answered within {timeout:?} (--timeout)"))
    }
}

// === impl Reply ===

impl Reply {
    /// ` (revision 7)`, or nothing when the server did not say.
    pub(super) fn at(&self) -> String {
        self.revision.map_or_else(String::new, |revision| format!(" (revision {revision})"))
    }

    /// What was sent, or at least the revision.
    pub(super) fn json(&self) -> Value {
        if self.body.is_null() { json!({"revision": self.revision}) } else { self.body.clone() }
    }
}

// === impl Path ===

impl Path {
    /// A path below `/api/v1`, each segment percent-encoded.
    pub(super) fn new(segments: &[&str]) -> Self {
        let mut path = "/api/v1".to_owned();
        for segment in segments {
            path.push('/');
            path.push_str(&encoded(segment));
        }
        Self(path)
    }

    /// The same path with a parameter.
    #[must_use]
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(&format!("{name}={}", encoded(value)));
        self
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            encoded.push(octet.into());
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// What a reply that is no success says: its problem document (RFC 9457), or just its status.
fn refusal(status: StatusCode, octets: &[u8]) -> Failure {
    let document: Value = serde_json::from_slice(octets).unwrap_or_default();
    let problem = Problem::deserialize(&document).unwrap_or_default();
    let text = match (problem.detail, problem.title) {
        (Some(detail), _) => match problem.field {
            Some(field) if !detail.contains(&field) => format!("`{field}`: {detail}"),
            _ => detail,
        },
        (None, Some(title)) => title,
        (None, None) => format!("the server replied {status}"),
    };
    Failure::Refused { said: printable(&text), problem: document }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::Method;
    use serde_json::{Value, json};

    use super::{Client, Path};
    use crate::cli::{exit::Failure, testing::Stub};

    fn client(url: &str) -> Result<Client, Failure> {
        Client::new(url, Duration::from_secs(5))
    }

    #[test]
    fn an_url_is_plain_http() {
        for (url, host, port, prefix) in [
            ("http://127.0.0.1:8500", "127.0.0.1", 8500, ""),
            ("http://[::1]:8500/", "::1", 8500, ""),
            ("http://rollcall/base/", "rollcall", 80, "/base"),
            ("localhost:8500", "localhost", 8500, ""),
        ] {
            let client = client(url).unwrap();
            let seen = (&*client.host, client.port, &*client.prefix);
            assert_eq!(seen, (host, port, prefix), "{url}");
        }
        for (url, problem) in [
            ("https://x", "asks for TLS"),
            ("ftp://x", "no URL of an HTTP server"),
            ("http://", "no URL"),
            ("http://u:p@x", "more than"),
            ("", "no URL"),
        ] {
            let failure = client(url).unwrap_err();
            assert_eq!(failure.code(), 2, "{url}");
            assert!(failure.to_string().contains(problem), "{url}: {failure}");
        }
    }

    #[tokio::test]
    async fn a_request_carries_its_path_and_its_body() {
        let stub = Stub::replying(vec![(201, json!({"port": 1}).to_string())]).await;
        let path = Path::new(&["services", "a b"]).query("since", "1&2");
        let body = json!({"port": 1});
        let reply =
            client(&stub.url).unwrap().send(Method::PUT, &path, Some(body.to_string())).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status.as_u16(), reply.json()), (201, body));
        assert_eq!(reply.at(), " (revision 7)", "the stub says so of everything");
        let request = stub.requests().remove(0);
        assert_eq!(request.line, "PUT /api/v1/services/a%20b?since=1%262 HTTP/1.1");
        assert_eq!(request.body, "{\"port\":1}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_servers_words() {
        let problem =
            json!({"title": "T", "detail": "`weight`: `70000` is above", "field": "weight"});
        let cases = [
            (422, problem.to_string(), "`weight`: `70000` is above"),
            (
                422,
                json!({"detail": "is no number", "field": "port"}).to_string(),
                "`port`: is no number",
            ),
            (404, json!({"title": "There is nothing here"}).to_string(), "There is nothing here"),
            (502, "<html>".to_owned(), "the server replied 502 Bad Gateway"),
        ];
        for (status, body, expected) in cases {
            let stub = Stub::replying(vec![(status, body)]).await;
            let reply =
                client(&stub.url).unwrap().send(Method::GET, &Path::new(&["x"]), None).await;
            let failure = reply.unwrap_err();
            assert_eq!((failure.code(), failure.to_string().as_str()), (1, expected));
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let silent = Client::new(&url, Duration::from_millis(50)).unwrap();
        let failure = silent.get::<Value>(&Path::new(&["x"])).await.unwrap_err();
        assert_eq!(failure.code(), 69);
        assert!(failure.to_string().contains("not answered within 50ms"), "{failure}");
        drop(listener);
        let failure = client(&url).unwrap().get::<Value>(&Path::new(&["x"])).await.unwrap_err();
        assert_eq!(failure.code(), 69);
        assert!(failure.to_string().contains("cannot be reached: "), "{failure}");
    }
}
