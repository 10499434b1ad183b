//! Replies in gzip, for those who ask for them.

use std::io::Read;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request},
};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::support::Door;
use crate::http::Options;

/// The head and the body of a reply, as it is sent.
async fn sent(door: &Door, path: &str, accepted: Option<&str>) -> (HeaderMap, Bytes) {
    let mut request = Request::get(path).header("accept", "application/json");
    if let Some(accepted) = accepted {
        request = request.header("accept-encoding", accepted);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = door.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let (parts, body) = response.into_parts();
    (parts.headers, body.collect().await.unwrap().to_bytes())
}

/// A door with so many instances that lists of them are worth it.
async fn crowded() -> Door {
    let door = Door::open(Options::default());
    for number in 1..10 {
        let body = format!(r#"{{"addresses": ["10.0.0.{number}"], "port": 80}}"#);
        door.register(&format!("web/web-{number}"), &body).await;
    }
    door
}

#[tokio::test]
async fn lists_for_clients_of_consul_and_eureka_are_sent_in_gzip_to_those_who_accept_it() {
    let door = crowded().await;
    for path in ["/v1/health/service/web?passing", "/eureka/apps/", "/eureka/apps/WEB"] {
        let (headers, plain) = sent(&door, path, None).await;
        assert!(!headers.contains_key("content-encoding"), "{path}");
        for accepted in ["gzip", "gzip, deflate", "br, gzip;q=0.5", "*"] {
            let (headers, body) = sent(&door, path, Some(accepted)).await;
            assert_eq!(headers["content-encoding"], "gzip", "{path} {accepted}");
            assert_eq!(headers["vary"], "accept-encoding", "{path}");
            assert!(body.len() * 4 < plain.len(), "{path}: {} of {}", body.len(), plain.len());
            let mut read = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut read).unwrap();
            assert!(plain == read, "{path}: it is what it is without gzip");
        }
        // The last ones are no reason to refuse: the RFC would have them answered all the same.
        for other in ["", "identity", "br", "gzip;q=0", "identity;q=0", "*;q=0"] {
            let (headers, body) = sent(&door, path, Some(other)).await;
            assert!(!headers.contains_key("content-encoding"), "{path} {other}");
            assert_eq!(body, plain, "{path} {other}");
        }
    }
}

#[tokio::test]
async fn an_index_comes_with_a_list_in_gzip_too() {
    let door = crowded().await;
    let (headers, _) = sent(&door, "/v1/health/service/web", Some("gzip")).await;
    assert_eq!(headers["x-consul-index"], "9");
}

#[tokio::test]
async fn what_fits_into_a_packet_is_sent_as_it_is() {
    let door = crowded().await;
    for path in ["/v1/catalog/services", "/v1/status/leader", "/eureka/apps/WEB/rollcall:web:web-1"]
    {
        let (headers, body) = sent(&door, path, Some("gzip")).await;
        assert!(!headers.contains_key("content-encoding"), "{path}");
        assert!(body.len() < 1_400, "{path}");
    }
}

#[tokio::test]
async fn what_many_are_sent_is_the_same_in_gzip() {
    let door = Door::open(Options::default());
    for number in 1..150 {
        let body = format!(r#"{{"addresses": ["10.0.0.{number}"], "port": 80}}"#);
        door.register(&format!("web/web-{number}"), &body).await;
    }
    for path in ["/v1/health/service/web", "/v1/catalog/service/web", "/eureka/apps/delta"] {
        let (headers, plain) = sent(&door, path, None).await;
        assert!(!headers.contains_key("content-encoding"), "{path}");
        let (headers, first) = sent(&door, path, Some("gzip")).await;
        let (_, second) = sent(&door, path, Some("gzip")).await;
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
        assert_eq!(headers.get_all("vary").iter().count(), 1, "{path}");
        assert_eq!(headers["vary"], "accept-encoding", "{path}");
        assert_eq!(first.as_ptr(), second.as_ptr(), "{path}: it is made once");
        let mut read = Vec::new();
        GzDecoder::new(&*first).read_to_end(&mut read).unwrap();
        assert!(plain == read, "{path}: it is what it is without gzip");
    }
}

/// It was made anew for each client.
#[tokio::test]
async fn a_delta_is_shared_by_those_who_ask_for_the_same() {
    let door = crowded().await;
    let (_, json) = sent(&door, "/eureka/apps/delta", None).await;
    let (_, again) = sent(&door, "/eureka/v2/apps/delta", None).await;
    assert_eq!(json.as_ptr(), again.as_ptr());
    let xml = Request::get("/eureka/apps/delta").body(Body::empty()).unwrap();
    assert!(door.send(xml).await.text.starts_with("<applications>"));
    door.register("web/web-10", r#"{"addresses": ["10.0.0.10"], "port": 80}"#).await;
    let (_, next) = sent(&door, "/eureka/apps/delta", None).await;
    assert!(String::from_utf8_lossy(&next).contains("rollcall:web:web-10"));
}
