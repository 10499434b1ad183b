//! Which of the two forms a client speaks.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::http::encoding;

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
}

// === impl Form ===

impl Form {
    /// What a client is answered in: JSON when its `Accept` has the word, XML in all other cases.
    /// Clients that send no `Accept` read XML and nothing else.
    ///
    /// `X-Eureka-Accept: compact` asks for fewer fields; it is answered in full, as it may be.
    pub(crate) fn of_reply(headers: &HeaderMap) -> Self {
        if says(headers, &header::ACCEPT, "json") { Self::Json } else { Self::Xml }
    }

    /// What a body is: what its `Content-Type` says, else what it begins with. Without being told,
    /// `curl -d` says that it sends a form.
    pub(crate) fn of_body(headers: &HeaderMap, body: &[u8]) -> Self {
        if says(headers, &header::CONTENT_TYPE, "json") {
            Self::Json
        } else if says(headers, &header::CONTENT_TYPE, "xml")
            || without_mark(body).trim_ascii_start().starts_with(b"<")
        {
            Self::Xml
        } else {
            Self::Json
        }
    }

    /// The reply with this body.
    pub(crate) fn reply(self, body: impl Into<Body>) -> Response {
        let content_type = match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        };
        ([(header::CONTENT_TYPE, content_type)], body.into()).into_response()
    }

    /// The reply with this body, which is in this form or that in gzip.
    pub(crate) fn whole(self, body: Bytes) -> Response {
        let start = body.clone();
        encoding::told(self.reply(body), &start)
    }
}

/// A body without the byte order mark that some editors put before it.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.to_ascii_lowercase().contains(word))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

    use super::Form;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let entry = |value: &&'static str| (name.clone(), HeaderValue::from_static(value));
        values.iter().map(entry).collect()
    }

    #[test]
    fn who_accepts_json_is_answered_in_json_and_all_others_in_xml() {
        for (accept, form) in [
            (&[][..], Form::Xml),
            (&["application/json"], Form::Json),
            (&["application/json, application/*+json"], Form::Json),
            (&["Application/JSON;q=0.1, application/xml"], Form::Json),
            (&["text/html", "application/json"], Form::Json),
            (&["*/*"], Form::Xml),
            (&["application/xml"], Form::Xml),
            (&[""], Form::Xml),
        ] {
            assert_eq!(Form::of_reply(&headers(&header::ACCEPT, accept)), form, "{accept:?}");
        }
    }

    #[test]
    fn a_reply_says_what_it_is() {
        for (form, content_type) in
            [(Form::Json, "application/json"), (Form::Xml, "application/xml")]
        {
            assert_eq!(form.reply("").headers()["content-type"], content_type);
        }
    }

    #[test]
    fn a_body_is_what_its_type_says_and_else_what_it_begins_with() {
        for (content_type, body, form) in [
            (&["application/json"][..], "<instance/>", Form::Json),
            (&["application/xml;charset=UTF-8"], "{}", Form::Xml),
            (&["text/xml"], "{}", Form::Xml),
            (&[], "<instance/>", Form::Xml),
            (&[], "\u{feff} \r\n<instance/>", Form::Xml),
            (&[], " {}", Form::Json),
            (&[], "", Form::Json),
            (&["application/x-www-form-urlencoded"], "<instance/>", Form::Xml),
            (&["application/x-www-form-urlencoded"], "{}", Form::Json),
        ] {
            let headers = headers(&header::CONTENT_TYPE, content_type);
            let found = Form::of_body(&headers, body.as_bytes());
            assert_eq!(found, form, "{content_type:?} {body}");
        }
    }
}
