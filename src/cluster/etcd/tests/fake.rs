//! Members that no package has: a server that speaks gRPC, and answers as it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, server::SendResponse};
use hyper::Request;
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::super::{
    Client, EtcdError, EtcdOptions, EtcdUser, KeyRange, Range,
    proto::{AuthenticateResponse, ResponseHeader, StatusResponse},
};

/// What it is asked.
#[derive(Debug)]
pub(super) struct Call {
    /// `Status`.
    pub(super) method: String,
    token: Option<String>,
    /// The message, encoded.
    pub(super) message: Bytes,
}

/// What it says to that.
#[derive(Debug)]
pub(super) enum Said {
    /// A message.
    Whole(Vec<u8>),
    /// gRPC's number of an error, with its text.
    Refused(u32, &'static str),
    /// A message in pieces of so many octets, with so much time before each; and whether the last
    /// one comes.
    Pieces(Vec<u8>, usize, Duration, bool),
}

pub(super) type Answer = dyn Fn(&Call) -> Said + Send + Sync;

/// What HTTP/2 comes by.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Takes connections, and answers each call.
pub(super) async fn etcd_that(
    answer: impl Fn(&Call) -> Said + Send + Sync + 'static,
) -> SocketAddr {
    let answer: Arc<Answer> = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answer)));
        }
    });
    address
}

/// Answers the calls of one connection.
pub(super) async fn serve(stream: impl Stream, answer: Arc<Answer>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        // Aside: what is sent goes out while the connection is waited for.
        tokio::spawn(reply(request, respond, Arc::clone(&answer)));
    }
}

async fn reply(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: Arc<Answer>,
) {
    let (head, mut body) = request.into_parts();
    let mut framed = BytesMut::new();
    while let Some(Ok(data)) = body.data().await {
        framed.put_slice(&data);
    }
    let (_, method) = head.uri.path().rsplit_once('/').unwrap();
    let token = head.headers.get("token").map(|it| it.to_str().unwrap().to_owned());
    // Behind gRPC's frame.
    let message = framed.freeze().slice(5..);
    let said = answer(&Call { method: method.to_owned(), token, message });
    let head = hyper::Response::builder().header("content-type", "application/grpc");
    let mut sent = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let (mut code, mut text) = (0, "");
    match said {
        Said::Whole(message) => sent.send_data(framed_of(&message), false).unwrap(),
        Said::Refused(number, why) => (code, text) = (number, why),
        Said::Pieces(message, size, every, is_whole) => {
            let framed = framed_of(&message);
            let last = framed.len().div_ceil(size) - 1;
            for (number, piece) in framed.chunks(size).enumerate() {
                tokio::time::sleep(every).await;
                if !is_whole && number == last {
                    return std::future::pending().await;
                }
                // Nobody waits for it any more.
                let Ok(()) = sent.send_data(Bytes::copy_from_slice(piece), false) else { return };
            }
        }
    }
    let mut trailers = hyper::HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers.insert("grpc-message", text.parse().unwrap());
    let _gone = sent.send_trailers(trailers);
}

/// gRPC's frame: not compressed, the length, the message.
pub(super) fn framed_of(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// What a member of this version says of itself.
pub(super) fn of_version(version: &str) -> Said {
    let header = Some(ResponseHeader { cluster_id: 1, member_id: 2, revision: 3, raft_term: 4 });
    let version = version.to_owned();
    Said::Whole(StatusResponse { header, version, ..StatusResponse::default() }.encode_to_vec())
}

#[tokio::test]
async fn an_etcd_that_cannot_say_how_far_a_watch_has_come_is_refused() {
    for (version, is_refused) in [("3.3.27", true), ("2.3.8", true), ("3.4.0", false)] {
        let url = format!("http://{}", etcd_that(move |_| of_version(version)).await);
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
    let user =
        || EtcdUser { name: "rollcall".into(), password: "secret".into(), password_file: None };
    // Who has no user comes by a certificate.
    for ((code, text), user) in [
        (PERMISSION, Some(user())),
        (NOBODY, Some(user())),
        (TOKEN, Some(user())),
        (PERMISSION, None),
        (NOBODY, None),
    ] {
        let is_user = user.is_some();
        let address = etcd_that(move |call| match call.method.as_str() {
            "Authenticate" => {
                Said::Whole(AuthenticateResponse { token: "t".into() }.encode_to_vec())
            }
            "Status" => {
                assert_eq!(call.token.is_some(), is_user, "who has a user logs in before");
                Said::Refused(code, text)
            }
            _ => Said::Whole(Vec::new()),
        });
        let url = format!("http://{}", address.await);
        let options = EtcdOptions::new([url.as_str()]);
        let etcd = Client::new(EtcdOptions { user, ..options }).unwrap();
        etcd.put("/a", "1", None).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(etcd.members(), [], "nothing is known of it");
        let error = etcd.status().await.unwrap_err();
        assert!(matches!(error, EtcdError::Denied { .. }), "{error:?}");
    }
}
