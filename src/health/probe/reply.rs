//! An HTTP/1.1 reply as it comes in: its head, and where its body ends (RFC 9112).
//!
//! Pure: octets go in. Lenient where a reader that only wants to know whether the instance is well
//! can afford it, strict where the end of the reply would be a guess.

use std::mem::MaybeUninit;

use hyper::StatusCode;

use crate::model::limit;

/// Octets of a reply's head: what servers take of a request's, and then some. Twenty thousand
/// targets that never end theirs hold 600 MiB at worst, since a buffer grows by doubling.
const HEAD_OCTETS_MAX: usize = 16 * 1024;
/// Headers of a reply, as many as hyper's client takes.
const HEADERS_MAX: usize = 100;
/// Octets of a body that are read; what comes after them is somebody's download, not a health page.
const BODY_OCTETS_MAX: usize = 64 * 1024;
/// Octets of one line between chunks: a size in hexadecimal and extensions that nobody uses.
const CHUNK_LINE_OCTETS_MAX: usize = 4 * 1024;

/// The head of a reply.
#[derive(Debug)]
pub(super) struct Head {
    /// The status code.
    pub status: u16,
    /// How long the body is.
    pub framing: Framing,
    location: Option<String>,
}

/// Where a body ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// In chunks, the last of which is empty.
    Chunked,
    /// After so many octets; none where the status or the method leave no room for a body.
    Length(u64),
    /// Where the connection is closed.
    UntilClosed,
}

/// A body that is read up to a bound, and of which the beginning is kept.
#[derive(Debug)]
pub(super) struct Body {
    kept: Vec<u8>,
    seen: usize,
    state: State,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Data up to the end of the connection.
    Endless,
    /// So many octets of data.
    Data(u64),
    /// A chunk's size; so far, and how many octets of its line were read.
    ChunkSize { size: u64, line: usize },
    /// The rest of a chunk's size line.
    ChunkExtension { size: u64, line: usize },
    /// So many octets of a chunk's data.
    ChunkData(u64),
    /// The end of the line after a chunk's data.
    ChunkEnd,
    /// Nothing.
    Done,
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadReply {
    /// The connection ended before the reply did.
    #[error("connection closed before the reply")]
    Closed,
    /// The connection ended within the body.
    #[error("connection closed in the middle")]
    CutOff,
    /// The head is no HTTP.
    #[error("{0}")]
    Head(httparse::Error),
    /// The head is longer than anybody's.
    #[error("the head is longer than {HEAD_OCTETS_MAX} octets")]
    HeadTooLong,
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The body's length is no number, or several.
    #[error("invalid Content-Length `{0}`")]
    Length(String),
    /// A chunk has no size.
    #[error("invalid chunk size")]
    Chunk,
}

// === impl Head ===

impl Head {
    /// Reads a head at the beginning of `octets` and says how long it is; `None` while it is not
    /// complete. A reply to a `HEAD` request has no body.
    ///
    /// # Errors
    /// When it is no HTTP, or too long.
    pub(super) fn parse(octets: &[u8], to_head: bool) -> Result<Option<(Self, usize)>, BadReply> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut reply = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut reply,
            octets,
            &mut headers,
        );
        let length = match parsed.map_err(BadReply::Head)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial if octets.len() >= HEAD_OCTETS_MAX => {
                return Err(BadReply::HeadTooLong);
            }
            httparse::Status::Partial => return Ok(None),
        };
        let status = reply.code.expect("a complete head has a status");
        let bodiless = to_head || matches!(status, 100..=199 | 204 | 304);
        let framing = if bodiless { Framing::Length(0) } else { Framing::of(reply.headers)? };
        let is_redirect = (300..=399).contains(&status) && status != 304;
        let location = reply.headers.iter().find(|h| h.name.eq_ignore_ascii_case("location"));
        let location = location
            .filter(|_| is_redirect)
            .map(|header| String::from_utf8_lossy(header.value).into_owned());
        Ok(Some((Self { status, framing, location }, length)))
    }

    /// Whether the real reply is still to come (RFC 9110 §15.2). After 101 no HTTP comes.
    pub(super) fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Where a reply leads whose status says that it is to be followed (RFC 9110 §15.4). The other
    /// redirects offer a choice, or speak of a cache.
    pub(super) fn redirect(&self) -> Option<&str> {
        self.location.as_deref().filter(|_| matches!(self.status, 301..=303 | 307 | 308))
    }

    /// `HTTP 200 OK`, and where a redirect leads, if it `follows` them.
    pub(super) fn describe(&self, follows: bool) -> String {
        let status = StatusCode::from_u16(self.status).ok();
        let reason = status.and_then(|status| status.canonical_reason());
        let mut text = format!("HTTP {}", self.status);
        for part in reason.into_iter().flat_map(|reason| [" ", reason]) {
            text.push_str(part);
        }
        if let Some(place) = &self.location {
            text.push_str(" to ");
            text.push_str(place);
            if !follows {
                text.push_str(" (redirects are not followed)");
            }
        }
        text
    }
}

// === impl Framing ===

impl Framing {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, BadReply> {
        let (mut length, mut coded) = (None, None);
        for header in headers {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                coded = Some(header.value); // the last coding decides
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let text = header.value.trim_ascii();
                let digits = std::str::from_utf8(text).ok();
                let digits = digits.filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
                let number = digits.and_then(|digits| digits.parse::<u64>().ok());
                if number.is_none() || length.is_some_and(|other| Some(other) != number) {
                    return Err(BadReply::Length(String::from_utf8_lossy(text).into_owned()));
                }
                length = number;
            }
        }
        Ok(match (coded, length) {
            (Some(codings), _) => {
                let last = codings.rsplit(|octet| *octet == b',').next().unwrap_or_default();
                if last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    Self::Chunked
                } else {
                    Self::UntilClosed
                }
            }
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::UntilClosed,
        })
    }
}

// === impl Body ===

impl Body {
    /// Nothing is read of it yet.
    pub(super) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => State::ChunkSize { size: 0, line: 0 },
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Data(length),
            Framing::UntilClosed => State::Endless,
        };
        Self { kept: Vec::new(), seen: 0, state }
    }

    /// Reads on. What follows the end is ignored, as is the trailer.
    ///
    /// # Errors
    /// When a chunk has no size.
    pub(super) fn take(&mut self, mut octets: &[u8]) -> Result<(), BadReply> {
        while !self.is_done()
            && let Some((&octet, rest)) = octets.split_first()
        {
            let (room, next) = match self.state {
                State::Endless => (u64::MAX, State::Endless),
                State::Data(left) => (left, State::Done),
                State::ChunkData(left) => (left, State::ChunkEnd),
                _ => {
                    self.state = self.state.between(octet)?;
                    octets = rest;
                    continue;
                }
            };
            let data = &octets[..octets.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
            self.keep(data);
            octets = &octets[data.len()..];
            let left = room - data.len() as u64;
            self.state = match self.state {
                State::Data(_) if left > 0 => State::Data(left),
                State::ChunkData(_) if left > 0 => State::ChunkData(left),
                _ => next,
            };
        }
        Ok(())
    }

    /// Whether it is complete, or as much of it was read as is of use.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done || self.seen >= BODY_OCTETS_MAX
    }

    /// The connection was closed.
    ///
    /// # Errors
    /// When that was not the body's end.
    pub(super) fn closed(&self) -> Result<(), BadReply> {
        let is_whole = self.state == State::Endless || self.is_done();
        if is_whole { Ok(()) } else { Err(BadReply::CutOff) }
    }

    /// Its beginning, as much as an output can show.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    fn keep(&mut self, data: &[u8]) {
        self.seen += data.len();
        let room = limit::CHECK_OUTPUT_OCTETS_MAX - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
    }
}

// === impl State ===

impl State {
    /// What follows one octet between the data of chunks.
    fn between(self, octet: u8) -> Result<Self, BadReply> {
        let line_so_far = |line: usize| (line < CHUNK_LINE_OCTETS_MAX).then_some(line + 1);
        Ok(match (self, octet) {
            (Self::ChunkSize { line: 0, .. }, b'\r' | b'\n' | b';' | b' ' | b'\t') => {
                return Err(BadReply::Chunk);
            }
            (Self::ChunkSize { size, .. } | Self::ChunkExtension { size, .. }, b'\n') => {
                // After the last chunk there is only the trailer.
                if size == 0 { Self::Done } else { Self::ChunkData(size) }
            }
            (Self::ChunkSize { size, line }, b'\r' | b';' | b' ' | b'\t') => {
                Self::ChunkExtension { size, line }
            }
            (Self::ChunkSize { size, line }, _) => {
                let digit = char::from(octet).to_digit(16).ok_or(BadReply::Chunk)?;
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                let line = line_so_far(line).ok_or(BadReply::Chunk)?;
                Self::ChunkSize { size: size.ok_or(BadReply::Chunk)?, line }
            }
            (Self::ChunkExtension { size, line }, _) => {
                Self::ChunkExtension { size, line: line_so_far(line).ok_or(BadReply::Chunk)? }
            }
            (Self::ChunkEnd, b'\n') => Self::ChunkSize { size: 0, line: 0 },
            (Self::ChunkEnd, b'\r') => Self::ChunkEnd,
            (Self::ChunkEnd, _) => return Err(BadReply::Chunk),
            (state, _) => state,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BadReply, Body, Framing, Head};

    fn framing(headers: &str) -> Result<Framing, BadReply> {
        let text = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        let parsed = Head::parse(text.as_bytes(), false)?;
        parsed.map(|(head, _)| head.framing).ok_or(BadReply::Closed)
    }

    #[test]
    fn the_end_of_the_body_is_where_the_head_says() {
        for (headers, expected) in [
            ("", Framing::UntilClosed),
            ("Content-Length: 5\r\n", Framing::Length(5)),
            ("content-length:5\r\nContent-Length: 5\r\n", Framing::Length(5)),
            ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
            ("Transfer-Encoding: gzip, Chunked\r\nContent-Length: 5\r\n", Framing::Chunked),
            ("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", Framing::UntilClosed),
        ] {
            assert_eq!(framing(headers).unwrap(), expected, "{headers:?}");
        }
        for wrong in ["five", "-5", "+5", "5, 5", "5\r\nContent-Length: 6", ""] {
            let error = framing(&format!("Content-Length: {wrong}\r\n")).unwrap_err();
            assert!(error.to_string().starts_with("invalid Content-Length"), "{wrong}: {error}");
        }
        for status in ["100 Continue", "204 No Content", "304 Not Modified"] {
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n");
            let (head, _) = Head::parse(text.as_bytes(), false).unwrap().unwrap();
            assert_eq!(head.framing, Framing::Length(0), "{status}");
        }
        let (head, _) = Head::parse(b"HTTP/1.0 200 OK\r\n\r\n", true).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0), "to a HEAD request");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in ["\r\n", " \r\n", "x\r\n", "4\r\nfineX", ";\r\n", "fffffffffffffffff\r\n"] {
            let mut body = Body::new(Framing::Chunked);
            assert!(body.take(text.as_bytes()).is_err(), "{text:?}");
        }
        let endless = format!("5;{}", "x".repeat(super::CHUNK_LINE_OCTETS_MAX));
        assert!(Body::new(Framing::Chunked).take(endless.as_bytes()).is_err());
    }

    proptest! {
        /// However the octets arrive, chunks come to the same text, and an end that comes too
        /// early is noticed.
        #[test]
        fn chunks_are_joined_however_they_are_cut(
            chunks in proptest::collection::vec("[a-z\r\n]{1,20}", 0..8),
            cuts in proptest::collection::vec(1_usize..9, 1..200),
        ) {
            let mut wire = String::new();
            for chunk in &chunks {
                wire.push_str(&format!("{:X};ext=1\r\n{chunk}\r\n", chunk.len()));
            }
            wire.push_str("0\r\n\r\n");
            let (mut body, mut rest) = (Body::new(Framing::Chunked), wire.as_bytes());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                prop_assert!(body.is_done() || body.closed().is_err());
                let (now, later) = rest.split_at(rest.len().min(*cut));
                body.take(now).unwrap();
                rest = later;
            }
            prop_assert!(body.is_done());
            let whole = chunks.concat();
            prop_assert_eq!(body.kept(), whole.as_bytes());
        }

        /// Nothing that a stranger sends makes it panic.
        #[test]
        fn any_octets_are_taken(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&octets, false);
            for framing in [Framing::Chunked, Framing::Length(100), Framing::UntilClosed] {
                let mut body = Body::new(framing);
                let _ = body.take(&octets);
                let _ = body.closed();
            }
        }
    }
}
