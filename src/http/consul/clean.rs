//! Paths with parts that say nothing: an empty one, `.` or `..`.
//!
//! An agent leads who asks for such a path to the one without them, whether that is there or not
//! (Go's `ServeMux`). Clients that put an empty prefix in front of a path, or a slash too many
//! behind the address, live by that.

use axum::{
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

/// Where a request leads whose path is not clean; `None` for all others.
pub(in crate::http) fn elsewhere(method: &Method, uri: &Uri) -> Option<Response> {
    let mut place = cleaned(uri.path())?;
    if let Some(query) = uri.query() {
        place.extend(["?", query]);
    }
    let location = HeaderValue::from_str(&place).ok()?;
    let headers = [(header::LOCATION, location)];
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some((StatusCode::MOVED_PERMANENTLY, headers).into_response());
    }
    let place = escaped(&place);
    let page = format!("<a href=\"{place}\">Moved Permanently</a>.\n\n");
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Some((StatusCode::MOVED_PERMANENTLY, headers, html, page).into_response())
}

/// The path without what says nothing, if it has any of that. A slash at its end stays.
fn cleaned(path: &str) -> Option<String> {
    let says_nothing = |part: &str| matches!(part, "" | "." | "..");
    let inner = path.strip_prefix('/').unwrap_or(path);
    let whole = inner.strip_suffix('/').unwrap_or(inner);
    if whole.is_empty() || !whole.split('/').any(says_nothing) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    let mut cleaned = format!("/{}", kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        cleaned.push('/');
    }
    Some(cleaned)
}

/// Text of a page, without what would be its markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, header};
    use http_body_util::BodyExt;

    use super::{cleaned, elsewhere};

    #[test]
    fn what_says_nothing_in_a_path_is_left_out() {
        for (path, expected) in [
            ("/v1/catalog/services", None),
            ("/v1/catalog/services/", None),
            ("/v1/health/service/a.b", None),
            ("/v1/health/service/..a", None),
            ("/v1/kv/a%2F%2Fb", None),
            ("/v1//catalog/services", Some("/v1/catalog/services")),
            ("/v1///catalog//services//", Some("/v1/catalog/services/")),
            ("/v1/./catalog/.", Some("/v1/catalog")),
            ("/v1/health/../catalog/nodes", Some("/v1/catalog/nodes")),
            ("/v1/../../..", Some("/")),
        ] {
            assert_eq!(cleaned(path).as_deref(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn who_asks_for_such_a_path_is_led_to_the_clean_one() {
        let uri = "/v1//kv/a?recurse&x='y'".parse().unwrap();
        let reply = elsewhere(&Method::GET, &uri).unwrap();
        assert_eq!(reply.status(), 301);
        assert_eq!(reply.headers()[header::LOCATION], "/v1/kv/a?recurse&x='y'");
        let page = reply.into_body().collect().await.unwrap().to_bytes();
        let place = "/v1/kv/a?recurse&amp;x=&#39;y&#39;";
        assert_eq!(page, format!("<a href=\"{place}\">Moved Permanently</a>.\n\n"));
        let reply = elsewhere(&Method::PUT, &uri).unwrap();
        assert!(!reply.headers().contains_key(header::CONTENT_TYPE));
        assert!(reply.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}
