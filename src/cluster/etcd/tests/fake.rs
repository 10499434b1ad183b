//! Members that no package has: a server that speaks gRPC, and answers as it is told.

use std::{net::SocketAddr, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::net::TcpListener;

use super::super::{
    Client, EtcdError, EtcdOptions, EtcdUser, KeyRange, Range,
    proto::{AuthenticateResponse, ResponseHeader, StatusResponse},
};

/// What is asked: `Status`, with the token that came along.
type Answer = dyn Fn(&str, Option<&str>) -> Result<Vec<u8>, (u32, &'static str)> + Send + Sync;

/// Answers each call with a message, or with gRPC's number of an error and its text.
async fn etcd_that<A>(answer: A) -> SocketAddr
where
    A: Fn(&str, Option<&str>) -> Result<Vec<u8>, (u32, &'static str)> + Send + Sync + 'static,
{
    let answer: Arc<Answer> = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let token = request.headers().get("token").map(|it| it.to_str().unwrap());
                    let (_, method) = request.uri().path().rsplit_once('/').unwrap();
                    let (body, (code, text)) = match answer(method, token) {
                        Ok(message) => (framed(&message), (0, "")),
                        Err(refusal) => (Bytes::new(), refusal),
                    };
                    let head =
                        hyper::Response::builder().header("content-type", "application/grpc");
                    let mut sent = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    sent.send_data(body, false).unwrap();
                    let mut trailers = hyper::HeaderMap::new();
                    trailers.insert("grpc-status", code.into());
                    trailers.insert("grpc-message", text.parse().unwrap());
                    sent.send_trailers(trailers).unwrap();
                }
            });
        }
    });
    address
}

/// gRPC's frame: not compressed, the length, the message.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// Says to everything that it is this version.
fn of_version(version: &str) -> Vec<u8> {
    let header = Some(ResponseHeader { cluster_id: 1, member_id: 2, revision: 3, raft_term: 4 });
    let version = version.to_owned();
    StatusResponse { header, version, ..StatusResponse::default() }.encode_to_vec()
}

#[tokio::test]
async fn an_etcd_that_cannot_say_how_far_a_watch_has_come_is_refused() {
    for (version, is_refused) in [("3.3.27", true), ("2.3.8", true), ("3.4.0", false)] {
        let url = format!("http://{}", etcd_that(move |_, _| Ok(of_version(version))).await);
        let etcd = Client::new(EtcdOptions::new([url.as_str()])).unwrap();
        let asked = etcd.range(Range::of(KeyRange::key("/a"))).await;
        let refused = EtcdError::TooOld { endpoint: url.clone(), version: version.into() };
        assert_eq!(asked.err() == Some(refused.clone()), is_refused, "{version}");
        let said = refused.to_string();
        assert!(said.contains(version) && said.contains("3.4 is the oldest"), "{said}");
    }
}

/// Since 3.5.28 and 3.6.0 `Maintenance/Status` is for `root`, since 3.5.32 for every user.
#[tokio::test]
async fn an_etcd_that_tells_its_version_to_root_alone_is_used_all_the_same() {
    const PERMISSION: (u32, &str) = (7, "etcdserver: permission denied");
    const NOBODY: (u32, &str) = (3, "etcdserver: user name is empty");
    const TOKEN: (u32, &str) = (16, "etcdserver: invalid auth token");
    let user = |password: &str| EtcdUser {
        name: "rollcall".into(),
        password: password.into(),
        password_file: None,
    };
    // What is asked with the token of a user; a client without one comes by its certificate.
    for (status, user) in [
        (PERMISSION, Some(user("secret"))),
        (NOBODY, Some(user("secret"))),
        (TOKEN, Some(user("secret"))),
        (PERMISSION, None),
        (NOBODY, None),
    ] {
        let is_user = user.is_some();
        let address = etcd_that(move |method, token| match method {
            "Authenticate" => Ok(AuthenticateResponse { token: "t".into() }.encode_to_vec()),
            "Status" => {
                assert_eq!(token.is_some(), is_user, "who has a user logs in before");
                Err(status)
            }
            _ => Ok(Vec::new()),
        });
        let url = format!("http://{}", address.await);
        let options = EtcdOptions::new([url.as_str()]);
        let etcd = Client::new(EtcdOptions { user, ..options }).unwrap();
        etcd.put("/a", "1", None).await.unwrap_or_else(|error| panic!("{status:?}: {error}"));
        assert_eq!(etcd.members(), [], "nothing is known of it");
        let error = etcd.status().await.unwrap_err();
        assert!(matches!(error, EtcdError::Denied { .. }), "{error:?}");
    }
}
