//! Members that no package has any more: a server that answers every call with the same message.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::net::TcpListener;

use super::super::{
    Client, EtcdError, EtcdOptions, KeyRange, Range,
    proto::{ResponseHeader, StatusResponse},
};

/// Says to everything that it is this version.
async fn etcd_of(version: &str) -> SocketAddr {
    let header = Some(ResponseHeader { cluster_id: 1, member_id: 2, revision: 3, raft_term: 4 });
    let status = StatusResponse { header, version: version.into(), ..StatusResponse::default() };
    let message = status.encode_to_vec();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(&message);
    let framed: Bytes = framed.freeze();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let framed = framed.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let head =
                        hyper::Response::builder().header("content-type", "application/grpc");
                    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    body.send_data(framed.clone(), false).unwrap();
                    let mut trailers = hyper::HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    body.send_trailers(trailers).unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn an_etcd_that_cannot_say_how_far_a_watch_has_come_is_refused() {
    for (version, is_refused) in [("3.3.27", true), ("2.3.8", true), ("3.4.0", false)] {
        let url = format!("http://{}", etcd_of(version).await);
        let etcd = Client::new(EtcdOptions::new([url.as_str()])).unwrap();
        let asked = etcd.range(Range::of(KeyRange::key("/a"))).await;
        let refused = EtcdError::TooOld { endpoint: url.clone(), version: version.into() };
        assert_eq!(asked.err() == Some(refused.clone()), is_refused, "{version}");
        let said = refused.to_string();
        assert!(said.contains(version) && said.contains("3.4 is the oldest"), "{said}");
    }
}
