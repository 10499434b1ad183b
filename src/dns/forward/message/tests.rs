//! What is kept of a message, and what is written of it.

use std::time::Duration;

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, rdata},
};

use super::{Age, Kept, Limits, is_referral};
use crate::dns::{
    Parsed,
    asked::Asked,
    encode::Reply,
    forward::key::{Key, KeyRef},
    parse,
};

const LIMITS: Limits = Limits { max_ttl: 1_000, negative_max_ttl: 500 };

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(owner: &str, ttl: u32) -> Record {
    Record::from_rdata(name(owner), ttl, RData::A(rdata::A::new(192, 0, 2, 1)))
}

fn alias(owner: &str, ttl: u32, target: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::CNAME(rdata::CNAME(name(target))))
}

fn soa(ttl: u32, minimum: u32) -> Record {
    let (server, mailbox) = (name("ns.example."), name("hostmaster.example."));
    let soa = rdata::SOA::new(server, mailbox, 1, 2, 3, 4, minimum);
    Record::from_rdata(name("example."), ttl, RData::SOA(soa))
}

fn message(code: ResponseCode, answers: Vec<Record>, authorities: Vec<Record>) -> Message {
    let mut message = Message::query().into_response();
    message.metadata.response_code = code;
    (message.answers, message.authorities) = (answers, authorities);
    message
}

fn key() -> Key {
    KeyRef::new(b"\x03www\x07example\x00", 1, (false, false)).to_key()
}

fn kept(message: &Message) -> Kept {
    Kept::new(&key(), message, LIMITS, Duration::from_secs(5)).unwrap()
}

/// The reply that is written, and where the name stands that is still to be asked for.
fn written(kept: &Kept, age: Age) -> (Message, Option<usize>) {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(b"\x03WWW\x07Example\x00\x00\x01\x00\x01");
    let Parsed::Query(query) = parse(&packet) else { panic!("a plain query") };
    let mut out = vec![0; 4_096];
    let mut reply = Reply::new(&query, 4_096, None, &mut out);
    let is_ours = |name: &[u8]| name == b"\x04ours\x07example\x00";
    let alias = kept.write(&Asked::by(&query), age, is_ours, &mut reply);
    let octets = reply.finish();
    (Message::from_vec(&out[..octets]).unwrap(), alias)
}

#[test]
fn a_message_lives_as_long_as_its_shortest_record() {
    let ok = ResponseCode::NoError;
    let gone = ResponseCode::NXDomain;
    let chain = || alias("www.example.", 300, "web.example.");
    for (what, message, lifetime) in [
        ("a record", message(ok, vec![a("www.example.", 60)], vec![]), 60),
        ("a chain", message(ok, vec![chain(), a("web.example.", 400)], vec![]), 300),
        ("the limit", message(ok, vec![a("www.example.", 9_999)], vec![]), 1_000),
        ("no TTL at all", message(ok, vec![a("www.example.", 1 << 31)], vec![]), 0),
        ("nothing, by MINIMUM", message(gone, vec![], vec![soa(100, 20)]), 20),
        ("nothing, by TTL", message(ok, vec![], vec![soa(30, 200)]), 30),
        ("nothing, at the limit", message(ok, vec![], vec![soa(900, 900)]), 500),
        ("nothing, for nobody knows how long", message(gone, vec![], vec![]), 0),
        ("a chain to nothing", message(gone, vec![chain()], vec![soa(100, 20)]), 20),
        ("an alias that goes on", message(ok, vec![chain()], vec![]), 300),
    ] {
        assert_eq!(kept(&message).lifetime(), lifetime, "{what}");
    }
}

#[test]
fn records_are_written_with_the_time_that_is_left_under_the_name_that_was_asked() {
    let told = message(
        ResponseCode::NoError,
        vec![alias("www.EXAMPLE.", 300, "Web.example."), a("web.example.", 60)],
        vec![Record::from_rdata(name("example."), 9, RData::NS(rdata::NS(name("ns.example."))))],
    );
    let kept = kept(&told);
    assert_eq!(kept.age(Duration::from_secs(15)), 10);
    for (age, ttls) in
        [(Age::Fresh(0), [300, 60]), (Age::Fresh(10), [290, 50]), (Age::Stale, [30; 2])]
    {
        let (reply, alias) = written(&kept, age);
        assert_eq!(reply.answers.iter().map(|record| record.ttl).collect::<Vec<_>>(), ttls);
        assert_eq!(reply.answers[0].name.to_string(), "WWW.Example.");
        assert_eq!(reply.answers[0].data.to_string(), "Web.example.");
        assert!(alias.is_none() && reply.authorities.is_empty(), "who would know is of no use");
    }
}

#[test]
fn an_alias_without_its_end_is_to_be_followed_and_one_to_nothing_is_not() {
    let chain = vec![alias("www.example.", 300, "web.example.")];
    let (_, alias) =
        written(&kept(&message(ResponseCode::NoError, chain.clone(), vec![])), Age::Stale);
    assert!(alias.is_some());
    for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
        let nothing = kept(&message(code, chain.clone(), vec![soa(60, 60)]));
        let (reply, alias) = written(&nothing, Age::Fresh(1));
        assert!(alias.is_none());
        assert_eq!((reply.metadata.response_code, reply.authorities[0].ttl), (code, 59));
        // Names in data are written out, wherever the upstream had them.
        assert_eq!(reply.authorities[0].data, soa(60, 60).data);
    }
}

#[test]
fn who_says_only_who_else_might_know_has_not_answered() {
    let ns = Record::from_rdata(name("example."), 9, RData::NS(rdata::NS(name("ns.example."))));
    let ok = ResponseCode::NoError;
    assert!(is_referral(&message(ok, vec![], vec![ns.clone()])));
    assert!(!is_referral(&message(ok, vec![], vec![ns.clone(), soa(60, 60)])));
    assert!(!is_referral(&message(ok, vec![a("www.example.", 60)], vec![ns.clone()])));
    assert!(!is_referral(&message(ResponseCode::NXDomain, vec![], vec![ns])));
    assert!(!is_referral(&message(ok, vec![], vec![])));
}

#[test]
fn only_what_leads_from_the_question_to_its_answer_is_kept() {
    let ok = ResponseCode::NoError;
    let chain = || alias("www.example.", 300, "web.example.");
    let stranger = || a("bank.example.", 9);
    for (what, answers, lifetime, shown) in [
        ("another name", vec![stranger()], 0, 0),
        ("beside the answer", vec![stranger(), a("www.example.", 60), stranger()], 60, 1),
        ("out of order", vec![a("web.example.", 60), stranger(), chain()], 60, 2),
        ("in a circle", vec![chain(), alias("web.example.", 300, "www.example.")], 300, 2),
    ] {
        let kept = kept(&message(ok, answers, vec![]));
        assert_eq!(kept.lifetime(), lifetime, "{what}");
        let (reply, _) = written(&kept, Age::Fresh(0));
        assert_eq!(reply.answers.len(), shown, "{what}: {reply}");
        assert!(reply.answers.iter().all(|record| record.name != name("bank.example.")), "{what}");
    }
    let mut told = message(ok, vec![a("www.example.", 60)], vec![]);
    told.additionals = vec![stranger()];
    assert!(written(&kept(&told), Age::Fresh(0)).0.additionals.is_empty());
}

/// A mail server for 60 seconds, with addresses beside it.
fn mail(server: &str, additionals: Vec<Record>) -> Kept {
    let key = KeyRef::new(b"\x03www\x07example\x00", 15, (false, false)).to_key();
    let mx = RData::MX(rdata::MX::new(10, name(server)));
    let answers = vec![Record::from_rdata(name("www.example."), 60, mx)];
    let mut told = message(ResponseCode::NoError, answers, vec![]);
    told.additionals = additionals;
    Kept::new(&key, &told, LIMITS, Duration::ZERO).unwrap()
}

#[test]
fn addresses_of_what_an_answer_leads_to_are_kept_with_it() {
    let kept = mail("Mail.example.", vec![a("mail.example.", 9), a("bank.example.", 9)]);
    assert_eq!(kept.lifetime(), 60, "addresses beside an answer do not shorten its life");
    let (reply, _) = written(&kept, Age::Fresh(0));
    assert_eq!((reply.answers.len(), reply.additionals), (1, vec![a("mail.example.", 9)]));
}

#[test]
fn a_record_that_is_above_two_names_is_kept_once() {
    let target = rdata::NULL::with(b"\x05other\x00".to_vec());
    let dname = RData::Unknown { code: 39.into(), rdata: target };
    let above = Record::from_rdata(name("example."), 60, dname);
    let chain = [alias("www.example.", 60, "web.example."), a("web.example.", 60)];
    let answers = [&[above], &chain[..]].concat();
    let (reply, _) =
        written(&kept(&message(ResponseCode::NoError, answers, vec![])), Age::Fresh(0));
    assert_eq!(reply.answers.len(), 3, "{reply}");
}

#[test]
fn addresses_beside_an_answer_are_given_for_as_long_as_they_live() {
    let addresses = vec![a("mail.example.", 9), a("mail.example.", 0)];
    let kept = mail("mail.example.", addresses);
    for (age, ttls) in [
        (Age::Fresh(0), vec![9, 0]),
        (Age::Fresh(8), vec![1]),
        (Age::Fresh(9), vec![]),
        (Age::Fresh(59), vec![]),
        (Age::Stale, vec![]),
    ] {
        let (reply, _) = written(&kept, age);
        assert_eq!(reply.answers.len(), 1);
        let shown: Vec<_> = reply.additionals.iter().map(|record| record.ttl).collect();
        assert_eq!(shown, ttls, "{age:?}");
    }
}

#[test]
fn behind_an_alias_that_is_followed_nothing_stands_in_the_way_of_answers() {
    let proof = Record::from_rdata(
        name("example."),
        60,
        RData::Unknown { code: 47.into(), rdata: rdata::NULL::with(vec![0, 0, 1, 0x40]) },
    );
    let chain = vec![alias("www.example.", 300, "web.example.")];
    let (reply, alias) =
        written(&kept(&message(ResponseCode::NoError, chain, vec![proof])), Age::Fresh(0));
    assert!(alias.is_some() && reply.authorities.is_empty(), "{reply}");
}

#[test]
fn an_upstream_does_not_say_what_a_name_of_ours_leads_to() {
    let chain = || alias("www.example.", 300, "Ours.example.");
    for (code, answers, authorities) in [
        (ResponseCode::NoError, vec![chain(), a("ours.example.", 60)], vec![]),
        (ResponseCode::NXDomain, vec![chain()], vec![soa(60, 60)]),
    ] {
        let (reply, alias) = written(&kept(&message(code, answers, authorities)), Age::Fresh(0));
        assert!(alias.is_some(), "it is followed here");
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert_eq!((reply.answers.len(), reply.authorities.len()), (1, 0), "{reply}");
    }
}

#[test]
fn an_upstream_does_not_say_where_a_name_of_ours_is() {
    let kept = mail("Ours.example.", vec![a("OURS.example.", 60)]);
    let (reply, _) = written(&kept, Age::Fresh(0));
    assert_eq!((reply.answers.len(), reply.additionals.len()), (1, 0), "{reply}");
}
