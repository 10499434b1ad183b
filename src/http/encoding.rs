//! Which encoding a reply is sent in: gzip or none (RFC 9110 §12.5.3).
//!
//! It is settled before a request is carried out, and never a reason to refuse one: who accepts
//! neither gzip nor what is not encoded gets the latter, as the RFC recommends and Consul does.
//!
//! What many clients are sent is compressed once for all of them ([`collected`]); all other replies
//! are compressed on their way out.

use std::io::Write;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// Replies of fewer octets are sent as they are: they fit into one packet either way.
pub(super) const GZIP_FROM_OCTETS: u64 = 1_400;

/// What gzip begins with (RFC 1952 §2.3.1), and neither JSON nor XML does.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Leaves of what a client accepts the encoding that its reply gets, so that all who look at it see
/// the same.
pub(super) fn settle(headers: &mut HeaderMap) {
    let is_gzip = prefers_gzip(headers);
    headers.remove(header::ACCEPT_ENCODING);
    if is_gzip {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// Whether a reply is to be in gzip, once that is settled.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).is_some_and(|accepted| accepted == "gzip")
}

/// All pieces as one body, in gzip if that is wanted and worth it.
pub(super) fn collected(gzip: bool, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Bytes {
    let mut pieces = pieces.into_iter();
    let mut plain = Vec::new();
    if !gzip {
        pieces.for_each(|piece| plain.extend_from_slice(piece.as_ref()));
        return plain.into();
    }
    for piece in pieces.by_ref() {
        plain.extend_from_slice(piece.as_ref());
        if plain.len() as u64 >= GZIP_FROM_OCTETS {
            break;
        }
    }
    if (plain.len() as u64) < GZIP_FROM_OCTETS {
        return plain.into();
    }
    // The quickest level shrinks lists to a tenth, and the others not to much less.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(&plain);
    drop(plain);
    let written =
        written.and_then(|()| pieces.try_for_each(|piece| encoder.write_all(piece.as_ref())));
    written.and_then(|()| encoder.finish()).expect("memory takes all").into()
}

/// Has a reply say that its body is in gzip, if it is. Others do not encode it again then.
pub(super) fn told(mut response: Response, body: &[u8]) -> Response {
    if body.starts_with(GZIP_MAGIC) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

fn prefers_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let (mut gzip, mut any, mut none) = (None, None, None);
    for accepted in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = accepted.split_once(';').unwrap_or((accepted, ""));
        let Some(weight) = weight(parameters) else { continue };
        let name = name.trim();
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            gzip = Some(weight);
        } else if name == "*" {
            any = Some(weight);
        } else if name.eq_ignore_ascii_case("identity") {
            none = Some(weight);
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= none.unwrap_or(0.0)
}

/// What `;q=` says; 1 where nothing does.
fn weight(parameters: &str) -> Option<f32> {
    let mut values = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let Some((_, value)) = values.find(|(name, _)| name.trim().eq_ignore_ascii_case("q")) else {
        return Some(1.0);
    };
    value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
    use flate2::read::GzDecoder;

    use super::{collected, is_gzip, settle};

    #[test]
    fn gzip_is_for_those_who_would_rather_have_it() {
        for (accepted, expected) in [
            (&[][..], false),
            (&[""], false),
            (&["gzip"], true),
            (&["X-GZIP"], true),
            (&["deflate, gzip"], true),
            (&["deflate", "gzip"], true),
            (&["br, gzip;q=0.5"], true),
            (&["gzip ; q=0.001"], true),
            (&["gzip;level=9;q=0"], false),
            (&["gzip;q=0.000, *"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["identity;q=0"], false),
            (&["identity;q=0, br"], false),
            (&["identity;q=0, gzip;q=0"], false),
            (&["identity;q=0, gzip"], true),
            (&["identity, gzip"], true),
            (&["identity, gzip;q=0.9"], false),
            (&["gzip;q=2"], false),
            (&["gzip;q=x"], false),
            (&["gzip;q=NaN"], false),
        ] {
            let entry = |value: &&'static str| -> (HeaderName, HeaderValue) {
                (header::ACCEPT_ENCODING, HeaderValue::from_static(value))
            };
            let mut headers: HeaderMap = accepted.iter().map(entry).collect();
            settle(&mut headers);
            assert_eq!(is_gzip(&headers), expected, "{accepted:?}");
            let left: Vec<_> = headers.get_all(header::ACCEPT_ENCODING).iter().collect();
            assert_eq!(left.len(), usize::from(expected), "{accepted:?}: {left:?}");
        }
    }

    #[test]
    fn pieces_are_one_body_in_either_encoding() {
        for count in [0, 1, 139, 140, 141, 10_000] {
            let pieces = || std::iter::repeat_n(b"0123456789", count);
            let plain = collected(false, pieces());
            assert_eq!(plain.len(), 10 * count);
            let body = collected(true, pieces());
            if count < 140 {
                assert_eq!(body, plain);
                continue;
            }
            let mut read = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut read).unwrap();
            assert!(plain == read, "{count}");
        }
    }
}
