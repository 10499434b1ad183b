//! The options of EDNS at the level of messages: what depends on the transport above all.

use hickory_proto::rr::RecordType;

use crate::dns::{
    CookieSecrets, Identity, Transport,
    testing::{Ask, NOW, Told, World, member},
};

const A: RecordType = RecordType::A;
const KEY: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

fn world() -> World {
    let mut world = World::new(vec![member("web/a", "10.0.0.1")]);
    world.settings.cookies = Some(CookieSecrets::parse(KEY).unwrap());
    world.settings.identity = Identity { nsid: b"ns-7"[..].into(), ..Identity::default() };
    world
}

/// The reply to a question with these options.
fn put(world: &mut World, transport: Transport, options: &[u8]) -> Told {
    let ask = Ask { transport, may_allocate: false, ..Ask::new("web", A) };
    let mut packet = ask.packet();
    let length = u16::try_from(options.len()).unwrap();
    let end = packet.len() - 2;
    packet[end..].copy_from_slice(&length.to_be_bytes());
    packet.extend(options);
    world.put_packet(&packet, &ask).expect("the fast path answers it")
}

/// The options of the OPT record, which is the last one: code and data.
fn options(told: &Told) -> Vec<(u16, Vec<u8>)> {
    let start = told.octets.windows(3).rposition(|part| part == [0, 0, 41]).expect("an OPT record");
    let mut rest = &told.octets[start + 11..];
    let mut options = Vec::new();
    while let [code_high, code_low, high, low, tail @ ..] = rest {
        let (data, tail) = tail.split_at(u16::from_be_bytes([*high, *low]).into());
        options.push((u16::from_be_bytes([*code_high, *code_low]), data.to_vec()));
        rest = tail;
    }
    assert!(rest.is_empty());
    options
}

fn codes(told: &Told) -> Vec<u16> {
    options(told).into_iter().map(|(code, _)| code).collect()
}

const COOKIE: &[u8] = b"\x00\x0A\x00\x08abcdefgh";
const KEEPALIVE: &[u8] = b"\x00\x0B\x00\x00";
const NSID: &[u8] = b"\x00\x03\x00\x00";
const PADDING: &[u8] = b"\x00\x0C\x00\x02\x00\x00";

#[test]
fn what_a_transport_allows_is_answered_and_padding_comes_last() {
    let mut world = world();
    let all = [PADDING, KEEPALIVE, COOKIE, NSID].concat();
    for (transport, expected) in [
        (Transport::Udp, &[3, 10][..]),
        (Transport::Tcp, &[3, 10, 11]),
        (Transport::Tls, &[3, 10, 11, 12]),
        (Transport::Https, &[3, 10, 12]),
        (Transport::Quic, &[3, 10, 12]),
    ] {
        let told = put(&mut world, transport, &all);
        assert_eq!(codes(&told), expected, "{transport:?}");
        assert_eq!(told.answers(), ["10.0.0.1"]);
        let is_padded = told.octets.len().is_multiple_of(468);
        assert_eq!(is_padded, transport.is_encrypted(), "{transport:?}: RFC 8467 §4.1");
    }
    assert_eq!(codes(&put(&mut world, Transport::Tls, COOKIE)), [10], "padded is who pads");
}

#[test]
fn a_cookie_is_told_with_every_reply_to_one() {
    let mut world = world();
    let told = put(&mut world, Transport::Udp, COOKIE);
    let (_, cookie) = options(&told).remove(0);
    assert_eq!((cookie.len(), &cookie[..8]), (24, &b"abcdefgh"[..]));
    assert_eq!(cookie[8..16], [&[1, 0, 0, 0][..], &NOW.to_be_bytes()].concat());
    // Also with a refusal, which could be a forged one.
    let unknown = [COOKIE, b"\x00\x0A\x00\x01"].concat();
    let told = put(&mut world, Transport::Udp, &unknown);
    assert_eq!((told.summary.rcode, codes(&told)), (1, vec![10]), "a cut option is malformed");
    world.settings.cookies = None;
    assert!(codes(&put(&mut world, Transport::Udp, COOKIE)).is_empty());
}

#[test]
fn options_never_make_a_reply_longer_than_it_may_be() {
    let crowd = (1..=200).map(|n| member(&format!("web/i{n}"), &format!("10.0.0.{n}")));
    let mut world = World::new(crowd.collect());
    world.settings.cookies = Some(CookieSecrets::parse(KEY).unwrap());
    world.settings.identity.nsid = [b'x'; 64].into();
    let mut ask = Ask::new("web", RecordType::SRV);
    for size in [512, 513, 600, 1232] {
        ask.edns = Some(size);
        let mut packet = ask.packet();
        let asked = [COOKIE, NSID].concat();
        let end = packet.len() - 1;
        packet[end] = u8::try_from(asked.len()).unwrap();
        packet.extend(asked);
        let told = world.put_packet(&packet, &ask).unwrap();
        assert!(told.octets.len() <= usize::from(size), "{} of {size}", told.octets.len());
        assert!(told.message.metadata.truncation && !told.message.answers.is_empty());
        assert_eq!(codes(&told), [3, 10], "{size}");
    }
    // The longest reply of all, with all that goes over TLS.
    let crowd = (1..=3_000).map(|n| member(&format!("web/i{n}"), &format!("fd00::{n:x}")));
    world.snapshot = World::new(crowd.collect()).snapshot;
    let all = [COOKIE, NSID, KEEPALIVE, PADDING].concat();
    let ask = Ask { transport: Transport::Tls, ..Ask::new("web", RecordType::SRV) };
    let mut packet = ask.packet();
    let end = packet.len() - 1;
    packet[end] = u8::try_from(all.len()).unwrap();
    packet.extend(all);
    let told = world.put_packet(&packet, &ask).unwrap();
    assert!(told.message.metadata.truncation && told.octets.len() > 65_000);
    assert_eq!(codes(&told)[..3], [3, 10, 11]);
}
