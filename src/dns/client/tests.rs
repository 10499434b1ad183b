//! The stub resolver against servers that lose, cut, forge and refuse.

use std::{net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SRV, TXT},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::{LookupError, Question};

const PATIENCE: Duration = Duration::from_secs(5);

/// The reply to a query, as the change makes it.
fn reply_to(octets: &[u8], change: impl Fn(&mut Message)) -> Vec<u8> {
    let mut message = Message::from_vec(octets).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.metadata.authoritative = true;
    change(&mut message);
    message.to_vec().unwrap()
}

fn answer(message: &mut Message, data: RData) {
    let name = message.queries[0].name().clone();
    message.answers.push(Record::from_rdata(name, 5, data));
}

/// A server that replies to its packets in their order, as each of `changes` makes it; an empty
/// list of replies is silence.
async fn server(
    changes: Vec<Vec<fn(&mut Message)>>,
) -> (SocketAddr, tokio::task::JoinHandle<UdpSocket>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut buffer = [0; 1500];
        for replies in changes {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            for change in replies {
                let reply = reply_to(&buffer[..length], change);
                socket.send_to(&reply, client).await.unwrap();
            }
        }
        socket
    });
    (address, serving)
}

#[tokio::test]
async fn a_reply_is_shown_with_its_code_its_flags_and_its_records() {
    let (address, _serving) = server(vec![vec![|message| {
        assert_eq!(message.queries[0].query_type(), RecordType::ANY);
        assert_eq!(message.queries[0].name().to_ascii(), "web.service.internal.");
        answer(message, RData::A(A::new(10, 0, 0, 1)));
        let target = Name::from_ascii("i.instance.web.").unwrap();
        answer(message, RData::SRV(SRV::new(1, 10, 80, target)));
        answer(message, RData::TXT(TXT::from_bytes(vec![b"v=1 \"x\"\\", b"\xff"])));
    }]])
    .await;
    let question = Question::new("web.service.internal", "any").unwrap();
    let lookup = question.ask(address, PATIENCE, false).await.unwrap();
    assert_eq!((lookup.rcode.as_str(), lookup.tcp), ("NOERROR", false));
    assert_eq!(lookup.flags, ["qr", "aa", "rd"]);
    let seen: Vec<_> =
        lookup.answers.iter().map(|r| (r.ttl, r.record_type.as_str(), r.data.as_str())).collect();
    assert_eq!(
        seen,
        [
            (5, "A", "10.0.0.1"),
            (5, "SRV", "1 10 80 i.instance.web."),
            (5, "TXT", r#""v=1 \"x\"\\" "\255""#)
        ]
    );
    assert_eq!(lookup.answers[0].name, "web.service.internal.");
}

#[tokio::test]
async fn a_lost_packet_is_sent_again_and_a_forged_reply_is_passed_over() {
    let (address, _serving) = server(vec![
        vec![],
        vec![
            |message| message.metadata.id = message.metadata.id.wrapping_add(1),
            |message| message.metadata.message_type = MessageType::Query,
            |message| {
                message.queries[0].set_query_type(RecordType::MX);
            },
            |message| message.metadata.response_code = ResponseCode::NXDomain,
        ],
    ])
    .await;
    let question = Question::new("web.", "A").unwrap();
    let lookup = question.ask(address, Duration::from_secs(2), false).await.unwrap();
    assert_eq!(lookup.rcode, "NXDOMAIN");
}

#[tokio::test]
async fn a_cut_reply_is_asked_for_again_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    let udp = tokio::spawn(async move {
        let mut buffer = [0; 1500];
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let reply = reply_to(&buffer[..length], |message| message.metadata.truncation = true);
        socket.send_to(&reply, client).await.unwrap();
    });
    let tcp = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.unwrap();
            let reply = reply_to(&query, |message| answer(message, RData::A(A::new(1, 2, 3, 4))));
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
    let question = Question::new("web", "A").unwrap();
    let lookup = question.ask(address, PATIENCE, false).await.unwrap();
    assert!(lookup.tcp && !lookup.flags.contains(&"tc"));
    assert_eq!(lookup.answers[0].data, "1.2.3.4");
    udp.await.unwrap();
    let lookup = question.ask(address, PATIENCE, true).await.unwrap();
    assert_eq!((lookup.tcp, lookup.answers.len()), (true, 1), "UDP is left out when asked to");
    tcp.await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_silent_or_not_there_is_told_apart() {
    let question = Question::new("web", "A").unwrap();
    let (address, serving) = server(vec![vec![], vec![]]).await;
    let silent = question.ask(address, Duration::from_millis(100), false).await.unwrap_err();
    assert!(matches!(silent, LookupError::TimedOut(..)), "{silent}");
    drop(serving.await.unwrap());
    let gone = question.ask(address, PATIENCE, false).await.unwrap_err();
    assert!(matches!(gone, LookupError::Unreachable(..)), "{gone}");
}

#[test]
fn a_question_is_checked_before_it_is_asked() {
    assert!(Question::new("web", "type65").is_ok());
    for (name, record_type, problem) in [
        ("a..b", "A", "`a..b` is no name: it has an empty label"),
        ("web", "AA", "`AA` is no record type"),
    ] {
        let refusal = Question::new(name, record_type).unwrap_err().to_string();
        assert!(refusal.contains(problem), "{refusal}");
    }
}
