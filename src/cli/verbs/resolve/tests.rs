//! What is asked and what is printed, over a DNS server of canned octets.

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::UdpSocket;

use super::ResolveArgs;
use crate::cli::{args::ClientArgs, exit::Failure, testing::Buffer};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    resolve: ResolveArgs,
}

fn parse(line: &str) -> ResolveArgs {
    Line::parse_from(["resolve"].into_iter().chain(line.split_whitespace())).resolve
}

#[test]
fn an_address_without_a_port_is_asked_at_the_port_of_dns() {
    for (text, place) in [
        ("127.0.0.1", "127.0.0.1:53"),
        ("10.0.0.2:8600", "10.0.0.2:8600"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("[::1]:8600", "[::1]:8600"),
    ] {
        assert_eq!(parse(&format!("web --dns {text}")).dns.to_string(), place);
    }
    for text in ["localhost", "127.0.0.1:", "127.0.0.1:65536", ""] {
        assert!(super::place(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_without_a_dot_is_a_service_and_an_address_is_reversed() {
    let cases = [
        ("web", "web.service.internal", &["A", "AAAA"][..]),
        ("web --domain corp.example --type srv", "web.service.corp.example", &["SRV"]),
        ("v1.web.service.internal", "v1.web.service.internal", &["A", "AAAA"]),
        ("internal.", "internal.", &["A", "AAAA"]),
        ("10.0.1.6", "6.1.0.10.in-addr.arpa", &["PTR"]),
        (
            "fd00::6",
            "6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
            &["PTR"],
        ),
    ];
    for (line, name, types) in cases {
        let (asked, asked_types) = parse(line).questions();
        assert_eq!(
            (asked.as_str(), asked_types),
            (name, types.iter().map(ToString::to_string).collect()),
            "{line}"
        );
    }
}

/// A server that replies to each query with `code` and, for type A, with these octets of records.
async fn server(code: u8, answer: Option<[u8; 4]>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            let question_end = 12 + buffer[12..length].iter().position(|b| *b == 0).unwrap() + 5;
            let is_a = buffer[question_end - 3] == 1;
            let records = answer.filter(|_| is_a);
            let mut reply = buffer[..question_end].to_vec();
            reply[2] = 0x85;
            reply[3] = code;
            reply[6..12].copy_from_slice(&[0, records.is_some().into(), 0, 0, 0, 0]);
            if let Some(ip) = records {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
                reply.extend(ip);
            }
            socket.send_to(&reply, client).await.unwrap();
        }
    });
    address
}

async fn run(line: &str, json: bool) -> (String, Result<(), Failure>) {
    let buffer = Buffer::default();
    let result = parse(line).run(&ClientArgs::default(), &mut buffer.output(json)).await;
    (buffer.text(), result)
}

#[tokio::test]
async fn records_are_a_table_below_the_codes() {
    let server = server(0, Some([10, 0, 0, 1])).await;
    let (text, result) = run(&format!("web --dns {server}"), false).await;
    result.unwrap();
    assert_eq!(
        text,
        ";; web.service.internal A: NOERROR (qr aa rd) udp\n\
         ;; web.service.internal AAAA: NOERROR (qr aa rd) udp\n\
         NAME                   TTL  TYPE  DATA\n\
         web.service.internal.    5  A     10.0.0.1\n"
    );
    let (text, result) = run(&format!("web --type A --dns {server}"), true).await;
    result.unwrap();
    let printed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(printed["replies"][0]["rcode"], "NOERROR");
    assert_eq!(printed["replies"][0]["answers"][0]["data"], "10.0.0.1");
}

#[tokio::test]
async fn no_answer_is_a_negative_result_with_its_reason() {
    let cases = [
        (0, "`web.service.internal` has no records of type A or AAAA (NODATA)"),
        (3, "there is no name `web.service.internal` (NXDOMAIN)"),
        (5, "`web.service.internal` is not answered (REFUSED)"),
    ];
    for (code, expected) in cases {
        let server = server(code, None).await;
        for json in [false, true] {
            let (text, result) = run(&format!("web --dns {server}"), json).await;
            let failure = result.unwrap_err();
            assert_eq!((failure.code(), failure.to_string().as_str()), (1, expected));
            assert!(!text.is_empty(), "the reply is shown all the same");
        }
    }
}

#[tokio::test]
async fn a_wrong_question_is_usage_and_silence_is_unreachable() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let (_, gone) = run(&format!("web --dns {address}"), false).await;
    assert_eq!(gone.unwrap_err().code(), 69);
    let (_, wrong) = run(&format!("web --type NONE --dns {address}"), false).await;
    assert_eq!(wrong.unwrap_err().code(), 2);
}
